import WeirAlerts
import WeirPipeline

/// What nobody is to be told of: by silences, and by alerts that keep others silent.
public final class AlertMutes: Sendable {
    private struct State {
        var silences = Silences()
        var inhibitions: [Inhibition] = []
    }

    private let state = Monitor(State())

    /// Nothing is kept silent.
    public init() {}

    /// Sets the rules by which alerts keep others silent.
    public func inhibit(by inhibitions: [Inhibition]) {
        state.withLock { $0.inhibitions = inhibitions }
    }

    /// Notes which alerts fire.
    public func take(_ notices: [AlertNotice], at now: Int64) {
        state.withLock { state in
            for place in state.inhibitions.indices {
                state.inhibitions[place].take(notices, at: now)
            }
        }
    }

    /// Whether nobody is to be told of an alert now.
    public func isMuted(_ notice: AlertNotice, at now: Int64) -> Bool {
        state.withLock { state in
            state.silences.mutes(notice, at: now)
                || state.inhibitions.contains { $0.reason(for: notice, at: now) != nil }
        }
    }

    /// Why nobody is to be told of an alert: the names of silences, the fingerprints of alerts.
    public func reasons(
        for notice: AlertNotice, at now: Int64
    ) -> (silences: [String], alerts: [String]) {
        state.withLock { state in
            (
                state.silences.reasons(for: notice, at: now).map(\.id),
                state.inhibitions.compactMap { $0.reason(for: notice, at: now)?.fingerprintText }
            )
        }
    }

    /// Looks at the silences, or changes them.
    public func withSilences<R>(_ body: (inout Silences) -> R) -> R {
        state.withLock { body(&$0.silences) }
    }
}

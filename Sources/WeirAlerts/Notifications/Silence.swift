/// A span in which nobody is told of some alerts (Alertmanager: silence/silence.go).
public struct Silence: Sendable {
    /// How far it is.
    public enum State: String, Sendable {
        case pending
        case active
        case expired
    }

    /// Tells it apart from all others.
    public var id: String
    /// What the alerts have; at least one of these must not pass an empty text.
    public var matchers: [AlertMatcher]
    /// When it begins, in milliseconds.
    public var startsAt: Int64
    /// When it ends.
    public var endsAt: Int64
    /// When it was last changed.
    public var updatedAt: Int64
    /// Who made it.
    public var createdBy: String
    /// Why.
    public var comment: String

    /// A silence by its parts.
    public init(
        id: String, matchers: [AlertMatcher], startsAt: Int64, endsAt: Int64, updatedAt: Int64,
        createdBy: String, comment: String
    ) {
        self.id = id
        self.matchers = matchers
        self.startsAt = startsAt
        self.endsAt = endsAt
        self.updatedAt = updatedAt
        self.createdBy = createdBy
        self.comment = comment
    }

    /// How far it is at a time.
    public func state(at now: Int64) -> State {
        now < startsAt ? .pending : now < endsAt ? .active : .expired
    }

    /// Whether it keeps silent about an alert at a time.
    public func mutes(_ notice: AlertNotice, at now: Int64) -> Bool {
        state(at: now) == .active && matchers.allSatisfy { $0.matches(notice) }
    }
}

/// All silences.
public struct Silences: Sendable {
    /// Most silences.
    public static let limit = 10_000
    /// How long one is remembered after its end (Alertmanager: `--data.retention`).
    public static let retention: Int64 = 120 * 3_600_000

    /// Why a silence is refused.
    public struct Refusal: Error, Equatable, Sendable {
        /// The reason.
        public var message: String
        /// Whether there is none of the name.
        public var isAbsence = false
    }

    private var silences: [String: Silence] = [:]

    /// No silences.
    public init() {}

    /// All of them, those that end first first.
    public var all: [Silence] {
        silences.values.sorted { ($0.endsAt, $0.id) < ($1.endsAt, $1.id) }
    }

    /// The silence of a name.
    public subscript(id: String) -> Silence? { silences[id] }

    /// Sets a silence, or changes the one of its name.
    ///
    /// One that has begun keeps its beginning and its matchers: where those are to be others, it ends now and a
    /// new one begins, as Alertmanager has it.
    /// - Parameter newID: The name of a new one.
    /// - Returns: The name of the silence.
    public mutating func set(
        _ wanted: Silence, newID: String, at now: Int64
    ) throws(Refusal) -> String {
        var silence = wanted
        silence.updatedAt = now
        silence.startsAt = max(silence.startsAt, 0)
        guard silence.endsAt > silence.startsAt else {
            throw Refusal(message: "end time must not be before or equal to start time")
        }
        guard silence.endsAt > now else {
            throw Refusal(message: "end time can't be in the past")
        }
        guard silence.matchers.contains(where: { !$0.passesEmpty }) else {
            throw Refusal(message: "at least one matcher must not match the empty string")
        }
        forgetOld(at: now)
        if !silence.id.isEmpty {
            guard let former = silences[silence.id] else {
                throw Refusal(message: "silence not found", isAbsence: true)
            }
            if Self.canBecome(former, silence, at: now) {
                silence.startsAt =
                    former.state(at: now) == .pending
                    ? max(silence.startsAt, now) : former.startsAt
                silences[silence.id] = silence
                return silence.id
            }
            if former.state(at: now) != .expired { try expire(former.id, at: now) }
        }
        guard silences.count < Self.limit else {
            throw Refusal(message: "there are \(Self.limit) silences already")
        }
        silence.id = newID
        silence.startsAt = max(silence.startsAt, now)
        silences[newID] = silence
        return newID
    }

    private static func canBecome(_ former: Silence, _ silence: Silence, at now: Int64) -> Bool {
        guard former.matchers.map(\.description) == silence.matchers.map(\.description) else {
            return false
        }
        switch former.state(at: now) {
        case .pending: return true
        case .active: return former.startsAt == silence.startsAt
        case .expired: return false
        }
    }

    /// Ends a silence.
    public mutating func expire(_ id: String, at now: Int64) throws(Refusal) {
        guard var silence = silences[id] else {
            throw Refusal(message: "silence not found", isAbsence: true)
        }
        switch silence.state(at: now) {
        case .expired: throw Refusal(message: "silence \(id) already expired")
        case .active: silence.endsAt = now
        case .pending:
            silence.startsAt = now
            silence.endsAt = now
        }
        silence.updatedAt = now
        silences[id] = silence
    }

    /// Takes over a silence as it was written down.
    public mutating func restore(_ silence: Silence) {
        if silences.count < Self.limit { silences[silence.id] = silence }
    }

    /// Forgets those that ended long ago.
    public mutating func forgetOld(at now: Int64) {
        silences = silences.filter { $0.value.endsAt &+ Self.retention > now }
    }

    /// The silences that keep silent about an alert.
    public func reasons(for notice: AlertNotice, at now: Int64) -> [Silence] {
        all.filter { $0.mutes(notice, at: now) }
    }

    /// Whether any of them does.
    public func mutes(_ notice: AlertNotice, at now: Int64) -> Bool {
        silences.values.contains { $0.mutes(notice, at: now) }
    }
}

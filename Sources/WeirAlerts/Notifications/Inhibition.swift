/// Alerts that keep others silent while they fire: of a node that is down, nobody needs to hear what fails on it
/// (prometheus.io/docs/alerting/latest/configuration/#inhibit_rule).
public struct Inhibition: Sendable {
    /// Most alerts that are kept as reasons.
    static let sourceLimit = 10_000

    /// What the alerts have that keep others silent.
    public var sources: [AlertMatcher]
    /// What the alerts have that are kept silent.
    public var targets: [AlertMatcher]
    /// The labels that must be the same on both.
    public var equal: [String]

    private var firing: [[String]: [UInt64: AlertNotice]] = [:]
    private var count = 0

    /// A rule by its parts.
    public init(sources: [AlertMatcher], targets: [AlertMatcher], equal: [String]) {
        self.sources = sources
        self.targets = targets
        self.equal = equal
    }

    private func isSource(_ notice: AlertNotice) -> Bool {
        sources.allSatisfy { $0.matches(notice) }
    }

    private func isTarget(_ notice: AlertNotice) -> Bool {
        targets.allSatisfy { $0.matches(notice) }
    }

    /// Notes which alerts fire.
    public mutating func take(_ notices: [AlertNotice], at now: Int64) {
        for notice in notices where isSource(notice) {
            let key = equal.map { notice[$0] }
            let fingerprint = notice.fingerprint
            if notice.isResolved(at: now) {
                if firing[key]?.removeValue(forKey: fingerprint) != nil { count -= 1 }
                if firing[key]?.isEmpty == true { firing[key] = nil }
                continue
            }
            if firing[key]?[fingerprint] == nil {
                if count >= Self.sourceLimit { forgetEnded(at: now) }
                guard count < Self.sourceLimit else { continue }
                count += 1
            }
            firing[key, default: [:]][fingerprint] = notice
        }
    }

    private mutating func forgetEnded(at now: Int64) {
        firing = firing.mapValues { $0.filter { !$0.value.isResolved(at: now) } }.filter {
            !$0.value.isEmpty
        }
        count = firing.values.reduce(0) { $0 + $1.count }
    }

    /// The alert that keeps another silent; one that is both source and target is no reason for another such.
    public func reason(for notice: AlertNotice, at now: Int64) -> AlertNotice? {
        guard isTarget(notice), let candidates = firing[equal.map { notice[$0] }] else {
            return nil
        }
        let isBoth = isSource(notice)
        return candidates.values.first {
            !$0.isResolved(at: now) && !(isBoth && isTarget($0))
        }
    }
}

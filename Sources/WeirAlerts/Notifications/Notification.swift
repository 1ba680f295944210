import WeirPromQL

/// What a receiver is told at one time of the alerts of a group.
public struct Notification: Sendable {
    /// Why it is told now; the texts are Alertmanager's (0.33).
    public enum Reason: String, Sendable {
        case first = "first notification"
        case newAlerts = "new alerts added"
        case someResolved = "some alerts resolved"
        case allResolved = "all alerts resolved"
        case repeated = "repeat interval elapsed"
    }

    /// An alert as it is at the time.
    public struct Entry: Sendable {
        /// What was said of it last.
        public var notice: AlertNotice
        /// Whether it has ended.
        public var isResolved: Bool
    }

    /// Tells it apart from all others of its receiver, and stays when it is sent again.
    public var id: String
    /// Whose it is.
    public var receiver: String
    /// The group, as Alertmanager writes it: `{}:{alertname="HighErrorRate"}`.
    public var groupKey: String
    /// The labels that the group's alerts have in common by `group_by`.
    public var groupLabels: [(name: String, value: String)]
    /// Why it is told.
    public var reason: Reason
    /// The alerts, by `job`, `instance` and then all labels.
    public var entries: [Entry]
    /// How many more there are beyond `max_alerts`.
    public var truncatedCount = 0

    /// Whether any of its alerts fires.
    public var isFiring: Bool { entries.contains { !$0.isResolved } }

    /// The labels that all alerts have.
    public var commonLabels: [(name: String, value: String)] { common(\.labels) }
    /// The annotations that all alerts have.
    public var commonAnnotations: [(name: String, value: String)] { common(\.annotations) }

    private func common(
        _ pairs: (AlertNotice) -> [(name: String, value: String)]
    ) -> [(name: String, value: String)] {
        guard let first = entries.first else { return [] }
        var common = pairs(first.notice)
        for entry in entries.dropFirst() where !common.isEmpty {
            var values: [String: String] = [:]
            for pair in pairs(entry.notice) { values[pair.name] = pair.value }
            common.removeAll { values[$0.name] != $0.value }
        }
        return common
    }

    /// Whether an alert stands before another: by `job`, by `instance`, by all labels; who has none of a name
    /// stands last (Alertmanager: types/types.go, `AlertSlice`).
    static func isBefore(_ left: AlertNotice, _ right: AlertNotice) -> Bool {
        for name in ["job", "instance"] {
            let (first, second) = (left[name], right[name])
            if first == second { continue }
            if first.isEmpty || second.isEmpty { return second.isEmpty }
            return QuerySymbols.isBefore(first, second)
        }
        for (one, other) in zip(left.labels, right.labels) {
            if one.name != other.name { return QuerySymbols.isBefore(one.name, other.name) }
            if one.value != other.value { return QuerySymbols.isBefore(one.value, other.value) }
        }
        return left.labels.count < right.labels.count
    }
}

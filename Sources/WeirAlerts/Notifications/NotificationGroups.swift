import WeirCore
import WeirPromQL

/// The groups of alerts that a receiver is told of, and what it was told of them; decides what is told when, as
/// Alertmanager does (dispatch.go, and `DedupStage` of notify.go).
///
/// Reads no clock: times are given, in milliseconds.
public struct NotificationGroups: Sendable {
    /// Most alerts that are held, and most groups.
    public static let alertLimit = 10_000

    /// When and what a receiver is told.
    public struct Options: Sendable {
        /// The labels whose values make a group.
        public var groupBy: [String] = ["alertname"]
        /// Whether each alert is a group of its own.
        public var groupsByAll = false
        /// How long a new group waits for more alerts.
        public var groupWait: Int64 = 30_000
        /// How long a change of a group waits for more after it was told of.
        public var groupInterval: Int64 = 300_000
        /// After how long a group that did not change is told of again.
        public var repeatInterval: Int64 = 4 * 3_600_000
        /// Whether the end of alerts is told.
        public var sendsResolved = true
        /// Most alerts of a notification; 0 for any number.
        public var alertLimit = 0
        /// The alerts that the receiver is told of.
        public var matchers: [AlertMatcher] = []

        /// Alertmanager's own times.
        public init() {}
    }

    /// What a receiver was told last of a group.
    struct Told: Sendable, Equatable {
        var firing: Set<UInt64>
        var resolved: Set<UInt64>
        var time: Int64
    }

    /// Alerts that are told of together.
    struct Group: Sendable {
        var labels: [(name: String, value: String)]
        var alerts: [UInt64: AlertNotice] = [:]
        /// When it is looked at next; never while it has no alerts.
        var due: Int64?
        var told: Told?
        /// The notifications of it that have not arrived.
        var unsentCount = 0
    }

    /// What became of a group that was due.
    public struct Flush: Sendable {
        /// The group.
        public var groupKey: String
        /// What is to be told, if anything.
        public var notification: Notification?
        /// Whether anything of the group is otherwise than before.
        public var hasChanged: Bool
    }

    private let receiver: String
    private let options: Options
    private(set) var groups: [String: Group] = [:]
    private var alertCount = 0
    private var serial: UInt64 = 0

    /// Groups of a receiver, none of them yet.
    public init(receiver: String, _ options: Options) {
        self.receiver = receiver
        self.options = options
    }

    /// When a group is due next.
    public var due: Int64? { groups.values.compactMap(\.due).min() }

    /// How many alerts there are.
    var heldAlertCount: Int { alertCount }

    // MARK: Taking

    /// Takes notices that evaluations gave.
    /// - Returns: How many were left out for want of room.
    public mutating func take(_ notices: [AlertNotice], at now: Int64) -> Int {
        var leftOut = 0
        for notice in notices where options.matchers.allSatisfy({ $0.matches(notice) }) {
            let labels = groupLabels(of: notice)
            let key = Self.key(labels)
            let fingerprint = notice.fingerprint
            var group = groups[key] ?? Group(labels: labels)
            let isKnown = group.alerts[fingerprint] != nil
            // The end of an alert that nobody knows of is no news.
            if group.alerts.isEmpty, notice.isResolved(at: now) { continue }
            guard isKnown || alertCount < Self.alertLimit else {
                leftOut += 1
                continue
            }
            if !isKnown { alertCount += 1 }
            group.alerts[fingerprint] = notice
            if group.due == nil {
                // An alert that has waited elsewhere does not wait again.
                let hasWaited = notice.startsAt &+ options.groupWait < now
                group.due = hasWaited ? now : now &+ options.groupWait
            }
            groups[key] = group
        }
        return leftOut
    }

    private func groupLabels(of notice: AlertNotice) -> [(name: String, value: String)] {
        if options.groupsByAll { return notice.labels }
        return notice.labels.filter { options.groupBy.contains($0.name) }
    }

    private static func key(_ labels: [(name: String, value: String)]) -> String {
        let pairs = labels.map { "\($0.name)=\(GoText.quoted($0.value))" }
        return "{}:{" + pairs.joined(separator: ", ") + "}"
    }

    // MARK: Telling

    /// Looks at the groups that are due.
    /// - Parameter isMuted: Whether an alert is to be kept silent about now.
    public mutating func flush(
        at now: Int64, isMuted: (AlertNotice) -> Bool
    ) -> [Flush] {
        let dueKeys = groups.filter { ($0.value.due ?? .max) <= now }.sorted {
            ($0.value.due ?? 0, $0.key) < ($1.value.due ?? 0, $1.key)
        }.map(\.key)
        var flushes: [Flush] = []
        for key in dueKeys {
            guard var group = groups[key] else { continue }
            let told = group.told
            let notification = notification(of: &group, key, at: now, isMuted)
            let ended = group.alerts.filter { $0.value.isResolved(at: now) }.map(\.key)
            for fingerprint in ended { group.alerts[fingerprint] = nil }
            alertCount -= ended.count
            group.due = group.alerts.isEmpty ? nil : now &+ max(options.groupInterval, 1)
            groups[key] = group
            flushes.append(
                Flush(
                    groupKey: key, notification: notification,
                    hasChanged: group.told != told || !ended.isEmpty))
        }
        return flushes
    }

    private mutating func notification(
        of group: inout Group, _ key: String, at now: Int64, _ isMuted: (AlertNotice) -> Bool
    ) -> Notification? {
        var entries = group.alerts.values.filter { !isMuted($0) }.sorted(
            by: Notification.isBefore
        ).map { Notification.Entry(notice: $0, isResolved: $0.isResolved(at: now)) }
        guard !entries.isEmpty else { return nil }
        let firing = Set(entries.filter { !$0.isResolved }.map(\.notice.fingerprint))
        let resolved = Set(entries.filter(\.isResolved).map(\.notice.fingerprint))
        guard let reason = reason(group, firing, resolved, at: now) else { return nil }
        group.told = Told(firing: firing, resolved: resolved, time: now)
        if !options.sendsResolved { entries.removeAll(where: \.isResolved) }
        guard !entries.isEmpty else { return nil }
        group.unsentCount += 1
        serial &+= 1
        var notification = Notification(
            id: Self.id(receiver, key, now, serial), receiver: receiver, groupKey: key,
            groupLabels: group.labels, reason: reason, entries: entries)
        if options.alertLimit > 0, entries.count > options.alertLimit {
            notification.entries = Array(entries.prefix(options.alertLimit))
            notification.truncatedCount = entries.count - options.alertLimit
        }
        return notification
    }

    /// Why a receiver is to be told of a group now, if at all.
    private func reason(
        _ group: Group, _ firing: Set<UInt64>, _ resolved: Set<UInt64>, at now: Int64
    ) -> Notification.Reason? {
        guard let told = group.told else { return firing.isEmpty ? nil : .first }
        if !firing.isSubset(of: told.firing) { return .newAlerts }
        if firing.isEmpty { return told.firing.isEmpty ? nil : .allResolved }
        if options.sendsResolved, !resolved.isSubset(of: told.resolved) { return .someResolved }
        // What has not arrived is not repeated: it still arrives.
        let isOver = told.time &+ options.repeatInterval <= now
        return isOver && group.unsentCount == 0 ? .repeated : nil
    }

    private static func id(
        _ receiver: String, _ key: String, _ time: Int64, _ serial: UInt64
    ) -> String {
        var hash = FNV1a()
        for text in [receiver, key, "\(time)", "\(serial)"] {
            hash.add(text)
            hash.add(0xff)
        }
        return hash.text
    }

    // MARK: What became of it

    /// A notification has arrived.
    public mutating func noteArrival(_ groupKey: String, at now: Int64) {
        guard var group = groups[groupKey] else { return }
        group.unsentCount = max(group.unsentCount - 1, 0)
        group.told?.time = now
        groups[groupKey] = group
    }

    /// A notification will never arrive: the group is told of anew when it is due.
    public mutating func noteLoss(_ groupKey: String) {
        guard var group = groups[groupKey] else { return }
        group.unsentCount = max(group.unsentCount - 1, 0)
        group.told = nil
        groups[groupKey] = group
    }

    /// Forgets groups without alerts of which nothing was told for long; the oldest first where there are
    /// too many.
    /// - Returns: Their keys.
    public mutating func forget(at now: Int64) -> [String] {
        let idle = groups.filter { $0.value.alerts.isEmpty && $0.value.unsentCount == 0 }
        var gone = idle.filter { _, group in
            guard let told = group.told else { return true }
            return told.time &+ 2 &* options.repeatInterval < now
        }.map(\.key)
        let excess = idle.count - gone.count - Self.alertLimit
        if excess > 0 {
            let known = Set(gone)
            gone += idle.filter { !known.contains($0.key) }.sorted {
                ($0.value.told?.time ?? 0) < ($1.value.told?.time ?? 0)
            }.prefix(excess).map(\.key)
        }
        for key in gone { groups[key] = nil }
        return gone
    }

    // MARK: After a restart

    /// How long a restored alert is taken to fire still, unless an evaluation says so or otherwise
    /// (Alertmanager: `resolve_timeout`).
    static let restoredLease: Int64 = 300_000

    /// Takes over a group as it was written down, unless alerts are grouped otherwise now.
    mutating func restore(_ key: String, _ saved: Group, at now: Int64) {
        let known = groups[key]?.alerts.count ?? 0
        let isSame = saved.alerts.values.allSatisfy { alert in
            Self.key(groupLabels(of: alert)) == key
                && options.matchers.allSatisfy { $0.matches(alert) }
        }
        guard isSame, alertCount - known + saved.alerts.count <= Self.alertLimit else { return }
        var group = saved
        for (fingerprint, alert) in saved.alerts where !alert.isResolved {
            group.alerts[fingerprint]?.endsAt = max(alert.endsAt, now &+ Self.restoredLease)
        }
        alertCount += saved.alerts.count - known
        groups[key] = group
    }

    /// Makes each group due at a time that it can be due at, whatever the clock was before.
    mutating func bound(at now: Int64) {
        for (key, group) in groups {
            guard let due = group.due else { continue }
            let latest = now &+ max(options.groupInterval, options.groupWait)
            groups[key]?.due = min(max(due, now), latest)
        }
    }

    /// Notes that a notification of a group waits, which was made before a restart.
    mutating func noteWaiting(_ groupKey: String) { groups[groupKey]?.unsentCount += 1 }
}

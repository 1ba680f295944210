import WeirAlerts
import WeirPromQL

/// What became of the alerts of a set of rules over the time of a replay.
public struct ReplayTimeline: Sendable {
    /// Most changes that are kept, and most alerts.
    static let limit = 100_000

    /// How an alert changed.
    public enum Change: String, Sendable {
        case pending
        case firing
        case resolved
        /// It was pending, and its expression holds no more.
        case dropped = "not fired"
    }

    /// A change of an alert.
    public struct Entry: Sendable {
        /// When, in milliseconds.
        public var time: Int64
        /// The alert.
        public var alert: Int
        /// What happened.
        public var change: Change
        /// The value of the expression then.
        public var value: Double
    }

    /// A stretch in which an alert was pending or fired.
    public struct Span: Sendable, Equatable {
        /// When it began, in milliseconds.
        public var start: Int64
        /// When it ended; `nil` when it had not at the end.
        public var end: Int64?
        /// Whether it fired.
        public var isFiring: Bool
    }

    /// An alert that was there at some time.
    public struct KnownAlert: Sendable {
        /// The rule's name.
        public var name: String
        /// Its other labels, as `{name="value"}`.
        public var labels: String
        /// Its stretches, in their order.
        public var spans: [Span] = []
        fileprivate var state: Alert.State = .inactive
    }

    /// What would have been told.
    public struct Told: Sendable {
        /// When, in milliseconds.
        public var time: Int64
        /// What.
        public var notification: Notification
    }

    /// All alerts, in the order in which they came.
    public private(set) var alerts: [KnownAlert] = []
    /// All changes, in their order.
    public private(set) var entries: [Entry] = []
    /// All notifications, in their order.
    public internal(set) var told: [Told] = []
    /// Changes and alerts that found no room.
    public private(set) var leftOutCount = 0
    private var places: [String: Int] = [:]
    private var active: [Int: Set<Int>] = [:]

    /// Notes how the alerts of a rule are after an evaluation.
    /// - Parameter rule: A number that is the rule's alone.
    mutating func note(_ alerts: [Alert], of name: String, rule: Int, at time: Int64) {
        var present: Set<Int> = []
        for alert in alerts where alert.state != .inactive {
            guard let place = place(of: alert, name, rule) else { continue }
            present.insert(place)
            let former = self.alerts[place].state
            guard alert.state != former else { continue }
            end(place, at: time)
            let isFiring = alert.state == .firing
            self.alerts[place].spans.append(Span(start: time, end: nil, isFiring: isFiring))
            self.alerts[place].state = alert.state
            add(
                Entry(
                    time: time, alert: place, change: isFiring ? .firing : .pending,
                    value: alert.value))
        }
        for place in (active[rule] ?? []).subtracting(present).sorted() {
            let wasFiring = self.alerts[place].state == .firing
            end(place, at: time)
            self.alerts[place].state = .inactive
            add(
                Entry(
                    time: time, alert: place, change: wasFiring ? .resolved : .dropped, value: .nan)
            )
        }
        active[rule] = present
    }

    private mutating func end(_ place: Int, at time: Int64) {
        guard let last = alerts[place].spans.indices.last else { return }
        if alerts[place].spans[last].end == nil { alerts[place].spans[last].end = time }
    }

    private mutating func place(of alert: Alert, _ name: String, _ rule: Int) -> Int? {
        let pairs = alert.labels.filter { $0.name != "alertname" }.map {
            "\($0.name)=\(GoText.quoted($0.value))"
        }
        let labels = "{" + pairs.joined(separator: ", ") + "}"
        let key = "\(rule) \(labels)"
        if let place = places[key] { return place }
        guard alerts.count < Self.limit else {
            leftOutCount += 1
            return nil
        }
        places[key] = alerts.count
        alerts.append(KnownAlert(name: name, labels: labels))
        return alerts.count - 1
    }

    private mutating func add(_ entry: Entry) {
        guard entries.count < Self.limit else {
            leftOutCount += 1
            return
        }
        entries.append(entry)
    }
}

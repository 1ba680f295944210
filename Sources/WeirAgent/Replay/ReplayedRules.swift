import WeirAlerts
import WeirCore
import WeirPromQL

/// A set of rules at work over the history of a replay: evaluated at event time, told of in memory.
final class ReplayedRules {
    /// Evaluators and the store that they read and write.
    let store: SampleStore
    private let groups: [(evaluator: GroupEvaluator, interval: Int64, firstRule: Int)]
    private var receivers: [NotificationGroups]
    private var inhibitions: [Inhibition]
    private let resendDelay: Int64
    private var failureTexts: [String: String] = [:]
    /// What became of the alerts.
    private(set) var timeline = ReplayTimeline()

    /// Rules that could not be evaluated, with the last reason.
    var failures: [(rule: String, reason: String)] {
        failureTexts.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    init(
        _ groups: [RuleGroup], interval: Int64, store: SampleStore,
        _ surroundings: GroupEvaluator.Surroundings, receivers: [NotificationGroups],
        inhibitions: [Inhibition], resendDelay: Int64
    ) {
        self.store = store
        self.receivers = receivers
        self.inhibitions = inhibitions
        self.resendDelay = resendDelay
        var made: [(evaluator: GroupEvaluator, interval: Int64, firstRule: Int)] = []
        var count = 0
        for group in groups {
            made.append(
                (
                    GroupEvaluator(group, store, surroundings),
                    group.interval.map { max($0, 1_000) } ?? interval, count
                ))
            count += group.rules.count
        }
        self.groups = made
    }

    /// The metrics that rules read, without the endings of histograms; `nil` for whichever there are, where a
    /// rule does not name them.
    static func metricNames(of groups: [RuleGroup]) -> Set<String>? {
        var names: Set<String> = []
        for rule in groups.flatMap(\.rules) {
            for selector in rule.expression.selectors {
                let name = selector.first { $0.name == "__name__" && $0.operation == .equal }
                guard let name else { return nil }
                names.insert(name.value)
                for ending in ["_bucket", "_sum", "_count", "_total", "_created"]
                where name.value.hasSuffix(ending) {
                    names.insert(String(name.value.dropLast(ending.count)))
                }
            }
            var texts = rule.labels.map(\.value.text)
            if case .alert(let options) = rule.kind {
                texts += options.annotations.map(\.value.text)
            }
            // A template may ask for any.
            if texts.contains(where: { $0.contains("query") }) { return nil }
        }
        return names
    }

    /// Evaluates the groups that are due at a time, and tells of what changed.
    func evaluate(at time: Int64) {
        var notices: [AlertNotice] = []
        for (evaluator, interval, first) in groups where time % interval == 0 {
            for (_, failure) in evaluator.evaluate(at: time) {
                failureTexts[failure.rule] = failure.message
            }
            for (place, rule) in evaluator.group.rules.enumerated() where !rule.isRecord {
                timeline.note(
                    evaluator.alerts(ofRule: place), of: rule.name, rule: first + place, at: time)
            }
            notices += evaluator.notices(at: time, resendDelay: resendDelay, interval: interval)
        }
        for place in inhibitions.indices { inhibitions[place].take(notices, at: time) }
        for place in receivers.indices {
            _ = receivers[place].take(notices, at: time)
            guard let due = receivers[place].due, due <= time else { continue }
            let flushes = receivers[place].flush(at: time) { notice in
                inhibitions.contains { $0.reason(for: notice, at: time) != nil }
            }
            for notification in flushes.compactMap(\.notification) {
                receivers[place].noteArrival(notification.groupKey, at: time)
                timeline.told.append(ReplayTimeline.Told(time: time, notification: notification))
            }
        }
    }
}

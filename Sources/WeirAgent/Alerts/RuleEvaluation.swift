import WeirAlerts
import WeirCore
import WeirMetrics
import WeirPipeline
import WeirPlugins
import WeirPromQL

/// Evaluates groups of rules over the node's history, each on a thread of its own, so that a slow one delays
/// no other.
final class RuleEvaluation: Sendable {
    /// How one group's evaluations went.
    struct Status: Sendable {
        /// When it was last evaluated, in milliseconds; `nil` before the first time.
        var lastTime: Int64?
        /// How long that took.
        var seconds = 0.0
        /// What failed in it, by the rule's place.
        var problems: [Int: String] = [:]
        /// The alerts of each rule then.
        var alerts: [[Alert]] = []
    }

    /// A group at work.
    private final class Work: Sendable {
        let group: RuleGroup
        let interval: Int64
        let evaluator: Monitor<Held>
        let status: Monitor<Status>
        let file: AlertFile?

        init(
            _ group: RuleGroup, _ interval: Int64, _ evaluator: GroupEvaluator, _ status: Status,
            _ file: AlertFile?
        ) {
            self.group = group
            self.interval = interval
            self.file = file
            self.evaluator = Monitor(Held(evaluator: evaluator))
            self.status = Monitor(status)
        }
    }

    /// An evaluator that belongs to whoever holds the lock around it.
    private struct Held: @unchecked Sendable {
        // Safe because it is touched under the lock alone.
        let evaluator: GroupEvaluator
    }

    private struct State {
        var isStopping = false
        var threadCount = 0
    }

    private let works: [Work]
    private let notifiers: [any Notifier]
    /// What nobody is told of.
    let mutes: AlertMutes
    /// The names of the notifiers.
    let receivers: [String]
    private let silenceFile: SilenceFile?
    private let resendDelay: Int64
    private let clock: any PipelineClock
    private let history: MetricsHistory
    private let state = Monitor(State())
    private let evaluations: Counter
    private let missed: Counter
    private let failures: Counter
    private let log: @Sendable (RuleReport) -> Void

    /// - Parameter former: Whose groups that are the same go on with their alerts.
    init(
        _ section: AlertingSection, _ history: MetricsHistory, _ registry: Registry,
        clock: any PipelineClock, former: RuleEvaluation?,
        log: @escaping @Sendable (RuleReport) -> Void
    ) {
        self.clock = clock
        self.log = log
        self.history = history
        notifiers = section.notifiers
        mutes = section.surroundings.mutes
        receivers = section.receivers
        silenceFile = SilenceFile(section.surroundings.stateFolder, registry, log)
        silenceFile?.restore(mutes)
        resendDelay = section.resendDelay.milliseconds
        var surroundings = GroupEvaluator.Surroundings()
        surroundings.options = history.options
        surroundings.externalLabels = section.externalLabels
        surroundings.externalURL = section.externalURL
        let interval = max(section.interval.milliseconds, 1_000)
        let files = AlertFiles(section.surroundings.stateFolder, registry, log)
        works = section.groups.map { group in
            let wanted = group.interval.map { max($0, 1_000) } ?? interval
            let kept = former?.works.first {
                $0.group.identity == group.identity && $0.interval == wanted
            }
            let file = files.file(of: group)
            let evaluator: GroupEvaluator
            if let kept {
                evaluator = kept.evaluator.withLock { $0.evaluator }
                // Whoever is told now knows of nothing yet.
                evaluator.tellAgain()
            } else {
                evaluator = GroupEvaluator(group, history.store, surroundings)
                file?.restore(evaluator)
            }
            let status = kept.map { $0.status.withLock { $0 } } ?? Status()
            return Work(group, wanted, evaluator, status, file)
        }
        evaluations = registry.counter(
            MetricDescription("weir_rule_evaluations_total", "Evaluations of rules."))
        missed = registry.counter(
            MetricDescription(
                "weir_rule_group_missed_evaluations_total",
                "Evaluations of groups that were left out, since the one before took too long."))
        failures = registry.counter(
            MetricDescription(
                "weir_rule_evaluation_failures_total", "Evaluations of rules that failed."))
    }

    /// Begins to evaluate.
    func start() {
        let isWanted = state.change { state in
            if !state.isStopping { state.threadCount = works.count }
            return !state.isStopping
        }
        guard isWanted else { return }
        for notifier in notifiers { notifier.start() }
        for work in works {
            WorkerThread.start("weir-rules") { [self] in
                evaluateUntilStopped(work)
                state.change { $0.threadCount -= 1 }
            }
        }
    }

    /// Ends it; returns when no rule is evaluated any more.
    func stop() {
        state.change { $0.isStopping = true }
        state.wait { $0.threadCount == 0 ? .done(()) : .waitForChange }
        for notifier in notifiers { notifier.stop() }
    }

    private func evaluateUntilStopped(_ work: Work) {
        // Groups are spread by their names over the first part of their interval, the same ones always alike:
        // soon after the samples that they read, and not all at once.
        let offset = Int64(clamping: work.group.spread % UInt64(max(work.interval / 8, 1)))
        var slot = Self.slot(clock.now.millisecondsSince1970, work.interval, offset)
        while true {
            slot += work.interval
            let now = clock.now.millisecondsSince1970
            if now - slot >= work.interval {
                let count = (now - slot) / work.interval
                missed.add(Int(clamping: count))
                slot += count * work.interval
            }
            let due =
                clock.monotonicNanoseconds &+ UInt64(clamping: max(slot - now, 0)) &* 1_000_000
            let isStopping = state.wait { state -> WaitAnswer<Bool> in
                if state.isStopping { return .done(true) }
                return clock.monotonicNanoseconds >= due ? .done(false) : .waitUntil(due)
            }
            if isStopping { return }
            evaluate(work, at: slot)
        }
    }

    /// The last time of a group's evaluation that has passed.
    static func slot(_ now: Int64, _ interval: Int64, _ offset: Int64) -> Int64 {
        now - ((now - offset) % interval + interval) % interval
    }

    private func evaluate(_ work: Work, at time: Int64) {
        history.waitForSampling(dueBy: time, atMost: .milliseconds(work.interval / 4))
        let start = clock.monotonicNanoseconds
        var status = Status(lastTime: time)
        var notices: [AlertNotice] = []
        work.evaluator.withLock { held in
            let problems = held.evaluator.evaluate(at: time)
            for place in work.group.rules.indices {
                status.alerts.append(held.evaluator.alerts(ofRule: place))
            }
            if !notifiers.isEmpty {
                notices = held.evaluator.notices(
                    at: time, resendDelay: resendDelay, interval: work.interval)
            }
            for (place, failure) in problems {
                status.problems[place] = failure.message
                failures.add()
                log(.failed(failure, group: work.group.name))
            }
        }
        mutes.take(notices, at: time)
        for notifier in notifiers { notifier.take(notices) }
        if let file = work.file { work.evaluator.withLock { file.save($0.evaluator, at: time) } }
        evaluations.add(work.group.rules.count)
        status.seconds = Double(clock.monotonicNanoseconds &- start) / 1e9
        let finished = status
        work.status.change { $0 = finished }
    }

    /// The alerts that fire, as somebody would be told of them now.
    var firingNotices: [AlertNotice] {
        let now = clock.now.millisecondsSince1970
        return works.flatMap { work in
            work.evaluator.withLock {
                $0.evaluator.firingNotices(at: now, lease: 4 * max(work.interval, resendDelay))
            }
        }
    }

    /// Changes the silences, and writes them down.
    func changeSilences<R>(at now: Int64, _ body: (inout Silences) -> R) -> R {
        mutes.withSilences { silences in
            let result = body(&silences)
            silenceFile?.save(silences.all, at: now)
            return result
        }
    }

    /// The groups and how they are, in the order of their files.
    var groups: [(group: RuleGroup, interval: Int64, status: Status)] {
        works.map { ($0.group, $0.interval, $0.status.withLock { $0 }) }
    }
}

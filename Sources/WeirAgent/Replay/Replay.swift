import WeirAlerts
import WeirConfig
import WeirCore
import WeirHost
import WeirMetrics
import WeirPipeline
import WeirPlugins
import WeirPromQL

/// `weir replay`: old logs through a pipeline and its rules, at the time of their events.
///
/// The same filters, store and rules as those of a running agent; the clock is what the lines say. Outputs take
/// nothing.
public final class Replay {
    /// What is replayed, and how.
    public struct Options: Sendable {
        /// The configuration.
        public var config: String
        /// Rule files in place of the configuration's.
        public var rules: [String] = []
        /// Rule files to compare them with.
        public var compared: [String] = []
        /// The time between two samplings, which is that between evaluations of groups that say nothing.
        public var step: Duration?
        /// How much later than others events may come and still be in time.
        public var window: Duration = .seconds(10)
        /// The field that tells the time, where the parser finds none.
        public var timeKey: String?

        /// A replay of a configuration.
        public init(config: String) { self.config = config }
    }

    /// How far it is.
    public struct Progress: Sendable {
        /// Lines that were read.
        public var lineCount = 0
        /// Bytes of the files that were read, and all.
        public var bytes: (read: UInt64, all: UInt64) = (0, 0)
        /// The time that the replay has come to, in milliseconds.
        public var time: Int64?
    }

    /// What came of it.
    public struct Report: Sendable {
        /// Lines that were read.
        public var lineCount = 0
        /// Lines that gave no event.
        public var failureCount = 0
        /// Events that tell no time, which are left out.
        public var timelessCount = 0
        /// Events that came later than the window allows; they count from when they came.
        public var lateCount = 0
        /// The first and the last time of evaluation, in milliseconds.
        public var span: (first: Int64, last: Int64)?
        /// What became of the alerts.
        public var timeline = ReplayTimeline()
        /// The same by the other rules.
        public var compared: ReplayTimeline?
        /// Rules that could not be evaluated, with the last reason.
        public var failures: [(rule: String, reason: String)] = []
    }

    /// Why there is no replay.
    public enum Refusal: Error, Sendable {
        /// The configuration or the rules have mistakes.
        case mistakes([Diagnostic])
        /// A log cannot be read, or tells no times.
        case unreadable(String)
    }

    /// Most steps of a replay.
    private static let stepLimit: Int64 = 5_000_000
    /// Steps behind the last event, so that what has ended is seen to end.
    private static let restSteps: Int64 = 2
    /// Most events that are held for a time to come.
    private static let heldRowLimit = 4_000_000

    private let options: Options
    private let files: any ConfigFiles
    private let configuration: PipelineConfiguration
    private let router: Router
    private let registry = Registry()
    private let rules: ReplayedRules
    private let others: ReplayedRules?
    private let step: Int64
    private let sampler: RemoteWriteSampler
    private let feeds: [SampleFeed]

    private var sinks: [String: any EventSink] = [:]
    private var held: [Int64: [(batch: EventBatch, sink: any EventSink)]] = [:]
    private var heldRowCount = 0
    private var report = Report()
    /// The next time of sampling, once the first is known.
    private var next: Int64?

    /// A replay that has not begun.
    public init(_ options: Options, files: any ConfigFiles) throws(Refusal) {
        self.options = options
        self.files = files
        configuration = Agent.read(options.config, files: files)
        if configuration.diagnostics.hasErrors { throw .mistakes(configuration.diagnostics) }
        var context = PluginContext(
            hostName: files.hostName, nodeName: files.hostName, registry: registry,
            refusals: Discard(), outputByteLimit: 1 << 20, outputLog: { _ in }, tailLog: { _ in })
        context.environment = { files.environment($0) }
        let section: AlertingSection?
        do throws(ConfigurationError) {
            section = try AlertingSection.read(
                configuration, files: files, context: context, stateFolder: nil)
            var builder = PipelineBuilder(configuration, context: context)
            builder.standIn = { _ in Discard() }
            let pipeline = try builder.build(deadLetter: Discard(), log: { _ in })
            pipeline.relay.point(to: pipeline.router)
            router = pipeline.router
        } catch {
            throw .mistakes(error.diagnostics)
        }
        context.series.activate()
        var groups = section?.groups ?? []
        if !options.rules.isEmpty { groups = try Self.groups(options.rules, files) }
        guard !groups.isEmpty else {
            throw .unreadable(
                "there are no rules to replay\n  help: name rule files by --rules, or in `<alerting>`"
            )
        }
        let interval = (options.step ?? section?.interval ?? .seconds(15)).milliseconds
        let usual = max(interval, 1_000)
        let others =
            options.compared.isEmpty ? nil : try Self.groups(options.compared, files)
        let all = groups + (others ?? [])
        step = all.compactMap(\.interval).map { max($0, 1_000) }.reduce(usual, min)
        func replayed(_ groups: [RuleGroup]) -> ReplayedRules {
            Self.rules(groups, section, interval: usual)
        }
        rules = replayed(groups)
        self.others = others.map(replayed)
        var sampling = RemoteWriteSampler.Options()
        sampling.sendsExemplars = false
        if let names = ReplayedRules.metricNames(of: all) {
            sampling.wants = { names.contains($0) }
        }
        sampler = RemoteWriteSampler(registry, sampling)
        feeds = [SampleFeed(rules.store)] + (self.others.map { [SampleFeed($0.store)] } ?? [])
    }

    private static func groups(
        _ patterns: [String], _ files: any ConfigFiles
    ) throws(Refusal) -> [RuleGroup] {
        var groups: [RuleGroup] = []
        var diagnostics: [Diagnostic] = []
        for pattern in patterns {
            let paths = files.paths(matching: pattern)
            if paths.isEmpty { throw .unreadable("no file matches `\(pattern)`") }
            for path in paths {
                let file = RuleFile(files.contents(of: path) ?? [], file: path)
                diagnostics += file.diagnostics
                groups += file.groups
            }
        }
        if diagnostics.hasErrors { throw .mistakes(diagnostics) }
        return groups
    }

    private static func rules(
        _ groups: [RuleGroup], _ section: AlertingSection?, interval: Int64
    ) -> ReplayedRules {
        var limits = StoreLimits()
        let longest = groups.flatMap(\.rules).map(\.expression.longestRange).max() ?? 0
        limits.retention = max(
            limits.retention, .milliseconds(min(longest, 400 * 86_400_000)) + .seconds(600))
        limits.byteLimit = 2 << 30
        var surroundings = GroupEvaluator.Surroundings()
        surroundings.externalLabels = section?.externalLabels ?? [:]
        surroundings.externalURL = section?.externalURL ?? ""
        var receivers = section?.groupings ?? []
        if receivers.isEmpty {
            var options = NotificationGroups.Options()
            options.groupWait = 0
            receivers = [NotificationGroups(receiver: "webhook", options)]
        }
        return ReplayedRules(
            groups, interval: interval, store: SampleStore(limits), surroundings,
            receivers: receivers, inhibitions: section?.inhibitions ?? [],
            resendDelay: section?.resendDelay.milliseconds ?? 60_000)
    }

    // MARK: Reading

    /// Replays logs.
    /// - Parameter progress: Called now and then.
    public func run(
        _ paths: [String], progress: (Progress) -> Void
    ) throws(Refusal) -> Report {
        var logs: [TimedLog] = []
        for path in paths { logs.append(try open(path)) }
        let all = logs
        while !logs.isEmpty {
            // The log that lags goes on, so that little is held for others.
            var lagging = 0
            for place in logs.indices where logs[place].horizon < logs[lagging].horizon {
                lagging = place
            }
            let log = logs[lagging]
            let pieces: [TimedLog.Piece]?
            do throws(LogFileReader.Failure) {
                pieces = try log.next()
            } catch {
                throw .unreadable("\(log.path): \(error)")
            }
            if let pieces {
                for piece in pieces { take(piece, of: log.path) }
            } else {
                logs.remove(at: lagging)
            }
            if let horizon = logs.map(\.horizon).min(), horizon > .min {
                try advance(through: horizon &- options.window.milliseconds)
            }
            if heldRowCount > Self.heldRowLimit, let last = held.keys.min() {
                try advance(through: last)
            }
            progress(Self.progress(all, next))
        }
        try finish()
        for log in all {
            report.lineCount += log.lineCount
            report.failureCount += log.failureCount
            report.timelessCount += log.timelessCount
        }
        guard report.span != nil else {
            throw .unreadable(
                "no line of the logs tells a time\n"
                    + "  help: name its field by `time_key` in `<parse>`, or by --time-key")
        }
        report.timeline = rules.timeline
        report.compared = others?.timeline
        report.failures = rules.failures + (others?.failures ?? [])
        return report
    }

    private static func progress(_ logs: [TimedLog], _ time: Int64?) -> Progress {
        var progress = Progress(time: time)
        for log in logs {
            progress.lineCount += log.lineCount
            progress.bytes.read += log.progress.read
            progress.bytes.all += log.progress.all
        }
        return progress
    }

    /// Opens a log as the tail would read it that follows its path, or the only tail that there is.
    private func open(_ path: String) throws(Refusal) -> TimedLog {
        var replays: [(label: String, replay: LogReplay)] = []
        do throws(SectionError) {
            for source in configuration.sources where source.section.type == "tail" {
                replays.append(
                    (source.section.label ?? Router.rootLabel, try LogReplay(source.section)))
            }
        } catch {
            throw .mistakes([error.diagnostic])
        }
        let found =
            replays.first { $0.replay.follows(path, at: .epoch) }
            ?? (replays.count == 1 ? replays.first : nil)
        guard let (label, replay) = found else {
            throw .unreadable(
                "\(path): no `<source> @type tail` of the configuration follows it\n"
                    + "  help: write its path into one, or leave one tail only")
        }
        sinks[path] = router.entry(label: label)
        let reader: LogFileReader
        do throws(LogFileReader.Failure) {
            reader = try LogFileReader(path)
        } catch {
            throw .unreadable("\(path): \(error)")
        }
        do throws(SectionError) {
            return try replay.log(path, reader, stretch: step, timeKey: options.timeKey)
        } catch {
            throw .mistakes([error.diagnostic])
        }
    }

    private func take(_ piece: TimedLog.Piece, of path: String) {
        guard let sink = sinks[path] else { return }
        var end = piece.end
        if let next, end < next {
            report.lateCount += piece.batch.keptRowCount
            end = next
        }
        heldRowCount += piece.batch.rows.count
        held[end, default: []].append((piece.batch, sink))
    }

    // MARK: Time

    /// Samples and evaluates at all times that have come, with the events up to each.
    private func advance(through time: Int64) throws(Refusal) {
        guard let first = next ?? held.keys.min() else { return }
        var slot = first
        guard time >= slot else {
            // Nothing is sampled yet: what comes earlier is still in time.
            return
        }
        if report.span == nil {
            // A sampling before the first event: counters begin at nothing.
            sample(at: slot &- step)
            report.span = (slot, slot)
        }
        guard (time &- slot) / step < Self.stepLimit else {
            throw .unreadable(
                "the lines are of times too far apart, \((time &- slot) / 86_400_000) days\n"
                    + "  help: leave out those of other times, or choose a longer --step")
        }
        while slot <= time {
            for (batch, sink) in held.removeValue(forKey: slot) ?? [] {
                heldRowCount -= batch.rows.count
                let ticket = DeliveryTicket(readAt: 0) {}
                sink.emit(batch, ticket: ticket)
                ticket.release()
            }
            sample(at: slot)
            rules.evaluate(at: slot)
            others?.evaluate(at: slot)
            report.span?.last = slot
            slot &+= step
        }
        next = slot
    }

    private func sample(at time: Int64) {
        let now = Timestamp(millisecondsSince1970: time)
        for store in [rules.store, others?.store].compactMap(\.self) {
            store.advance(to: time)
        }
        _ = sampler.sample(now: now) { request in
            for feed in feeds { _ = request.body.withUnsafeBytes { feed.take($0) } }
        }
        for store in [rules.store, others?.store].compactMap(\.self) { store.expire(now: time) }
    }

    private func finish() throws(Refusal) {
        guard let last = held.keys.max() else { return }
        try advance(through: last)
        try advance(through: last &+ Self.restSteps &* step)
    }
}

/// Takes whatever comes, and forgets it.
private final class Discard: Output, RefusalSink {
    var admits: Bool { true }

    func write(_ batch: EventBatch, ticket: DeliveryTicket) {}

    func start() throws(ComponentError) {}

    func flush() {}

    func stop(deadline: UInt64) -> Bool { true }

    func refuse(_ events: [RefusedEvent], ticket: DeliveryTicket) {}
}

import Synchronization
import WeirCore
import WeirHost
import WeirMetrics
import WeirPipeline
import WeirPlugins
import WeirPromQL

/// The history of the node's own metrics: everything that `/metrics` shows, sampled again and again into a
/// store that queries read.
public final class MetricsHistory: Sendable {
    /// How much is kept, and how often it is sampled.
    public struct Options: Sendable, Equatable {
        /// The time between two samplings.
        public var interval: Duration = .seconds(15)
        /// How long samples are kept.
        public var retention: Duration = .seconds(3 * 3_600)
        /// About the bytes that they may take.
        public var byteLimit = 256 << 20
        /// The file that samples survive restarts in, if any.
        public var path: String?
        /// The time between two writings of that file; it is written at the end besides.
        public var snapshotInterval: Duration = .seconds(300)
        /// What a query of them may cost.
        public var queries = QueryLimits()

        /// Every 15 seconds, for three hours.
        public init() {}
    }

    /// The samples.
    public let store: SampleStore
    let options: QueryOptions
    let parserOptions: ParserOptions
    let limits: QueryLimits
    private let interval: Duration
    private let snapshotInterval: Duration
    private let file: HistoryFile?
    let registry: Registry
    private let clock: any PipelineClock
    private let state = Monitor(State())
    private let counters: SampleCounters

    private struct State {
        var isStopping = false
        var isRunning = false
        /// The time of the last sampling, in milliseconds.
        var sampledAt = Int64.min
    }

    /// A history that has no samples yet.
    public convenience init(_ registry: Registry, _ wanted: Options, clock: any PipelineClock) {
        self.init(registry, wanted, clock: clock) { _, _ in }
    }

    /// A history that has the samples of its file.
    /// - Parameter report: Takes what is to be remarked about the file, with its path.
    init(
        _ registry: Registry, _ wanted: Options, clock: any PipelineClock,
        report: @escaping @Sendable (String, HistoryFile.Report) -> Void
    ) {
        var limits = StoreLimits()
        limits.retention = wanted.retention
        limits.byteLimit = wanted.byteLimit
        store = SampleStore(limits)
        interval = wanted.interval
        snapshotInterval = wanted.snapshotInterval
        file = wanted.path.map {
            HistoryFile($0, memoryLimit: wanted.byteLimit, registry, report: report)
        }
        self.registry = registry
        self.clock = clock
        self.limits = wanted.queries
        options = wanted.queries.engineOptions
        parserOptions = wanted.queries.allowsExperiments ? .everything : ParserOptions()
        counters = SampleCounters(registry, origin: "self")
    }

    /// Samples everything once.
    /// - Parameters:
    ///   - sampler: What remembers which series there were.
    ///   - now: The time that the samples are of.
    func sample(_ sampler: RemoteWriteSampler, into feed: SampleFeed, at now: Timestamp) {
        let milliseconds = now.millisecondsSince1970
        store.advance(to: milliseconds)
        _ = sampler.sample(now: now) { request in
            let report = request.body.withUnsafeBytes { feed.take($0) }
            if let report { counters.note(report) }
        }
        store.expire(now: milliseconds)
        state.change { $0.sampledAt = milliseconds }
    }

    /// Waits for the sampling that is due by a time in milliseconds, but not for long: so that what is evaluated
    /// then is as fresh as it can be.
    func waitForSampling(dueBy time: Int64, atMost limit: Duration) {
        let wanted = slot(time)
        let deadline = clock.monotonicNanoseconds &+ limit.nanoseconds
        state.wait { state -> WaitAnswer<Void> in
            let isThere = state.sampledAt >= wanted || state.isStopping
            if isThere || clock.monotonicNanoseconds >= deadline { return .done(()) }
            return .waitUntil(deadline)
        }
    }

    /// The last time of a sampling that has come by a time, in milliseconds.
    private func slot(_ time: Int64) -> Int64 {
        let length = max(interval.milliseconds, 1)
        return time - ((time % length) + length) % length
    }

    /// Samples on a thread of its own until it is stopped.
    /// - Parameters:
    ///   - intake: Opened for others when the file's samples are there again.
    ///   - whenReady: Called then.
    public func start(
        opening intake: SampleIntake = SampleIntake(),
        whenReady: @escaping @Sendable () -> Void = {}
    ) {
        state.withLock { $0.isRunning = true }
        WorkerThread.start("weir-history") { [self] in
            let sampler = RemoteWriteSampler(registry, RemoteWriteSampler.Options())
            let feed = SampleFeed(store)
            restore()
            intake.open(store)
            whenReady()
            var snapshotDue = clock.monotonicNanoseconds &+ snapshotInterval.nanoseconds
            var time = clock.now
            while true {
                sample(sampler, into: feed, at: time)
                if clock.monotonicNanoseconds >= snapshotDue {
                    file?.save(store)
                    snapshotDue = clock.monotonicNanoseconds &+ snapshotInterval.nanoseconds
                }
                // At even times, so that whatever is evaluated then sees samples of the same moment.
                let now = clock.now.millisecondsSince1970
                let next = slot(now) &+ interval.milliseconds
                time = Timestamp(millisecondsSince1970: next)
                let due =
                    clock.monotonicNanoseconds &+ UInt64(clamping: next &- now) &* 1_000_000
                let isStopping = state.wait { state -> WaitAnswer<Bool> in
                    if state.isStopping { return .done(true) }
                    return clock.monotonicNanoseconds >= due ? .done(false) : .waitUntil(due)
                }
                if isStopping { break }
            }
            file?.save(store)
            state.change { $0.isRunning = false }
        }
    }

    /// Takes over what the file has and is not too old.
    func restore() {
        let now = clock.now.millisecondsSince1970
        store.advance(to: now)
        file?.restore(store)
        store.expire(now: now)
    }

    /// Ends the sampling, and writes the file.
    public func stop() {
        state.change { $0.isStopping = true }
        state.wait { $0.isRunning ? .waitForChange : .done(()) }
    }
}

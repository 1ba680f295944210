import Synchronization
import WeirCore
import WeirHost
import WeirMetrics
import WeirParse
import WeirPipeline

/// `@type tail`: follows files on a thread of its own.
public final class TailSource: Source {
    /// What a tail is made of.
    public struct Parts {
        /// The name that the user knows it by.
        public var name: String
        /// What is read, and how.
        public var options: TailOptions
        /// The name of this node, for identities.
        public var node: String
        /// Makes the parser, on the thread that uses it.
        public var makeParser: @Sendable () -> any LineParser
        /// Where events go.
        public var sink: any EventSink
        /// Where it tells of itself.
        public var registry: Registry
        /// Called before positions are written.
        public var beforeSaving: @Sendable () -> Void = {}
        /// Told of origins that will not come again.
        public var forget: @Sendable ([Origin]) -> Void = { _ in }
        /// Where notable happenings are told.
        public var log: @Sendable (TailReport) -> Void

        /// Parts by name.
        public init(
            name: String, options: TailOptions, node: String,
            makeParser: @escaping @Sendable () -> any LineParser, sink: any EventSink,
            registry: Registry, log: @escaping @Sendable (TailReport) -> Void
        ) {
            self.name = name
            self.options = options
            self.node = node
            self.makeParser = makeParser
            self.sink = sink
            self.registry = registry
            self.log = log
        }
    }

    private enum Phase {
        case idle
        case reading
        case stopping
        case stopped
        case closed
    }

    /// Longest sleep without news of the kernel's: Fluentd's watch timer, in milliseconds.
    private static let timerMilliseconds: Int32 = 1000
    /// Sleep while an output has no room, in milliseconds.
    private static let blockedMilliseconds: Int32 = 10
    /// Least time between two looks at all files, so that a busy log is read in blocks, not lines.
    private static let gatheringMilliseconds: Int32 = 5

    // Safe because the engine is touched by the reading thread until it has stopped, then by `close`.
    private final class Engine: @unchecked Sendable {
        var engine: TailEngine?
    }

    private let makeEngine: @Sendable (@escaping (String) -> Void) -> TailEngine
    private let engine = Engine()
    private let phase = Mutex(Phase.idle)
    /// What is known of the files, for those who ask from other threads.
    let followed: TailFiles
    private let inotify = Inotify()
    private let clock = SystemClock()

    /// A tail that does not read yet.
    public init(_ parts: Parts) {
        let options = parts.options
        let name = parts.name
        let node = parts.node
        let makeParser = parts.makeParser
        let sink = parts.sink
        let registry = parts.registry
        let log = parts.log
        let beforeSaving = parts.beforeSaving
        let forget = parts.forget
        let followed = TailFiles()
        self.followed = followed
        makeEngine = { watch in
            TailEngine(
                TailEngine.Surroundings(
                    options: options, node: node, parser: makeParser(), sink: sink,
                    metrics: TailMetrics(registry, source: name, followed: followed), log: log,
                    watch: watch, beforeSaving: beforeSaving, forget: forget))
        }
    }

    /// Begins to read on a thread of its own.
    public func start() throws(ComponentError) {
        phase.withLock { $0 = .reading }
        WorkerThread.start("weir-tail") { [self] in run() }
    }

    private var isReading: Bool { phase.withLock { $0 == .reading } }

    private func run() {
        let engine = makeEngine { [inotify] path in inotify.watch(path) }
        self.engine.engine = engine
        while isReading {
            let moment = TailEngine.Moment(
                monotonic: clock.monotonicNanoseconds, wall: clock.now)
            let result = engine.step(moment)
            if result.isBlocked {
                inotify.wait(milliseconds: Self.blockedMilliseconds)
            } else if !result.hasRead {
                inotify.wait(milliseconds: engine.isDelivered ? Self.timerMilliseconds : 100)
                if isReading { inotify.pause(milliseconds: Self.gatheringMilliseconds) }
            }
        }
        phase.withLock { $0 = .stopped }
    }

    /// Stops reading; returns when no batch will be emitted any more.
    public func stop() {
        let wasReading = phase.withLock { phase in
            defer {
                if phase == .reading {
                    phase = .stopping
                } else if phase == .idle {
                    phase = .stopped
                }
            }
            return phase == .reading
        }
        guard wasReading else { return }
        inotify.wake()
        while phase.withLock({ $0 == .stopping }) { inotify.pause(milliseconds: 1) }
    }

    /// Writes down what has been delivered.
    public func close() {
        stop()
        let isFirst = phase.withLock { phase in
            defer { phase = .closed }
            return phase != .closed
        }
        if isFirst { engine.engine?.savePositions() }
    }
}

import WeirConfig
import WeirCore
import WeirMetrics
import WeirPipeline

/// `@type prometheus_remote_write`: samples all metrics at an interval and sends them.
///
/// One thread samples, one sends, with a ``RemoteWriteQueue`` between them. What is counted in step with
/// logs is written down after sampling and before sending: the receiver sees no count that a crash could
/// take back, which it would take for a counter's reset.
final class RemoteWriteOutput: Output {
    /// After the start series come back and files are found: the first sampling waits for that.
    static let firstWait: Duration = .seconds(1)
    /// How long stopping waits for a receiver.
    static let stopLimit: Duration = .seconds(5)
    /// Bytes of requests that are written down together before they are sent.
    private static let batchByteLimit = 1 << 20

    private struct State {
        var queue: RemoteWriteQueue
        /// When the next sampling is due, in monotonic nanoseconds.
        var nextSampling: UInt64 = 0
        var isStarted = false
        var isStopping = false
        /// When stopping gives up.
        var deadline: UInt64 = 0
        var isEnded = false
    }

    private let name: String
    private let interval: UInt64
    private let firstWait: UInt64
    private let registry: Registry
    private let sampling: RemoteWriteSampler.Options
    private let checkpoint: SeriesCheckpoint?
    private let clock: any PipelineClock
    private let sender: RemoteWriteSender
    private let metrics: RemoteWriteMetrics
    private let log: @Sendable (OutputReport) -> Void
    private let state: Monitor<State>

    /// An output as its section describes it.
    init(_ section: Section, name: String, context: PluginContext) throws(SectionError) {
        var settings = try RemoteWriteSection(section, hostName: context.hostName)
        settings.queue.byteLimit = min(settings.queue.byteLimit, context.outputByteLimit)
        self.name = name
        interval = settings.interval.nanoseconds
        firstWait = min(settings.interval, Self.firstWait).nanoseconds
        registry = context.registry
        sampling = settings.sampling
        checkpoint = context.checkpoint
        clock = context.clock
        sender = RemoteWriteSender(settings)
        metrics = RemoteWriteMetrics(context.registry, output: name)
        log = context.outputLog
        state = Monitor(State(queue: RemoteWriteQueue(settings.queue)))
    }

    // MARK: Output

    var admits: Bool { true }

    func write(_ batch: EventBatch, ticket: DeliveryTicket) {
        metrics.events.add(batch.keptRowCount)
    }

    func start() throws(ComponentError) {
        state.withLock {
            $0.isStarted = true
            $0.nextSampling = clock.monotonicNanoseconds &+ firstWait
        }
        WorkerThread.start("weir-rw-sample") { self.sampleUntilStopped() }
        WorkerThread.start("weir-rw-send") { self.sendUntilEnded() }
    }

    /// Samples at once.
    func flush() {
        state.change { $0.nextSampling = clock.monotonicNanoseconds }
    }

    /// Samples for the last time, says of every series that it is gone, and sends what waits.
    /// - Returns: Always `true`: no events are held. Samples that could not be sent are counted.
    func stop(deadline: UInt64) -> Bool {
        let limit = min(deadline, clock.monotonicNanoseconds &+ Self.stopLimit.nanoseconds)
        let isRunning = state.change { state in
            state.isStopping = true
            state.deadline = limit
            return state.isStarted && !state.isEnded
        }
        guard isRunning else { return true }
        let clock = clock
        let isInTime = state.wait { state -> WaitAnswer<Bool> in
            if state.isEnded { return .done(true) }
            return clock.monotonicNanoseconds >= limit ? .done(false) : .waitUntil(limit)
        }
        guard !isInTime else { return true }
        note(state.change { $0.queue.abandon() })
        sender.abort()
        state.wait { state -> WaitAnswer<Void> in state.isEnded ? .done(()) : .waitForChange }
        return true
    }

    // MARK: Sampling

    private func sampleUntilStopped() {
        let sampler = RemoteWriteSampler(registry, sampling)
        let clock = clock
        while true {
            let isLast = state.wait { state -> WaitAnswer<Bool> in
                if state.isStopping { return .done(true) }
                return clock.monotonicNanoseconds >= state.nextSampling
                    ? .done(false) : .waitUntil(state.nextSampling)
            }
            sample(sampler)
            if isLast { break }
            let missed = state.withLock { state -> UInt64 in
                let late = clock.monotonicNanoseconds &- state.nextSampling
                let missed = late / interval
                state.nextSampling &+= (missed &+ 1) &* interval
                return missed
            }
            for _ in 0..<missed { metrics.skip(reason: "late") }
        }
        enqueue { take in sampler.end(now: clock.now, take) }
        state.change { $0.queue.close() }
    }

    private func sample(_ sampler: RemoteWriteSampler) {
        var isDone = false
        enqueue { take in isDone = sampler.sample(now: clock.now, take) }
        if isDone { metrics.samplings.add() } else { metrics.skip(reason: "clock_stepped_back") }
    }

    /// Puts requests into the queue as they are made, each after what it tells is written down.
    private func enqueue(_ make: (_ take: (RemoteWriteRequest) -> Void) -> Void) {
        var batch: [RemoteWriteRequest] = []
        var byteCount = 0
        make { request in
            batch.append(request)
            byteCount += request.body.count
            guard byteCount >= Self.batchByteLimit else { return }
            append(batch)
            batch = []
            byteCount = 0
        }
        append(batch)
    }

    private func append(_ requests: [RemoteWriteRequest]) {
        guard !requests.isEmpty else { return }
        checkpoint?.save()
        for request in requests {
            waitForRoom(request)
            let dropped = state.change { state in
                defer { showQueue(state.queue) }
                return state.queue.append(request)
            }
            note(dropped)
        }
    }

    /// Waits while the receiver takes requests and there is no room, at most until the next sampling.
    private func waitForRoom(_ request: RemoteWriteRequest) {
        let clock = clock
        let interval = interval
        state.wait { state -> WaitAnswer<Void> in
            let limit = state.isStopping ? state.deadline : state.nextSampling &+ interval
            let isHopeless = state.queue.isFailing || clock.monotonicNanoseconds >= limit
            return isHopeless || state.queue.hasRoom(for: request) ? .done(()) : .waitUntil(limit)
        }
    }

    // MARK: Sending

    private func sendUntilEnded() {
        while true {
            let (step, dropped) = state.withLock { state in
                let now = clock.now
                let next = state.queue.next(
                    now: clock.monotonicNanoseconds,
                    milliseconds: now.seconds &* 1000 &+ Int64(now.nanoseconds / 1_000_000))
                showQueue(state.queue)
                return next
            }
            note(dropped)
            switch step {
            case .send(let request): send(request)
            case .wait(let time): waitForChange(until: time)
            case .idle: waitForChange(until: nil)
            case .ended:
                state.change { $0.isEnded = true }
                return
            }
        }
    }

    private func waitForChange(until time: UInt64?) {
        let clock = clock
        state.wait { state -> WaitAnswer<Void> in
            if let time {
                let isDue = clock.monotonicNanoseconds >= time || state.queue.isDue(before: time)
                return isDue ? .done(()) : .waitUntil(time)
            }
            return state.queue.isIdle ? .waitForChange : .done(())
        }
    }

    private func send(_ request: RemoteWriteRequest) {
        let (verdict, text) = sender.send(request)
        let (outcome, wasFailing) = state.change { state in
            let wasFailing = state.queue.isFailing
            let outcome = state.queue.finish(verdict, now: clock.monotonicNanoseconds)
            showQueue(state.queue)
            return (outcome, wasFailing)
        }
        switch verdict {
        case .done(let written, let lost, let reason):
            metrics.requests.add()
            metrics.bytes.add(request.body.count)
            metrics.samples.add(written.samples)
            metrics.histograms.add(written.histograms)
            metrics.exemplars.add(written.exemplars)
            if wasFailing { log(.recovered(output: name)) }
            guard !reason.isEmpty else { return }
            metrics.drop(lost, reason: reason)
            log(.samplesDropped(output: name, sampleCount: lost.sampleCount, reason: text))
        case .retry(let reason, _):
            metrics.retry(reason: reason)
        }
        switch outcome {
        case .done: break
        case .waits(let wait):
            if !wasFailing { log(.samplesDelayed(output: name, reason: text, after: wait)) }
        case .dropped(let dropped): note([dropped])
        }
    }

    // MARK: Telling

    private func note(_ dropped: [RemoteWriteQueue.Dropped]) {
        for (reason, group) in Dictionary(grouping: dropped, by: \.reason) {
            var sampleCount = 0
            for one in group {
                metrics.drop(one.counts, reason: reason)
                sampleCount += one.counts.sampleCount
            }
            log(.samplesDropped(output: name, sampleCount: sampleCount, reason: reason))
        }
    }

    private func showQueue(_ queue: RemoteWriteQueue) {
        metrics.queuedRequests.set(queue.count)
        metrics.queuedBytes.set(queue.byteCount)
    }
}

extension RemoteWriteRequest.Counts {
    /// Samples of both kinds.
    fileprivate var sampleCount: Int { samples + histograms }
}

import WeirCore
import WeirMetrics
import WeirPipeline

/// The requests that wait to be sent, in the order of their times: what is sent next, when, and what
/// becomes of it. Pure: times are passed in.
///
/// There is one queue and one request under way, so no sample overtakes an older one of its series.
struct RemoteWriteQueue {
    /// Limits of the queue.
    struct Options: Sendable {
        /// Most bytes of compressed requests.
        var byteLimit = 8 << 20
        /// How old samples may be that are still sent; `nil` for any age.
        var ageLimit: Duration?
        /// How waits grow. Requests are tried until they are too old or have no room.
        var retry = RetryOptions()
    }

    /// What the sender does next.
    enum Step {
        case send(RemoteWriteRequest)
        /// Wait until this monotonic time, or for a change.
        case wait(until: UInt64)
        /// Wait for a change.
        case idle
        /// There is nothing more to do, for ever.
        case ended
    }

    /// A request that was given up before it was sent.
    struct Dropped {
        var counts: RemoteWriteRequest.Counts
        var reason: String
    }

    /// What became of the request that was under way.
    enum Outcome {
        case done
        /// It is tried again after this time.
        case waits(Duration)
        case dropped(Dropped)
    }

    private let options: Options
    private var waiting: ArraySlice<RemoteWriteRequest> = []
    private var isSending = false
    private var retry: RetryState
    private var notBefore: UInt64 = 0
    private var isClosed = false
    private var isAbandoned = false
    /// Bytes of the requests that wait or are under way.
    private(set) var byteCount = 0
    /// Whether the last try failed.
    private(set) var isFailing = false

    init(_ options: Options) {
        var options = options
        options.retry.timeout = nil
        options.retry.maximumCount = nil
        self.options = options
        retry = RetryState(options: options.retry)
    }

    /// How many requests wait or are under way.
    var count: Int { waiting.count }

    /// Whether ``next(now:milliseconds:)`` would answer ``Step/idle``.
    var isIdle: Bool { waiting.isEmpty && !isClosed }

    /// Whether the next try is due before a time that was named for it.
    func isDue(before time: UInt64) -> Bool { waiting.isEmpty || notBefore < time }

    /// Whether a request fits without another one being given up.
    func hasRoom(for request: RemoteWriteRequest) -> Bool {
        waiting.isEmpty || byteCount + request.body.count <= options.byteLimit
    }

    /// Adds a request, at the cost of the oldest ones where there is no room.
    mutating func append(_ request: RemoteWriteRequest) -> [Dropped] {
        var dropped: [Dropped] = []
        while !hasRoom(for: request) {
            // What is under way may have arrived already.
            let oldest = waiting.startIndex + (isSending ? 1 : 0)
            guard oldest < waiting.endIndex else { break }
            let gone = waiting.remove(at: oldest)
            byteCount -= gone.body.count
            dropped.append(Dropped(counts: gone.counts, reason: "queue_full"))
        }
        guard !isClosed, hasRoom(for: request) else {
            dropped.append(
                Dropped(counts: request.counts, reason: isClosed ? "stopped" : "queue_full"))
            return dropped
        }
        waiting.append(request)
        byteCount += request.body.count
        return dropped
    }

    /// Decides what the sender does next.
    /// - Parameters:
    ///   - now: The monotonic time in nanoseconds.
    ///   - milliseconds: The time of day, in milliseconds since 1970.
    /// - Returns: The step, and what was too old.
    mutating func next(now: UInt64, milliseconds: Int64) -> (step: Step, dropped: [Dropped]) {
        precondition(!isSending, "one request is under way at a time")
        var dropped: [Dropped] = []
        if let limit = options.ageLimit {
            let oldest = milliseconds &- Int64(clamping: limit.nanoseconds / 1_000_000)
            while let first = waiting.first, first.milliseconds < oldest {
                removeFirst()
                dropped.append(Dropped(counts: first.counts, reason: "too_old"))
            }
        }
        guard let first = waiting.first else { return (isClosed ? .ended : .idle, dropped) }
        guard now >= notBefore else { return (.wait(until: notBefore), dropped) }
        isSending = true
        return (.send(first), dropped)
    }

    /// Notes what became of the request under way.
    /// - Parameter random: A number from 0 to 1 that moves the wait.
    mutating func finish(
        _ verdict: RemoteWriteAnswer.Verdict, now: UInt64,
        random: Double = .random(in: 0...1)
    ) -> Outcome {
        precondition(isSending, "a request is under way")
        isSending = false
        switch verdict {
        case .done:
            removeFirst()
            isFailing = false
            retry = RetryState(options: options.retry)
            return .done
        case .retry(_, let asked):
            isFailing = true
            if isAbandoned {
                guard let first = waiting.first else { return .done }
                removeFirst()
                return .dropped(Dropped(counts: first.counts, reason: "stopped"))
            }
            var wait = retryWait(now: now, random: random)
            if let asked { wait = max(wait, asked) }
            notBefore = now &+ wait.nanoseconds
            return .waits(wait)
        }
    }

    /// Takes no more requests; those that wait are sent, the next one at once.
    mutating func close() {
        isClosed = true
        notBefore = 0
    }

    /// Gives up all that waits; what is under way is not tried again.
    mutating func abandon() -> [Dropped] {
        isClosed = true
        isAbandoned = true
        let kept = isSending ? waiting.prefix(1) : []
        let gone = waiting.dropFirst(kept.count)
        waiting = kept
        byteCount = kept.reduce(0) { $0 + $1.body.count }
        return gone.map { Dropped(counts: $0.counts, reason: "stopped") }
    }

    private mutating func retryWait(now: UInt64, random: Double) -> Duration {
        guard case .retry(let wait) = retry.next(now: now, random: random) else {
            return options.retry.wait
        }
        return wait
    }

    private mutating func removeFirst() {
        guard let first = waiting.popFirst() else { return }
        byteCount -= first.body.count
    }
}

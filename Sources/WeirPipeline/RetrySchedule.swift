/// How failed chunks are tried again: the retry parameters of Fluentd's `<buffer>`.
public struct RetryOptions: Sendable, Equatable {
    /// How the waits grow.
    public enum Growth: String, Sendable, CaseIterable {
        case exponentialBackoff = "exponential_backoff"
        case periodic
    }

    /// How the waits grow.
    public var growth = Growth.exponentialBackoff
    /// The first wait.
    public var wait: Duration = .seconds(1)
    /// The factor from one wait to the next.
    public var backoffBase = 2.0
    /// The longest wait; `nil` for none.
    public var maximumWait: Duration?
    /// Whether each wait is moved by up to an eighth, so that agents do not come back together.
    public var isRandomized = true
    /// How long a chunk is tried; `nil` for ever.
    public var timeout: Duration? = .seconds(72 * 60 * 60)
    /// How often a chunk is tried again; `nil` for no limit.
    public var maximumCount: Int?
    /// The part of the timeout or count after which the secondary output takes over.
    public var secondaryThreshold = 0.8
    /// Whether there is a secondary output.
    public var hasSecondary = false

    /// Fluentd's defaults.
    public init() {}
}

/// What to do with a chunk that failed.
public enum RetryDecision: Sendable, Equatable {
    case retry(after: Duration)
    /// Give the chunk to the secondary output.
    case useSecondary
    case giveUp
}

/// The tries of one chunk. Pure: times are monotonic nanoseconds passed in.
public struct RetryState: Sendable {
    private let options: RetryOptions
    private var firstFailure: UInt64?
    /// Failures so far.
    public private(set) var failureCount = 0

    /// A chunk that has not failed.
    public init(options: RetryOptions) {
        self.options = options
    }

    /// Notes a failure at `now` and decides what comes next.
    /// - Parameter random: A number from 0 to 1 that moves the wait, if waits are randomized.
    public mutating func next(
        now: UInt64, random: Double = .random(in: 0...1)
    ) -> RetryDecision {
        let start = firstFailure ?? now
        firstFailure = start
        failureCount += 1
        if let limit = options.maximumCount {
            if options.hasSecondary,
                Double(failureCount) > Double(limit) * options.secondaryThreshold
            {
                return .useSecondary
            }
            if failureCount > limit { return .giveUp }
        }
        let wait = wait(random: random)
        guard let timeout = options.timeout else { return .retry(after: wait) }
        let elapsed = Double(now &- start)
        if options.hasSecondary {
            let span = Double(timeout.nanoseconds) * options.secondaryThreshold
            if elapsed + Double(wait.nanoseconds) >= span { return .useSecondary }
        }
        let left = Double(timeout.nanoseconds) - elapsed
        if left <= 0 { return .giveUp }
        // The last try comes at the timeout itself, as Fluentd has it.
        return .retry(after: .nanoseconds(Int64(min(Double(wait.nanoseconds), left))))
    }

    /// The wait after the failure that was just noted.
    private func wait(random: Double) -> Duration {
        let first = Double(options.wait.nanoseconds)
        var wait = first
        if options.growth == .exponentialBackoff {
            // Beyond 2^62 ns (146 years) nobody waits.
            for _ in 1..<max(failureCount, 1) where wait < 4e18 { wait *= options.backoffBase }
        }
        if let limit = options.maximumWait { wait = min(wait, Double(limit.nanoseconds)) }
        if options.isRandomized { wait *= 0.875 + 0.25 * min(max(random, 0), 1) }
        return .nanoseconds(Int64(min(max(wait, 0), 4e18)))
    }
}

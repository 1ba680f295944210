public struct RetryOptions: Sendable, Equatable { public init() {} }
public enum RetryDecision: Sendable { case retry(after: Duration), useSecondary, giveUp }
struct RetryState { init(options: RetryOptions) {} ; mutating func next(now: UInt64) -> RetryDecision { .giveUp } }

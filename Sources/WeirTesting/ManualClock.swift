import Synchronization
import WeirCore
import WeirPipeline

/// A clock that stands until it is moved.
public final class ManualClock: PipelineClock {
    private let nanoseconds = Atomic<UInt64>(1_000_000_000)

    /// A clock that shows one second.
    public init() {}

    /// What it shows, in nanoseconds.
    public var monotonicNanoseconds: UInt64 { nanoseconds.load(ordering: .relaxed) }

    /// What it shows, as seconds since 1970.
    public var now: Timestamp { Timestamp(seconds: Int64(monotonicNanoseconds / 1_000_000_000)) }

    /// Moves it on.
    public func advance(_ duration: Duration) {
        nanoseconds.wrappingAdd(duration.nanoseconds, ordering: .relaxed)
    }
}

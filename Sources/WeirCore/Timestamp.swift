/// A point in time: seconds since 1970-01-01T00:00:00Z and nanoseconds within that second.
public struct Timestamp: Hashable, Comparable, Sendable {
    /// Whole seconds since the epoch; negative before it.
    public var seconds: Int64
    /// Nanoseconds after `seconds`, always counted forwards.
    public var nanoseconds: UInt32

    /// A time from its two parts.
    @inlinable
    public init(seconds: Int64, nanoseconds: UInt32 = 0) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    /// 1970-01-01T00:00:00Z.
    public static let epoch = Timestamp(seconds: 0)

    @inlinable
    public static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.seconds == right.seconds
            ? left.nanoseconds < right.nanoseconds : left.seconds < right.seconds
    }
}

extension Timestamp {
    /// The time so many milliseconds after the beginning of 1970.
    public init(millisecondsSince1970 time: Int64) {
        let rest = ((time % 1_000) + 1_000) % 1_000
        self.init(
            seconds: (time &- rest) / 1_000,
            nanoseconds: UInt32(truncatingIfNeeded: rest) * 1_000_000)
    }

    /// Milliseconds since 1970, as far as they go.
    public var millisecondsSince1970: Int64 {
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000)
        if overflow { return seconds < 0 ? Int64.min : Int64.max }
        return product &+ Int64(nanoseconds / 1_000_000)
    }
}

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

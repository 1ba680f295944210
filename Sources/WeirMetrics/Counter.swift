import Synchronization

/// A total that only grows.
public final class Counter: Sendable {
    private let total = Atomic<UInt64>(0)

    /// A counter at zero.
    public init() {}

    /// Adds `amount`.
    @inline(__always)
    public func add(_ amount: Int = 1) {
        total.wrappingAdd(UInt64(truncatingIfNeeded: max(amount, 0)), ordering: .relaxed)
    }

    /// The total so far.
    public var value: UInt64 { total.load(ordering: .relaxed) }
}

/// A value that goes up and down.
public final class Gauge: Sendable {
    private let bits = Atomic<Int>(0)

    /// A gauge at zero.
    public init() {}

    /// Sets the value.
    public func set(_ value: Int) { bits.store(value, ordering: .relaxed) }

    /// Adds `amount`, which may be negative.
    public func add(_ amount: Int) { bits.wrappingAdd(amount, ordering: .relaxed) }

    /// The value now.
    public var value: Int { bits.load(ordering: .relaxed) }
}

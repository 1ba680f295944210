import Synchronization

/// Tells a source that the events of one block are delivered: design invariant 4.
///
/// Every chunk that holds events of the block keeps the ticket until it is delivered or safe on
/// disk. When the last holder lets go, `onDelivered` runs, once, on that holder's thread.
public final class DeliveryTicket: Sendable {
    private let holders = Atomic<Int>(1)
    private let onDelivered: @Sendable () -> Void
    /// When the block was read, on the monotonic clock, in nanoseconds: for the delivery latency.
    public let readAt: UInt64
    /// Whether a copy on disk is not enough: the destination must have the events.
    public let awaitsDestination: Bool

    /// A ticket held once, by its source, until the batch has been handed to all outputs.
    public init(
        readAt: UInt64, awaitsDestination: Bool = false,
        onDelivered: @escaping @Sendable () -> Void
    ) {
        self.readAt = readAt
        self.awaitsDestination = awaitsDestination
        self.onDelivered = onDelivered
    }

    /// Another holder.
    public func retain() { holders.wrappingAdd(1, ordering: .relaxed) }

    /// A holder has delivered its part.
    public func release() {
        let (_, left) = holders.wrappingSubtract(1, ordering: .acquiringAndReleasing)
        precondition(left >= 0, "a ticket is released once per holder")
        if left == 0 { onDelivered() }
    }
}

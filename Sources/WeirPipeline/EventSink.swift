import WeirCore

/// Where a source hands its batches: the router, or a stand-in in tests.
public protocol EventSink: AnyObject, Sendable {
    /// Whether every output that events of this tag can reach has room for another block.
    ///
    /// A source asks before it reads. When there is no room it leaves its input alone (a file is
    /// its own queue) and asks again later; nothing is read that could not be kept.
    func admits(tag: String) -> Bool

    /// Sends a batch through the filters and into the outputs' chunks.
    ///
    /// When this returns the batch may be used again: outputs have encoded what they need, and
    /// hold the ticket. The source releases its own hold afterwards.
    func emit(_ batch: EventBatch, ticket: DeliveryTicket)
}

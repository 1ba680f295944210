import WeirCore

/// An event that a component could not take, on its way to `@ERROR` or the dead letter.
public struct RefusedEvent: Sendable {
    /// The record as a JSON object.
    public var recordText: [UInt8]
    /// The event's tag.
    public var tag: String
    /// The event's time.
    public var time: Timestamp
    /// The component that refused it, as the user names it.
    public var component: String
    /// Why, in the words of who refused it.
    public var reason: String

    /// A refused event by its parts.
    public init(
        recordText: [UInt8], tag: String, time: Timestamp, component: String, reason: String
    ) {
        self.recordText = recordText
        self.tag = tag
        self.time = time
        self.component = component
        self.reason = reason
    }
}

/// Takes what components refuse: the router sends it to `@ERROR`, or to the dead-letter file.
public protocol RefusalSink: AnyObject, Sendable {
    /// Takes the events; keeps the ticket until they are delivered or safe on disk.
    func refuse(_ events: [RefusedEvent], ticket: DeliveryTicket)
}

/// What a sender found its destination to refuse for good, by the event's index in the chunk.
public struct Rejection: Sendable {
    /// The event's index in the chunk that was sent.
    public var index: Int
    /// The destination's reason.
    public var reason: String

    /// A rejection by its parts.
    public init(index: Int, reason: String) {
        self.index = index
        self.reason = reason
    }
}

import WeirCore

/// Reads events from outside. Runs on threads of its own between `start` and `stop`.
public protocol Source: AnyObject, Sendable {
    /// Begins to read.
    func start() throws(ComponentError)
    /// Stops reading and returns when no batch will be emitted any more. Idempotent.
    func stop()
    /// Writes down what has been delivered, after the outputs were flushed. Idempotent.
    func close()
}

/// Changes events on their way. One instance is used by one thread at a time.
public protocol Filter: AnyObject {
    /// Changes, drops or refuses rows of the batch.
    ///
    /// A row that the filter fails on is dropped and handed to `refused` with the reason: it goes
    /// to `@ERROR`, once, and only there.
    func apply(to batch: EventBatch, refused: (_ row: Int, _ reason: String) -> Void)

    /// Whether a batch of this filter becomes another batch (as with a parser filter); the router
    /// then takes `result` on. The default is no.
    func replacement(for batch: EventBatch) -> EventBatch?
}

extension Filter {
    public func replacement(for batch: EventBatch) -> EventBatch? { nil }
}

/// Delivers events to where they are kept or shown.
public protocol Output: AnyObject, Sendable {
    /// Whether there is room for another block.
    var admits: Bool { get }

    /// Encodes the batch's kept rows into chunks; holds the ticket until they are delivered.
    func write(_ batch: EventBatch, ticket: DeliveryTicket)

    /// Begins to deliver.
    func start() throws(ComponentError)

    /// Sends what is staged without waiting for its time.
    func flush()

    /// Delivers what is held, at most until `deadline` (monotonic nanoseconds), then stops.
    /// - Returns: Whether everything was delivered or is safe on disk.
    func stop(deadline: UInt64) -> Bool
}

/// Why a component cannot begin its work, for the user to mend.
public struct ComponentError: Error, CustomStringConvertible, Sendable {
    /// What is wrong.
    public var message: String
    /// How to mend it.
    public var help: String

    /// An error by its parts.
    public init(_ message: String, help: String) {
        self.message = message
        self.help = help
    }

    public var description: String { "\(message)\n  help: \(help)" }
}

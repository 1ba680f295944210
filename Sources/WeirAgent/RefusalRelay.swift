import Synchronization
import WeirPipeline

/// Stands for the router while the outputs that it leads to are being made.
final class RefusalRelay: RefusalSink {
    private let target = Mutex<(any RefusalSink)?>(nil)

    /// Names the one who takes what is refused from now on.
    func point(to sink: any RefusalSink) { target.withLock { $0 = sink } }

    func refuse(_ events: [RefusedEvent], ticket: DeliveryTicket) {
        guard let sink = target.withLock({ $0 }) else {
            preconditionFailure("outputs work only when the pipeline has begun")
        }
        sink.refuse(events, ticket: ticket)
    }
}

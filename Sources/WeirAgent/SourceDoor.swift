import WeirCore
import WeirPipeline

/// Where a source hands its batches, while the pipeline behind it may be changed for another.
final class SourceDoor: EventSink {
    private enum Passage {
        case open(any EventSink)
        /// The source waits.
        case closed
        /// The source is about to be thrown away: what it has read is read again by its successor.
        case abandoned
    }

    private struct State {
        var passage = Passage.closed
        var isEmitting = false
    }

    private let state = Monitor(State())

    /// Lets batches through to a sink.
    func open(to sink: any EventSink) { state.change { $0.passage = .open(sink) } }

    /// Keeps the source waiting; returns when no batch is on its way any more.
    func close() {
        state.change { $0.passage = .closed }
        state.wait { $0.isEmitting ? .waitForChange : .done(()) }
    }

    /// Takes batches from now on and never tells of their delivery.
    func abandon() { state.change { $0.passage = .abandoned } }

    func admits(tag: String) -> Bool {
        guard case .open(let sink) = state.withLock({ $0.passage }) else { return false }
        return sink.admits(tag: tag)
    }

    func emit(_ batch: EventBatch, ticket: DeliveryTicket) {
        let sink = state.wait { state -> WaitAnswer<(any EventSink)?> in
            switch state.passage {
            case .open(let sink):
                state.isEmitting = true
                return .done(sink)
            case .closed: return .waitForChange
            case .abandoned: return .done(nil)
            }
        }
        guard let sink else {
            // Held for ever, so that the position stays before these events.
            ticket.retain()
            return
        }
        sink.emit(batch, ticket: ticket)
        state.change { $0.isEmitting = false }
    }
}

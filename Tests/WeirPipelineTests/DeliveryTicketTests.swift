import Synchronization
import Testing
import WeirPipeline

@Suite("A delivery ticket") struct DeliveryTicketTests {
    @Test func `reports delivery once, when the last holder lets go`() {
        let count = Reports()
        let ticket = DeliveryTicket(readAt: 0) { count.add() }
        ticket.retain()
        ticket.release()
        #expect(count.value == 0)
        ticket.release()
        #expect(count.value == 1)
    }
}

private final class Reports: Sendable {
    private let count = Atomic<Int>(0)
    func add() { count.wrappingAdd(1, ordering: .relaxed) }
    var value: Int { count.load(ordering: .relaxed) }
}

import Testing
import WeirAlerts

@testable import WeirPlugins

@Suite("Notices that wait") struct NoticeQueueTests {
    private func notice(_ name: Int, _ end: Int64 = 0) -> AlertNotice {
        AlertNotice(
            labels: [("alertname", "\(name)")], annotations: [], startsAt: 0, endsAt: end,
            isResolved: false, generatorURL: "")
    }

    private func names(_ notices: [AlertNotice]) -> [String] { notices.map { $0.labels[0].value } }

    @Test func `go in their order, each alert once with its newest`() {
        var queue = NoticeQueue()
        #expect(queue.add([notice(1), notice(2), notice(1, 5)]) == 0)
        let taken = queue.take()
        #expect(names(taken) == ["1", "2"] && taken[0].endsAt == 5)
        #expect(queue.isEmpty)
    }

    @Test func `come back before the others, unless something newer took their place`() {
        var queue = NoticeQueue()
        _ = queue.add([notice(1), notice(2)])
        let taken = queue.take()
        _ = queue.add([notice(3), notice(2, 9)])
        queue.putBack(taken)
        let again = queue.take()
        #expect(names(again) == ["1", "3", "2"])
        #expect(again.last?.endsAt == 9)
    }

    @Test func `are bounded: the oldest goes, and is counted`() {
        var queue = NoticeQueue()
        #expect(queue.add((0..<NoticeQueue.limit + 7).map { notice($0) }) == 7)
        #expect(names(queue.take()).first == "7")
        #expect(queue.take().count == NoticeQueue.batchLimit)
    }
}

import Testing

@testable import WeirPlugins

@Suite("The hosts of a cluster") struct HostRingTests {
    private let second: UInt64 = 1_000_000_000

    private func ring(_ count: Int) -> HostRing {
        HostRing((0..<count).map { ElasticsearchConnection.Host(url: "http://h\($0)") })
    }

    private func turns(_ ring: inout HostRing, _ count: Int, now: UInt64) -> [Int] {
        (0..<count).map { _ in ring.next(now: now).index }
    }

    @Test func `take turns`() {
        var ring = ring(3)
        #expect(turns(&ring, 7, now: 0) == [0, 1, 2, 0, 1, 2, 0])
        #expect(ring.next(now: 0).host.url == "http://h1")
    }

    @Test func `that failed are left alone for a second, and then tried again`() {
        var ring = ring(2)
        ring.noteFailure(0, now: 10 * second)
        #expect(turns(&ring, 3, now: 11 * second - 1) == [1, 1, 1])
        #expect(turns(&ring, 2, now: 11 * second) == [0, 1])
    }

    @Test(arguments: [(failures: 1, seconds: 1), (2, 2), (3, 4), (6, 32), (7, 60), (100, 60)])
    func `are left alone twice as long after each failure, a minute at most`(
        failures: Int, seconds: Int
    ) {
        var ring = ring(2)
        for _ in 0..<failures { ring.noteFailure(0, now: 0) }
        let end = UInt64(seconds) * second
        #expect(turns(&ring, 2, now: end - 1) == [1, 1])
        #expect(turns(&ring, 2, now: end).contains(0))
    }

    @Test func `are as before once they answered`() {
        var ring = ring(2)
        for _ in 0..<5 { ring.noteFailure(0, now: 0) }
        ring.noteAnswer(0)
        #expect(turns(&ring, 2, now: 0) == [0, 1])
        ring.noteFailure(0, now: 0)
        #expect(turns(&ring, 2, now: second).contains(0))
    }

    @Test func `that are all dead are tried in the order in which their pauses end`() {
        var ring = ring(3)
        ring.noteFailure(0, now: 0)
        ring.noteFailure(0, now: 0)
        ring.noteFailure(1, now: 0)
        ring.noteFailure(2, now: second / 2)
        #expect(turns(&ring, 2, now: second / 2) == [1, 1])
    }
}

import Testing
import WeirCore

@Suite("A timestamp") struct TimestampTests {
    @Test func `is ordered by seconds, then by nanoseconds`() {
        #expect(Timestamp(seconds: 1, nanoseconds: 9) < Timestamp(seconds: 2, nanoseconds: 0))
        #expect(Timestamp(seconds: 2, nanoseconds: 1) < Timestamp(seconds: 2, nanoseconds: 2))
    }
}

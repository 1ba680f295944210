import Testing
import WeirConfig

@Suite("A typed value") struct ValueTextTests {
    @Test func `of a duration beyond what nanoseconds can count is refused`() throws {
        for text in ["9223372037", "9999999999s", "110000d", "-9300000000"] {
            #expect(throws: ValueError.self, "\(text)") { try ValueText.duration(text) }
        }
        #expect(try ValueText.duration("106000d") == .seconds(106_000 * 86_400))
    }
}

import Testing
import WeirConfig
import WeirCore

@Suite("A typed value") struct ValueTextTests {
    @Test func `of a duration beyond what nanoseconds can count is refused`() throws {
        for text in ["9223372037", "9999999999s", "110000d", "-9300000000"] {
            #expect(throws: ValueError.self, "\(text)") { try ValueText.duration(text) }
        }
        #expect(try ValueText.duration("106000d") == .seconds(106_000 * 86_400))
    }

    @Test(arguments: [
        ("10seconds", 10), ("5min", 300), ("2hours", 7_200), ("1day", 86_400), ("1e3", 1_000),
    ])
    func `of a duration may spell its unit out`(text: String, seconds: Int) throws {
        #expect(try ValueText.duration(text) == .seconds(seconds))
    }

    @Test(arguments: ["10M", "10H", "100ms", "1h30m", "10months"])
    func `of a duration with a unit that Fluentd misreads is refused`(text: String) {
        #expect(throws: ValueError.self) { try ValueText.duration(text) }
    }

    @Test func `of pairs keeps blanks around a colon, and refuses nothing between commas`() throws {
        #expect(try ValueText.hash(" a : b , c:d,") == ["a ": .string(" b"), "c": .string("d")])
        #expect(throws: ValueError.self) { try ValueText.hash("a:b,,c:d") }
        #expect(try ValueText.array("a\n, b,,") == [.string("a"), .string("b")])
    }

    @Test(arguments: ["$.", "$.a[0]x", "$.a[", "$[a]"])
    func `of a way to a field is refused when it leads nowhere`(text: String) {
        #expect(throws: ValueError.self) { try ValueText.accessor(text) }
    }

    @Test func `of a way to a field may end with a dot`() throws {
        #expect(try ValueText.accessor("$.a.").steps == [.key("a")])
        #expect(try ValueText.accessor("$.a[0].b").steps == [.key("a"), .index(0), .key("b")])
    }
}

import Testing
import WeirCore
import WeirTesting

@Suite("A tag pattern") struct TagPatternTests {
    @Test(arguments: [
        ("a.*", "a.b", true), ("a.*", "a", false), ("a.*", "a.b.c", false), ("a.**", "a", true),
        ("a.**", "ab", false), ("**.b", "x.a.b", true), ("a.{b,c.**}", "a.c.d", true),
        ("{a,b} c", "c", true), ("/a\\.b/ c", "a.b", true), ("a\\*", "a*", true), ("", "a", false),
        ("/a|b/", "ax", true), ("/a|b/", "xb", true), ("/a|b/", "xa", false),
    ])
    func `matches as Fluentd's do`(pattern: String, tag: String, expected: Bool) throws {
        #expect(try TagPattern(pattern).matches(tag) == expected)
    }

    @Test func `refuses a broken regular expression with its place`() {
        #expect(throws: RegexError.self) { try TagPattern("/a(/") }
        #expect(throws: RegexError.self) { try TagPattern("/a") }
    }

    @Test func `takes no long time over a hostile pattern`() throws {
        let pattern = String(repeating: "**{a,**}", count: 60)
        let tag = String(repeating: "a.", count: 500)
        #expect(try TagPattern(pattern).matches(tag))
    }

    @Test(.enabled(if: SharedCases.arePresent))
    func `matches every captured tag as Fluentd does`() throws {
        var compared = 0
        for record in SharedCases.records("conformance/fluentd/match/patterns.jsonl") {
            let text = record["pattern"]?.string ?? ""
            guard let matched = record["matched"]?.array, let others = record["not_matched"]?.array
            else {
                #expect(throws: RegexError.self) { try TagPattern(text) }
                continue
            }
            let pattern = try TagPattern(text)
            for tag in matched.compactMap(\.string) {
                #expect(pattern.matches(tag), "\(text) should match \(tag)")
            }
            for tag in others.compactMap(\.string) {
                #expect(!pattern.matches(tag), "\(text) should not match \(tag)")
            }
            compared += 1
        }
        #expect(compared >= 50)
    }
}

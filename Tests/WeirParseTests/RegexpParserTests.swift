import Testing
import WeirCore

@Suite("The regexp parser") struct RegexpParserTests {
    @Test(arguments: [("x1", "1"), ("y2", "2"), ("x1y2", "2")])
    func `reads groups of one name as one field, that of the last that took part`(
        line: String, value: String
    ) throws {
        let content = "@type regexp\nexpression /^(?:x(?<n>\\d))?(?:y(?<n>\\d))?$/"
        #expect(try records(line + "\n", by: content) == [["n": .string(value)]])
    }

    @Test(arguments: [
        ("/(?<kubernetes.pod>\\w+) (?<x-y>\\w+)/", "a b", ["kubernetes.pod": "a", "x-y": "b"]),
        (
            "/(?<a_name_of_more_than_thirty_two_letters>.)/", "a",
            ["a_name_of_more_than_thirty_two_letters": "a"]
        ),
        ("/(?<q-1>[\"'])(?<text>.*?)\\k<q-1>/", "'it'", ["q-1": "'", "text": "it"]),
        ("/(?<first>.)(?<rest>.*)/", "éa", ["first": "é", "rest": "a"]),
        ("/(?<first>[^x]{2})/", "éaxx", ["first": "éa"]),
        ("/(?<a>a{,2})b/", "aaab", ["a": "aa"]), ("/(?<a>\\u{e9})/", "é", ["a": "é"]),
        ("/(?<a>\\p{Digit}+)/", "x12", ["a": "12"]),
        ("/(?<a>[\\p{Alnum}-]+)/", "é-1 x", ["a": "é-1"]),
        ("/(?<a>[x[yz]]+)/", "axyzb", ["a": "xyz"]), ("/(?<a>\\v)/", "a\u{b}", ["a": "\u{b}"]),
    ])
    func `reads Ruby's groups, properties and counts of characters`(
        expression: String, line: String, fields: [String: String]
    ) throws {
        let read = try records(line + "\n", by: "@type regexp\nexpression \(expression)")
        let wished = Record(fields.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) })
        #expect(read.map { Record($0.fields.sorted { $0.key < $1.key }) } == [wished])
    }

    @Test(arguments: ["/(?<a>[a-z&&[^aeiou]])/", "/(?<a>[a[^b]])/"])
    func `refuses sets of characters that it cannot tell`(expression: String) {
        #expect(throws: (any Error).self) {
            try records("a\n", by: "@type regexp\nexpression \(expression)")
        }
    }
}

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
}

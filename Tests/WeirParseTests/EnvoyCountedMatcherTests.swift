import Testing
import WeirCore
import WeirTesting

@testable import WeirParse

/// Where both matchers find the fields of a line; `nil` for one that does not find them.
private struct Readings {
    var quick: [Range<Int>]?
    var thorough: [Range<Int>]?
    var isAmbiguous = false
}

private func readings(_ line: [UInt8], _ matcher: EnvoyLineMatcher) -> Readings {
    var text = ByteBuffer()
    line.withUnsafeBytes { text.append($0) }
    func fields() -> [Range<Int>] {
        (0..<matcher.count).map { matcher.starts[$0]..<matcher.ends[$0] }
    }
    var readings = Readings()
    if let quick = EnvoyCountedMatcher(matcher), quick.match(text.pointer, line.count) {
        readings.quick = fields()
    }
    let outcome = matcher.match(text.pointer, line.count)
    if outcome != .unmatched { readings.thorough = fields() }
    readings.isAmbiguous = outcome == .ambiguous
    return readings
}

@Suite("A line with as many delimiters as its format") struct EnvoyCountedMatcherTests {
    static let istio =
        "[2026-11-23T20:58:05.532Z] \"GET /a HTTP/1.1\" 404 - via_upstream - \"-\" 0 93 9 9 "
        + "\"-\" \"an agent with spaces\" \"61b53d7c-a194-4680-af0c-f0062d73783b\" \"reviews:9080\" "
        + "\"127.0.0.1:21180\" outbound|9080|v1|reviews 127.0.0.1:50884 127.0.0.1:21080 "
        + "127.0.0.1:35806 - -"

    @Test func `is read in one pass, as the thorough search reads it`() throws {
        let matcher = EnvoyLineMatcher(try EnvoyFormat(EnvoyFormat.istioText))
        let found = readings(Array(Self.istio.utf8), matcher)
        #expect(found.quick != nil)
        #expect(found.quick == found.thorough)
        #expect(!found.isAmbiguous)
    }

    @Test(arguments: [
        ("a quote in a value", "an agent", "an \"agent"), ("a space in the path", "/a ", "/a b "),
        ("bytes beyond ASCII", "agent", "ågent"), ("a backslash", "agent", "a\\gent"),
        ("a number that is none", " 404 ", " 4x4 "), ("a tab", "an agent", "an\tagent"),
    ])
    func `is left to the thorough search when it holds`(
        what: String, part: String, other: String
    ) throws {
        let matcher = EnvoyLineMatcher(try EnvoyFormat(EnvoyFormat.istioText))
        let line = Self.istio.replacing(part, with: other)
        #expect(line != Self.istio)
        #expect(readings(Array(line.utf8), matcher).quick == nil, "\(what)")
    }

    @Test(arguments: ["%REQ(A)%,%REQ(B)%\n", "%REQ(A)%%REQ(B)%", "\"%REQ(A)%\"é\"%REQ(B)%\""])
    func `is not looked for in a format that is parted otherwise`(format: String) throws {
        #expect(EnvoyCountedMatcher(EnvoyLineMatcher(try EnvoyFormat(format))) == nil)
    }

    @Test(arguments: [
        EnvoyFormat.istioText, EnvoyFormat.envoyText,
        "%REQ(A)% %DURATION% \"%REQ(B)%\"x\"%PROTOCOL% %REQ(C)%\"\n", "\"%REQ(A)%\"",
    ])
    func `never has another reading than the thorough search finds`(format: String) throws {
        let matcher = EnvoyLineMatcher(try EnvoyFormat(format))
        var numbers = SeededGenerator(announcing: "counted matcher")
        let time = FuzzTime(shared: 4)
        let samples = [
            Self.istio, "a 1 \"b\"x\"HTTP/2 c\"", "\"q\"", String(Self.istio.prefix(200)),
            "[2026-11-23T20:58:05.532Z] \"GET / HTTP/1.1\" 200 - 0 93 9 9 \"-\" \"an agent\" \"id\" "
                + "\"a:1\" \"b:2\"",
        ]
        let letters = Array("\" -|/:1Ha[]x".utf8)
        var quickCount = 0
        repeat {
            for _ in 0..<100 {
                var line = Array((samples.randomElement(using: &numbers) ?? "").utf8)
                for _ in 0..<Int.random(in: 0...6, using: &numbers) {
                    let place = Int.random(in: 0...line.count, using: &numbers)
                    let letter = letters.randomElement(using: &numbers) ?? 0
                    switch Int.random(in: 0..<3, using: &numbers) {
                    case 0 where place < line.count: line[place] = letter
                    case 1 where place < line.count: line.remove(at: place)
                    default: line.insert(letter, at: place)
                    }
                }
                let found = readings(line, matcher)
                guard let quick = found.quick else { continue }
                quickCount += 1
                #expect(
                    quick == found.thorough && !found.isAmbiguous,
                    "\(String(decoding: line, as: UTF8.self))")
            }
        } while time.isLeft
        #expect(quickCount > 0)
    }
}

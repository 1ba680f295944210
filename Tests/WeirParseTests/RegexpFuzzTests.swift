import Testing
import WeirCore
import WeirParse
import WeirTesting

@Suite("Whatever the pattern", .timeLimit(.minutes(5))) struct RegexpFuzzTests {
    private static let pieces = [
        "(?<a>", "(?<b>", "(?<time>", "(", ")", ")", ")", "|", "*", "+", "?", "{1,3}", "{,2}", "[",
        "]",
        "[^ ]", "\\h", "\\H", "\\d+", "\\S+", "\\p{Alpha}", "\\u00e9", "é", ".", ".*", "^", "$",
        "\\A",
        "\\K", "(?i)", "(?m:", "(?~", "(?<!", "(?=", "(?>", "(?#", "[[:alpha:]]", "[[:word:]-]",
        "a",
        "b", " ", "\\1", "\\k<a>", "\\g<a>", "\\", "\\Z", "\\z", "++", "\\R", "\\X", "\\x41", "/",
        "&&",
    ]
    private static let texts = [
        "a", "b", "ab", " ", "aaaaaaaaaaaaaaaaaaaaaaaa", "é", "e\u{301}", "1", "12:30:00", "\"",
        "\\",
        "[", "😀", "\t", "\r", "A",
    ]
    private static let formats = [
        "", "\ntime_format %H:%M:%S", "\ntime_type float", "\ntypes a:integer,b:float",
        "\ntypes a:time:%s,b:array:x\nnull_value_pattern /a+/", "\nnull_empty_string true",
        "\ntypes a:bool,b:string\nkeep_time_key true\nestimate_current_event false",
    ]

    @Test func `it is compiled or refused, and every line read or refused`() throws {
        var chance = SeededGenerator(announcing: "RegexpFuzzTests")
        let time = FuzzTime()
        repeat {
            var pattern = chance.soup(of: Self.pieces, upTo: 10)
            if chance.once(in: 2) { pattern = "(?<a>\(pattern))" }
            let options = chance.pick(["", "i", "m", "im"])
            let content =
                "@type regexp\nexpression \(quoted("/\(pattern)/\(options)"))"
                + chance.pick(Self.formats)
            guard let parser = try? parser(content) else { continue }
            var bytes: [UInt8] = []
            for _ in 0..<4 {
                let line = Array(chance.soup(of: Self.texts, upTo: 8).utf8)
                bytes += (chance.once(in: 3) ? chance.mutated(line, with: [0xff, 0xc3]) : line)
                bytes.append(0x0a)
            }
            let batch = batch(bytes, by: parser)
            guard let problem = problem(batch) else { continue }
            Issue.record("\(problem): \(content) on \(bytes), seed \(chance.seed)")
            return
        } while time.isLeft
    }

    /// What is wrong with a batch that was read.
    private func problem(_ batch: EventBatch) -> String? {
        var encoder = BatchEncoder(batch)
        for index in batch.lines.indices {
            let rows = batch.rows.indices.filter {
                batch.rows[$0].line == index && !batch.rows[$0].isDropped
            }
            let failures = batch.failures.filter { $0.line == index }
            if rows.count + failures.count != 1 { return "line \(index) is not dealt with once" }
        }
        for row in batch.rows.indices where !batch.rows[row].isDropped {
            var buffer = ByteBuffer()
            encoder.append(row: row, to: &buffer)
            let text = Array(buffer.bytes)
            guard case .object? = JSONValueReader.value(of: buffer.bytes),
                String(validating: text, as: UTF8.self) != nil
            else { return "a row is not JSON" }
            let keys = batch.shapes[Int(batch.rows[row].shape)].keys
            if Set(keys).count < keys.count { return "a row has a name twice" }
        }
        return nil
    }

    @Test(arguments: [
        "(?<x>(a+)+)$", "(?<x>(a|aa)+)$", "(?<x>(a*)*b\\1)$", "(?<x>(?:a?){30}a{30})c",
    ])
    func `a match that would take for ever ends at its limit`(pattern: String) throws {
        let parser = try parser("@type regexp\nexpression /\(pattern)/")
        let line = String(repeating: "a", count: 5000) + "!\n"
        let batch = batch(Array(line.utf8), by: parser)
        #expect(batch.rows.isEmpty)
        #expect(batch.failures.count == 1)
    }
}

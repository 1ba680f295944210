import Testing
import WeirConfig
import WeirCore
import WeirParse

private let stamp = "2023-10-06T00:17:09.669794202Z"

/// The `message` and `stream` of every event that is read from some lines.
private func messages(_ batch: EventBatch) -> [String] {
    batch.rows.indices.map { row in
        let record = batch.record(row: row)
        guard case .string(let message)? = record["message"],
            case .string(let stream)? = record["stream"]
        else { return "?" }
        return "\(stream) \(message)"
    }
}

private func read(
    _ lines: [String], by parser: any LineParser, from first: Int = 0
) -> EventBatch {
    let batch = EventBatch()
    var text = lines[first...].map { "\(stamp) \($0)\n" }.joined()
    text.withUTF8 { batch.fillBlock(copying: UnsafeRawBufferPointer($0)) }
    let position = lines[..<first].map { stamp.utf8.count + 2 + $0.utf8.count }.reduce(0, +)
    _ = batch.cutLines(position: UInt64(position))
    parser.parse(into: batch, now: Timestamp(seconds: 5))
    return batch
}

/// Where a line begins in its file.
private func position(_ line: Int, in lines: [String]) -> UInt64 {
    UInt64(lines[..<line].map { stamp.utf8.count + 2 + $0.utf8.count }.reduce(0, +))
}

@Suite("The CRI parser") struct CRIParserTests {
    @Test func `reads the content, the stream and the runtime's time`() throws {
        let batch = read(
            ["stdout F hello  world", "stderr F ", "stdout F:x a"], by: try parser("@type cri"))
        #expect(messages(batch) == ["stdout hello  world", "stderr ", "stdout a"])
        #expect(
            batch.rows.first?.time == Timestamp(seconds: 1_696_551_429, nanoseconds: 669_794_202))
        #expect(batch.failures.isEmpty && batch.unfinishedPosition == nil)
    }

    @Test func `joins partial lines, each stream for itself`() throws {
        let lines = [
            "stdout P a", "stdout P b", "stderr P x", "stderr F y", "stdout F c", "stdout F d",
        ]
        let batch = read(lines, by: try parser("@type cri"))
        #expect(messages(batch) == ["stderr xy", "stdout abc", "stdout d"])
        #expect(
            batch.lines.map(\.position) == [
                position(2, in: lines), position(0, in: lines), position(5, in: lines),
            ])
    }

    @Test func `leaves an event without an end to the next batch`() throws {
        let reader = try parser("@type cri")
        var lines = ["stdout F a", "stdout P b", "stderr F x"]
        let first = read(lines, by: reader)
        #expect(messages(first) == ["stdout a"] && first.lines.count == 1)
        #expect(first.unfinishedPosition == position(1, in: lines))
        lines += ["stdout F c"]
        let second = read(lines, by: reader, from: 1)
        #expect(messages(second) == ["stderr x", "stdout bc"])
        #expect(second.unfinishedPosition == nil)
    }

    @Test func `reads on before an event that is woven into an unfinished one`() throws {
        let lines = ["stdout F a", "stderr P x", "stdout P b", "stderr F y"]
        let batch = read(lines, by: try parser("@type cri"))
        #expect(messages(batch) == ["stdout a"])
        #expect(batch.unfinishedPosition == position(1, in: lines))
    }

    @Test func `ends an event whose source has no more to give`() throws {
        let reader = try parser("@type cri")
        let lines = ["stdout P a", "stdout P b"]
        #expect(read(lines, by: reader).unfinishedPosition == 0)
        let again = read(lines, by: reader)
        #expect(messages(again) == ["stdout ab"] && again.unfinishedPosition == nil)
    }

    @Test func `cuts an event at the limit and loses nothing`() throws {
        let lines = ["stdout P aaaa", "stdout P bbbb", "stdout F cccc", "stdout F d"]
        let batch = read(lines, by: try parser("@type cri\nmax_event_size 8"))
        #expect(messages(batch) == ["stdout aaaabbbb", "stdout cccc", "stdout d"])
    }

    @Test func `hands the content to the parser within, which may tell the time`() throws {
        let content = "@type cri\n<parse>\n@type json\ntime_type float\n</parse>"
        let batch = read(
            [#"stdout P {"a":"#, #"stdout F 1,"time":7.5}"#, #"stderr F {"b":2}"#, "stdout F no"],
            by: try parser(content))
        #expect(
            batch.rows.indices.map { batch.record(row: $0) } == [
                ["a": .integer(1), "stream": .string("stdout")],
                ["b": .integer(2), "stream": .string("stderr")],
            ])
        #expect(batch.rows.map(\.time.seconds) == [7, 1_696_551_429])
        #expect(batch.failures.map(\.line) == [2])
    }

    @Test(arguments: [
        "", " ", "stdout F x", "2023-10-06T00:17:09Z", "2023-10-06T00:17:09Z stdout",
        "2023-10-06T00:17:09Z stdout X y", "2023-10-06T00:17:09Z stdin F y",
        "2023-10-06T00:17:09Z stdout Fy", "yesterday stdout F y",
    ])
    func `refuses a line of another form, and keeps its bytes`(line: String) throws {
        let text = "\(stamp) stdout P a\n\(line)\n\(stamp) stdout F b\n"
        let batch = batch(Array(text.utf8), by: try parser("@type cri"))
        #expect(messages(batch) == ["stdout ab"])
        #expect(batch.failures.map(\.line) == [1])
        #expect(
            batch.withBytes(of: batch.lines[1]) { String(decoding: $0, as: UTF8.self) } == line)
    }
}

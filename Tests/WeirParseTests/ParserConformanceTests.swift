import Testing
import WeirConfig
import WeirCore
import WeirParse
import WeirTesting

/// Where Weir reads a line otherwise than Fluentd 1.16.9, and why.
private let deliberateDifferences: [String: String] = [
    "parser-0003": "Fluentd keeps seven digits of a number's fraction, Weir nine",
    "parser-0005": "nanoseconds beyond a second are not a time; further digits are left out",
    "parser-0006": "a text that is no time makes the event a parse failure, not one of 1970",
    "parser-0009": "a date where a number is due is read as a date, not as the year's number",
    "parser-0011": "an array of objects gives an event per object; Fluentd's is no record",
    "parser-0012": "a text is not a record",
    "parser-0013": "a number is not a record",
    "parser-0026": "NaN is not JSON, and no output could write it",
    "parser-0027": "Infinity is not JSON, and no output could write it",
    "parser-0029": "a number beyond a double's range is kept as it was written",
    "parser-0038": "a lone surrogate is replaced; Fluentd loses the line",
    "parser-0039": "an escape that JSON does not have is refused",
    "parser-0049": "comments are not JSON",
    "parser-0050": "comments are not JSON",
    "parser-0059": "a NUL byte in a text is kept; Fluentd loses the line",
    "parser-0066": "a text that is no number makes the event a parse failure",
    "parser-0078": "`%3N` is three digits of the fraction; Fluentd refuses it at run time",
    "parser-0079": "`%3N` is three digits of the fraction; Fluentd refuses it at run time",
    "parser-0080": "`%6N` is six digits of the fraction; Fluentd refuses it at run time",
    "parser-0081": "`%6N` takes fewer digits too; Fluentd refuses it at run time",
    "parser-0119": "29 February of a common year is no day; Fluentd makes it 1 March",
    "parser-0135": "an array stays one; Fluentd splits its text at commas",
    "parser-0141": "a text that is no time stays as it is; Fluentd loses it",
    "parser-0150": "NaN is not JSON, and no output could write it",
    "parser-0159": "an array of numbers holds no record",
    "parser-0161": "an object without an end is refused",
    "parser-0165": "`json_parser` is not needed, so its value is not looked at",
    "parser-0196": "nanoseconds beyond a second are not a time; further digits are left out",
    "parser-0197": "nanoseconds beyond a second are not a time; further digits are left out",
    "parser-0236": "bytes that are not UTF-8 are replaced; Fluentd fails with an exception",
    "parser-0237": "bytes that are not UTF-8 are replaced; Fluentd fails with an exception",
]

@Suite("Parsers", .enabled(if: SharedCases.arePresent))
struct ParserConformanceTests {
    @Test func `read every captured line as Fluentd does, or differ for a reason`() {
        var report = ConformanceReport(differences: deliberateDifferences)
        var compared = 0
        for record in SharedCases.records("conformance/fluentd/parsers/parsers.jsonl") {
            guard let id = record["id"]?.string, let type = record["type"]?.string,
                ["json", "regexp", "none"].contains(type),
                let line = ConformanceCases.bytes(record, "line")
            else { continue }
            compared += 1
            report.note(id, problem: problem(record, line))
        }
        #expect(compared >= 160)
        #expect(report.unexpected.isEmpty, "\(report.unexpected.joined(separator: "\n"))")
        #expect(report.stale.isEmpty)
    }

    /// What differs between Fluentd's result and Weir's.
    private func problem(_ record: Record, _ line: [UInt8]) -> String? {
        var conf = record["conf"]?.string ?? ""
        // The machine's zone is the process's: the case's own is said to the parser.
        if !conf.contains("utc"), !conf.contains("timezone") {
            conf += "timezone \(record["tz"]?.string ?? "UTC")\n"
        }
        let shown = "\(conf.debugDescription) \(String(decoding: line, as: UTF8.self).prefix(200)) "
        let expected = record["results"]?.array ?? []
        let now = Timestamp(seconds: 1_790_000_000)
        let batch: EventBatch
        do {
            batch = WeirParseTests.wholeLine(line, by: try parser(conf), now: now)
        } catch {
            let isRefused = record["config_error"] != nil || record["error"] != nil
            return isRefused ? nil : shown + "refused: \(error)"
        }
        if record["config_error"] != nil { return shown + "is not refused" }
        if record["error"] != nil {
            return batch.rows.filter { !$0.isDropped }.isEmpty ? nil : shown + "gives an event"
        }
        let results = expected.compactMap(\.object).filter { $0["record"] != .null }
        let rows = batch.rows.indices.filter { !batch.rows[$0].isDropped }
        guard rows.count == results.count else {
            return shown + "gives \(rows.map { batch.record(row: $0) }), not \(expected)"
        }
        for (row, result) in zip(rows, results) {
            let found = Value.object(batch.record(row: row))
            let wished = ConformanceCases.value(result["record"] ?? .null)
            if found != wished { return shown + "gives \(found), not \(wished)" }
            let time = batch.rows[row].time
            let wishedTime =
                result["time"]?.string == "NOW" ? now : ConformanceCases.time(result["time"])
            if let wishedTime, wishedTime != time, record["year_dependent"] == nil {
                return shown + "has the time \(time), not \(wishedTime)"
            }
        }
        return nil
    }
}

/// A batch of one line, line ends included.
func wholeLine(_ bytes: [UInt8], by parser: any LineParser, now: Timestamp) -> EventBatch {
    let batch = EventBatch()
    bytes.withUnsafeBytes { batch.fillBlock(copying: $0) }
    batch.lines = [Line(offset: 0, length: UInt32(bytes.count), position: 0)]
    parser.parse(into: batch, now: now)
    return batch
}

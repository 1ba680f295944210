import Testing
import WeirConfig
import WeirCore
import WeirParse
import WeirTesting

@Suite("Parsers, held against what Fluentd's do", .enabled(if: SharedCases.arePresent))
struct ParserConformanceTests {
    /// Where Weir means to differ, and why.
    static let differences: [String: String] = [:]

    @Test("agree, case by case", arguments: ["json", "regexp", "none"])
    func cases(_ type: String) {
        var report = ConformanceReport(differences: Self.differences)
        for test in SharedCases.records("conformance/fluentd/parsers/parsers.jsonl")
        where test["type"]?.string == type {
            report.note(test["id"]?.string ?? "", problem: problem(test))
        }
        #expect(report.unexpected.isEmpty, "\(report.unexpected.joined(separator: "\n"))")
        #expect(report.stale.isEmpty)
    }

    private func problem(_ test: Record) -> String? {
        guard let line = ConformanceCases.bytes(test, "line") else { return "no line" }
        let body = test["conf"]?.string ?? ""
        let (section, diagnostics) = ComponentSection.read(
            "<parse>\n\(body)\n</parse>\n", as: .parser)
        let refusesAll = test["config_error"] != nil || test["error"] != nil
        guard let section else {
            return refusesAll ? nil : "refused: \(diagnostics.map(\.message)) for \(body)"
        }
        let parser: any LineParser
        do throws(SectionError) {
            parser = try ParserCatalog.parser(section)
        } catch {
            return refusesAll ? nil : "refused: \(error.diagnostic.message) for \(body)"
        }
        if test["config_error"] != nil { return "accepted \(body)" }
        let now = Timestamp(seconds: 1_790_000_000)
        let batch = EventBatch(blockCapacity: max(64, line.count + 1))
        (line + [0x0a]).withUnsafeBytes { batch.fillBlock(copying: $0) }
        batch.lines = [Line(offset: 0, length: UInt32(line.count), position: 0)]
        parser.parse(into: batch, now: now)
        let found = batch.rows.indices.filter { !batch.rows[$0].isDropped }
            .map { (batch.rows[$0].time, batch.record(row: $0)) }
        let expected = (test["results"]?.array ?? []).compactMap(\.object)
            .filter { $0["record"] != .null && $0["record"]?.object != nil }
        guard found.count == expected.count else {
            return "\(found.count) events for \(expected.count): \(String(decoding: line, as: UTF8.self)) with \(body)"
        }
        for ((time, record), wanted) in zip(found, expected) {
            guard case .object(let fields)? = wanted["record"].map(ConformanceCases.value) else {
                continue
            }
            if record != fields {
                return "\(JSONValueWriter.text(.object(record))) for \(JSONValueWriter.text(.object(fields))) with \(body)"
            }
            if wanted["time"] == .string("NOW") || wanted["time"] == .null {
                if time != now { return "time \(time) for now with \(body)" }
            } else if let expected = ConformanceCases.time(wanted["time"]), expected != time,
                test["year_dependent"] == nil
            {
                return "time \(time) for \(expected) with \(body)"
            }
        }
        return nil
    }
}

import Testing
import WeirCore
import WeirParse
import WeirTesting

/// One format of the set, with the log that Envoy wrote in it.
private struct CapturedFormat {
    var id: String
    var text: String
    var omitsEmpty: Bool
    /// Operators whose values differ between two logs of the same stream.
    var volatile: [String]
    /// Names of fields that the set's own judgement calls ambiguous, with their operators.
    var ambiguous: Set<Int>
    var operators: [String]
    var isUnambiguous: Bool
    var bytes: [UInt8]
    /// Where each record begins, when records are not lines.
    var starts: [Int]

    init?(_ record: Record) {
        guard record["kind"] == .string("text"), let id = record["id"]?.string,
            let text = record["format"]?.string, let log = record["log"]?.string,
            let fields = record["fields"]?.array, let judgement = record["parse_back"]?.object
        else { return nil }
        self.id = id
        self.text = text
        omitsEmpty = record["omit_empty_values"]?.bool ?? false
        volatile = (record["volatile_operators"]?.array ?? []).compactMap(\.string)
        operators = fields.compactMap { $0.array?.last?.string }
        let names = (judgement["ambiguous_fields"]?.array ?? []).compactMap(\.string)
        ambiguous = Set(
            fields.indices.filter { names.contains(fields[$0].array?.first?.string ?? "") })
        isUnambiguous = judgement["unambiguous"]?.bool ?? false
        bytes = SharedCases.restored("corpus/envoy-formats/\(log)")
        starts = (record["record_starts"]?.array ?? []).compactMap { $0.integer.map(Int.init) }
    }
}

@Suite("On logs in many formats, the parser", .enabled(if: SharedCases.arePresent))
struct EnvoyFormatCorpusTests {
    /// The JSON log of the same streams: its keys are the operators.
    private static let reference: [Record] = {
        let bytes = SharedCases.restored("corpus/envoy-formats/reference.json.log.gz")
        return bytes.split(separator: 0x0a).compactMap { line in
            // Envoy writes an infinite number as `inf`, which is not JSON.
            let text = String(decoding: line, as: UTF8.self).replacing("\":inf", with: "\":null")
            return JSONValueReader.value(of: text)?.object
        }
    }()

    private static let formats =
        SharedCases.records("corpus/envoy-formats/formats.jsonl").compactMap(CapturedFormat.init)

    @Test func `reads every field that a text tells as the JSON log has it`() throws {
        try #require(Self.reference.count == 524 && Self.formats.count == 47)
        for format in Self.formats { try check(format) }
    }

    private func check(_ format: CapturedFormat) throws {
        let content =
            "@type envoy\nformat \(quoted(format.text))\nomit_empty_values \(format.omitsEmpty)"
        let reader = try #require(try parser(content) as? EnvoyParser)
        let batch = batch(format.bytes, by: reader)
        let fields = try #require(reader.formats.first?.fields)
        #expect(fields.map(\.operation) == format.operators, "\(format.id)")
        if format.isUnambiguous {
            #expect(reader.formats.first?.indistinctFields == [], "\(format.id)")
            #expect(reader.ambiguousLineCount == 0, "\(format.id)")
        } else {
            #expect(reader.formats.first?.advice != nil, "\(format.id)")
        }
        #expect(batch.failures.isEmpty, "\(format.id): \(batch.failures.count) lines unread")
        #expect(batch.rows.count == Self.reference.count, "\(format.id)")
        guard batch.rows.count == Self.reference.count else { return }
        for (row, expected) in Self.reference.enumerated() {
            let record = batch.record(row: row)
            for (index, field) in fields.enumerated() {
                let found = record[field.name]
                let wished = expected[field.operation]
                if isSame(found, wished, format, field.operation, expected) { continue }
                if !format.ambiguous.contains(index) {
                    Issue.record(
                        "\(format.id) record \(row) \(field.name): \(found ?? .null), not \(wished ?? .null)"
                    )
                }
            }
        }
    }

    @Test func `reads JSON of any nesting with the types that it has`() throws {
        var compared = 0
        for record in SharedCases.records("corpus/envoy-formats/formats.jsonl") {
            guard record["kind"] == .string("json"), let log = record["log"]?.string else {
                continue
            }
            let bytes = SharedCases.restored("corpus/envoy-formats/\(log)")
            let batch = batch(bytes, by: try parser("@type envoy"))
            let broken = record["lines_not_json"]?.integer ?? 0
            #expect(batch.failures.count == Int(broken) && batch.rows.count == 524 - Int(broken))
            for row in batch.rows.indices {
                let line = batch.lines[Int(batch.rows[row].line)]
                let value = batch.withBytes(of: line) { JSONValueReader.value(of: $0) }
                let found = Value.object(batch.record(row: row))
                if found != value { Issue.record("\(log) row \(row): \(found)") }
                compared += 1
            }
        }
        #expect(compared > 10_000)
    }

    @Test func `compiles what Envoy accepts, and refuses what Envoy refuses`() throws {
        let bytes = try #require(SharedCases.bytes("corpus/envoy-formats/envoy_accepts.json"))
        let answers = try #require(
            bytes.withUnsafeBytes { JSONValueReader.value(of: $0) }?.object)
        let accepted = answers["accepted"]?.array?.compactMap(\.string) ?? []
        for test in accepted {
            for text in texts(test) {
                #expect(throws: Never.self, "\(text)") { try EnvoyFormat(text) }
            }
        }
        let refused = answers["refused"]?.array?.compactMap { $0.object?["test"]?.string } ?? []
        // Weir cannot know which extensions Envoy has, so it takes their operators.
        for test in refused where !test.contains("without its formatter extension") {
            for text in texts(test) {
                #expect(throws: EnvoyFormatError.self, "\(text)") { try EnvoyFormat(text) }
            }
        }
        #expect(accepted.count == 256 && refused.count == 48)
    }

    /// The format strings that a row of the table of answers stands for.
    private func texts(_ test: String) -> [String] {
        if test.hasPrefix("json:") || test.hasPrefix("old:") { return [] }
        if ["text: omit", "text: content_type"].contains(test) { return [] }
        if test.hasPrefix("text: ") { return [String(test.dropFirst(6))] }
        let text = test.hasPrefix("[") ? String(test.drop { $0 != "%" }) : test
        // Remarks stand behind the operator, further operators behind commas.
        guard let end = text.firstRange(of: "% ") ?? text.firstRange(of: "%, ") else {
            return [text]
        }
        return text.contains("%, ")
            ? text.split(separator: ", ").map { String($0.prefix { $0 != " " }) }
            : [String(text[..<end.lowerBound]) + "%"]
    }

    private func isSame(
        _ found: Value?, _ wished: Value?, _ format: CapturedFormat, _ operation: String,
        _ record: Record
    ) -> Bool {
        if format.volatile.contains(where: { operation.hasPrefix("%" + $0) }) { return true }
        // A stream that goes on has another duration a moment later.
        if operation == "%DURATION%", record["%ACCESS_LOG_TYPE%"]?.string?.hasSuffix("End") != true
        {
            return true
        }
        let isMissing = found == nil || found == .null
        if format.omitsEmpty {
            return found == wished || isMissing && (wished == .null || wished == .string(""))
        }
        return found == wished || isMissing && wished == .string("-")
    }
}

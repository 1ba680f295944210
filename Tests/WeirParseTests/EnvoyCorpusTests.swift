import Testing
import WeirCore
import WeirParse
import WeirTesting

/// The logs of three real sidecars; line i is the same stream in all logs of one sidecar.
@Suite("On real Envoy logs, the parser", .enabled(if: SharedCases.arePresent))
struct EnvoyCorpusTests {
    private static let proxies = ["client", "reviews-v1", "reviews-v2"]

    /// A text says less than JSON where a header really holds `-`.
    private static func isSame(_ text: Value?, _ json: Value?) -> Bool {
        text == json || text == .null && json == .string("-")
    }

    private static func log(
        _ proxy: String, _ name: String, by content: String = "@type envoy"
    ) throws -> (batch: EventBatch, parser: EnvoyParser) {
        let parser = try #require(try parser(content) as? EnvoyParser)
        let bytes = SharedCases.restored("corpus/envoy/logs/\(proxy)/\(name).log.gz")
        return (batch(bytes, by: parser), parser)
    }

    @Test(arguments: proxies, ["istio_text", "envoy_default"])
    func `reads the same record from text as from JSON, but for ambiguous lines`(
        proxy: String, name: String
    ) throws {
        let json = try Self.log(proxy, "istio_json").batch
        let (text, reader) = try Self.log(proxy, name)
        #expect(text.failures.isEmpty && json.failures.isEmpty)
        try #require(text.rows.count == json.rows.count && text.rows.count > 800)
        let fieldCount = name == "istio_text" ? 24 : 15
        let ambiguous = Set(reader.ambiguousPositions)
        #expect(ambiguous.count == reader.ambiguousLineCount && ambiguous.count <= 5)
        var otherwise = 0
        for row in text.rows.indices {
            let record = text.record(row: row)
            let expected = json.record(row: row)
            #expect(record.fields.count == fieldCount)
            #expect(text.rows[row].time == json.rows[row].time)
            let differing = record.fields.filter { !Self.isSame($0.value, expected[$0.key]) }
            if differing.isEmpty { continue }
            otherwise += 1
            let position = text.lines[Int(text.rows[row].line)].position
            #expect(ambiguous.contains(position), "line \(row): \(differing) is not \(expected)")
        }
        // Two requests of the set have `evil" "x` as x-forwarded-for: it reads as two fields.
        #expect(otherwise <= 2)
    }

    @Test(arguments: proxies)
    func `leaves out the keys that Envoy leaves out of JSON`(proxy: String) throws {
        let whole = try Self.log(proxy, "istio_json").batch
        let sparse = try Self.log(proxy, "istio_json_omit_empty").batch
        try #require(whole.rows.count == sparse.rows.count)
        for row in whole.rows.indices {
            let kept = Record(whole.record(row: row).fields.filter { $0.value != .null })
            #expect(sparse.record(row: row) == kept)
        }
    }

    @Test(arguments: proxies)
    func `reads a format of a user's own`(proxy: String) throws {
        let format = try #require(
            SharedCases.bytes("corpus/envoy/logs/\(proxy)/custom_text.format"))
        let content =
            "@type envoy\nformat \(quoted(String(decoding: format, as: UTF8.self)))"
        let (text, reader) = try Self.log(proxy, "custom_text", by: content)
        let json = try Self.log(proxy, "istio_json").batch
        #expect(text.failures.isEmpty)
        try #require(text.rows.count == json.rows.count)
        let ambiguous = Set(reader.ambiguousPositions)
        let same = [
            "method", "protocol", "response_code", "response_flags", "response_code_details",
            "bytes_received", "bytes_sent", "duration", "request_id", "authority",
            "upstream_host", "upstream_cluster", "route_name", "requested_server_name",
        ]
        for row in text.rows.indices {
            let position = text.lines[Int(text.rows[row].line)].position
            if ambiguous.contains(position) { continue }
            let record = text.record(row: row)
            let expected = json.record(row: row)
            for key in same {
                #expect(Self.isSame(record[key], expected[key]), "line \(row): \(key)")
            }
            #expect(text.rows[row].time == json.rows[row].time)
        }
    }

    @Test(arguments: proxies, ["istio_text", "istio_json"])
    func `counts requests by code, flags and cluster as Envoy's own counters do`(
        proxy: String, name: String
    ) throws {
        let bytes = try #require(SharedCases.bytes("corpus/envoy/ground_truth.json"))
        let truth = bytes.withUnsafeBytes { JSONValueReader.value(of: $0) }?.object?["proxies"]?
            .object?[proxy]?.object
        var counted: [String: Int64] = [:]
        let log = try Self.log(proxy, name).batch
        for row in log.rows.indices {
            let record = log.record(row: row)
            guard record["protocol"] != .null, let code = record["response_code"]?.integer else {
                continue
            }
            let flags = record["response_flags"]?.string ?? ""
            counted["\(record["upstream_cluster"]?.string ?? "") \(code) \(flags)", default: 0] += 1
        }
        var expected: [String: Int64] = [:]
        for series in try #require(truth?["istio_requests_total"]?.array) {
            let label = { (name: String) in series.object?[name]?.string ?? "" }
            let flags = label("response_flags").isEmpty ? "-" : label("response_flags")
            expected[
                "\(label("upstream_cluster")) \(label("response_code")) \(flags)", default: 0] +=
                series.object?["value"]?.integer ?? 0
        }
        #expect(counted == expected)
    }
}

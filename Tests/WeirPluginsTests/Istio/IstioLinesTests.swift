import Testing
import WeirConfig
import WeirCore
import WeirMetrics
import WeirPipeline
import WeirTesting

@testable import WeirPlugins

/// A log line with what Istio would say of it.
struct ExpectedLine: Sendable, CustomTestStringConvertible {
    var line: String
    var expect: Record

    var testDescription: String { String(line.prefix(90)) }

    static let all: [ExpectedLine] = SharedCases.records("corpus/mesh/access-lines.jsonl")
        .compactMap { record in
            guard let line = record["line"]?.string, let expect = record["expect"]?.object else {
                return nil
            }
            return ExpectedLine(line: line, expect: expect)
        }
}

@Suite("Of a line of Istio's default log", .enabled(if: SharedCases.arePresent))
struct IstioLinesTests {
    /// The words for what the expected lines say in sentences.
    private static let words = [
        "ok": "ok", "plaintext accepted": "plaintext_accepted",
        "plaintext refused (STRICT)": "plaintext_refused", "route timeout": "route_timeout",
        "retries exhausted on per-try timeout": "try_timeout",
        "retries exhausted, app error": "retries_exhausted",
        "circuit breaker overflow": "circuit_open",
        "no healthy endpoint (all ejected or subset empty)": "no_healthy_upstream",
        "subset or cluster missing": "cluster_not_found",
        "AuthorizationPolicy: no ALLOW rule matched": "no_rule_allows",
        "REGISTRY_ONLY refused HTTP": "egress_blocked",
        "REGISTRY_ONLY refused TLS/TCP": "egress_blocked",
        "ServiceEntry egress (TLS passthrough)": "tls_egress",
        "ALLOW_ANY passthrough": "passthrough", "client gave up": "client_gone",
    ]

    @Test func `there are eighteen`() {
        #expect(ExpectedLine.all.count == 18)
    }

    @Test("the metrics have the expected labels", arguments: ExpectedLine.all)
    func labels(_ expected: ExpectedLine) throws {
        let rig = try IstioRig("namespace default\noptional_labels subset")
        try rig.count(expected.line + "\n")
        let isHTTP = expected.expect["request_protocol"] == .string("http")
        let samples = rig.samples(
            isHTTP ? "istio_requests_total" : "istio_tcp_connections_closed_total")
        if expected.expect["diagnosis"] == .string("plaintext refused (STRICT)") {
            #expect(samples.isEmpty)
            #expect(rig.own("weir_istio_metrics_skipped_total", "refused_by_listener") == 1)
            return
        }
        let labels = try #require(samples.keys.first)
        #expect(samples.count == 1)
        for (name, value) in expected.expect.fields where name != "sampled" && name != "diagnosis" {
            let text = (value.string ?? "unknown").replacing(" (from authority)", with: "")
            #expect(labels[name] == text, "\(name)")
        }
    }

    @Test("the record says the expected", arguments: ExpectedLine.all)
    func fields(_ expected: ExpectedLine) throws {
        let record = try IstioFieldsRig.record(expected.line, "namespace default")
        for (name, value) in expected.expect.fields {
            switch name {
            case "diagnosis":
                let word = try #require(Self.words[value.string ?? ""])
                #expect(record[name] == .string(word))
            case "request_protocol", "connection_security_policy", "response_code": continue
            default:
                let text = value.string?.replacing(" (from authority)", with: "")
                let isEmpty = value == .null || text == ""
                #expect(
                    record[name] == (isEmpty ? nil : text.map { .string($0) } ?? value), "\(name)")
            }
        }
    }
}

/// The filter `istio_fields` over lines.
enum IstioFieldsRig {
    static func filter(_ parameters: String, registry: Registry) throws -> IstioFieldsFilter {
        let (section, diagnostics) = ComponentSection.read(
            "<filter **>\n  @type istio_fields\n\(parameters)\n</filter>\n", as: .filter)
        return try IstioFieldsFilter(
            try #require(section, "\(diagnostics)"), registry: registry)
    }

    /// The records of some lines, after the filter.
    static func records(
        _ text: String, _ parameters: String = "", parse: String = "@type envoy",
        registry: Registry = Registry()
    ) throws -> [Record] {
        let batch = try IstioRig.batch(Array(text.utf8), parse: parse)
        try filter(parameters, registry: registry).apply(to: batch) { _, _ in }
        // As an output writes them.
        var encoder = BatchEncoder(batch)
        return try batch.rows.indices.map { row in
            var buffer = ByteBuffer()
            encoder.append(row: row, to: &buffer)
            return try #require(JSONValueReader.value(of: buffer.bytes)?.object)
        }
    }

    /// The record of one line, after the filter.
    static func record(_ line: String, _ parameters: String = "") throws -> Record {
        try #require(try records(line + "\n", parameters).first)
    }
}

import Testing
import WeirCore
import WeirMetrics
import WeirTesting

@testable import WeirPlugins

@Suite("The filter istio_fields")
struct IstioFieldsFilterTests {
    private static func fields(
        _ changes: [(String, String)], _ parameters: String = ""
    ) throws -> Record {
        let plain = try #require(
            JSONValueReader.value(of: IstioLine.request(changes).dropLast().description)?.object)
        let record = try IstioFieldsRig.record(
            String(IstioLine.request(changes).dropLast()), parameters)
        return Record(record.fields.filter { plain[$0.key] == nil })
    }

    @Test func `writes seven fields into a record`() throws {
        #expect(
            try Self.fields([]) == [
                "destination_service": .string("reviews.default.svc.cluster.local"),
                "destination_service_name": .string("reviews"),
                "destination_service_namespace": .string("default"), "subset": .string("v1"),
                "reporter": .string("source"), "sampled": .bool(true),
                "diagnosis": .string("ok"),
            ])
    }

    @Test func `writes only what it is told to, under names that begin as wished`() throws {
        #expect(
            try Self.fields([], "write diagnosis, subset\nprefix mesh_") == [
                "mesh_subset": .string("v1"), "mesh_diagnosis": .string("ok"),
            ])
    }

    @Test func `leaves events alone that are no access log's, and counts them`() throws {
        let registry = Registry()
        let records = try IstioFieldsRig.records(
            "{\"message\":\"x\"}\n" + IstioLine.request(), registry: registry)
        #expect(records[0] == ["message": .string("x")])
        #expect(records[1]["diagnosis"] == .string("ok"))
        let counter = registry.counter(
            MetricDescription("weir_istio_fields_skipped_total", ""),
            [Label("reason", "not_an_access_log")])
        #expect(counter.value == 1)
    }

    @Test func `completes short names in many rows, and writes odd ones as they are`() throws {
        let lines = (0..<2000).map { number in
            IstioLine.request([
                ("upstream_cluster", "null"), ("response_flags", "\"NC\""),
                (
                    "authority",
                    number % 2 == 0 ? "\"svc-\(number):80\"" : "\"a\\\"\\u00e9\(number)\""
                ),
            ])
        }
        let records = try IstioFieldsRig.records(lines.joined(), "namespace shop")
        for (number, record) in records.enumerated() {
            #expect(record["diagnosis"] == .string("cluster_not_found"))
            #expect(
                record["destination_service"]
                    == .string(
                        number % 2 == 0
                            ? "svc-\(number).shop.svc.cluster.local"
                            : "a\"é\(number).shop.svc.cluster.local"))
        }
    }

    @Test(arguments: [
        (
            "UF", "upstream_reset_before_response_started{remote_connection_failure}", 503,
            "connect_failed"
        ),
        ("UF", "upstream_reset_before_response_started{TLS_error:|1}", 503, "tls_failed"),
        ("URX,UF", "upstream_reset_before_response_started{x}", 503, "retries_exhausted"),
        (
            "UC", "upstream_reset_before_response_started{connection_termination}", 503,
            "upstream_reset"
        ),
        ("DPE", "http1.codec_error", 400, "client_protocol_error"),
        (
            "UPE", "upstream_reset_before_response_started{protocol_error}", 502,
            "upstream_protocol_error"
        ),
        ("UAEX", "ext_authz_denied", 403, "authorizer_denies"),
        ("UAEX", "ext_authz_error", 403, "authorizer_failed"),
        ("RL", "local_rate_limited", 429, "rate_limited"),
        ("DI,FI", "fault_filter_abort", 503, "fault_injected"),
        ("DI", "via_upstream", 200, "delay_injected"), ("DI", "via_upstream", 500, "server_error"),
        ("SI", "stream_idle_timeout", 504, "stream_timeout"),
        ("-", "max_duration_timeout", 504, "stream_timeout"),
        ("NR", "route_not_found", 404, "route_not_found"),
        ("-", "rbac_access_denied_matched_policy[ns[a]-policy[b]-rule[0]]", 403, "rule_denies"),
        ("-", "direct_response", 200, "direct_response"),
        ("-", "via_upstream", 404, "client_error"), ("-", "via_upstream", 503, "server_error"),
        ("DC", "via_upstream", 101, "ok"), ("DC", "via_upstream", 200, "client_gone"),
        ("DF", "dns_resolution_failure", 503, "dns_failed"),
        ("OM", "overload_manager", 503, "overloaded"), ("LR", "local_reset", 503, "local_reset"),
        ("XX,YY", "via_upstream", 200, "ok"),
    ])
    func `says in one word what flags and details mean`(
        flags: String, details: String, code: Int, word: String
    ) throws {
        let fields = try Self.fields([
            ("response_flags", "\"\(flags)\""), ("response_code_details", "\"\(details)\""),
            ("response_code", "\(code)"),
        ])
        #expect(fields["diagnosis"] == .string(word))
    }

    @Test func `has a meaning for every word, and one word for every meaning`() {
        let words = IstioDiagnosis.allCases.map(\.word)
        #expect(Set(words).count == words.count)
        #expect(Set(IstioDiagnosis.allCases.map(\.meaning)).count == words.count)
        #expect(words.allSatisfy { $0.utf8.allSatisfy { $0 == 0x5f || $0 | 0x20 == $0 } })
    }

    @Test func `sees what filters before it changed`() throws {
        let batch = try IstioRig.batch(Array((IstioLine.request() + IstioLine.request()).utf8))
        let column = batch.editColumn("upstream_cluster")
        batch.edit(column: column, row: 0, to: .removed)
        let slot = try #require(batch.makeStringSlot("inbound|80||"))
        batch.edit(column: column, row: 1, to: slot)
        try IstioFieldsRig.filter("", registry: Registry()).apply(to: batch) { _, _ in }
        #expect(batch.record(row: 0)["reporter"] == .string("source"))
        #expect(batch.record(row: 0)["subset"] == nil)
        #expect(batch.record(row: 1)["reporter"] == .string("destination"))
    }
}

import Testing
import WeirCore
import WeirMetrics
import WeirTesting

@testable import WeirPlugins

/// The counters of the Envoys that wrote the logs of the corpus.
struct EnvoyTruth {
    /// One sample of Envoy's, its labels and value.
    struct Sample {
        var labels: [String: String]
        var value: UInt64
    }

    let truth: Record
    private let lines: [Substring]

    init(_ proxy: String) throws {
        let bytes = try #require(SharedCases.bytes("corpus/envoy/ground_truth.json"))
        truth = try #require(
            bytes.withUnsafeBytes { JSONValueReader.value(of: $0) }?.object?["proxies"]?
                .object?[proxy]?.object)
        let text = try #require(
            SharedCases.bytes("corpus/envoy/stats/\(proxy).istio_metrics.txt"))
        lines = String(decoding: text, as: UTF8.self).split(separator: "\n")
    }

    /// The samples of a metric in the dump of Envoy's own metrics.
    func samples(_ name: String) -> [Sample] {
        lines.compactMap { (line) -> Sample? in
            guard line.hasPrefix("\(name){"), let end = line.lastIndex(of: "}") else { return nil }
            var labels: [String: String] = [:]
            let inner = line[line.index(after: line.firstIndex(of: "{") ?? end)..<end]
            for part in "\(inner),".split(separator: "\",") {
                let pair = part.split(
                    separator: "=\"", maxSplits: 1, omittingEmptySubsequences: false)
                labels[String(pair[0])] = String(pair[1]).replacing("\\\"", with: "\"")
                    .replacing("\\\\", with: "\\")
            }
            let value = line[line.index(after: end)...].filter { $0 != " " }
            return UInt64(value).map { Sample(labels: labels, value: $0) }
        }
    }

    /// The totals of a metric by some labels; an absent value is as a log has it.
    func totals(_ name: String, by labels: [String]) -> [[String]: UInt64] {
        var totals: [[String]: UInt64] = [:]
        for sample in samples(name) {
            totals[labels.map { Self.value(sample.labels[$0] ?? "", of: $0) }, default: 0] +=
                sample.value
        }
        return totals
    }

    private static func value(_ text: String, of label: String) -> String {
        guard text.isEmpty else { return text }
        switch label {
        case "response_flags": return "-"
        case "grpc_response_status": return ""
        default: return "unknown"
        }
    }

    /// What a histogram of all requests must hold: counts by upper bound, cumulated, and the sum.
    func histogram(_ name: String) -> (counts: [UInt64], sum: Double)? {
        guard let all = truth["histograms_all_requests"]?.object?[name]?.object,
            let bounds = all["lines_with_value_at_most_le"]?.object
        else { return nil }
        let sum: Double? =
            switch all["sum_of_the_log_values"] {
            case .integer(let number)?: Double(number)
            case .float(let number)?: number
            default: nil
            }
        return sum.map { (bounds.fields.map { UInt64($0.value.integer ?? -1) }, $0) }
    }
}

@Suite("On real Envoy logs, Istio's metrics", .enabled(if: SharedCases.arePresent))
struct IstioAgreementTests {
    private static let proxies = ["client", "reviews-v1", "reviews-v2"]
    private static let labels = "<labels>\n  upstream_cluster upstream_cluster\n</labels>"
    private static let formats = ["istio_json", "istio_json_omit_empty", "istio_text"]
    private static let histograms = [
        "request_duration_milliseconds", "request_bytes", "response_bytes",
    ]

    private static func rig(
        _ proxy: String, _ format: String, _ parameters: String
    ) throws -> IstioRig {
        let rig = try IstioRig(parameters)
        var parse = "@type envoy"
        if format == "custom_text" {
            let text = try #require(
                SharedCases.bytes("corpus/envoy/logs/\(proxy)/\(format).format"))
            let quoted = String(decoding: text, as: UTF8.self).replacing("\\", with: "\\\\")
                .replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
            parse += "\nformat \"\(quoted)\""
        }
        try rig.count(
            SharedCases.restored("corpus/envoy/logs/\(proxy)/\(format).log.gz"), parse: parse)
        return rig
    }

    /// The custom format's own names for what the recommended format tells.
    private static func custom(_ proxy: String) throws -> IstioRig {
        try rig(
            proxy, "custom_text",
            """
            sizes wire
            \(labels)
            <fields>
              workload environment_workload_name
              downstream_peer_workload filter_state_lab_source_workload_plain
            </fields>
            """)
    }

    @Test(arguments: proxies, formats)
    func `count the requests of each cluster, code and flags as Envoy does`(
        proxy: String, format: String
    ) throws {
        let names = ["reporter", "upstream_cluster", "response_code", "response_flags"]
        let rig = try Self.rig(proxy, format, Self.labels)
        let truth = try EnvoyTruth(proxy).totals("istio_requests_total", by: names)
        #expect(truth.count > 5)
        #expect(rig.totals("istio_requests_total", by: names) == truth)
    }

    @Test(arguments: proxies)
    func `count by code and flags what Envoy's shortest format tells`(proxy: String) throws {
        let names = ["response_code", "response_flags"]
        let rig = try Self.rig(proxy, "envoy_default", "")
        let truth = try EnvoyTruth(proxy).totals("istio_requests_total", by: names)
        #expect(rig.totals("istio_requests_total", by: names) == truth)
    }

    @Test(arguments: proxies)
    func `agree label by label where the format tells both ends and gRPC's status`(
        proxy: String
    ) throws {
        let names = [
            "reporter", "source_workload", "destination_workload", "response_code",
            "response_flags", "grpc_response_status", "upstream_cluster",
        ]
        let rig = try Self.custom(proxy)
        let truth = try EnvoyTruth(proxy)
        // Envoy's names of the servers' own workload is no field of the custom format.
        let own = proxy == "client" ? names : names.filter { $0 != "destination_workload" }
        #expect(
            rig.totals("istio_requests_total", by: own)
                == truth.totals("istio_requests_total", by: own))
        for histogram in Self.histograms {
            let counts = rig.observations("istio_\(histogram)", by: own)
                .mapValues { $0.counts.reduce(0, +) }
            #expect(counts == truth.totals("istio_\(histogram)_count", by: own), "\(histogram)")
        }
    }

    @Test(arguments: proxies)
    func `name the destination's service wherever Envoy's cluster does`(proxy: String) throws {
        let names = ["upstream_cluster", "response_code", "response_flags", "destination_service"]
        let rig = try Self.custom(proxy)
        // Envoy's own logger does not fall back on the authority, as Istio's filter does.
        let truth = try EnvoyTruth(proxy).totals("istio_requests_total", by: names)
            .filter { $0.key[3] != "unknown" }
        let found = rig.totals("istio_requests_total", by: names)
        for (labels, total) in truth { #expect(found[labels] == total, "\(labels)") }
        #expect(!truth.isEmpty)
    }

    @Test(arguments: proxies)
    func `put every value into its bucket and add it to the sum`(proxy: String) throws {
        let rig = try Self.custom(proxy)
        let truth = try EnvoyTruth(proxy)
        for name in Self.histograms {
            let expected = try #require(truth.histogram(name))
            let found = try #require(rig.observations("istio_\(name)")[[]])
            var cumulated: [UInt64] = []
            for count in found.counts { cumulated.append((cumulated.last ?? 0) + count) }
            #expect(cumulated == expected.counts, "\(name)")
            #expect(found.sum == expected.sum, "\(name)")
        }
    }

    @Test(arguments: proxies, formats)
    func `measure durations alike in every format`(proxy: String, format: String) throws {
        let rig = try Self.rig(proxy, format, "")
        let expected = try #require(
            try EnvoyTruth(proxy).histogram("request_duration_milliseconds"))
        let found = try #require(rig.observations("istio_request_duration_milliseconds")[[]])
        #expect(found.sum == expected.sum)
        #expect(found.counts.reduce(0, +) == expected.counts.last)
    }

    @Test(arguments: ["client", "reviews-v1"])
    func `count TCP's connections and bytes as Envoy does`(proxy: String) throws {
        let names = ["reporter", "upstream_cluster", "response_flags"]
        let rig = try Self.custom(proxy)
        let truth = try EnvoyTruth(proxy)
        for name in ["connections_closed", "sent_bytes", "received_bytes"] {
            let metric = "istio_tcp_\(name)_total"
            #expect(
                rig.totals(metric, by: names) == truth.totals(metric, by: names), "\(metric)")
        }
        #expect(
            rig.totals("istio_tcp_connections_opened_total", by: names)
                == rig.totals("istio_tcp_connections_closed_total", by: names))
    }

    @Test(arguments: proxies)
    func `leave out what listeners refused, as Envoy's counters do`(proxy: String) throws {
        let rig = try Self.rig(proxy, "istio_json", "")
        let refused = try EnvoyTruth(proxy).truth["access_log_lines"]?.object?["listener_nr"]?
            .integer
        #expect(
            rig.own("weir_istio_metrics_skipped_total", "refused_by_listener")
                == refused.map { UInt64($0) })
        #expect(rig.own("weir_istio_metrics_skipped_total", "not_an_access_log") == 0)
    }

    @Test(arguments: proxies)
    func `see less bytes in the default format, which tells those of bodies only`(
        proxy: String
    ) throws {
        let bodies = try Self.rig(proxy, "istio_json", "")
        let wire = try Self.custom(proxy)
        for name in ["istio_request_bytes", "istio_response_bytes"] {
            let less = try #require(bodies.observations(name)[[]])
            let more = try #require(wire.observations(name)[[]])
            #expect(less.counts.reduce(0, +) == more.counts.reduce(0, +))
            #expect(less.sum < more.sum)
        }
        let strict = try Self.rig(proxy, "istio_json", "sizes wire")
        #expect(strict.samples("istio_request_bytes").isEmpty)
        #expect(!strict.samples("istio_requests_total").isEmpty)
    }
}

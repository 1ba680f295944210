import Testing
import WeirConfig
import WeirCore
import WeirMetrics
import WeirTesting

@testable import WeirPlugins

@Suite("Metrics of spans") struct SpanMetricsTests {
    private func count(_ parameters: String, _ lines: [String]) throws -> (Registry, [String]) {
        let read = ComponentSection.read(
            "<filter **>\n@type span_metrics\n\(parameters)\n</filter>", as: .filter)
        let section = try #require(read.section, "\(read.diagnostics)")
        let registry = Registry()
        let context = PluginContext.forTests(registry: registry)
        let filter = try SpanMetricsFilter(section, name: "spans", context: context)
        context.series.activate()
        filter.apply(to: ElasticsearchRig.batch(lines)) { _, _ in }
        return (registry, registry.textExposition().split(separator: "\n").map(String.init))
    }

    private func span(_ kind: String, _ duration: Int, error: Bool = false) -> String {
        #"{"traceId":"5af7183fb1d4cf5f","id":"1","kind":"\#(kind)","name":"get /","#
            + #""timestamp":1795467479928826,"duration":\#(duration),"#
            + #""localEndpoint":{"serviceName":"shop"}\#(error ? #","tags":{"error":"x"}"# : "")}"#
    }

    @Test func `count calls and errors, and measure how long they took`() throws {
        let (registry, lines) = try count(
            "buckets 0.01,0.1",
            [
                span("SERVER", 5_000), span("SERVER", 50_000), span("SERVER", 500_000),
                span("SERVER", 1_000, error: true), span("CLIENT", 0),
                #"{"message":"no span"}"#,
            ])
        let server =
            #"service="shop",span_name="get /",span_kind="SPAN_KIND_SERVER",status_code="#
        for line in [
            #"traces_spanmetrics_calls_total{\#(server)"STATUS_CODE_UNSET"} 3"#,
            #"traces_spanmetrics_calls_total{\#(server)"STATUS_CODE_ERROR"} 1"#,
            #"traces_spanmetrics_latency_bucket{\#(server)"STATUS_CODE_UNSET",le="0.01"} 1"#,
            #"traces_spanmetrics_latency_bucket{\#(server)"STATUS_CODE_UNSET",le="0.1"} 2"#,
            #"traces_spanmetrics_latency_bucket{\#(server)"STATUS_CODE_UNSET",le="+Inf"} 3"#,
            #"traces_spanmetrics_latency_sum{\#(server)"STATUS_CODE_UNSET"} 0.555"#,
            #"weir_span_metrics_skipped_total{filter="spans"} 1"#,
        ] {
            #expect(lines.contains(line), "\(line)")
        }
        let text = String(decoding: registry.exposition(.openMetrics), as: UTF8.self)
        #expect(text.contains(##"# {trace_id="5af7183fb1d4cf5f"} 0.05"##), "\(text)")
    }

    @Test(arguments: ["buckets 1,x", "buckets 2,1", "buckets 1,1"])
    func `buckets must ascend`(parameters: String) {
        #expect(throws: SectionError.self) { _ = try count(parameters, []) }
    }
}

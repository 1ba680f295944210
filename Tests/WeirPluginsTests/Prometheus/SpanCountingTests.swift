import Testing
import WeirConfig
import WeirCore
import WeirMetrics
import WeirPipeline
import WeirTesting

@testable import WeirPlugins

/// Rules from events to metrics, as `log_to_metrics` has them elsewhere: `<filter> @type prometheus`
/// counts events of any tag, whatever they are.
@Suite("Spans, counted by the prometheus filter") struct SpanCountingTests {
    private static let rules = """
        <filter zipkin.**>
          @type prometheus
          <metric>
            name spans_total
            type counter
            desc Spans received.
            <labels>
              service $.localEndpoint.serviceName
              kind $.kind
              code $['tags']['http.status_code']
            </labels>
          </metric>
          <metric>
            name span_duration_microseconds
            type histogram
            desc Durations of spans.
            key $.duration
            buckets 1000, 10000, 100000
            <labels>
              service $.localEndpoint.serviceName
            </labels>
          </metric>
        </filter>
        """

    private static let spans = [
        #"{"traceId":"c23dd063aff34b36","id":"0000000000000001","kind":"SERVER","duration":1500,"#
            + #""localEndpoint":{"serviceName":"reviews.default"},"tags":{"http.status_code":"200"}}"#,
        #"{"traceId":"c23dd063aff34b36","id":"0000000000000002","kind":"CLIENT","duration":900,"#
            + #""localEndpoint":{"serviceName":"reviews.default"},"tags":{"http.status_code":"503"}}"#,
        #"{"traceId":"c23dd063aff34b36","id":"0000000000000003","kind":"SERVER","duration":20000,"#
            + #""localEndpoint":{"serviceName":"reviews.default"},"tags":{"http.status_code":"200"}}"#,
    ]

    @Test func `are counted by service, kind and code, and their durations observed`() throws {
        let registry = Registry()
        let (section, diagnostics) = ComponentSection.read(Self.rules, as: .filter)
        let context = PluginContext.forTests(registry: registry)
        let filter = try PrometheusFilter(
            try #require(section, "\(diagnostics)"), name: "spans", context: context)
        context.series.activate()
        let batch = EventBatch()
        Array(Self.spans.map { $0 + "\n" }.joined().utf8).withUnsafeBytes {
            batch.fillBlock(copying: $0)
        }
        batch.tag = "zipkin.span"
        _ = batch.cutLines(position: 0)
        JSONLineScanner().scan(into: batch, time: .epoch)
        filter.apply(to: batch) { _, reason in Issue.record("\(reason)") }
        let lines = registry.textExposition().split(separator: "\n").map(String.init)
        #expect(
            lines.filter { $0.hasPrefix("spans_total{") } == [
                #"spans_total{service="reviews.default",kind="CLIENT",code="503"} 1"#,
                #"spans_total{service="reviews.default",kind="SERVER",code="200"} 2"#,
            ])
        #expect(lines.contains(#"span_duration_microseconds_sum{service="reviews.default"} 22400"#))
        #expect(
            lines.contains(
                #"span_duration_microseconds_bucket{service="reviews.default",le="1000"} 1"#))
    }
}

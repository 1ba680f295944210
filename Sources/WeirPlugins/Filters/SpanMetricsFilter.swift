// Hot path: once per span.
import WeirConfig
import WeirCore
import WeirMetrics
import WeirPipeline
import WeirTraces

/// `@type span_metrics`: counts spans and how long they took, by service and operation.
public final class SpanMetricsFilter: Filter {
    private enum P {
        static let prefix = Parameter.text(
            "prefix", default: "traces_spanmetrics_", "What the names of the metrics begin with.")
        static let buckets = Parameter.list(
            "buckets",
            default: [
                "0.002", "0.004", "0.008", "0.016", "0.032", "0.064", "0.128", "0.256", "0.512",
                "1.024", "2.048", "4.096", "8.192", "16.384",
            ], "The upper bounds of the buckets of latency, in seconds.")
        static let exemplars = Parameter.flag(
            "exemplars", default: true, "Whether buckets name a trace that fell into them.")
    }

    /// The component as users see it.
    public static let declaration = ComponentDeclaration(
        .filter, type: "span_metrics",
        "Counts spans: `traces_spanmetrics_calls_total` and the histogram "
            + "`traces_spanmetrics_latency` in seconds, by `service`, `span_name`, `span_kind` and "
            + "`status_code`, as Grafana Tempo names them. The events go on as they are.",
        parameters: [
            AnyParameter(P.prefix), AnyParameter(P.buckets), AnyParameter(P.exemplars),
        ],
        examples: ["<filter zipkin.**>\n  @type span_metrics\n</filter>"])

    private static let labelNames = ["service", "span_name", "span_kind", "status_code"]

    private let shard: SeriesShard
    private let keepsExemplars: Bool
    private let clock: any PipelineClock
    private let skipped: Counter
    private let spans = SpanBatch()
    private var json = ByteBuffer(capacity: 4096)
    private var values: LabelValues

    init(_ section: Section, name: String, context: PluginContext) throws(SectionError) {
        let bounds = section[P.buckets].compactMap { Double($0) }
        guard bounds.count == section[P.buckets].count, bounds == bounds.sorted(), bounds.count > 0,
            Set(bounds).count == bounds.count
        else {
            throw SectionError(
                section.location(of: P.buckets), "`buckets` must be numbers, each above the former",
                help: "write them as `0.005, 0.05, 0.5, 5`")
        }
        let prefix = section[P.prefix]
        let declaration = SeriesGroup.Declaration(
            labelNames: Self.labelNames,
            families: [
                FamilyDeclaration(
                    name: prefix + "calls_total", help: "Spans by service and operation.",
                    kind: .counter),
                FamilyDeclaration(
                    name: prefix + "latency", help: "How long spans took, in seconds.",
                    kind: .histogram(bounds: bounds)),
            ])
        do {
            shard = try context.series.group(declaration).shard(named: name)
        } catch {
            throw SectionError(
                section.element.location, "\(error)", help: "choose another `prefix`")
        }
        keepsExemplars = section[P.exemplars]
        clock = context.clock
        values = LabelValues(labelCount: Self.labelNames.count)
        skipped = context.registry.counter(
            MetricDescription(
                "weir_span_metrics_skipped_total", "Events that were no spans, and not counted."),
            [Label("filter", name)])
    }

    public func apply(to batch: EventBatch, refused: (_ row: Int, _ reason: String) -> Void) {
        var encoder = BatchEncoder(batch)
        spans.reset()
        for row in batch.rows.indices where !batch.rows[row].isDropped {
            json.truncate(to: 0)
            encoder.append(row: row, to: &json)
            do throws(SpanDecodingError) {
                try spans.decodeJSON(json.bytes)
            } catch {
                skipped.add()
            }
        }
        let now = clock.now
        shard.update(now: now) { table in
            for span in spans.spans { count(span, in: &table, now) }
        }
    }

    private func count(_ span: TraceSpan, in table: inout SeriesTable, _ now: Timestamp) {
        values.removeAll()
        values.append(spans.bytes(of: span.local.service))
        values.append(spans.bytes(of: span.name))
        switch span.kind {
        case .none: values.append("SPAN_KIND_INTERNAL")
        case .client: values.append("SPAN_KIND_CLIENT")
        case .server: values.append("SPAN_KIND_SERVER")
        case .producer: values.append("SPAN_KIND_PRODUCER")
        case .consumer: values.append("SPAN_KIND_CONSUMER")
        }
        let isError = spans.tag("error", of: span) != nil
        if isError {
            values.append("STATUS_CODE_ERROR")
        } else {
            values.append("STATUS_CODE_UNSET")
        }
        let series = table.index(of: values)
        table.add(1, to: series, family: 0)
        guard span.duration > 0 else { return }
        let seconds = Double(span.duration) / 1e6
        guard keepsExemplars else {
            return table.observe(seconds, at: series, family: 1)
        }
        json.truncate(to: 0)
        span.traceID.append(to: &json)
        let time =
            span.timestamp > 0 ? Int64(clamping: span.timestamp / 1_000) : now.millisecondsSince1970
        table.observe(
            seconds, at: series, family: 1,
            exemplar: Exemplar(.traceID, json.bytes, milliseconds: time))
    }
}

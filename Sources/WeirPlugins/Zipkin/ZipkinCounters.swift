import WeirHost
import WeirMetrics
import WeirTraces

/// What a `@type zipkin` tells of itself on `/metrics`.
struct ZipkinCounters: Sendable {
    /// Why a request was not taken.
    enum Refusal: String, CaseIterable {
        case malformed
        case overLimit = "over_limit"
        case compression
        case overloaded
    }

    private let requests: [SpanFormat: Counter]
    private let spans: [SpanFormat: Counter]
    private let refused: [String: Counter]
    private let tags: Counter
    private let annotations: Counter
    private let texts: Counter

    init(_ registry: Registry, source name: String) {
        func counter(_ metric: String, _ help: String, _ label: String, _ value: String) -> Counter
        {
            registry.counter(
                MetricDescription(metric, help), [Label("source", name), Label(label, value)])
        }
        func counters(_ metric: String, _ help: String) -> [SpanFormat: Counter] {
            Dictionary(
                uniqueKeysWithValues: SpanFormat.allCases.map {
                    ($0, counter(metric, help, "format", $0.rawValue))
                })
        }
        requests = counters("weir_zipkin_requests_total", "Requests with spans that were taken.")
        spans = counters("weir_zipkin_spans_total", "Spans that were taken.")
        let reasons =
            Refusal.allCases.map(\.rawValue) + HTTPServer.Limited.allCases.map(\.rawValue)
        refused = Dictionary(
            uniqueKeysWithValues: reasons.map {
                (
                    $0,
                    counter(
                        "weir_zipkin_refused_requests_total", "Requests that were not taken.",
                        "reason", $0)
                )
            })
        func limited(_ part: String) -> Counter {
            counter(
                "weir_zipkin_limited_total", "Parts of spans left out or cut by a limit.", "part",
                part)
        }
        tags = limited("tag")
        annotations = limited("annotation")
        texts = limited("text")
    }

    func note(_ format: SpanFormat, _ batch: SpanBatch) {
        requests[format]?.add()
        spans[format]?.add(batch.spans.count)
        if batch.limited != LimitedSpans() {
            tags.add(batch.limited.tags)
            annotations.add(batch.limited.annotations)
            texts.add(batch.limited.texts)
        }
    }

    func note(_ refusal: Refusal) { refused[refusal.rawValue]?.add() }

    func note(_ limited: HTTPServer.Limited) { refused[limited.rawValue]?.add() }
}

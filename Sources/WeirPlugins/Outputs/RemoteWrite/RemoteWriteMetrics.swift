import WeirMetrics

/// What a remote write tells of itself on `/metrics`.
struct RemoteWriteMetrics: Sendable {
    private let registry: Registry
    private let name: String
    let samples: Counter
    let histograms: Counter
    let exemplars: Counter
    let requests: Counter
    let bytes: Counter
    let samplings: Counter
    let events: Counter
    let queuedRequests: Gauge
    let queuedBytes: Gauge

    init(_ registry: Registry, output name: String) {
        self.registry = registry
        self.name = name
        let labels = [Label("output", name)]
        func counter(_ name: String, _ help: String) -> Counter {
            registry.counter(MetricDescription("weir_remote_write_\(name)_total", help), labels)
        }
        samples = counter("samples", "Samples that the receiver has written.")
        histograms = counter("histograms", "Native histograms that the receiver has written.")
        exemplars = counter("exemplars", "Exemplars that the receiver has written.")
        requests = counter("requests", "Requests that were answered for good.")
        bytes = counter("sent_bytes", "Bytes of these requests.")
        samplings = counter("samplings", "Times that all metrics were sampled.")
        events = counter(
            "ignored_events", "Events that were routed to a remote write, which takes none.")
        queuedRequests = registry.gauge(
            MetricDescription("weir_remote_write_queued_requests", "Requests that wait."), labels)
        queuedBytes = registry.gauge(
            MetricDescription("weir_remote_write_queued_bytes", "Bytes of requests that wait."),
            labels)
    }

    /// Counts what was given up.
    func drop(_ counts: RemoteWriteRequest.Counts, reason: String) {
        let kinds = [
            ("samples", "Samples", counts.samples),
            ("histograms", "Native histograms", counts.histograms),
            ("exemplars", "Exemplars", counts.exemplars),
        ]
        for (kind, noun, count) in kinds where count > 0 {
            counter("dropped_\(kind)", "\(noun) that were given up.", reason).add(count)
        }
    }

    /// Counts a request that is sent again.
    func retry(reason: String) {
        counter("retries", "Requests that were to be sent again.", reason).add()
    }

    /// Counts a sampling that was left out.
    func skip(reason: String) {
        counter("skipped_samplings", "Samplings that were left out.", reason).add()
    }

    private func counter(_ metric: String, _ help: String, _ reason: String) -> Counter {
        registry.counter(
            MetricDescription("weir_remote_write_\(metric)_total", help),
            [Label("output", name), Label("reason", reason)])
    }
}

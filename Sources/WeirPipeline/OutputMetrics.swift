import WeirMetrics

/// What an output tells of itself on `/metrics`.
public struct OutputMetrics: Sendable {
    let events: Counter
    let bytes: Counter
    let delivered: Counter
    let retries: Counter
    let refused: Counter
    let dropped: Counter
    let damagedRecords: Counter
    let damagedChunks: Counter
    let flushes: Counter
    let batches: Counter
    let sendMilliseconds: Counter
    let slowSends: Counter
    let queuedChunks: Gauge
    let queuedBytes: Gauge
    let fileBytes: Gauge
    let latency: Histogram

    /// The metrics of the output that the user calls `name`.
    public init(_ registry: Registry, output name: String) {
        let labels = [Label("output", name)]
        func counter(_ name: String, _ help: String) -> Counter {
            registry.counter(MetricDescription(name, help), labels)
        }
        events = counter("weir_output_events_total", "Events encoded for this output.")
        bytes = counter("weir_output_bytes_total", "Bytes encoded for this output.")
        delivered = counter(
            "weir_output_delivered_events_total", "Events acknowledged by the destination.")
        retries = counter("weir_output_retries_total", "Chunks put back to be sent again.")
        refused = counter(
            "weir_output_refused_events_total", "Events that the destination refused for good.")
        dropped = counter(
            "weir_output_dropped_events_total", "Events dropped because the buffer was full.")
        damagedRecords = counter(
            "weir_output_damaged_records_total", "Records of chunk files that were damaged.")
        damagedChunks = counter(
            "weir_output_damaged_chunks_total", "Chunk files set aside because of damage.")
        flushes = counter("weir_output_flushes_total", "Chunks sent.")
        batches = counter("weir_output_batches_total", "Batches written into the buffer.")
        sendMilliseconds = counter(
            "weir_output_send_milliseconds_total", "Milliseconds that sending chunks took.")
        slowSends = counter(
            "weir_output_slow_sends_total", "Chunks whose sending took more than 20 seconds.")
        queuedChunks = registry.gauge(
            MetricDescription("weir_output_queued_chunks", "Sealed chunks waiting."), labels)
        queuedBytes = registry.gauge(
            MetricDescription("weir_output_buffered_bytes", "Bytes held in memory."), labels)
        fileBytes = registry.gauge(
            MetricDescription("weir_output_buffered_file_bytes", "Bytes held in chunk files."),
            labels)
        latency = registry.histogram(
            MetricDescription(
                "weir_delivery_latency_seconds",
                "Time from reading a block to the acknowledgement of its events."),
            bounds: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
            labels)
    }
}

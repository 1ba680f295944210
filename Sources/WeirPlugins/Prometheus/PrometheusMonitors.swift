import WeirConfig
import WeirCore
import WeirMetrics
import WeirPipeline

/// Fluentd's three sources that show how its components are, under the names that dashboards and
/// alerts know them by. Their values are read before every scrape.
enum PrometheusMonitors {
    private static let ignored = [
        IgnoredParameter("interval", because: "values are read when Prometheus asks"),
        IgnoredParameter("gauge_all", because: "all values are gauges, as in Fluentd by default"),
    ]

    private static func declaration(_ type: String, _ summary: String) -> ComponentDeclaration {
        ComponentDeclaration(
            .source, type: type, summary, ignored: ignored, sections: [PrometheusSection.labels],
            examples: [
                "<source>\n  @type \(type)\n  <labels>\n    host ${hostname}\n  </labels>\n</source>"
            ])
    }

    /// The components as users see them.
    static let declarations = [
        declaration(
            "prometheus_monitor", "Shows how full the buffers of outputs are, for Prometheus."),
        declaration(
            "prometheus_output_monitor", "Shows how the outputs are doing, for Prometheus."),
        declaration(
            "prometheus_tail_monitor", "Shows how far files are read, for Prometheus."),
    ]

    /// The source that a section describes.
    static func source(
        _ section: Section, context: PluginContext
    ) throws(SectionError) -> any Source {
        switch section.type {
        case "prometheus_monitor":
            let components = context.components
            try show(section, buffers, ["plugin_id", "plugin_category", "type"], context) {
                components.outputs.map { ([$0.name, "output", $0.type], buffers($0.status())) }
            }
        case "prometheus_output_monitor":
            let components = context.components
            try show(section, outputs, ["plugin_id", "type"], context) {
                components.outputs.map { ([$0.name, $0.type], outputs($0.status())) }
            }
        default:
            let components = context.components
            try show(section, tails, ["plugin_id", "type", "path"], context) {
                components.tails.flatMap { tail in
                    tail.files.all.sorted { $0.key < $1.key }.map { path, file in
                        ([tail.name, "tail", path], tails(file))
                    }
                }
            }
        }
        return MonitorSource()
    }

    // MARK: Metrics

    private static let buffers = [
        ("fluentd_status_buffer_queue_length", "Current buffer queue length."),
        ("fluentd_status_buffer_total_bytes", "Current total size of queued buffers."),
        ("fluentd_status_retry_count", "Current retry counts."),
        ("fluentd_status_buffer_newest_timekey", "Newest timekey in buffer."),
        ("fluentd_status_buffer_oldest_timekey", "Oldest timekey in buffer."),
    ]

    private static func buffers(_ status: OutputStatus) -> [Double?] {
        [
            Double(status.queuedChunkCount), Double(status.totalByteCount),
            Double(status.retryCount), status.newestTimeSlot.map { Double($0) },
            status.oldestTimeSlot.map { Double($0) },
        ]
    }

    private static let outputs = [
        ("buffer_total_bytes", "Current total size of stage and queue buffers."),
        ("buffer_stage_length", "Current length of stage buffers."),
        ("buffer_stage_byte_size", "Current total size of stage buffers."),
        ("buffer_queue_length", "Current length of queue buffers."),
        ("queue_byte_size", "Current total size of queue buffers."),
        ("buffer_available_space_ratio", "Ratio of available space in buffer."),
        ("buffer_newest_timekey", "Newest timekey in buffer."),
        ("buffer_oldest_timekey", "Oldest timekey in buffer."),
        ("retry_count", "Current retry counts."),
        ("num_errors", "Current number of errors."),
        ("emit_count", "Current emit counts."),
        ("emit_records", "Current emit records."),
        ("write_count", "Current write counts."),
        ("rollback_count", "Current rollback counts."),
        ("flush_time_count", "Total flush time."),
        ("slow_flush_count", "Current slow flush counts."),
        ("retry_wait", "Current retry wait"),
    ].map { ("fluentd_output_status_\($0)", $1) }

    private static func outputs(_ status: OutputStatus) -> [Double?] {
        let free = status.byteLimit.map { limit in
            // In percent, rounded to a tenth, as Fluentd has it.
            let share = 1 - Double(status.totalByteCount) / Double(max(limit, 1))
            return (max(share, 0) * 1000).rounded() / 10
        }
        return [
            Double(status.totalByteCount), Double(status.stagedChunkCount),
            Double(status.stagedByteCount), Double(status.queuedChunkCount),
            Double(max(status.totalByteCount - status.stagedByteCount, 0)), free,
            status.newestTimeSlot.map { Double($0) }, status.oldestTimeSlot.map { Double($0) },
            Double(status.retryCount), Double(status.failureCount), Double(status.batchCount),
            Double(status.eventCount), Double(status.sendCount), Double(status.failureCount),
            Double(status.sendMilliseconds), Double(status.slowSendCount),
            status.retryWaitSeconds,
        ]
    }

    private static let tails = [
        ("fluentd_tail_file_position", "Current position of file."),
        ("fluentd_tail_file_inode", "Current inode of file."),
        ("fluentd_tail_file_closed", "Total number of closed files."),
        ("fluentd_tail_file_opened", "Total number of opened files."),
        ("fluentd_tail_file_rotated", "Total number of rotated files."),
        ("fluentd_tail_file_throttled", "Total number of times file throttling occurs."),
    ]

    private static func tails(_ file: TailFiles.File) -> [Double?] {
        [
            Double(file.position), Double(file.inode), Double(file.closedCount),
            Double(file.openedCount), Double(file.rotatedCount), Double(file.throttledCount),
        ]
    }

    // MARK: Showing

    /// Declares gauges, and sets them before every scrape to what `values` tells, by label values.
    private static func show(
        _ section: Section, _ metrics: [(String, String)], _ labelNames: [String],
        _ context: PluginContext,
        _ values: @escaping @Sendable () -> [(labels: [String], numbers: [Double?])]
    ) throws(SectionError) {
        var base: [(name: String, value: String)] = []
        for label in try PrometheusSection.templates(section, hostName: context.hostName) {
            guard let value = label.template.constant else {
                throw SectionError(
                    section.section("labels")?.element[label.name]?.valueLocation
                        ?? section.element.location,
                    "`\(label.name)` of `@type \(section.type)` cannot come from an event",
                    help: "write a text, `${hostname}` or `${worker_id}`")
            }
            base.append((label.name, value))
        }
        base.removeAll { labelNames.contains($0.name) }
        let group: SeriesGroup
        do {
            // What is not there any more goes with the scrape that no longer sets it.
            group = try context.series.group(
                SeriesGroup.Declaration(
                    labelNames: base.map(\.name) + labelNames,
                    families: metrics.map {
                        FamilyDeclaration(name: $0.0, help: $0.1, kind: .gauge)
                    }, idleTime: .zero))
        } catch {
            throw SectionError(section.element.location, error.message, help: error.help)
        }
        let shard = group.shard(named: section.type)
        let baseValues = base.map(\.value)
        context.series.beforeScrape { now in
            var labels = LabelValues(labelCount: baseValues.count + labelNames.count)
            let rows = values()
            shard.update(now: now) { table in
                for row in rows {
                    labels.removeAll()
                    for value in baseValues + row.labels { labels.append(value) }
                    let index = table.index(of: labels)
                    for (family, number) in row.numbers.enumerated() {
                        if let number { table.set(number, at: index, family: family) }
                    }
                }
            }
        }
    }
}

/// A source without events: its values are read before scrapes.
private final class MonitorSource: Source {
    func start() throws(ComponentError) {}
    func stop() {}
    func close() {}
}

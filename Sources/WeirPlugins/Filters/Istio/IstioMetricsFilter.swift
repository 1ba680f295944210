// Hot path: once per event.
import WeirConfig
import WeirCore
import WeirMetrics
import WeirPipeline

/// `@type istio_metrics`: counts access logs as Istio's standard metrics.
public final class IstioMetricsFilter: Filter {
    /// The longest duration that is believed, in milliseconds: a year.
    public static let durationLimit = 366 * 86_400_000
    /// The largest size that is believed, in bytes: 2^53, up to which a histogram's sum is exact.
    public static let sizeLimit = 1 << 53

    /// The component as users see it.
    public static let declaration = ComponentDeclaration(
        .filter, type: "istio_metrics",
        "Counts Envoy's access log as Istio's standard metrics (`istio_requests_total` …), with "
            + "their labels, for Prometheus to scrape. Records stay as they are. Labels that the log "
            + "does not tell are `unknown`; the documentation has a format that tells all of them. "
            + "Each line is counted once, also over restarts.",
        parameters: IstioParameters.all + IstioMetricsSettings.Parameters.all,
        sections: [
            IstioParameters.fields, IstioMetricsSettings.labels, IstioOverrides.declaration,
        ],
        examples: [
            """
            <filter istio.**>
              @type istio_metrics
            </filter>
            """,
            """
            <filter istio.**>
              @type istio_metrics
              optional_labels subset, route_name
              remove_labels source_principal, destination_principal
              <overrides>
                metric REQUEST_COUNT
                mode CLIENT
                <tag_overrides>
                  request_method UPSERT request.method
                </tag_overrides>
              </overrides>
            </filter>
            """,
        ])

    private let derivation: IstioDerivation
    private let series: [IstioSeries]
    private let takesBodySizes: Bool
    private let keepsExemplars: Bool
    private let clock: any PipelineClock
    private let values: UnsafeMutablePointer<ByteText>
    private let counters: IstioMetricsCounters
    private let countsMessages: Bool
    /// Before this place of the batch's origin, every group has counted.
    private var leastCounted: UInt64 = 0

    /// A filter as its section describes it.
    /// - Parameters:
    ///   - name: What the checkpoint calls the filter's series.
    ///   - catalog: Where the metrics are declared.
    public init(
        _ section: Section, name: String, catalog: SeriesCatalog, clock: any PipelineClock
    ) throws(SectionError) {
        let settings = try IstioMetricsSettings(section)
        derivation = IstioDerivation(settings.options)
        takesBodySizes = settings.takesBodySizes
        keepsExemplars = settings.keepsExemplars
        self.clock = clock
        var series: [IstioSeries] = []
        do throws(MetricConflict) {
            for group in settings.groups {
                let shared = try catalog.group(settings.declaration(of: group))
                series.append(IstioSeries(group, shard: shared.shard(named: name)))
            }
        } catch {
            throw SectionError(section.element.location, error.message, help: error.help)
        }
        self.series = series
        countsMessages = series.contains { $0.kind == .messages }
        values = .allocate(capacity: IstioLabel.allCases.count)
        values.initialize(repeating: .none, count: IstioLabel.allCases.count)
        counters = IstioMetricsCounters(catalog.registry)
    }

    deinit { values.deallocate() }

    /// Counts every row that was not counted before.
    public func apply(to batch: EventBatch, refused: (_ row: Int, _ reason: String) -> Void) {
        derivation.look(at: batch)
        withTables(from: 0, now: clock.now) {
            let origin = batch.origin.map { CountedOrigin(high: $0.high, low: $0.low) }
            leastCounted = UInt64.max
            for group in series {
                group.countedPosition =
                    origin.flatMap {
                        group.table?.pointee.countedPosition(of: $0)
                    } ?? 0
                leastCounted = min(leastCounted, group.countedPosition)
            }
            for row in batch.rows.indices where !batch.rows[row].isDropped { count(row, batch) }
            if let origin, let last = batch.lines.last { noteCounted(origin, last.position &+ 1) }
        }
    }

    /// Calls `body` while this filter alone has the tables of its groups.
    private func withTables(from index: Int, now: Timestamp, _ body: () -> Void) {
        guard index < series.count else { return body() }
        series[index].shard.update(now: now) { table in
            withUnsafeMutablePointer(to: &table) { series[index].table = $0 }
            withTables(from: index + 1, now: now, body)
            series[index].table = nil
        }
    }

    private func noteCounted(_ origin: CountedOrigin, _ position: UInt64) {
        for group in series where group.countedPosition < position {
            if group.table?.pointee.setCounted(origin, upTo: position) == false {
                counters.untracked.add()
            }
        }
    }

    // MARK: One row

    @inline(__always)
    private func count(_ row: Int, _ batch: EventBatch) {
        let position = batch.lines[Int(batch.rows[row].line)].position
        guard position >= leastCounted else { return counters.repeated.add() }
        derivation.read(row: row, of: batch)
        switch derivation.kind {
        case .http:
            guard hasResponseCode else { return }
            count(.http, position, row, batch)
        case .tcp: count(.tcp, position, row, batch)
        case .listener: counters.skippedListeners.add()
        case .foreign: counters.skippedForeign.add()
        }
    }

    @inline(__always)
    private func count(
        _ kind: IstioMetric.Kind, _ position: UInt64, _ row: Int, _ batch: EventBatch
    ) {
        let event = readEvent(kind, row, batch)
        derivation.writeLabels(to: values)
        for group in series where position >= group.countedPosition {
            if group.kind == kind {
                group.count(event, of: derivation, values, batch)
            } else if group.kind == .messages, event.requestMessages >= 0 {
                group.count(event, of: derivation, values, batch)
            }
        }
    }

    /// Whether the line has a response code, as every request's has; `0` stands for none sent.
    @inline(__always)
    private var hasResponseCode: Bool {
        guard derivation.slot(.responseCode).isPresent else {
            counters.skippedWithoutCode.add()
            return false
        }
        let code = derivation.text(.responseCode)
        guard code.isEmpty || (code.wholeNumber ?? 1000) < 1000, code.count <= 3 else {
            counters.skippedBadCode.add()
            return false
        }
        return true
    }

    @inline(__always)
    private func readEvent(
        _ kind: IstioMetric.Kind, _ row: Int, _ batch: EventBatch
    ) -> IstioCountedEvent {
        var event = IstioCountedEvent()
        event.received = size(.wireBytesReceived, .bytesReceived)
        event.sent = size(.wireBytesSent, .bytesSent)
        guard kind == .http else { return event }
        event.duration = number(
            .duration, limit: Self.durationLimit, counters.badDuration, counters.noDuration)
        if countsMessages, derivation.slot(.requestMessages).isPresent, derivation.isGRPC {
            event.requestMessages = number(
                .requestMessages, limit: Self.sizeLimit, counters.badSize, nil)
            event.responseMessages = number(
                .responseMessages, limit: Self.sizeLimit, counters.badSize, nil)
        }
        if keepsExemplars { event.exemplar = exemplar(batch.rows[row].time) }
        return event
    }

    @inline(__always)
    private func size(_ wire: IstioField, _ body: IstioField) -> Int {
        let field = takesBodySizes && !derivation.slot(wire).isPresent ? body : wire
        return number(field, limit: Self.sizeLimit, counters.badSize, nil)
    }

    /// A field's number; -1 where it is missing or not to be believed.
    @inline(__always)
    private func number(
        _ field: IstioField, limit: Int, _ bad: Counter, _ missing: Counter?
    ) -> Int {
        let text = derivation.text(field)
        guard !text.isEmpty else {
            missing?.add()
            return -1
        }
        guard let number = text.wholeNumber, number <= limit else {
            bad.add()
            return -1
        }
        return number
    }

    /// The trace of a request that is traced, or else the request's id.
    @inline(__always)
    private func exemplar(_ time: Timestamp) -> Exemplar? {
        let milliseconds = time.seconds &* 1000 &+ Int64(time.nanoseconds / 1_000_000)
        let trace = derivation.text(.traceID)
        if !trace.isEmpty, derivation.isSampled ?? true {
            return Exemplar(.traceID, trace, milliseconds: milliseconds)
        }
        let request = derivation.text(.requestID)
        return request.isEmpty ? nil : Exemplar(.requestID, request, milliseconds: milliseconds)
    }
}

/// What the filter tells of itself.
struct IstioMetricsCounters {
    let skippedForeign: Counter
    let skippedListeners: Counter
    let skippedWithoutCode: Counter
    let skippedBadCode: Counter
    let badDuration: Counter
    let noDuration: Counter
    let badSize: Counter
    let repeated: Counter
    let untracked: Counter

    init(_ registry: Registry) {
        let skipped = MetricDescription(
            "weir_istio_metrics_skipped_total", "Events that no metric of Istio's counts.")
        let refused = MetricDescription(
            "weir_istio_metrics_refused_values_total",
            "Numbers of counted events that are missing or not to be believed.")
        skippedForeign = registry.counter(skipped, [Label("reason", "not_an_access_log")])
        skippedListeners = registry.counter(skipped, [Label("reason", "refused_by_listener")])
        skippedWithoutCode = registry.counter(skipped, [Label("reason", "no_response_code")])
        skippedBadCode = registry.counter(skipped, [Label("reason", "bad_response_code")])
        badDuration = registry.counter(refused, [Label("reason", "bad_duration")])
        noDuration = registry.counter(refused, [Label("reason", "no_duration")])
        badSize = registry.counter(refused, [Label("reason", "bad_size")])
        repeated = registry.counter(
            MetricDescription(
                "weir_istio_metrics_repeated_total",
                "Events that were read again after a restart and had been counted before."))
        untracked = registry.counter(
            MetricDescription(
                "weir_istio_metrics_untracked_total",
                "Blocks of files whose place could not be remembered, there being too many files."))
    }
}

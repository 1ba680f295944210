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
    private var memo: IstioSeriesMemo
    /// Whether labels depend on whole fields only.
    private let labelsFollowKey: Bool
    private var usesMemo = false
    private let groups: [SeriesGroup]
    private let registry: Registry

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
        labelsFollowKey = settings.labelsFollowKey
        registry = catalog.registry
        var series: [IstioSeries] = []
        var groups: [SeriesGroup] = []
        do throws(MetricConflict) {
            for group in settings.groups {
                let shared = try catalog.group(settings.declaration(of: group))
                groups.append(shared)
                series.append(IstioSeries(group, shard: shared.shard(named: name)))
            }
        } catch {
            throw SectionError(section.element.location, error.message, help: error.help)
        }
        self.series = series
        self.groups = groups
        memo = IstioSeriesMemo(groupCount: series.count)
        countsMessages = series.contains { $0.kind == .messages }
        values = .allocate(capacity: IstioLabel.allCases.count)
        values.initialize(repeating: .none, count: IstioLabel.allCases.count)
        counters = IstioMetricsCounters(catalog.registry)
    }

    deinit { values.deallocate() }

    /// Counts every row that was not counted before.
    public func apply(to batch: EventBatch, refused: (_ row: Int, _ reason: String) -> Void) {
        derivation.look(at: batch)
        memo.clear()
        usesMemo = labelsFollowKey && !derivation.table.hasEdits && !isNearLimit
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
            if let origin, let position = batch.settledPosition { noteCounted(origin, position) }
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

    /// Whether there are so many series that label values may be merged, each of which is counted.
    private var isNearLimit: Bool {
        let budget = registry.seriesBudget
        return budget.usedCount > budget.limit / 4 * 3
            || groups.contains { $0.seriesCount > $0.declaration.seriesLimit / 4 * 3 }
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
        derivation.table.load(row: row, of: batch)
        guard usesMemo, derivation.isDecidedByKey else {
            return countDerived(row, position, batch, place: nil)
        }
        var isKnown = false
        let place = memo.place(of: derivation.table, isKnown: &isKnown)
        guard let place, isKnown else { return countDerived(row, position, batch, place: place) }
        let entry = memo.entry(place)
        let event = readEvent(entry.kind, isGRPC: entry.isGRPC, row, batch)
        for (index, group) in series.enumerated()
        where position >= group.countedPosition && counts(group.kind, entry.kind, event) {
            group.count(event, in: memo.series(place, group: index), isClient: entry.isClient)
        }
    }

    /// Counts a row whose labels are not known yet, and notes them for rows with the same key.
    private func countDerived(_ row: Int, _ position: UInt64, _ batch: EventBatch, place: Int?) {
        derivation.readLoaded()
        let kind: IstioMetric.Kind
        switch derivation.kind {
        case .http where hasResponseCode: kind = .http
        case .tcp: kind = .tcp
        case .http: return forget(place)
        case .listener:
            counters.skippedListeners.add()
            return forget(place)
        case .foreign:
            counters.skippedForeign.add()
            return forget(place)
        }
        let isGRPC = kind == .http && derivation.isGRPC
        let isClient = derivation.reporter == .source
        let event = readEvent(kind, isGRPC: isGRPC, row, batch)
        derivation.writeLabels(to: values)
        if let place { memo.set(place, kind, isClient: isClient, isGRPC: isGRPC) }
        for (index, group) in series.enumerated() where counts(group.kind, kind, event) {
            guard position >= group.countedPosition else {
                // Rows behind it may need what was not looked up for this one.
                forget(place)
                continue
            }
            let found = group.series(of: derivation, values, batch)
            group.count(event, in: found, isClient: isClient)
            if let place { memo.setSeries(place, group: index, to: found) }
        }
    }

    private func forget(_ place: Int?) {
        if let place { memo.forget(place) }
    }

    /// Whether a group counts a line of a kind.
    @inline(__always)
    private func counts(
        _ group: IstioMetric.Kind, _ kind: IstioMetric.Kind, _ event: borrowing IstioCountedEvent
    ) -> Bool {
        group == kind || group == .messages && event.requestMessages >= 0
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
        _ kind: IstioMetric.Kind, isGRPC: Bool, _ row: Int, _ batch: EventBatch
    ) -> IstioCountedEvent {
        var event = IstioCountedEvent()
        event.received = size(.wireBytesReceived, .bytesReceived)
        event.sent = size(.wireBytesSent, .bytesSent)
        guard kind == .http else { return event }
        event.duration = number(
            .duration, limit: Self.durationLimit, counters.badDuration, counters.noDuration)
        if isGRPC, countsMessages, derivation.slot(.requestMessages).isPresent {
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

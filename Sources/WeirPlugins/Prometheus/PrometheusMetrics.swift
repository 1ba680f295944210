// Hot path: once per metric of every event.
import WeirConfig
import WeirCore
import WeirMetrics
import WeirPipeline

/// The metrics of one `@type prometheus`, counting the events of batches.
///
/// Each metric is a group of its own, so that several filters can count in one.
final class PrometheusMetrics {
    private let metrics: [Metric]
    private let clock: any PipelineClock
    private let repeated: Counter
    private let untracked: Counter
    private var scratch = ByteBuffer(capacity: 256)

    /// One `<metric>`.
    private final class Metric {
        let kind: PrometheusSection.Kind
        let shard: SeriesShard
        let key: RecordAccessor?
        var columns: LabelColumns
        var values: LabelValues
        let notNumbers: Counter
        let negatives: Counter

        init(
            kind: PrometheusSection.Kind, shard: SeriesShard, key: RecordAccessor?,
            templates: [LabelTemplate], name: String, registry: Registry
        ) {
            self.kind = kind
            self.shard = shard
            self.key = key
            columns = LabelColumns(templates)
            values = LabelValues(labelCount: templates.count)
            func refused(_ reason: String) -> Counter {
                registry.counter(
                    MetricDescription(
                        "weir_prometheus_refused_values_total",
                        "Values of events that a metric could not count."),
                    [Label("metric", name), Label("reason", reason)])
            }
            notNumbers = refused("not_a_number")
            negatives = refused("negative")
        }
    }

    /// The metrics that a section describes.
    init(_ section: Section, name: String, context: PluginContext) throws(SectionError) {
        clock = context.clock
        repeated = context.registry.counter(
            MetricDescription(
                "weir_prometheus_repeated_events_total",
                "Events that came again after a crash and were counted before."),
            [Label("component", name)])
        untracked = context.registry.counter(
            MetricDescription(
                "weir_prometheus_untracked_batches_total",
                "Batches whose place could not be noted: a crash might count them twice."),
            [Label("component", name)])
        guard !section.sections("metric").isEmpty else {
            throw SectionError(
                section.element.location, "`@type prometheus` counts nothing",
                help: "add a section `<metric>` with `name`, `type` and `desc`")
        }
        let outer = try PrometheusSection.templates(section, hostName: context.hostName)
        var metrics: [Metric] = []
        for metric in section.sections("metric") {
            metrics.append(try Self.metric(metric, outer, name, context))
        }
        self.metrics = metrics
    }

    private static func metric(
        _ section: Section, _ outer: [(name: String, template: LabelTemplate)], _ name: String,
        _ context: PluginContext
    ) throws(SectionError) -> Metric {
        typealias P = PrometheusSection.P
        var labels = outer
        for label in try PrometheusSection.templates(section, hostName: context.hostName) {
            if let index = labels.firstIndex(where: { $0.name == label.name }) {
                labels[index].template = label.template
            } else {
                labels.append(label)
            }
        }
        let kind = section[P.type]
        guard kind == .counter || section[P.key] != nil else {
            throw SectionError(
                section.element.location, "a \(kind.rawValue) needs `key`",
                help: "add `key`: the field whose number is shown")
        }
        let family = FamilyDeclaration(
            name: section[P.name], help: section[P.description],
            kind: try familyKind(kind, section))
        let limit = section[P.seriesLimit]
        let group: SeriesGroup
        do {
            group = try context.series.group(
                SeriesGroup.Declaration(
                    labelNames: labels.map(\.name), families: [family],
                    seriesLimit: limit > 0 ? limit : SeriesGroup.Declaration.defaultSeriesLimit,
                    idleTime: section[P.retention] > .zero ? section[P.retention] : nil))
        } catch {
            throw SectionError(section.location(of: P.name), error.message, help: error.help)
        }
        let metric = Metric(
            kind: kind, shard: group.shard(named: name), key: section[P.key],
            templates: labels.map(\.template), name: family.name, registry: context.registry)
        if section[P.initialized] {
            try initialize(metric, section, labels, now: context.clock.now)
        }
        return metric
    }

    private static func familyKind(
        _ kind: PrometheusSection.Kind, _ section: Section
    ) throws(SectionError) -> FamilyDeclaration.Kind {
        switch kind {
        // The numbers of a key may have fractions.
        case .counter: .floatCounter
        case .gauge: .gauge
        case .summary: .summary
        case .histogram: .histogram(bounds: try PrometheusSection.bounds(section))
        }
    }

    // MARK: Label sets to begin with

    private static func initialize(
        _ metric: Metric, _ section: Section,
        _ labels: [(name: String, template: LabelTemplate)], now: Timestamp
    ) throws(SectionError) {
        var sets: [[String: String]] = []
        for block in section.sections("initlabels") {
            var set: [String: String] = [:]
            for attribute in block.element.attributes {
                guard let label = labels.first(where: { $0.name == attribute.name }),
                    !label.template.isConstant
                else {
                    throw SectionError(
                        attribute.location,
                        "`\(attribute.name)` is no label whose value comes from the event",
                        help:
                            "name labels of `<labels>` whose values are fields or parts of the tag")
                }
                let value = attribute.value.string
                guard !value.hasPrefix("$.") && !value.hasPrefix("$[") && !value.hasPrefix("${")
                else {
                    throw SectionError(
                        attribute.valueLocation, "`\(value)` has no value before the first event",
                        help: "write the value itself")
                }
                set[attribute.name] = value
            }
            sets.append(set)
        }
        if sets.isEmpty { sets = [[:]] }
        for set in sets {
            var values: [String] = []
            for label in labels {
                guard let value = label.template.constant ?? set[label.name] else {
                    throw SectionError(
                        section.location(of: PrometheusSection.P.initialized),
                        "`\(label.name)` has no value before the first event",
                        help: "give it one in each `<initlabels>`, or remove `initialized`")
                }
                values.append(value)
            }
            metric.values.removeAll()
            for value in values { metric.values.append(value) }
            metric.shard.update(now: now) { table in
                table.show(at: table.index(of: metric.values), family: 0)
            }
        }
    }

    // MARK: Counting

    /// Counts the rows of a batch that were not dropped.
    func count(_ batch: EventBatch) {
        let now = clock.now
        let origin = batch.origin.map { CountedOrigin(high: $0.high, low: $0.low) }
        for metric in metrics {
            metric.columns.begin(batch)
            metric.shard.update(now: now) { table in
                // After a crash, lines come again that are counted.
                let counted = origin.flatMap { table.countedPosition(of: $0) } ?? 0
                count(batch, from: counted, in: metric, &table)
                guard let origin, let position = batch.settledPosition, position > counted else {
                    return
                }
                if !table.setCounted(origin, upTo: position) { untracked.add() }
            }
        }
    }

    private func count(
        _ batch: EventBatch, from counted: UInt64, in metric: Metric, _ table: inout SeriesTable
    ) {
        let key: String? = if case .key(let key)? = metric.key?.steps.first { key } else { nil }
        var reader = key.map { ColumnReader($0, in: batch) }
        for row in batch.rows.indices where !batch.rows[row].isDropped {
            if counted > 0, batch.lines[Int(batch.rows[row].line)].position < counted {
                repeated.add()
                continue
            }
            var number = 1.0
            if let way = metric.key {
                let slot = reader?.slot(row: row, in: batch) ?? .absent
                guard let found = value(slot, way, batch) else { continue }
                number = found
            }
            if number.isNaN {
                metric.notNumbers.add()
                continue
            }
            if metric.kind == .counter, number < 0 {
                metric.negatives.add()
                continue
            }
            metric.columns.fill(&metric.values, row: row, of: batch, &scratch)
            let index = table.index(of: metric.values)
            switch metric.kind {
            case .counter: table.add(number: number, to: index, family: 0)
            case .gauge: table.set(number, at: index, family: 0)
            case .summary, .histogram: table.observe(number, at: index, family: 0)
            }
        }
    }

    /// The number of a field: not a number when it is none, nothing when there is no field.
    private func value(_ slot: Slot, _ way: RecordAccessor, _ batch: EventBatch) -> Double? {
        if way.steps.count == 1 {
            switch slot.type {
            case .absent, .removed, .null: return nil
            case .integer, .float, .plain: return batch.withText(slot) { Self.number($0) }
            case .yes, .no, .escaped, .raw, .object, .array: return .nan
            }
        }
        guard case .found(let value) = FieldLookup.dig(batch.value(of: slot), way.steps.dropFirst())
        else { return nil }
        switch value {
        case .null: return nil
        case .integer(let number): return Double(number)
        case .float(let number): return number
        case .number(let text), .string(let text): return Self.finite(text)
        case .bool, .array, .object: return .nan
        }
    }

    /// The number that a text tells.
    private static func number(_ text: UnsafeRawBufferPointer) -> Double {
        var whole: UInt64 = 0
        guard text.count < 16, !text.isEmpty else {
            return finite(String(decoding: text.prefix(numberByteLimit), as: UTF8.self))
        }
        for byte in text {
            guard byte &- UInt8(ascii: "0") < 10 else {
                return finite(String(decoding: text, as: UTF8.self))
            }
            whole = whole &* 10 &+ UInt64(byte &- UInt8(ascii: "0"))
        }
        return Double(whole)
    }

    /// Most bytes of a number's text.
    private static let numberByteLimit = 64

    private static func finite(_ text: String) -> Double {
        guard let number = Double(text), number.isFinite else { return .nan }
        return number
    }
}

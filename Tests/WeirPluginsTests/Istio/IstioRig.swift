import WeirConfig
import WeirCore
import WeirMetrics
import WeirParse
import WeirPipeline
import WeirTesting

@testable import WeirPlugins

/// One sample's labels and value.
typealias IstioSamples = [[String: String]: SeriesReading]

/// The filter `istio_metrics` over logs, and what it counted.
final class IstioRig {
    let registry = Registry()
    let catalog: SeriesCatalog
    let clock = ManualClock()
    private let filter: IstioMetricsFilter

    /// A filter with these parameters, in a catalogue of its own or another's.
    init(_ parameters: String = "", name: String = "m", catalog: SeriesCatalog? = nil) throws {
        self.catalog = catalog ?? SeriesCatalog(registry: registry)
        filter = try Self.filter(parameters, name: name, catalog: self.catalog, clock: clock)
    }

    static func filter(
        _ parameters: String, name: String = "m", catalog: SeriesCatalog,
        clock: any PipelineClock = ManualClock()
    ) throws -> IstioMetricsFilter {
        let (section, diagnostics) = ComponentSection.read(
            "<filter **>\n  @type istio_metrics\n\(parameters)\n</filter>\n", as: .filter)
        guard let section else { throw ConfigurationError(diagnostics) }
        do throws(SectionError) {
            return try IstioMetricsFilter(section, name: name, catalog: catalog, clock: clock)
        } catch {
            throw ConfigurationError([error.diagnostic])
        }
    }

    /// A batch of a log, read by the parser of a `<parse>` with this content.
    static func batch(
        _ bytes: [UInt8], parse: String = "@type envoy", origin: Origin? = nil,
        position: UInt64 = 0
    ) throws -> EventBatch {
        let (section, diagnostics) = ComponentSection.read(
            "<parse>\n\(parse)\n</parse>\n", as: .parser)
        guard let section else { throw ConfigurationError(diagnostics) }
        let parser = try ParserCatalog.parser(section)
        let batch = EventBatch(blockCapacity: max(bytes.count, 64))
        bytes.withUnsafeBytes { batch.fillBlock(copying: $0) }
        batch.tag = "istio.access"
        batch.origin = origin
        _ = batch.cutLines(position: position)
        parser.parse(into: batch, now: Timestamp(seconds: 1_790_000_000))
        return batch
    }

    /// Counts a log.
    func count(
        _ text: String, parse: String = "@type envoy", origin: Origin? = nil, position: UInt64 = 0
    ) throws {
        try count(Array(text.utf8), parse: parse, origin: origin, position: position)
    }

    /// Counts a log.
    func count(
        _ bytes: [UInt8], parse: String = "@type envoy", origin: Origin? = nil,
        position: UInt64 = 0
    ) throws {
        count(try Self.batch(bytes, parse: parse, origin: origin, position: position))
    }

    /// Counts a batch.
    func count(_ batch: EventBatch) {
        filter.apply(to: batch) { _, reason in preconditionFailure("refused: \(reason)") }
    }

    /// The samples of a metric.
    func samples(_ metric: String) -> IstioSamples {
        var samples: IstioSamples = [:]
        for group in catalog.all {
            guard
                let family = group.declaration.families.firstIndex(where: { $0.name == metric })
            else { continue }
            for (values, reading) in group.readings(ofFamily: family) {
                let labels = Dictionary(
                    uniqueKeysWithValues: zip(group.declaration.labelNames, values))
                samples[labels] = reading
            }
        }
        return samples
    }

    /// The totals of a counter by some of its labels.
    func totals(_ metric: String, by names: [String] = []) -> [[String]: UInt64] {
        var totals: [[String]: UInt64] = [:]
        for (labels, reading) in samples(metric) {
            guard case .count(let count) = reading else { continue }
            totals[names.map { labels[$0] ?? "" }, default: 0] += count
        }
        return totals
    }

    /// The observations of a histogram by some of its labels: counts of its buckets, and the sum.
    func observations(
        _ metric: String, by names: [String] = []
    ) -> [[String]: (counts: [UInt64], sum: Double)] {
        var all: [[String]: (counts: [UInt64], sum: Double)] = [:]
        for (labels, reading) in samples(metric) {
            guard case .histogram(let counts, let sum) = reading else { continue }
            let key = names.map { labels[$0] ?? "" }
            let former = all[key] ?? (counts.map { _ in 0 }, 0)
            all[key] = (zip(former.counts, counts).map { $0 + $1 }, former.sum + sum)
        }
        return all
    }

    /// A counter of the filter's own.
    func own(_ metric: String, _ reason: String? = nil) -> UInt64 {
        registry.counter(
            MetricDescription(metric, ""), reason.map { [Label("reason", $0)] } ?? []
        ).value
    }
}

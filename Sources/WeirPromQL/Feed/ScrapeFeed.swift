// Hot path: once per sample of a scrape.
import WeirCore

/// Takes what one target shows, scrape after scrape, into a store of samples, as Prometheus does
/// (Prometheus: scrape/scrape.go).
///
/// Belongs to one thread at a time.
public final class ScrapeFeed {
    /// How a target's series become the store's.
    public struct Options: Sendable, Equatable {
        /// Labels that every series gets: `job`, `instance` and others.
        public var labels: [String: String] = [:]
        /// Whether a series' own labels win; else they are renamed `exported_…`.
        public var honorsLabels = false
        /// Most samples of a scrape; 0 for any number.
        public var sampleLimit = 0

        /// Labels are not honoured, and there is no limit.
        public init() {}
    }

    /// Why a scrape is refused.
    public enum Refusal: Error, Equatable, Sendable {
        case text(ExpositionError)
        case sampleLimit
    }

    private struct Known {
        var reference: SeriesReference
        /// The scrape that it was last in.
        var scrape: UInt64
        /// Whether its end is to be marked: not where the target tells times of its own.
        var hasEnd: Bool
    }

    private let store: SampleStore
    private let options: Options
    private var known: [Origin: Known] = [:]
    private var scrape: UInt64 = 0
    private var metadata: [String: MetricMetadata] = [:]

    /// What one scrape has, read and not yet in the store.
    private struct Batch {
        var keys: [Origin] = []
        var references: [SeriesReference] = []
        var values: [Double] = []
        /// Samples with a time of their own.
        var dated: [(reference: SeriesReference, key: Origin, time: Int64, value: Double)] = []
        var exemplars: [(reference: SeriesReference, exemplar: Exemplar)] = []
        var sampleCount = 0
        var addedCount = 0
        var refusedSeries = 0
    }

    private var kinds: [String: MetricMetadata.Kind] = [:]
    private var batch = Batch()

    /// A target's way into a store.
    public init(_ store: SampleStore, _ options: Options) {
        self.store = store
        self.options = options
    }

    /// Takes the text of a scrape: all of it, or nothing where it has a mistake.
    /// - Parameters:
    ///   - time: When it was scraped, in milliseconds.
    ///   - seconds: How long that took.
    public func take(
        _ text: UnsafeRawBufferPointer, isOpenMetrics: Bool, at time: Int64, seconds: Double
    ) throws(Refusal) -> SampleFeed.Report {
        scrape &+= 1
        batch = Batch()
        kinds.removeAll(keepingCapacity: true)
        do throws(Refusal) {
            try read(text, isOpenMetrics, at: time)
        } catch {
            forgetNew()
            throw error
        }
        var report = append(at: time)
        endMissing(at: time, &report)
        tell(isUp: true, at: time, seconds: seconds, &report)
        return report
    }

    /// Notes that a scrape failed: all series have ended, for now.
    public func fail(at time: Int64, seconds: Double) -> SampleFeed.Report {
        scrape &+= 1
        batch = Batch()
        var report = SampleFeed.Report()
        endMissing(at: time, &report)
        tell(isUp: false, at: time, seconds: seconds, &report)
        return report
    }

    /// Ends all series: the target is gone.
    public func end(at time: Int64) -> SampleFeed.Report {
        scrape &+= 1
        var report = SampleFeed.Report()
        endMissing(at: time, &report)
        for name in Self.ownNames { append(SampleMark.stale, own: name, at: time, &report) }
        return report
    }

    // MARK: Reading

    private func read(
        _ text: UnsafeRawBufferPointer, _ isOpenMetrics: Bool, at time: Int64
    ) throws(Refusal) {
        var reader = ExpositionReader(text, isOpenMetrics: isOpenMetrics)
        var told: [String: MetricMetadata] = [:]
        while let entry = try Self.next(&reader) {
            switch entry {
            case .type(let metric, let kind):
                kinds[metric] = kind
                told[metric, default: MetricMetadata(kind: .unknown)].kind = kind
            case .help(let metric, let help):
                told[metric, default: MetricMetadata(kind: .unknown)].help = help
            case .unit(let metric, let unit):
                told[metric, default: MetricMetadata(kind: .unknown)].unit = unit
            case .sample(let sample): try take(sample, text, reader.line, at: time)
            case .end: break
            }
        }
        for (metric, one) in told where metadata[metric] != one {
            store.setMetadata(one, of: metric)
        }
        metadata = told
    }

    private static func next(
        _ reader: inout ExpositionReader
    ) throws(Refusal) -> ExpositionReader.Entry? {
        do throws(ExpositionError) {
            return try reader.next()
        } catch {
            throw .text(error)
        }
    }

    private func take(
        _ sample: ExpositionReader.Sample, _ text: UnsafeRawBufferPointer, _ line: Int,
        at time: Int64
    ) throws(Refusal) {
        batch.sampleCount += 1
        if options.sampleLimit > 0, batch.sampleCount > options.sampleLimit {
            throw .sampleLimit
        }
        let key = Origin(hashing: UnsafeRawBufferPointer(rebasing: text[sample.series]))
        var found = known[key]?.reference
        if found == nil { found = try newReference(key, sample, text, line) }
        guard let reference = found else {
            batch.refusedSeries += 1
            return
        }
        if let own = sample.time {
            batch.dated.append((reference, key, own, sample.value))
        } else {
            batch.keys.append(key)
            batch.references.append(reference)
            batch.values.append(sample.value)
        }
        guard let exemplar = sample.exemplar else { return }
        let pairs = try Self.labels(text, exemplar.labels, line)
        batch.exemplars.append(
            (
                reference,
                Exemplar(
                    labels: pairs, value: exemplar.value,
                    time: exemplar.time ?? sample.time ?? time)
            ))
    }

    /// The reference of a series that is shown for the first time; `nil` where there is no room for it.
    private func newReference(
        _ key: Origin, _ sample: ExpositionReader.Sample, _ text: UnsafeRawBufferPointer,
        _ line: Int
    ) throws(Refusal) -> SeriesReference? {
        let pairs = try Self.labels(text, sample.series, line)
        guard pairs.first?.name == "__name__" else {
            throw .text(ExpositionError(line: line, message: "a metric's name is missing"))
        }
        guard let reference = try? store.reference(for: labelled(pairs)) else { return nil }
        known[key] = Known(reference: reference, scrape: 0, hasEnd: false)
        batch.addedCount += 1
        return reference
    }

    private static func labels(
        _ text: UnsafeRawBufferPointer, _ range: Range<Int>, _ line: Int
    ) throws(Refusal) -> [(name: String, value: String)] {
        switch ExpositionLabels.read(text, range) {
        case .success(let pairs): return pairs
        case .failure(let problem):
            throw .text(ExpositionError(line: line, message: problem.message))
        }
    }

    /// A series' labels with those of the target.
    private func labelled(
        _ pairs: [(name: String, value: String)]
    ) -> [(name: String, value: String)] {
        var all: [(name: String, value: String)] = []
        let metric = pairs[0].value
        for (name, value) in pairs {
            var value = value
            // Bounds are written in one way, whatever the target's is (Prometheus 3.0).
            let isBound =
                name == "le"
                ? kind(of: metric, "_bucket") == .histogram
                : name == "quantile" && kinds[metric] == .summary
            if isBound { value = Self.bound(value) }
            guard options.labels[name] != nil, !options.honorsLabels else {
                all.append((name, value))
                continue
            }
            var renamed = "exported_\(name)"
            while options.labels[renamed] != nil || pairs.contains(where: { $0.name == renamed }) {
                renamed = "exported_\(renamed)"
            }
            if !value.isEmpty { all.append((renamed, value)) }
        }
        for (name, value) in options.labels {
            if options.honorsLabels, pairs.contains(where: { $0.name == name }) { continue }
            all.append((name, value))
        }
        return all
    }

    private func kind(of metric: String, _ suffix: String) -> MetricMetadata.Kind? {
        metric.hasSuffix(suffix) ? kinds[String(metric.dropLast(suffix.count))] : nil
    }

    /// A bound as OpenMetrics writes it: with a point.
    private static func bound(_ text: String) -> String {
        guard let value = Double(text), value.isFinite else { return text }
        let plain = GoText.shortest(value)
        return plain.contains(where: { $0 == "." || $0 == "e" }) ? plain : plain + ".0"
    }

    /// Forgets the series of a scrape that is refused.
    private func forgetNew() { known = known.filter { $0.value.scrape != 0 } }

    // MARK: Appending

    private func append(at time: Int64) -> SampleFeed.Report {
        var report = SampleFeed.Report()
        report.refusedSeries = batch.refusedSeries
        let refused = batch.references.withUnsafeBufferPointer { references in
            batch.values.withUnsafeBufferPointer { store.append(at: time, $0, to: references) }
        }
        report.taken = batch.values.count - refused.count
        for key in batch.keys { note(key, hasEnd: true) }
        for one in refused {
            if one.outcome == .unknownSeries { known[batch.keys[one.place]] = nil }
            report.refused[one.outcome, default: 0] += 1
        }
        for (reference, key, time, value) in batch.dated {
            note(store.append(reference, at: time, value), &report)
            note(key, hasEnd: false)
        }
        for (reference, exemplar) in batch.exemplars where !store.append(exemplar, to: reference) {
            report.refusedExemplars += 1
        }
        return report
    }

    private func note(_ key: Origin, hasEnd: Bool) {
        known[key]?.scrape = scrape
        known[key]?.hasEnd = hasEnd
    }

    private func note(_ outcome: AppendOutcome, _ report: inout SampleFeed.Report) {
        if outcome == .appended || outcome == .alreadyThere {
            report.taken += 1
        } else {
            report.refused[outcome, default: 0] += 1
        }
    }

    /// Marks the end of series that are no longer shown.
    private func endMissing(at time: Int64, _ report: inout SampleFeed.Report) {
        let missing = known.filter { $0.value.scrape != scrape }
        for (key, one) in missing {
            if one.hasEnd {
                note(store.append(one.reference, at: time, SampleMark.stale), &report)
            }
            known[key] = nil
        }
    }

    private static let ownNames = [
        "up", "scrape_duration_seconds", "scrape_samples_scraped",
        "scrape_samples_post_metric_relabeling", "scrape_series_added",
    ]

    /// The series that say how the scrape went.
    private func tell(
        isUp: Bool, at time: Int64, seconds: Double, _ report: inout SampleFeed.Report
    ) {
        let values = [
            isUp ? 1 : 0, seconds, Double(batch.sampleCount), Double(batch.sampleCount),
            Double(batch.addedCount),
        ]
        for (name, value) in zip(Self.ownNames, values) {
            append(value, own: name, at: time, &report)
        }
    }

    private func append(
        _ value: Double, own name: String, at time: Int64, _ report: inout SampleFeed.Report
    ) {
        let labels = [("__name__", name)] + options.labels.map { ($0.key, $0.value) }
        guard let reference = try? store.reference(for: labels) else {
            report.refusedSeries += 1
            return
        }
        note(store.append(reference, at: time, value), &report)
    }
}

// Hot path of remote write: once per label set.
import Synchronization
import WeirCore

/// Samples everything that a registry shows, as requests of remote write.
///
/// A series that the sampling before still had and that is gone gets a staleness marker, a millisecond
/// before the samples. Times only grow: a sampling at a time that is not later than the one before is
/// left out. Belongs to one thread; holds each shard's lock for one request's samples at a time.
public final class RemoteWriteSampler {
    /// How samples become requests.
    public struct Options: Sendable {
        /// The protocol's version.
        public var version = RemoteWriteVersion.one
        /// Labels that every series gets that has none of the name.
        public var externalLabels: [Label] = []
        /// Most samples of a request; only a label set that has more by itself makes a larger one.
        public var sampleLimit = 2_000
        /// How often metrics are explained, in version 1.
        public var metadataInterval: Duration = .seconds(60)
        /// Whether exemplars are sent.
        public var sendsExemplars = true
        /// Whether native histograms are sent; without, nothing is sent of them.
        public var sendsNativeHistograms = true
        /// Which metrics are sampled, by their names without `_bucket`, `_sum` and `_count`.
        public var wants: @Sendable (String) -> Bool = { _ in true }

        /// Version 1, without external labels.
        public init() {}
    }

    /// Bytes, before compression, at which a request ends even with fewer samples.
    static let requestByteLimit = 4 << 20
    /// Label sets that are read under one lock.
    private static let pageCount = 128

    /// A group with what was sent of it.
    private final class SampledGroup {
        let group: SeriesGroup
        let families: [RemoteFamily]
        /// Which of the families are sampled.
        let isWanted: [Bool]
        let plan: LabelPlan
        let sampleCount: Int
        var sent = SentSeries()

        init(_ group: SeriesGroup, _ options: Options) {
            self.group = group
            let plan = LabelPlan(
                labelNames: group.declaration.labelNames, external: options.externalLabels)
            isWanted = group.declaration.families.map { options.wants($0.name) }
            self.plan = plan
            families = group.declaration.families.map {
                RemoteFamily(
                    name: $0.name, help: $0.help, unit: $0.unit, kind: $0.kind, plan: plan)
            }
            sampleCount = families.reduce(0) { $0 + $1.sampleCount }
        }

        /// What was sent in the sampling before, to be walked over; nothing is sent yet in this one.
        func takeSent() -> SentCursor {
            var taken = SentSeries()
            swap(&taken, &sent)
            return SentCursor(taken, labelCount: group.declaration.labelNames.count)
        }
    }

    private let registry: Registry
    private let options: Options
    private var encoder: RemoteWriteEncoder
    private var groups: [SampledGroup] = []
    private var own: [String: Registry.Family] = [:]
    private var series = ShownSeries()
    /// When the last sampling was, in milliseconds since 1970.
    private var last = Int64.min
    private var lastMetadata: Int64?

    /// A sampler that has sampled nothing yet.
    public init(_ registry: Registry, _ options: Options) {
        self.registry = registry
        self.options = options
        encoder = RemoteWriteEncoder(options.version)
    }

    /// Samples everything, and gives requests to `take` in the order in which they must be sent.
    /// - Returns: Whether it was done: not when `now` is not later than the time before.
    public func sample(now: Timestamp, _ take: (RemoteWriteRequest) -> Void) -> Bool {
        let milliseconds = now.millisecondsSince1970
        // One more for the staleness markers' sake.
        guard milliseconds > last &+ 1 || last == .min else { return false }
        registry.prepareScrape(now: now)
        encoder.milliseconds = milliseconds
        last = milliseconds
        let former = groups
        groups = registry.shownGroups.map { group in
            former.first { $0.group === group }
                ?? SampledGroup(group, options)
        }
        let formerOwn = own
        own = registry.families.withLock { $0.filter { options.wants($0.key) } }
        // A group in another's place may have the same series: their ends come first.
        for gone in former where !groups.contains(where: { $0 === gone }) { end(gone, take) }
        end(formerOwn, missingIn: own, take)
        appendMetadata(milliseconds, take)
        for name in own.keys.sorted() { sampleOwn(name, take) }
        for group in groups { sample(group, take) }
        flush(take)
        return true
    }

    /// Says of every series that was sent that it is gone, later than all samples.
    public func end(now: Timestamp, _ take: (RemoteWriteRequest) -> Void) {
        guard last > .min else { return }
        last = max(now.millisecondsSince1970, last &+ 2)
        encoder.milliseconds = last
        for group in groups { end(group, take) }
        end(own, missingIn: [:], take)
        groups = []
        own = [:]
        flush(take)
    }

    // MARK: Requests

    /// Ends the request when it has no room for so many samples more.
    private func makeRoom(_ sampleCount: Int, _ take: (RemoteWriteRequest) -> Void) {
        if isFull(sampleCount) { flush(take) }
    }

    private func isFull(_ sampleCount: Int) -> Bool {
        let count = encoder.counts.samples + encoder.counts.histograms + encoder.counts.metadata
        return count > 0 && count + sampleCount > options.sampleLimit
            || encoder.byteCount >= Self.requestByteLimit
    }

    private func flush(_ take: (RemoteWriteRequest) -> Void) {
        guard !encoder.counts.isZero else { return }
        take(encoder.take())
    }

    private func appendMetadata(_ milliseconds: Int64, _ take: (RemoteWriteRequest) -> Void) {
        guard options.version == .one else { return }
        let interval = options.metadataInterval.components.seconds
        if let lastMetadata, (milliseconds &- lastMetadata) / 1000 < interval { return }
        lastMetadata = milliseconds
        for (name, family) in own.sorted(by: { $0.key < $1.key }) {
            guard let first = family.series.values.first else { continue }
            makeRoom(1, take)
            encoder.appendMetadata(of: ownFamily(name, family, first.kind, labelNames: []))
        }
        for group in groups {
            for (family, isWanted) in zip(group.families, group.isWanted)
            where isWanted && isSent(family) {
                makeRoom(1, take)
                encoder.appendMetadata(of: family)
            }
        }
        flush(take)
    }

    // MARK: Groups

    private func isSent(_ family: RemoteFamily) -> Bool {
        if case .nativeHistogram = family.kind { return options.sendsNativeHistograms }
        return true
    }

    private func sample(_ sampled: SampledGroup, _ take: (RemoteWriteRequest) -> Void) {
        guard sampled.isWanted.contains(true) else { return }
        let (shards, places) = sampled.group.orderedPlaces()
        var former = sampled.takeSent()
        var next = 0
        while next < places.count {
            makeRoom(sampled.sampleCount, take)
            let end = min(next + Self.pageCount, places.count)
            SeriesGroup.withTables(of: shards) { tables in
                while next < end, !isFull(sampled.sampleCount) {
                    let place = places[next]
                    let table = tables[Int(place.shard)]
                    guard table.pointee.serial(Int(place.row)) == place.serial else {
                        next += 1
                        continue
                    }
                    series.labels.removeAll(keepingCapacity: true)
                    table.pointee.show(labelsOf: Int(place.row), in: &series)
                    switch former.order(series.labels) {
                    case .earlier:
                        appendStale(former.entry.values, former.entry.families, sampled)
                        former.advance()
                        continue
                    case .same:
                        append(
                            place, former.entry.families, former.entry.youngestExemplar, sampled,
                            tables)
                        former.advance()
                    case .later: append(place, 0, .min, sampled, tables)
                    }
                    next += 1
                }
            }
        }
        end(&former, sampled, take)
    }

    /// Appends all metrics of the label set whose labels are in ``series``.
    /// - Parameters:
    ///   - former: The metrics that it had in the last sampling.
    ///   - exemplarsAfter: When the youngest exemplar was that was sent of it.
    private func append(
        _ place: SeriesOrder.Place, _ former: UInt32, _ exemplarsAfter: Int64,
        _ sampled: SampledGroup, _ tables: [UnsafeMutablePointer<SeriesTable>]
    ) {
        encoder.setLabels(series.labels, sampled.plan)
        var present: UInt32 = 0
        var youngest = exemplarsAfter
        let limit = options.sendsExemplars ? exemplarsAfter : .max
        for (index, family) in sampled.families.enumerated()
        where sampled.isWanted[index] && isSent(family) {
            SeriesGroup.showValues(
                place, family: index, bucketCount: family.bucketCount, in: &series, tables)
            guard series.isPresent else { continue }
            present |= 1 << UInt32(index)
            let last = encoder.append(series, of: family, exemplarsAfter: limit)
            if options.sendsExemplars { youngest = max(youngest, last) }
        }
        appendStale(former & ~present, sampled)
        guard present != 0 else { return }
        sampled.sent.append(series.labels, families: present, youngestExemplar: youngest)
    }

    private func appendStale(
        _ values: [ShownSeries.LabelValue], _ families: UInt32, _ sampled: SampledGroup
    ) {
        encoder.setLabels(values, sampled.plan)
        appendStale(families, sampled)
    }

    /// Says that some metrics of the label set that was set are gone.
    private func appendStale(_ families: UInt32, _ sampled: SampledGroup) {
        guard families != 0 else { return }
        encoder.milliseconds -= 1
        for (index, family) in sampled.families.enumerated()
        where families >> UInt32(index) & 1 == 1 {
            encoder.appendStale(family)
        }
        encoder.milliseconds += 1
    }

    /// Says of the label sets that are left that they are gone.
    private func end(
        _ former: inout SentCursor, _ sampled: SampledGroup, _ take: (RemoteWriteRequest) -> Void
    ) {
        while !former.isAtEnd {
            makeRoom(sampled.sampleCount, take)
            appendStale(former.entry.values, former.entry.families, sampled)
            former.advance()
        }
    }

    private func end(_ sampled: SampledGroup, _ take: (RemoteWriteRequest) -> Void) {
        var former = sampled.takeSent()
        end(&former, sampled, take)
    }

    // MARK: The registry's own

    private func sampleOwn(_ name: String, _ take: (RemoteWriteRequest) -> Void) {
        guard let family = own[name], let first = family.series.values.first else { return }
        let ordered = family.series.sorted {
            $0.key.lexicographicallyPrecedes($1.key, by: Label.isOrdered)
        }
        var remote: RemoteFamily?
        for (labels, instrument) in ordered {
            let shown = next(&remote, name, family, first.kind, labels)
            makeRoom(shown.sampleCount, take)
            instrument.show(in: &series, bucketCount: shown.bucketCount)
            setLabels(labels, shown.plan)
            _ = encoder.append(series, of: shown, exemplarsAfter: .max)
        }
    }

    /// Says of the series that are missing in `present` that they are gone.
    private func end(
        _ former: [String: Registry.Family], missingIn present: [String: Registry.Family],
        _ take: (RemoteWriteRequest) -> Void
    ) {
        for (name, family) in former.sorted(by: { $0.key < $1.key }) {
            guard let first = family.series.values.first else { continue }
            let others = present[name]?.series ?? [:]
            let missing = family.series.keys.filter { others[$0] == nil }
            var remote: RemoteFamily?
            for labels in missing.sorted(by: {
                $0.lexicographicallyPrecedes($1, by: Label.isOrdered)
            }) {
                let shown = next(&remote, name, family, first.kind, labels)
                makeRoom(shown.sampleCount, take)
                setLabels(labels, shown.plan)
                encoder.milliseconds -= 1
                encoder.appendStale(shown)
                encoder.milliseconds += 1
            }
        }
    }

    /// The metric as it was sent last, when the labels are called the same; else made anew.
    private func next(
        _ remote: inout RemoteFamily?, _ name: String, _ family: Registry.Family,
        _ kind: FamilyDeclaration.Kind, _ labels: [Label]
    ) -> RemoteFamily {
        let names = labels.map(\.name)
        if let remote, remote.plan.labelNames == names { return remote }
        let made = ownFamily(name, family, kind, labelNames: names)
        remote = made
        return made
    }

    private func ownFamily(
        _ name: String, _ family: Registry.Family, _ kind: FamilyDeclaration.Kind,
        labelNames: [String]
    ) -> RemoteFamily {
        RemoteFamily(
            name: name, help: family.help, unit: Scrape.unit(of: name), kind: kind,
            plan: LabelPlan(labelNames: labelNames, external: options.externalLabels))
    }

    private func setLabels(_ labels: [Label], _ plan: LabelPlan) {
        var bytes = ByteBuffer(capacity: 256)
        for label in labels { bytes.append(label.value) }
        var start = 0
        let values = labels.map { label in
            let count = label.value.utf8.count
            defer { start += count }
            return ShownSeries.LabelValue(
                bytes: UnsafeRawBufferPointer(start: bytes.pointer + start, count: count),
                needsEscape: false)
        }
        encoder.setLabels(values, plan)
        // The labels' bytes live until here.
        bytes.truncate(to: 0)
    }
}

// Hot path of the scrape: once per page of series.
import Synchronization
import WeirCore

/// One read of all metrics, written piece by piece: however many series there are, a scrape holds a
/// few pieces in memory, and each shard's lock for a page of series at a time.
///
/// Metrics come in the order of their names, series in the order of their labels. A series that comes
/// or goes meanwhile is shown once or not at all.
public final class Scrape {
    /// Bytes after which a piece ends.
    public static let pieceByteCount = 64 * 1024
    /// Bytes after which a message of the protobuf format ends and another one of the same name begins.
    ///
    /// A message stands behind its length, so a metric in one message could not be streamed.
    static let messageByteCount = 1 << 20
    /// Series that are written under one lock.
    private static let pageSeriesCount = 128

    private enum Section {
        case own(String, Registry.Family)
        case group(SeriesGroup, family: Int)

        var name: String {
            switch self {
            case .own(let name, _): name
            case .group(let group, let family): group.declaration.families[family].name
            }
        }
    }

    private let format: ExpositionFormat
    private var sections: [Section] = []
    private var nextSection = 0
    private var text: TextWriter
    private var protobuf = ProtobufWriter()
    private var metrics = ByteBuffer(capacity: 4096)
    private var series = ShownSeries()
    private var nextPlace = 0
    private var orders: [ObjectIdentifier: ([SeriesShard], [SeriesOrder.Place])] = [:]
    private var isEnded = false

    /// A scrape of everything that the registry shows.
    /// - Parameter now: The time that it is: idle series go before the scrape.
    public init(_ registry: Registry, format: ExpositionFormat, now: Timestamp) {
        self.format = format
        text = TextWriter(isOpenMetrics: format == .openMetrics)
        registry.prepareScrape(now: now)
        for (name, family) in registry.families.withLock({ $0 }) where !family.series.isEmpty {
            sections.append(.own(name, family))
        }
        for group in registry.shownGroups {
            orders[ObjectIdentifier(group)] = group.orderedPlaces()
            for family in group.declaration.families.indices {
                sections.append(.group(group, family: family))
            }
        }
        sections.sort { $0.name < $1.name }
    }

    /// Appends the next piece.
    /// - Returns: Whether there was one; nothing is appended after the last.
    public func next(into buffer: inout ByteBuffer) -> Bool {
        let start = buffer.count
        while buffer.count - start < Self.pieceByteCount, nextSection < sections.count {
            switch sections[nextSection] {
            case .own(let name, let family):
                append(name, family, to: &buffer)
                nextSection += 1
            case .group(let group, let family):
                appendPart(of: group, family, from: start, to: &buffer)
            }
        }
        if nextSection == sections.count, !isEnded {
            isEnded = true
            if format == .openMetrics { buffer.append("# EOF\n") }
        }
        return buffer.count > start
    }

    // MARK: Groups

    /// Appends a metric's series until the piece is full or there are no more.
    private func appendPart(
        of group: SeriesGroup, _ family: Int, from start: Int, to buffer: inout ByteBuffer
    ) {
        let declaration = group.declaration.families[family]
        let shown = ShownFamily(
            name: declaration.name, help: declaration.help, unit: declaration.unit,
            kind: declaration.kind, labelNames: group.declaration.labelNames)
        guard let (shards, places) = orders[ObjectIdentifier(group)] else {
            nextSection += 1
            return
        }
        if nextPlace == 0, format != .protobuf {
            hasHead = false
        }
        while nextPlace < places.count {
            let end = min(nextPlace + Self.pageSeriesCount, places.count)
            SeriesGroup.withTables(of: shards) { tables in
                for place in places[nextPlace..<end]
                where SeriesGroup.show(
                    place, family: family, bucketCount: shown.bounds.count, in: &series, tables)
                {
                    append(shown, to: &buffer)
                }
            }
            nextPlace = end
            if format == .protobuf {
                guard metrics.count < Self.messageByteCount else { break }
            } else if buffer.count - start >= Self.pieceByteCount {
                break
            }
        }
        flushMessage(shown, to: &buffer)
        if nextPlace == places.count {
            nextPlace = 0
            nextSection += 1
        }
    }

    private var hasHead = false

    /// Appends the series that was gathered; the metric's head before the first one.
    private func append(_ family: borrowing ShownFamily, to buffer: inout ByteBuffer) {
        guard format != .protobuf else {
            protobuf.append(series, of: family, to: &metrics)
            return
        }
        if !hasHead {
            text.appendHead(of: family, to: &buffer)
            hasHead = true
        }
        text.append(series, of: family, to: &buffer)
    }

    private func flushMessage(_ family: borrowing ShownFamily, to buffer: inout ByteBuffer) {
        guard format == .protobuf, metrics.count > 0 else { return }
        protobuf.append(family, metrics: metrics, to: &buffer)
        metrics.truncate(to: 0)
    }

    // MARK: The registry's own

    private func append(_ name: String, _ family: Registry.Family, to buffer: inout ByteBuffer) {
        guard let first = family.series.values.first else { return }
        hasHead = false
        let kind = first.kind
        var ordered = family.series.map { (labels: $0.key, instrument: $0.value) }
        ordered.sort { $0.labels.lexicographicallyPrecedes($1.labels, by: Label.isOrdered) }
        for (labels, instrument) in ordered {
            let shown = ShownFamily(
                name: name, help: family.help, unit: Self.unit(of: name), kind: kind,
                labelNames: labels.map(\.name))
            instrument.show(in: &series, bucketCount: shown.bounds.count)
            var bytes = ByteBuffer(capacity: 256)
            for label in labels { bytes.append(label.value) }
            var start = 0
            for label in labels {
                let count = label.value.utf8.count
                series.labels.append(
                    ShownSeries.LabelValue(
                        bytes: UnsafeRawBufferPointer(start: bytes.pointer + start, count: count),
                        needsEscape: true))
                start += count
            }
            append(shown, to: &buffer)
            // The labels' bytes live until here.
            bytes.truncate(to: 0)
        }
        let shown = ShownFamily(
            name: name, help: family.help, unit: Self.unit(of: name), kind: kind, labelNames: [])
        flushMessage(shown, to: &buffer)
    }

    /// The unit that a name ends with.
    static func unit(of name: String) -> String {
        let base = name.hasSuffix("_total") ? String(name.dropLast(6)) : name
        return ["seconds", "bytes"].first { base.hasSuffix("_\($0)") } ?? ""
    }
}

extension Label {
    /// Whether the first comes before the second where series are listed.
    static func isOrdered(_ left: Label, _ right: Label) -> Bool {
        (left.name, left.value) < (right.name, right.value)
    }
}

extension Registry.Instrument {
    /// What kind of metric the instrument is.
    var kind: FamilyDeclaration.Kind {
        switch self {
        case .counter: .counter
        case .gauge: .gauge
        case .histogram(let histogram): .histogram(bounds: histogram.bounds)
        }
    }

    /// Shows the instrument's value.
    func show(in series: inout ShownSeries, bucketCount: Int) {
        series.reset(bucketCount: bucketCount)
        series.isPresent = true
        switch self {
        case .counter(let counter): series.count = counter.value
        case .gauge(let gauge): series.number = Double(gauge.value)
        case .histogram(let histogram):
            let (counts, sum) = histogram.snapshot()
            for (bucket, count) in counts.enumerated() where bucket < bucketCount {
                series.counts[bucket] = count
                series.count &+= count
            }
            series.number = sum
        }
    }
}

extension Registry {
    /// Everything that the registry shows, as one text: for tests and people.
    /// - Parameter now: The time that it is; without it no idle series go.
    public func exposition(_ format: ExpositionFormat = .text, now: Timestamp = .epoch) -> [UInt8] {
        let scrape = Scrape(self, format: format, now: now)
        var buffer = ByteBuffer(capacity: Scrape.pieceByteCount)
        while scrape.next(into: &buffer) {}
        return Array(buffer.bytes)
    }

    /// All metrics in Prometheus' text format.
    public func textExposition() -> String {
        String(decoding: exposition(), as: UTF8.self)
    }
}

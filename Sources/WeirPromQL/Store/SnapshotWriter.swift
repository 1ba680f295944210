import Synchronization

/// Writes a store as it was at one moment, frame by frame; the store goes on meanwhile.
public struct SnapshotWriter {
    private var series: ContiguousArray<StoredSeries>
    private let texts: ContiguousArray<String>
    private let metadata: [String: MetricMetadata]
    private let counts: [UInt8]
    private var step = Step.begin

    private enum Step {
        case begin
        case series
        case metadata
        case end
        case done
    }

    init(
        _ series: ContiguousArray<StoredSeries>, _ texts: ContiguousArray<String>,
        _ metadata: [String: MetricMetadata], sampleCount: Int
    ) {
        self.series = series
        self.texts = texts
        self.metadata = metadata
        var counts: [UInt8] = []
        counts.append(short: series.count)
        counts.append(short: sampleCount)
        self.counts = Snapshot.frame(.counts, counts)
    }

    /// The next bytes of the snapshot; nothing at its end.
    public mutating func next() -> [UInt8]? {
        switch step {
        case .begin:
            step = .series
            return counts
        case .series where !series.isEmpty:
            return nextSeries()
        case .series, .metadata:
            step = .end
            return metadataFrame()
        case .end:
            step = .done
            return counts
        case .done:
            return nil
        }
    }

    private mutating func nextSeries() -> [UInt8] {
        var places: [Symbol: Int] = [:]
        var used: [UInt8] = []
        var records: [UInt8] = []
        let count = min(Snapshot.seriesPerFrame, series.count)
        for series in series.suffix(count) {
            records.append(short: series.labels.labels.count)
            for label in series.labels.labels {
                for symbol in [label.name, label.value] {
                    if let place = places[symbol] {
                        records.append(short: place)
                        continue
                    }
                    records.append(short: places.count)
                    places[symbol] = places.count
                    let number = Int(symbol.number)
                    used.append(text: number < texts.count ? texts[number] : "")
                }
            }
            Self.write(series, to: &records)
        }
        // A page that is written need not be kept for it any longer.
        series.removeLast(count)
        var payload: [UInt8] = []
        payload.append(short: places.count)
        payload += used
        payload.append(short: count)
        payload += records
        return Snapshot.frame(.series, payload)
    }

    private static func write(_ series: StoredSeries, to records: inout [UInt8]) {
        let chunks = series.page.chunks
        records.append(short: chunks.count)
        for chunk in chunks {
            chunk.bytes.withUnsafeBytes {
                let blocks = $0.dropLast(BitPacking.slack)
                records.append(doubleWord: UInt64(bitPattern: chunk.first))
                records.append(short: blocks.count)
                records.append(contentsOf: blocks)
            }
        }
        let tail = series.page.block(ofTail: series.tailCount)
        let base = tail.isEmpty ? 0 : series.page.tailBase
        records.append(doubleWord: UInt64(bitPattern: base))
        records.append(short: tail.count)
        records += tail
        records.append(short: series.page.histograms.count)
        for chunk in series.page.histograms { write(chunk, to: &records) }
    }

    private static func write(_ chunk: HistogramChunk, to records: inout [UInt8]) {
        let layout = chunk.layout
        records.append(short: Int(UInt32(bitPattern: layout.schema)))
        records.append(doubleWord: layout.zeroThreshold)
        for spans in [layout.positiveSpans, layout.negativeSpans] {
            records.append(short: spans.count)
            for span in spans {
                records.append(short: Int(UInt32(bitPattern: span.offset)))
                records.append(short: Int(span.length))
            }
        }
        records.append(short: layout.customBounds.count)
        for bound in layout.customBounds { records.append(doubleWord: bound) }
        records.append(doubleWord: UInt64(bitPattern: chunk.first))
        records.append(short: chunk.count)
        records.append(short: chunk.bytes.count)
        records += chunk.bytes
    }

    private func metadataFrame() -> [UInt8] {
        var payload: [UInt8] = []
        payload.append(short: metadata.count)
        for (name, entry) in metadata {
            payload.append(text: name)
            payload.append(text: entry.kind.rawValue)
            payload.append(text: entry.help)
            payload.append(text: entry.unit)
        }
        return Snapshot.frame(.metadata, payload)
    }
}

extension SampleStore {
    /// A snapshot of the store as it is now: series, samples and metadata, not exemplars.
    public func snapshot() -> SnapshotWriter {
        state.withLock { state in
            let series = state.series(at: state.index.everything, from: .min, through: .max)
            return SnapshotWriter(
                series, state.symbols.snapshot(), state.metadata.entries,
                sampleCount: state.totals.sampleCount)
        }
    }
}

extension SeriesPage {
    /// The tail's first floats, packed; nothing when there are none.
    func block(ofTail count: Int) -> [UInt8] {
        guard count > 0 else { return [] }
        return withUnsafeTemporaryAllocation(byteCount: FloatBlock.byteLimit, alignment: 8) {
            room in
            guard let target = room.baseAddress else { return [] }
            let length = FloatBlock.encode(
                tailSamples(count), offset: 0, after: sealedValue, to: target)
            return [UInt8](room.prefix(length))
        }
    }
}

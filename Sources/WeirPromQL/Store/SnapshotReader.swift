import Synchronization
import WeirCore

/// Finds the frames of a snapshot: bytes of any content, never trusted.
struct SnapshotFrames {
    /// A frame whose payload is as it was written, or not.
    enum Frame {
        case whole(kind: UInt8, version: UInt8, payload: UnsafeRawBufferPointer)
        case damaged
    }

    private let bytes: UnsafeRawBufferPointer
    private var place = 0
    private(set) var lostByteCount = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// The next frame; what lies before it is lost.
    mutating func next() -> Frame? {
        while bytes.count - place >= Snapshot.headByteCount {
            guard let length = payloadLength(at: place) else {
                place += 1
                lostByteCount += 1
                continue
            }
            let head = place
            let start = place + Snapshot.headByteCount
            place = start + length
            let payload = UnsafeRawBufferPointer(rebasing: bytes[start..<place])
            guard CRC32C.checksum(payload) == word(head + 12) else { return .damaged }
            return .whole(kind: bytes[head + 4], version: bytes[head + 5], payload: payload)
        }
        lostByteCount += bytes.count - place
        place = bytes.count
        return nil
    }

    /// The length of the payload of a frame that begins here, if one does and is not cut.
    private func payloadLength(at place: Int) -> Int? {
        guard bytes[place] == Snapshot.mark[0],
            bytes[place..<(place + 4)].elementsEqual(Snapshot.mark)
        else { return nil }
        let head = UnsafeRawBufferPointer(rebasing: bytes[place..<(place + 16)])
        guard CRC32C.checksum(head) == word(place + 16) else { return nil }
        let length = Int(word(place + 8))
        return length <= bytes.count - place - Snapshot.headByteCount ? length : nil
    }

    private func word(_ place: Int) -> UInt32 {
        UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt32.self))
    }
}

extension SampleStore {
    /// Takes over the series of a snapshot, as far as they can be read. Meant for a store that has none yet;
    /// a series that is there already stays as it is.
    public func restore(_ bytes: UnsafeRawBufferPointer) -> SnapshotReport {
        var report = SnapshotReport()
        var frames = SnapshotFrames(bytes)
        while let frame = frames.next() {
            guard case .whole(let kind, let version, let payload) = frame else {
                report.damagedFrameCount += 1
                continue
            }
            guard version == Snapshot.version, let kind = Snapshot.Kind(rawValue: kind) else {
                report.foreignFrameCount += 1
                continue
            }
            let isRead = state.withLock { state in
                do throws(SnapshotCursor.Broken) {
                    var cursor = SnapshotCursor(payload)
                    try state.restore(kind, &cursor, &report)
                    return cursor.isAtEnd
                } catch {
                    return false
                }
            }
            if isRead { report.frameCount += 1 } else { report.damagedFrameCount += 1 }
        }
        report.lostByteCount = frames.lostByteCount
        return report
    }
}

extension StoreState {
    fileprivate mutating func restore(
        _ kind: Snapshot.Kind, _ cursor: inout SnapshotCursor, _ report: inout SnapshotReport
    ) throws(SnapshotCursor.Broken) {
        switch kind {
        case .counts:
            report.writtenSeriesCount = Int(clamping: try cursor.short())
            report.writtenSampleCount = Int(clamping: try cursor.short())
        case .metadata:
            for _ in 0..<(try cursor.count(ofAtLeast: 4)) {
                let name = try cursor.text()
                let kind = MetricMetadata.Kind(rawValue: try cursor.text()) ?? .unknown
                let entry = MetricMetadata(
                    kind: kind, help: try cursor.text(), unit: try cursor.text())
                if !metadata.set(name, entry, limits) { totals.refusedMetadataCount &+= 1 }
            }
        case .series:
            var texts: [String] = []
            for _ in 0..<(try cursor.count(ofAtLeast: 1)) { texts.append(try cursor.text()) }
            for _ in 0..<(try cursor.count(ofAtLeast: 4)) {
                var labels: [(name: String, value: String)] = []
                for _ in 0..<(try cursor.count(ofAtLeast: 2)) {
                    let name = texts[try cursor.index(below: texts.count)]
                    labels.append((name, texts[try cursor.index(below: texts.count)]))
                }
                let samples = try SeriesSamples(&cursor)
                take(samples, of: labels, &report)
            }
        }
    }

    /// Gives a new series its samples.
    private mutating func take(
        _ samples: SeriesSamples, of labels: [(name: String, value: String)],
        _ report: inout SnapshotReport
    ) {
        do throws(SeriesRefusal) {
            let labels = try labelSet(labels)
            guard samples.count > 0, samples.last <= ahead, known[labels] == nil else {
                report.refusedSeriesCount += 1
                return
            }
            let place = Int(try reference(for: labels).slot)
            guard let page = slots[place].page else { return }
            page.chunks = samples.chunks
            page.sealedValue = page.chunks.last?.lastValue ?? -.infinity
            page.histograms = samples.histograms
            slots[place].tailCount = UInt8(truncatingIfNeeded: samples.tail.floats.count)
            let hadStarts = samples.fillTail(of: page)
            slots[place].isEmpty = false
            slots[place].firstTime = samples.first
            slots[place].lastTime = samples.last
            slots[place].endsWithHistogram = samples.histograms.last?.last == samples.last
            totals.sampleCount += samples.count
            totals.byteCount += samples.byteCount + (hadStarts ? FloatBlock.sampleLimit * 8 : 0)
            report.seriesCount += 1
            report.sampleCount += samples.count
        } catch {
            totals.count(error)
            report.refusedSeriesCount += 1
        }
        if totals.byteCount > evictionByteCount { evict() }
    }
}

/// A series' samples as a snapshot has them.
private struct SeriesSamples {
    private(set) var chunks: ContiguousArray<FloatChunk> = []
    private(set) var histograms: ContiguousArray<HistogramChunk> = []
    private(set) var tail = SampleBuffer()
    private(set) var count = 0
    private(set) var byteCount = 0
    private(set) var first = Int64.max
    private(set) var last = Int64.min

    init(_ cursor: inout SnapshotCursor) throws(SnapshotCursor.Broken) {
        var former: Int64?
        for _ in 0..<(try cursor.count(ofAtLeast: 9)) {
            guard let chunk = try Self.chunk(&cursor), former.map({ chunk.first > $0 }) ?? true
            else { throw SnapshotCursor.Broken() }
            former = chunk.last
            chunks.append(chunk)
            note(chunk.first, chunk.last, chunk.sampleCount, chunk.byteCount)
        }
        if let chunk = try Self.chunk(&cursor) {
            guard former.map({ chunk.first > $0 }) ?? true, chunk.blockCount == 1 else {
                throw SnapshotCursor.Broken()
            }
            BlockRoom.withRoom { room in
                chunk.read(from: .min, through: .max, room: &room, into: &tail)
                room.empty(into: &tail, from: .min, through: .max)
            }
            note(chunk.first, chunk.last, tail.floats.count, 0)
        }
        former = nil
        for _ in 0..<(try cursor.count(ofAtLeast: 16)) {
            let chunk = try Self.histograms(&cursor)
            guard former.map({ chunk.first > $0 }) ?? true else { throw SnapshotCursor.Broken() }
            former = chunk.last
            histograms.append(chunk)
            note(chunk.first, chunk.last, chunk.count, chunk.byteCount)
        }
    }

    private mutating func note(_ first: Int64, _ last: Int64, _ count: Int, _ bytes: Int) {
        self.first = min(self.first, first)
        self.last = max(self.last, last)
        self.count += count
        byteCount += bytes
    }

    /// A chunk of floats; nothing when its length is nought.
    private static func chunk(
        _ cursor: inout SnapshotCursor
    ) throws(SnapshotCursor.Broken) -> FloatChunk? {
        let first = try cursor.time()
        let blocks = try cursor.bytes()
        if blocks.isEmpty { return nil }
        guard let chunk = FloatChunk(untrusted: blocks, first: first) else {
            throw SnapshotCursor.Broken()
        }
        return chunk
    }

    private static func histograms(
        _ cursor: inout SnapshotCursor
    ) throws(SnapshotCursor.Broken) -> HistogramChunk {
        let schema = Int32(truncatingIfNeeded: try cursor.short())
        let zeroThreshold = try cursor.doubleWord()
        let positive = try spans(&cursor)
        let negative = try spans(&cursor)
        var bounds: [UInt64] = []
        for _ in 0..<(try cursor.count(ofAtLeast: 8)) { bounds.append(try cursor.doubleWord()) }
        let layout = HistogramChunk.Layout(
            schema: schema, zeroThreshold: zeroThreshold, positiveSpans: positive,
            negativeSpans: negative, customBounds: bounds)
        let first = try cursor.time()
        let count = try cursor.index(below: HistogramChunk.sampleLimit + 1)
        let bytes = try cursor.bytes()
        // A bucket takes a byte, so that what is made here is in proportion to what was read.
        guard layout.bucketCounts(limit: bytes.count) != nil,
            let chunk = HistogramChunk(
                untrusted: [UInt8](bytes), layout: layout, first: first, count: count)
        else { throw SnapshotCursor.Broken() }
        return chunk
    }

    private static func spans(
        _ cursor: inout SnapshotCursor
    ) throws(SnapshotCursor.Broken) -> [FloatHistogram.Span] {
        var spans: [FloatHistogram.Span] = []
        for _ in 0..<(try cursor.count(ofAtLeast: 2)) {
            let offset = Int32(truncatingIfNeeded: try cursor.short())
            spans.append(
                FloatHistogram.Span(
                    offset: offset, length: UInt32(truncatingIfNeeded: try cursor.short())))
        }
        return spans
    }

    /// Puts the newest floats back where they were.
    /// - Returns: Whether they have starts.
    func fillTail(of page: SeriesPage) -> Bool {
        guard let base = tail.floatTimes.first else { return false }
        page.tailBase = base
        if !tail.floatStarts.isEmpty { page.makeStarts() }
        for (place, value) in tail.floats.enumerated() {
            page.put(
                value.bitPattern,
                offset: UInt32(truncatingIfNeeded: tail.floatTimes[place] &- base),
                start: tail.floatStarts.isEmpty ? 0 : tail.floatStarts[place], at: place)
        }
        return page.hasStarts
    }
}

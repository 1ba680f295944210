// Hot path: once per sample.

/// What a store's lock protects.
struct StoreState: Sendable {
    /// A series' place, which is another series' when the first is gone.
    struct Slot: Sendable {
        var page: SeriesPage?
        var firstTime: Int64 = 0
        var lastTime: Int64 = 0
        var generation: UInt32 = 0
        /// Floats in the page's tail.
        var tailCount: UInt8 = 0
        var endsWithHistogram = false
        var isEmpty = true
    }

    let limits: StoreLimits
    var symbols: SymbolTable
    var slots: ContiguousArray<Slot> = []
    var free: ContiguousArray<UInt32> = []
    var known: [LabelSet: UInt32] = [:]
    var index = SeriesIndex()
    var totals = StoreTotals()
    var metadata = MetadataTable()
    var exemplars = ExemplarRing()
    /// The clock as it was last told.
    var now: Int64?
    /// The oldest and the newest time that are taken.
    var horizon = Int64.min
    var ahead = Int64.max
    /// Bytes at which room is made.
    var evictionByteCount: Int
    /// Symbols after the last rebuild.
    var symbolBase = 0

    init(_ limits: StoreLimits, _ symbols: SymbolTable) {
        self.limits = limits
        self.symbols = symbols
        evictionByteCount = limits.byteLimit
    }

    /// The slot of a series, if the reference is to one that is there.
    @inline(__always)
    func place(of reference: SeriesReference) -> Int? {
        let place = Int(reference.slot)
        guard place < slots.count, slots[place].generation == reference.generation,
            slots[place].page != nil
        else { return nil }
        return place
    }

    // MARK: Floats

    /// Appends a float.
    @inline(__always)
    mutating func append(
        _ reference: SeriesReference, _ time: Int64, _ value: Double, start: Int64
    ) -> AppendOutcome {
        guard let place = place(of: reference) else { return .unknownSeries }
        guard time >= horizon else { return .tooOld }
        guard time <= ahead else { return .tooFarAhead }
        if !slots[place].isEmpty {
            if time <= slots[place].lastTime { return outcome(ofLate: time, value, place) }
            if slots[place].endsWithHistogram, SampleMark.isStale(value) {
                var end = FloatHistogram()
                end.sum = SampleMark.stale
                put(end, at: time, start: start, place)
                return .appended
            }
        }
        put(value, at: time, start: start, place)
        return .appended
    }

    private func outcome(ofLate time: Int64, _ value: Double, _ place: Int) -> AppendOutcome {
        guard time == slots[place].lastTime else { return .outOfOrder }
        if slots[place].endsWithHistogram {
            guard SampleMark.isStale(value),
                let latest = slots[place].page?.histograms.last?.latest
            else { return .duplicateTimestamp }
            return SampleMark.isStale(latest.sum) ? .alreadyThere : .duplicateTimestamp
        }
        guard let page = slots[place].page, slots[place].tailCount > 0 else {
            return .duplicateTimestamp
        }
        let latest = page.values[Int(slots[place].tailCount) - 1]
        return latest == value.bitPattern ? .alreadyThere : .duplicateTimestamp
    }

    @inline(__always)
    private mutating func put(_ value: Double, at time: Int64, start: Int64, _ place: Int) {
        var count = Int(slots[place].tailCount)
        if count > 0 {
            // The page is asked without being held: sealing must know whether a query holds it.
            let base = slots[place].page?.tailBase ?? time
            let (offset, overflow) = time.subtractingReportingOverflow(base)
            if count == FloatBlock.sampleLimit || overflow || offset > Int64(UInt32.max) {
                seal(place)
                count = 0
            }
        }
        if start != 0, slots[place].page?.hasStarts == false { makeStarts(place) }
        guard let page = slots[place].page else { return }
        if count == 0 { page.tailBase = time }
        page.put(
            value.bitPattern, offset: UInt32(truncatingIfNeeded: time &- page.tailBase),
            start: start, at: count)
        slots[place].tailCount = UInt8(truncatingIfNeeded: count &+ 1)
        note(time, place, isHistogram: false)
    }

    @inline(__always)
    private mutating func note(_ time: Int64, _ place: Int, isHistogram: Bool) {
        if slots[place].isEmpty {
            slots[place].isEmpty = false
            slots[place].firstTime = time
        }
        slots[place].lastTime = time
        slots[place].endsWithHistogram = isHistogram
        totals.sampleCount &+= 1
    }

    /// The slot's page, made the store's alone.
    mutating func ownPage(_ place: Int) -> SeriesPage? {
        if isKnownUniquelyReferenced(&slots[place].page) { return slots[place].page }
        guard let page = slots[place].page else { return nil }
        let copy = SeriesPage(page, tailCount: Int(slots[place].tailCount))
        slots[place].page = copy
        return copy
    }

    @inline(never)
    private mutating func makeStarts(_ place: Int) {
        ownPage(place)?.makeStarts()
        totals.byteCount += FloatBlock.sampleLimit * 8
    }

    /// Packs the tail into the newest chunk, or into a new one.
    @inline(never)
    mutating func seal(_ place: Int) {
        let count = Int(slots[place].tailCount)
        guard count > 0, let page = ownPage(place) else { return }
        let last = page.tailTime(count - 1)
        withUnsafeTemporaryAllocation(byteCount: FloatBlock.byteLimit, alignment: 8) { room in
            guard let target = room.baseAddress else { return }
            func block(_ offset: UInt32) -> UnsafeRawBufferPointer {
                let length = FloatBlock.encode(
                    page.tailSamples(count), offset: offset, after: page.sealedValue, to: target)
                page.sealedValue = Double(bitPattern: page.values[count &- 1])
                return UnsafeRawBufferPointer(start: target, count: length)
            }
            if let chunk = page.chunks.last, chunk.blockCount < FloatChunk.blockLimit {
                let (span, overflow) = last.subtractingReportingOverflow(chunk.first)
                if !overflow, span <= Int64(UInt32.max) {
                    let offset = UInt32(truncatingIfNeeded: page.tailBase &- chunk.first)
                    let longer = FloatChunk(chunk, adding: block(offset), last: last)
                    totals.byteCount += longer.byteCount - chunk.byteCount
                    page.chunks[page.chunks.count - 1] = longer
                    return
                }
            }
            let chunk = FloatChunk(block: block(0), first: page.tailBase, last: last)
            totals.byteCount += chunk.byteCount
            page.chunks.append(chunk)
        }
        if page.hasStarts {
            page.forgetStarts()
            totals.byteCount -= FloatBlock.sampleLimit * 8
        }
        slots[place].tailCount = 0
    }

    // MARK: Histograms

    /// Appends a native histogram.
    mutating func append(
        _ reference: SeriesReference, _ time: Int64, _ histogram: FloatHistogram, start: Int64
    ) -> AppendOutcome {
        guard let place = place(of: reference) else { return .unknownSeries }
        guard time >= horizon else { return .tooOld }
        guard time <= ahead else { return .tooFarAhead }
        guard isWellFormed(histogram) else { return .malformedHistogram }
        if !slots[place].isEmpty, time <= slots[place].lastTime {
            guard time == slots[place].lastTime else { return .outOfOrder }
            guard slots[place].endsWithHistogram,
                let latest = slots[place].page?.histograms.last?.latest,
                latest.isSame(as: histogram)
            else { return .duplicateTimestamp }
            return .alreadyThere
        }
        put(histogram, at: time, start: start, place)
        return .appended
    }

    private func isWellFormed(_ histogram: FloatHistogram) -> Bool {
        let limit = limits.histogramBucketLimit
        guard histogram.positiveSpans.count <= limit, histogram.negativeSpans.count <= limit,
            histogram.customBounds.count <= limit,
            let counts = HistogramChunk.Layout(histogram).bucketCounts(limit: limit),
            histogram.isValid
        else { return false }
        return counts.positive == histogram.positiveBuckets.count
            && counts.negative == histogram.negativeBuckets.count
    }

    private mutating func put(
        _ histogram: FloatHistogram, at time: Int64, start: Int64, _ place: Int
    ) {
        guard let page = ownPage(place) else { return }
        let newest = page.histograms.count - 1
        if newest >= 0, page.histograms[newest].takes(histogram) {
            let former = page.histograms[newest].byteCount
            page.histograms[newest].append(histogram, at: time, start: start)
            totals.byteCount += page.histograms[newest].byteCount - former
        } else {
            if newest >= 0 { page.histograms[newest].close() }
            let chunk = HistogramChunk(histogram, at: time, start: start)
            totals.byteCount += chunk.byteCount
            page.histograms.append(chunk)
        }
        note(time, place, isHistogram: true)
    }
}

extension FloatHistogram {
    /// Whether two histograms agree to the last bit.
    func isSame(as other: FloatHistogram) -> Bool {
        func agree(_ left: [Double], _ right: [Double]) -> Bool {
            left.lazy.map(\.bitPattern).elementsEqual(right.lazy.map(\.bitPattern))
        }
        return HistogramChunk.Layout(self) == HistogramChunk.Layout(other)
            && counterResetHint == other.counterResetHint
            && agree([count, zeroCount, sum], [other.count, other.zeroCount, other.sum])
            && agree(positiveBuckets, other.positiveBuckets)
            && agree(negativeBuckets, other.negativeBuckets)
    }
}

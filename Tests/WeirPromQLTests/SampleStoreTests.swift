import Testing
import WeirTesting

@testable import WeirPromQL

@Suite("A store of samples") struct SampleStoreTests {
    // MARK: Order

    @Test func `takes samples as Prometheus' head does`() throws {
        let store = SampleStore()
        let series = try store.reference(for: [("__name__", "up")])
        #expect(store.append(series, at: 10, 1) == .appended)
        #expect(store.append(series, at: 10, 1) == .alreadyThere)
        #expect(store.append(series, at: 10, 2) == .duplicateTimestamp)
        #expect(store.append(series, at: 9, 1) == .outOfOrder)
        #expect(store.append(series, at: 11, -0.0) == .appended)
        #expect(store.append(series, at: 11, 0.0) == .duplicateTimestamp)
        #expect(store.append(series, at: 12, SampleMark.stale) == .appended)
        #expect(store.append(series, at: 12, SampleMark.stale) == .alreadyThere)
        #expect(store.append(series, at: 12, SampleMark.ordinaryNaN) == .duplicateTimestamp)
        #expect(store.append(series, at: 12, FloatHistogram()) == .duplicateTimestamp)
        #expect(store.append(series, at: 13, FloatHistogram()) == .appended)
        #expect(store.append(series, at: 13, FloatHistogram()) == .alreadyThere)
        #expect(store.append(series, at: 13, 0) == .duplicateTimestamp)
        let totals = store.totals
        #expect(totals.sampleCount(.appended) == 4)
        #expect(totals.sampleCount(.alreadyThere) == 3)
        #expect(totals.sampleCount(.duplicateTimestamp) == 5)
        #expect(totals.sampleCount(.outOfOrder) == 1)
    }

    @Test func `ends a series of histograms with a histogram`() throws {
        let store = SampleStore()
        let series = try store.reference(for: [("id", "a")])
        _ = store.append(series, at: 1, FloatHistogram())
        #expect(store.append(series, at: 2, SampleMark.stale) == .appended)
        let samples = try store.samples(id: "a")
        #expect(samples.floats.isEmpty)
        #expect(samples.histogramTimes == [1, 2])
        #expect(SampleMark.isStale(samples.histograms[1].sum))
    }

    @Test func `refuses histograms whose buckets are not what their spans say`() throws {
        var limits = StoreLimits()
        limits.histogramBucketLimit = 4
        let store = SampleStore(limits)
        let series = try store.reference(for: [("id", "a")])
        var histogram = FloatHistogram()
        histogram.positiveSpans = [FloatHistogram.Span(offset: 0, length: 2)]
        histogram.positiveBuckets = [1]
        #expect(store.append(series, at: 1, histogram) == .malformedHistogram)
        histogram.positiveSpans = [FloatHistogram.Span(offset: 0, length: .max)]
        #expect(store.append(series, at: 1, histogram) == .malformedHistogram)
        histogram.positiveSpans = [FloatHistogram.Span(offset: 0, length: 5)]
        histogram.positiveBuckets = [1, 1, 1, 1, 1]
        #expect(store.append(series, at: 1, histogram) == .malformedHistogram)
        #expect(store.totals.sampleCount == 0)
    }

    @Test func `appends a scrape at once and tells what was refused`() throws {
        let store = SampleStore()
        var series = try (0..<5_000).map { try store.reference(for: [("id", "\($0)")]) }
        _ = store.append(series[4_990], at: 100, 1)
        series[4_999] = SeriesReference(slot: 9_999, generation: 0)
        let values = [Double](repeating: 7, count: 5_000)
        let refused = series.withUnsafeBufferPointer { series in
            values.withUnsafeBufferPointer { store.append(at: 50, $0, to: series) }
        }
        #expect(refused.map(\.place) == [4_990, 4_999])
        #expect(refused.map(\.outcome) == [.outOfOrder, .unknownSeries])
        #expect(store.totals.sampleCount(.appended) == 4_999)
    }

    // MARK: Retention

    @Test func `refuses samples that are too old or too far ahead of the clock it was told`() throws
    {
        let store = SampleStore()
        let series = try store.reference(for: [("id", "a")])
        let now: Int64 = 1_700_000_000_000
        store.advance(to: now)
        #expect(store.append(series, at: now - 3 * 3_600_000 - 1, 1) == .tooOld)
        #expect(store.append(series, at: now - 3 * 3_600_000, 1) == .appended)
        #expect(store.append(series, at: now + 600_001, 1) == .tooFarAhead)
        #expect(store.append(series, at: .max, 1) == .tooFarAhead)
        #expect(store.append(series, at: now + 600_000, 1) == .appended)
    }

    @Test func `stands clocks at the ends of time`() throws {
        let store = SampleStore()
        let series = try store.reference(for: [("id", "a")])
        _ = store.append(series, at: 0, 1)
        store.expire(now: 0)
        #expect(store.totals.seriesCount == 1)
        store.expire(now: .max)
        #expect(store.totals.seriesCount == 0)
        store.expire(now: .min)
        #expect(store.append(series, at: .max, 1) == .unknownSeries)
        #expect(store.totals.expiredSampleCount == 1)
    }

    @Test func `does not keep for ever what lies farther ahead than it keeps samples`() throws {
        let store = SampleStore()
        let near = try store.reference(for: [("id", "near")])
        let far = try store.reference(for: [("id", "far")])
        let keep: Int64 = 3 * 3_600_000
        // Before the clock was told, as from a snapshot that a wrong clock has written.
        #expect(store.append(near, at: 1_000 + keep, 1) == .appended)
        #expect(store.append(far, at: 1_001 + keep, 1) == .appended)
        store.expire(now: 1_000)
        #expect(store.labelValues(of: "id") == ["near"])
        #expect(store.totals.expiredSampleCount == 1)
    }

    @Test func `does not keep a series that never got a sample`() throws {
        let store = SampleStore()
        _ = try store.reference(for: [("id", "a")])
        store.expire(now: 0)
        #expect(store.totals.seriesCount == 1)
        store.expire(now: 4 * 3_600_000)
        #expect(store.totals.seriesCount == 0)
        #expect(store.labelNames() == [])
    }

    @Test func `forgets the oldest chunks of all when it has too many bytes`() throws {
        var random = SeededGenerator(announcing: "SampleStoreTests.bytes")
        var limits = StoreLimits()
        limits.byteLimit = 400_000
        let store = SampleStore(limits)
        let series = try (0..<100).map { try store.reference(for: [("id", "\($0)")]) }
        for step in 0..<2_000 {
            for series in series {
                let value = Double.random(in: 0...1, using: &random)
                #expect(store.append(series, at: Int64(step) * 15_000, value) == .appended)
            }
            #expect(store.totals.byteCount <= limits.byteLimit + 100_000)
        }
        let totals = store.totals
        #expect(totals.evictedSampleCount > 100_000)
        #expect(UInt64(totals.sampleCount) + totals.evictedSampleCount == 200_000)
        let oldest = try (0..<100).map { try store.samples(id: "\($0)").floatTimes.first ?? 0 }
        let edge = try #require(oldest.min())
        #expect(edge > 1_000 * 15_000)
        #expect((oldest.max() ?? 0) - edge <= 128 * 15_000)
    }

    @Test func `accounts for every byte and sample that it forgets`() throws {
        var random = SeededGenerator(announcing: "SampleStoreTests.accounts")
        var limits = StoreLimits()
        limits.byteLimit = 200_000
        let store = SampleStore(limits)
        let bare = store.totals.byteCount
        for step in 0..<1_000 {
            for number in 0..<40 {
                let series = try store.reference(for: [("id", "\(number)")])
                let time = Int64(step) * 15_000
                if number % 4 == 0 {
                    let histogram = FloatHistogram.random(after: nil, &random)
                    #expect(store.append(series, at: time, histogram) == .appended)
                } else {
                    let start = number % 3 == 0 ? time : 0
                    let value = Double.random(in: 0...1, using: &random)
                    #expect(store.append(series, at: time, value, start: start) == .appended)
                }
            }
        }
        let full = store.totals
        #expect(full.byteCount <= limits.byteLimit + limits.byteLimit / 16 + 10_000)
        #expect(full.evictedSampleCount > 10_000)
        #expect(UInt64(full.sampleCount) + full.evictedSampleCount == 40_000)
        let found = try (0..<40).reduce(0) { count, number in
            let samples = try store.samples(id: "\(number)")
            return count + samples.floats.count + samples.histograms.count
        }
        #expect(found == full.sampleCount)
        store.expire(now: 1_000 * 15_000 + 4 * 3_600_000)
        #expect(store.totals.seriesCount == 0)
        #expect(store.totals.sampleCount == 0)
        let texts = store.symbols.snapshot().dropFirst(Symbol.reserved.count)
        let symbols = texts.reduce(0) { $0 + StoreState.byteCount(of: $1) }
        #expect(store.totals.byteCount == bare + symbols)
    }

    @Test func `refuses series that would not fit, and takes them when there is room again`() throws
    {
        var limits = StoreLimits()
        limits.byteLimit = 100_000
        let store = SampleStore(limits)
        var count = 0
        #expect(throws: SeriesRefusal.byteLimit) {
            for number in 0..<10_000 {
                let series = try store.reference(for: [("id", "\(number)")])
                _ = store.append(series, at: 0, 1)
                count += 1
            }
        }
        #expect(count > 50)
        #expect(store.totals.byteCount <= limits.byteLimit)
        #expect(store.totals.refusedSeriesCount(.byteLimit) == 1)
        store.expire(now: 4 * 3_600_000)
        #expect(store.totals.removedSeriesCount == UInt64(count))
        _ = try store.reference(for: [("id", "new")])
    }

    // MARK: Limits

    @Test(
        "refuses series over a limit, and says which",
        arguments: [
            (SeriesRefusal.noLabels, [("id", "")]),
            (.labelCount, [("a", "1"), ("b", "1"), ("c", "1"), ("d", "1")]),
            (.labelNameLength, [("abcdefghi", "1")]),
            (.labelValueLength, [("a", "123456789")]),
            (.repeatedLabel, [("a", "1"), ("a", "2")]),
        ])
    func refusals(_ refusal: SeriesRefusal, _ labels: [(String, String)]) throws {
        var limits = StoreLimits()
        limits.labelCountLimit = 3
        limits.labelNameByteLimit = 8
        limits.labelValueByteLimit = 8
        let store = SampleStore(limits)
        #expect(throws: refusal) {
            try store.reference(for: labels.map { (name: $0.0, value: $0.1) })
        }
        #expect(store.totals.refusedSeriesCount(refusal) == 1)
        #expect(store.totals.seriesCount == 0)
    }

    @Test func `refuses more series than it may have, but none that it has`() throws {
        var limits = StoreLimits()
        limits.seriesLimit = 2
        let store = SampleStore(limits)
        let first = try store.reference(for: [("b", "1"), ("a", "1"), ("c", "")])
        _ = try store.reference(for: [("a", "2")])
        let symbolCount = store.symbols.snapshot().count
        #expect(throws: SeriesRefusal.seriesLimit) { try store.reference(for: [("a", "3")]) }
        #expect(store.symbols.snapshot().count == symbolCount)
        #expect(try store.reference(for: [("a", "1"), ("b", "1")]) == first)
    }

    // MARK: Symbols

    @Test func `forgets symbols that nothing uses, and queries that run do not notice`() throws {
        let store = SampleStore()
        let kept = try store.reference(for: [("id", "kept"), ("z", "1")])
        for number in 0..<12_000 {
            let series = try store.reference(for: [("id", "gone \(number)")])
            _ = store.append(series, at: 0, 1)
        }
        let now: Int64 = 4 * 3_600_000
        _ = store.append(kept, at: now, 5)
        let view = store.view()
        let symbols = QuerySymbols(view.symbols)
        store.expire(now: now)
        #expect(store.totals.symbolRebuildCount == 1)
        #expect(store.symbols !== view.symbols)
        #expect(store.symbols.snapshot().count < 20)
        let selected = view.select(
            [try SampleStore.matcher("z", .equal, "1")], from: .min, through: .max)
        #expect(
            selected.map { "\(symbols.pairs(of: $0.labels))" } == [
                "\([(name: "id", value: "kept"), (name: "z", value: "1")])"
            ])
        #expect(try store.samples(id: "kept").floats == [5])
        #expect(store.append(kept, at: now + 1, 6) == .appended)
        #expect(try store.reference(for: [("z", "1"), ("id", "kept")]) == kept)
    }
}

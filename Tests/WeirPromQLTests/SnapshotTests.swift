import Testing
import WeirCore
import WeirTesting

@testable import WeirPromQL

extension SnapshotWriter {
    /// All frames one behind the other, and where each begins.
    fileprivate mutating func frames() -> [[UInt8]] {
        var frames: [[UInt8]] = []
        while let frame = next() { frames.append(frame) }
        return frames
    }
}

@Suite("A snapshot of a store") struct SnapshotTests {
    /// A store with series of all kinds.
    private func filledStore(
        _ random: inout SeededGenerator, seriesCount: Int, sampleCount: Int
    ) throws -> SampleStore {
        let store = SampleStore()
        store.setMetadata(MetricMetadata(kind: .counter, help: "Requests."), of: "requests_total")
        for number in 0..<seriesCount {
            let series = try store.reference(
                for: [("__name__", "requests_total"), ("id", "s\(number)"), ("zone", "ä\u{1F600}")])
            let kind = random.pick(SampleKind.allCases)
            var value = 0.0
            var histogram: FloatHistogram?
            for place in 0..<random.number(1...sampleCount) {
                let time = Int64(place) * 15_000 + Int64(random.number(0...3))
                let start = number % 5 == 0 ? Int64(number) : 0
                if number % 4 == 3 {
                    let next = FloatHistogram.random(after: histogram, &random)
                    _ = store.append(series, at: time, next, start: start)
                    histogram = next
                } else {
                    value = kind.next(after: value, &random)
                    _ = store.append(series, at: time, value, start: start)
                }
            }
        }
        return store
    }

    private func restored(_ bytes: [UInt8]) -> (store: SampleStore, report: SnapshotReport) {
        let store = SampleStore()
        let report = bytes.withUnsafeBytes { store.restore($0) }
        return (store, report)
    }

    /// How many of a store's series are in another, and whether those are the same to the last bit.
    private func expectSame(_ store: SampleStore, as whole: SampleStore) -> Int {
        let symbols = QuerySymbols(store.symbols)
        let wholeSymbols = QuerySymbols(whole.symbols)
        var known: [String: any SelectedSeries] = [:]
        for series in whole.select([], from: .min, through: .max) {
            known["\(wholeSymbols.pairs(of: series.labels))"] = series
        }
        let found = store.select([], from: .min, through: .max)
        for series in found {
            let name = "\(symbols.pairs(of: series.labels))"
            var mine = SampleBuffer()
            var other = SampleBuffer()
            series.read(from: .min, through: .max, into: &mine)
            known[name]?.read(from: .min, through: .max, into: &other)
            #expect(known[name] != nil, "\(name)")
            #expect(mine.floatTimes == other.floatTimes, "\(name)")
            #expect(mine.floats.map(\.bitPattern) == other.floats.map(\.bitPattern), "\(name)")
            #expect(mine.histogramTimes == other.histogramTimes, "\(name)")
            #expect(mine.floatStarts == other.floatStarts, "\(name)")
            #expect(mine.histogramStarts == other.histogramStarts, "\(name)")
            let agree = mine.histograms.elementsEqual(other.histograms) { $0.isSame(as: $1) }
            #expect(agree, "\(name)")
        }
        return found.count
    }

    @Test func `brings everything back, and the store goes on`() throws {
        var random = SeededGenerator(announcing: "SnapshotTests.whole")
        let store = try filledStore(&random, seriesCount: 200, sampleCount: 300)
        var writer = store.snapshot()
        let (copy, report) = restored(writer.frames().flatMap { $0 })
        #expect(report.isWhole)
        #expect(report.seriesCount == 200)
        #expect(report.sampleCount == store.totals.sampleCount)
        #expect(expectSame(copy, as: store) == 200)
        #expect(copy.metadata == store.metadata)
        #expect(copy.totals.byteCount == store.totals.byteCount)
        let labels = [("__name__", "requests_total"), ("id", "s0"), ("zone", "ä\u{1F600}")]
        let first = try store.reference(for: labels)
        let second = try copy.reference(for: labels)
        let former = try store.samples(id: "s0")
        let last = try #require(former.floatTimes.last)
        let value = try #require(former.floats.last)
        #expect(copy.append(second, at: last, value) == .alreadyThere)
        #expect(
            copy.append(second, at: last, value + 1) == store.append(first, at: last, value + 1))
        #expect(copy.append(second, at: last - 1, value) == .outOfOrder)
        for step in 1...100 {
            let time = last + Int64(step)
            #expect(copy.append(second, at: time, Double(step)) == .appended)
            #expect(store.append(first, at: time, Double(step)) == .appended)
        }
        #expect(expectSame(copy, as: store) == 200)
        #expect(copy.totals.sampleCount == store.totals.sampleCount)
    }

    @Test func `is the store of one moment, whatever is appended while it is written`() throws {
        var random = SeededGenerator(announcing: "SnapshotTests.moment")
        let store = try filledStore(&random, seriesCount: 100, sampleCount: 40)
        let count = store.totals.sampleCount
        var writer = store.snapshot()
        var bytes = writer.next() ?? []
        for number in 0..<100 {
            let series = try store.reference(
                for: [
                    ("__name__", "requests_total"), ("id", "s\(number)"), ("zone", "ä\u{1F600}"),
                ])
            for step in 0..<100 {
                _ = store.append(series, at: 1_000_000_000 + Int64(step), Double(step))
            }
        }
        while let frame = writer.next() { bytes += frame }
        let report = restored(bytes).report
        #expect(report.isWhole)
        #expect(report.sampleCount == count)
    }

    @Test func `loses only the frame whose bit was flipped, and says so`() throws {
        var random = SeededGenerator(announcing: "SnapshotTests.flips")
        let store = try filledStore(&random, seriesCount: 200, sampleCount: 40)
        var writer = store.snapshot()
        let frames = writer.frames()
        #expect(frames.count == 7)
        let time = FuzzTime(shared: 3)
        repeat {
            var broken = frames
            let frame = random.number(0...(frames.count - 1))
            let place = random.number(0...(frames[frame].count - 1))
            broken[frame][place] ^= 1 << UInt8(random.number(0...7))
            let (copy, report) = restored(broken.flatMap { $0 })
            #expect(!report.isWhole)
            #expect(report.frameCount == frames.count - 1)
            let lost = (1...4).contains(frame) ? (frame == 4 ? 200 - 192 : 64) : 0
            #expect(report.seriesCount == 200 - lost)
            #expect(report.lostSeriesCount == lost)
            #expect(expectSame(copy, as: store) == 200 - lost)
        } while time.isLeft
    }

    @Test func `keeps what was whole when it is cut anywhere`() throws {
        var random = SeededGenerator(announcing: "SnapshotTests.cuts")
        let store = try filledStore(&random, seriesCount: 70, sampleCount: 6)
        var writer = store.snapshot()
        let bytes = writer.frames().flatMap { $0 }
        for length in 0..<bytes.count {
            let (copy, report) = restored(Array(bytes.prefix(length)))
            let isWhole = report.isWhole && report.frameCount == 5
            #expect(!isWhole, "\(length)")
            let count = copy.totals.seriesCount
            #expect(count == 0 || count == 64 || count == 70, "\(length)")
            #expect(report.seriesCount == count)
        }
    }

    @Test func `whose payload was written by someone else does no harm`() throws {
        var random = SeededGenerator(announcing: "SnapshotTests.fuzz")
        let store = try filledStore(&random, seriesCount: 8, sampleCount: 60)
        var writer = store.snapshot()
        let frames = writer.frames()
        let time = FuzzTime(shared: 3)
        repeat {
            var bytes: [UInt8] = []
            for frame in frames {
                let payload = random.mutated(
                    Array(frame.dropFirst(Snapshot.headByteCount)),
                    with: [0, 1, 2, 0x7f, 0x80, 0xff, 32, 33], byteLimit: 1 << 16)
                let kind = Snapshot.Kind(rawValue: frame[4]) ?? .series
                bytes += random.once(in: 9) ? frame : Snapshot.frame(kind, payload)
            }
            let (copy, report) = restored(bytes)
            #expect(copy.totals.seriesCount <= report.seriesCount)
            for series in copy.select([], from: .min, through: .max) {
                var buffer = SampleBuffer()
                series.read(from: .min, through: .max, into: &buffer)
                let ascends = zip(buffer.floatTimes, buffer.floatTimes.dropFirst()).allSatisfy(<)
                #expect(ascends)
            }
            #expect(copy.totals.byteCount < bytes.count * 100 + 100_000)
            copy.expire(now: 1_700_000_000_000)
        } while time.isLeft
    }

    @Test func `of random bytes is nothing but lost bytes`() {
        var random = SeededGenerator(announcing: "SnapshotTests.noise")
        let time = FuzzTime(shared: 3)
        repeat {
            var bytes = (0..<random.number(0...4_000)).map { _ in UInt8(random.number(0...255)) }
            for _ in 0..<random.number(0...20) {
                let place = random.number(0...bytes.count)
                bytes.insert(contentsOf: Snapshot.mark, at: place)
            }
            let (copy, report) = restored(bytes)
            #expect(report.lostByteCount == bytes.count)
            #expect(copy.totals.seriesCount == 0)
        } while time.isLeft
    }

    @Test func `of a later version is left alone`() throws {
        let store = SampleStore()
        _ = store.append(try store.reference(for: [("id", "a")]), at: 1, 1)
        var writer = store.snapshot()
        var bytes: [UInt8] = []
        for frame in writer.frames() {
            var head = Array(frame.prefix(16))
            head[5] = 2
            head.append(word: head.withUnsafeBytes { CRC32C.checksum($0) })
            bytes += head + frame.dropFirst(Snapshot.headByteCount)
        }
        let (copy, report) = restored(bytes)
        #expect(report.foreignFrameCount == 4)
        #expect(copy.totals.seriesCount == 0)
        #expect(!report.isWhole)
    }
}

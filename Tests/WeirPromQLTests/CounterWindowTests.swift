import Testing
import WeirTesting

@testable import WeirPromQL

@Suite("What a counter did in a window") struct CounterWindowTests {
    /// The same from all samples of the window, read one by one.
    private func plain(_ series: any SelectedSeries, _ first: Int64, _ last: Int64) -> CounterWindow
    {
        var buffer = SampleBuffer()
        series.read(from: first, through: last, into: &buffer)
        var window = CounterWindow()
        for (time, value) in zip(buffer.floatTimes, buffer.floats) { window.add(value, at: time) }
        return window
    }

    private func isSame(_ left: CounterWindow, _ right: CounterWindow) -> Bool {
        left.count == right.count && left.firstTime == right.firstTime
            && left.firstValue == right.firstValue && left.lastTime == right.lastTime
            && left.lastValue == right.lastValue && left.lost == right.lost
    }

    private func series(_ samples: [(Int64, Double)]) throws -> any SelectedSeries {
        let store = SampleStore()
        let reference = try store.reference(for: [("__name__", "requests_total")])
        for (time, value) in samples {
            #expect(store.append(reference, at: time, value) == .appended)
        }
        let matcher = LabelMatcher(name: "__name__", operation: .equal, value: "requests_total")
        return try #require(
            store.select([try CompiledMatcher(matcher)], from: .min, through: .max).first)
    }

    @Test func `is told of a counter that never falls, whatever the window`() throws {
        let series = try series((0..<500).map { (Int64($0) * 15_000, Double($0 * 7)) })
        for length in [Int64(60_000), 300_000, 3_600_000, 7_200_000] {
            for end in stride(from: Int64(-20_000), to: 8_000_000, by: 47_000) {
                let window = try #require(
                    series.counterWindow(from: end - length, through: end))
                #expect(isSame(window, plain(series, end - length, end)))
                #expect(window.lost == 0)
            }
        }
    }

    @Test func `is the same as from every sample, or not told`() throws {
        var random = SeededGenerator(announcing: "CounterWindowTests")
        var toldCount = 0
        for _ in 0..<60 {
            let resetChance = random.pick([0, 0, 400, 40, 4])
            var time: Int64 = 0
            var value = 0.0
            let samples = (0..<random.number(1...400)).map { _ in
                time += Int64(random.number(1...30_000))
                value += Double(random.number(0...50)) / random.pick([1, 1, 10, 7])
                if resetChance > 0, random.once(in: resetChance) { value = 0 }
                return (time, value)
            }
            let series = try series(samples)
            for _ in 0..<60 {
                let first = Int64(random.number(-10_000...Int(time)))
                let last = first + Int64(random.number(0...Int(time)))
                guard let window = series.counterWindow(from: first, through: last) else {
                    continue
                }
                toldCount += 1
                #expect(isSame(window, plain(series, first, last)), "\(first)...\(last)")
            }
        }
        #expect(toldCount > 1_500)
    }

    @Test("is not told where samples are no numbers", arguments: [Double.nan, SampleMark.stale])
    func gaps(_ odd: Double) throws {
        var samples = (0..<200).map { (Int64($0) * 1_000, Double($0)) }
        samples[50].1 = odd
        samples[190].1 = odd
        let series = try series(samples)
        #expect(series.counterWindow(from: 0, through: 199_000) == nil)
        #expect(series.counterWindow(from: 150_000, through: 199_000) == nil)
        #expect(series.counterWindow(from: 100_000, through: 150_000)?.count == 51)
    }

    @Test func `does not believe a block from outside that says it ascends`() throws {
        let times: [UInt32] = [0, 1_000, 2_000]
        let values = [3.0, 2, 1].map(\.bitPattern)
        var bytes = [UInt8](repeating: 0, count: FloatBlock.byteLimit)
        let count = try times.withUnsafeBufferPointer { times in
            try values.withUnsafeBufferPointer { values in
                try bytes.withUnsafeMutableBytes { room in
                    FloatBlock.encode(
                        FloatBlock.Samples(
                            times: try #require(times.baseAddress),
                            values: try #require(values.baseAddress), starts: nil, count: 3),
                        offset: 0, after: -.infinity, to: try #require(room.baseAddress))
                }
            }
        }
        func chunk() -> FloatChunk? {
            bytes.withUnsafeBytes {
                FloatChunk(untrusted: UnsafeRawBufferPointer(rebasing: $0[..<count]), first: 0)
            }
        }
        #expect(chunk() != nil)
        bytes[7] = 1
        #expect(chunk() == nil)
    }
}

import Synchronization
import Testing
import WeirCore
import WeirTesting

@testable import WeirPromQL

@Suite("A store that several threads use") struct SampleStoreThreadTests {
    private static let seriesCount = 60
    private static let readerCount = 3
    private static let steps = 1_500

    /// The value of a series at a step: what every reader can check.
    private static func value(_ series: Int, _ step: Int) -> Double {
        series % 3 == 0 ? Double(series * 1_000_000 + step * 7) : Double(step) / Double(series + 1)
    }

    /// Reads all series until the appender is done, and counts what is not as it was appended.
    private static func read(_ store: SampleStore, _ isDone: borrowing Atomic<Bool>) -> Int {
        var mistakes = 0
        var buffer = SampleBuffer()
        repeat {
            let view = store.view()
            let symbols = QuerySymbols(view.symbols)
            let selected = view.select([], from: .min, through: .max)
            for series in selected {
                let pairs = symbols.pairs(of: series.labels)
                guard
                    let number = pairs.first(where: { $0.name == "id" }).flatMap({ Int($0.value) })
                else { continue }
                buffer.removeAll()
                series.read(from: .min, through: .max, into: &buffer)
                // Read twice: what a query has selected does not change under it.
                let count = buffer.floats.count + buffer.histograms.count
                series.read(from: .min, through: .max, into: &buffer)
                if buffer.floats.count + buffer.histograms.count != 2 * count { mistakes += 1 }
                for (time, value) in zip(buffer.floatTimes, buffer.floats)
                where value != Self.value(number, Int(time)) {
                    mistakes += 1
                }
                for (time, histogram) in zip(buffer.histogramTimes, buffer.histograms)
                where histogram.count != Double(time) {
                    mistakes += 1
                }
            }
        } while !isDone.load(ordering: .acquiring)
        return mistakes
    }

    private static func append(_ store: SampleStore) throws {
        let series = try (0..<seriesCount).map { number in
            try store.reference(for: [("__name__", "up"), ("id", "\(number)")])
        }
        for step in 1...steps {
            for (number, reference) in series.enumerated() {
                let time = Int64(step)
                if number % 10 == 9, step % 2 == 0 {
                    var histogram = FloatHistogram()
                    histogram.count = Double(step)
                    _ = store.append(reference, at: time, histogram)
                } else {
                    let start: Int64 = number % 7 == 0 && step % 3 == 0 ? 1 : 0
                    _ = store.append(reference, at: time, value(number, step), start: start)
                }
            }
            if step % 20 == 0 {
                for other in 0..<20 {
                    let gone = try store.reference(for: [("gone", "\(step) \(other)")])
                    _ = store.append(gone, at: Int64(step), 1)
                }
                store.expire(now: Int64(step) + 3 * 3_600_000 - 150)
            }
        }
    }

    @Test func `gives every query the samples of one moment`() async throws {
        var limits = StoreLimits()
        limits.aheadLimit = .seconds(1_000_000)
        let store = SampleStore(limits)
        let isDone = SharedFlag()
        let (mistakes, counts) = AsyncStream<Int>.makeStream()
        // Threads of their own: readers that wait for the appender must not take its thread.
        for _ in 0..<Self.readerCount {
            WorkerThread.start("reader") { counts.yield(Self.read(store, isDone.value)) }
        }
        WorkerThread.start("appender") {
            do {
                try Self.append(store)
                counts.yield(0)
            } catch {
                counts.yield(1)
            }
            isDone.value.store(true, ordering: .releasing)
        }
        let sum = await mistakes.prefix(Self.readerCount + 1).reduce(0, +)
        #expect(sum == 0)
        #expect(store.totals.sampleCount(.appended) >= UInt64(Self.seriesCount * Self.steps))
        #expect(store.totals.removedSeriesCount > 300)
    }
}

/// A flag that several tasks see.
private final class SharedFlag: Sendable {
    let value = Atomic<Bool>(false)
}

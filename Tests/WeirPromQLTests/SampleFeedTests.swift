import Testing
import WeirCore
import WeirMetrics
import WeirTesting

@testable import WeirPromQL

@Suite("A feed of remote write") struct SampleFeedTests {
    /// Requests as a sampler of a registry makes them.
    private func requests(_ fill: (SeriesGroup) -> Void) throws -> [[UInt8]] {
        let registry = Registry()
        let catalog = SeriesCatalog(registry: registry)
        let group = try catalog.group(
            SeriesGroup.Declaration(
                labelNames: ["code"],
                families: [
                    FamilyDeclaration(name: "requests_total", help: "Requests.", kind: .counter),
                    FamilyDeclaration(
                        name: "duration", help: "Duration.", kind: .histogram(bounds: [1, 10])),
                    FamilyDeclaration(name: "fine", help: "Fine.", kind: .nativeHistogram()),
                ]))
        catalog.activate()
        fill(group)
        let sampler = RemoteWriteSampler(registry, RemoteWriteSampler.Options())
        var bodies: [[UInt8]] = []
        for second in [1_000, 1_015] {
            _ = sampler.sample(now: Timestamp(seconds: Int64(second))) { bodies.append($0.body) }
        }
        return bodies
    }

    private func observe(_ group: SeriesGroup) {
        group.shard(named: "test").update(now: Timestamp(seconds: 1_000)) { table in
            var values = LabelValues(labelCount: 1)
            values.append("200")
            let index = table.index(of: values)
            table.add(7, to: index, family: 0)
            for value in [0.5, 5, 50] {
                table.observe(value, at: index, family: 1)
                table.observe(value, at: index, family: 2)
            }
        }
    }

    private func value(_ query: String, _ store: SampleStore) throws -> Double? {
        let result = try QueryEngine().instant(
            try QueryParser.parse(query), at: 1_015_000, over: store.view())
        guard case .vector(let series) = result.value else { return nil }
        #expect(series.count <= 1)
        return series.first?.points.first?.value
    }

    @Test func `makes what a sampler sends ready for queries`() throws {
        let store = SampleStore()
        let feed = SampleFeed(store)
        var taken = 0
        for body in try requests(observe) {
            let report = try #require(body.withUnsafeBytes { feed.take($0) })
            #expect(report.isWhole && report.refused.isEmpty && report.refusedSeries == 0)
            taken += report.taken
        }
        // A counter, five series of a histogram and a native histogram, twice; and before the
        // first the zero that a float series begins with.
        #expect(taken == 2 * (1 + 5 + 1) + (1 + 5))
        #expect(try value(#"requests_total{code="200"}"#, store) == 7)
        #expect(try value(#"duration_bucket{le="10.0"}"#, store) == 2)
        #expect(try value("duration_sum", store) == 55.5)
        #expect(try value("histogram_count(fine)", store) == 3)
        #expect(try value("histogram_sum(fine)", store) == 55.5)
        #expect(store.metadata["requests_total"]?.kind == .counter)
        #expect(store.metadata["duration"]?.help == "Duration.")
    }

    @Test func `counts what the store refuses`() throws {
        let store = SampleStore()
        let feed = SampleFeed(store)
        var late = 0
        for body in try requests(observe).reversed() {
            let report = try #require(body.withUnsafeBytes { feed.take($0) })
            late += report.refused[.outOfOrder] ?? 0
        }
        #expect(late > 0)
    }

    @Test func `refuses what is no request, whatever it is`() throws {
        var random = SeededGenerator(announcing: "remote write requests")
        let whole = try requests(observe)[0]
        let time = FuzzTime()
        while time.isLeft {
            var bytes = whole
            switch Int.random(in: 0..<3, using: &random) {
            case 0: bytes = Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &random)))
            case 1:
                for _ in 0..<Int.random(in: 1...8, using: &random) {
                    let place = Int.random(in: 0..<bytes.count, using: &random)
                    bytes[place] = UInt8.random(in: 0...255, using: &random)
                }
            default:
                bytes = (0..<Int.random(in: 0..<200, using: &random)).map { _ in
                    UInt8.random(in: 0...255, using: &random)
                }
            }
            let feed = SampleFeed(SampleStore())
            let report = bytes.withUnsafeBytes { feed.take($0) }
            if let report { #expect(report.taken <= whole.count) }
        }
        // A length far beyond the limit is not believed.
        let bomb: [UInt8] = [0xff, 0xff, 0xff, 0xff, 0x7f, 0x00]
        #expect(bomb.withUnsafeBytes { SampleFeed(SampleStore()).take($0)?.taken } == nil)
    }
}

import Testing
import WeirTesting

@testable import WeirPromQL

@Suite("Any query, of any samples") struct EvaluatorFuzzTests {
    private static let start: Int64 = 1_700_000_000_000

    /// Series of all kinds, with all that numbers can be.
    private func store(_ random: inout SeededGenerator) throws -> SampleStore {
        let store = SampleStore()
        let odd: [Double] = [
            .nan, .infinity, -.infinity, 0, -0.0, .greatestFiniteMagnitude, .leastNonzeroMagnitude,
            -1e308, SampleMark.stale,
        ]
        for name in [
            "requests_total", "temperature", "latency_bucket", "sparse", "odd", "native", "custom",
            "mixed", "target_info",
        ] {
            for job in ["a", "b"] {
                for code in ["200", "503"] {
                    var labels = [
                        ("__name__", name), ("job", job), ("instance", "1"), ("code", code),
                    ]
                    if name == "latency_bucket" {
                        labels.append(("le", random.pick(["0.1", "1", "+Inf", "x", "NaN"])))
                    }
                    let series = try store.reference(for: labels.map { (name: $0.0, value: $0.1) })
                    var time = Self.start
                    var former: FloatHistogram?
                    for _ in 0..<random.number(0...120) {
                        time += Int64(random.pick([15_000, 15_000, 15_000, 1, 400_000]))
                        let isHistogram =
                            name == "native" || name == "custom"
                            || name == "mixed" && random.once(in: 2)
                        if isHistogram {
                            let histogram = FloatHistogram.random(after: former, &random)
                            _ = store.append(series, at: time, histogram)
                            former = histogram
                        } else {
                            let value =
                                random.once(in: 6)
                                ? random.pick(odd) : Double(random.number(-9...99))
                            _ = store.append(
                                series, at: time, value,
                                start: random.once(in: 9) ? time - 60_000 : 0)
                        }
                    }
                }
            }
        }
        return store
    }

    @Test func `ends, within its limits, and never in a trap`() throws {
        let seed = SeededGenerator(announcing: "EvaluatorFuzzTests")
        var random = seed
        var generator = QueryGenerator(seed, isWild: true)
        var store = try store(&random)
        let time = FuzzTime()
        var answerCount = 0
        var queryCount = 0
        while time.isLeft {
            if random.once(in: 200) { store = try self.store(&random) }
            queryCount += 1
            let query = generator.query()
            var options = QueryOptions()
            options.delaysNameRemoval = random.once(in: 2)
            options.usesStartTimes = random.once(in: 3)
            options.sampleLimit = random.pick([100, 10_000, 2_000_000])
            guard let expression = try? QueryParser.parse(query, options: .everything) else {
                continue
            }
            // What is printed is read as the same.
            #expect((try? QueryParser.parse(expression.formatted, options: .everything)) != nil)
            var looks = 0
            let isCancelled: () -> QueryError? = {
                looks += 1
                return looks > 200_000 ? QueryError("too long", kind: .timeout) : nil
            }
            let moment = Self.start + Int64(random.number(-600_000...3_600_000))
            let engine = QueryEngine(options: options)
            do throws(QueryError) {
                let result: QueryResult
                if random.once(in: 2) {
                    result = try engine.instant(
                        expression, at: moment, over: store.view(), isCancelled: isCancelled)
                } else {
                    let steps =
                        Steps(
                            from: moment, through: moment + 1_200_000,
                            every: Int64(random.number(1...300_000)), limit: 11_000)
                        ?? Steps(at: moment)
                    result = try engine.range(
                        expression, steps, over: store.view(), isCancelled: isCancelled)
                }
                answerCount += 1
                if case .matrix(let series) = result.value {
                    let count = series.reduce(0) { $0 + $1.points.count }
                    #expect(count <= options.sampleLimit)
                }
            } catch {
                #expect(error.kind != .timeout, "\(query)")
            }
        }
        print("\(queryCount) queries of any samples, \(answerCount) answered")
        #expect(answerCount > queryCount / 4)
    }
}

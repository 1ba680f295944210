import Glibc
import Testing
import WeirCore
import WeirHost
import WeirMetrics
import WeirPipeline
import WeirPromQL
import WeirTesting

@testable import WeirAgent

/// The same samples and the same queries to Weir and to a real Prometheus: the same answers.
@Suite(
    "Queries, held against a real Prometheus", .serialized,
    .enabled(if: TestPrograms.prometheus != nil, "needs `make deps-test`"))
struct PromQLDifferentialTests {
    private static let queryCount = 2_000
    /// The samples lie in the hour before.
    private static let start = SystemClock().now.seconds / 60 * 60 - 3_600

    @Test func `have the same answers, and are refused alike`() throws {
        let seed = SeededGenerator(announcing: "PromQL against Prometheus")
        let folder = try ScratchFolder()
        let program = try #require(TestPrograms.prometheus)
        let prometheus = try #require(
            try RunningPrometheus(
                program, config: "global: {}\n", folder,
                options: ["--web.enable-remote-write-receiver"]))
        let history = MetricsHistory(Registry(), MetricsHistory.Options(), clock: SystemClock())
        try load(into: prometheus, SampleFeed(history.store), seed)
        let api = QueryAPI(history: history, clock: SystemClock())
        var generator = QueryGenerator(seed)
        var problems: [String] = []
        var refusedCount = 0
        for number in 0..<Self.queryCount {
            let query = generator.query()
            let time = Self.start + Int64(600 + number * 37 % 2_700)
            let path =
                number % 3 == 0
                ? "query_range?start=\(time)&end=\(time + 300)&step=60"
                : "query?time=\(time)"
            let wanted = prometheus.api.answer(path + "&query=\(query.asQueryPart)")
            let found = Self.answer(path, query, api)
            if wanted?["status"] == .string("error") { refusedCount += 1 }
            if number % 20 == 0, let problem = Self.treeDifference(query, prometheus, api) {
                problems.append(problem)
            }
            if let problem = QueryAnswers.difference(wanted, found) {
                problems.append("\(path)\n  \(query)\n  \(problem)")
            }
        }
        #expect(
            problems.isEmpty, "\(problems.count)\n\(problems.prefix(15).joined(separator: "\n"))")
        print("\(Self.queryCount) queries, \(refusedCount) refused by both")
    }

    /// How the trees of a query differ.
    private static func treeDifference(
        _ query: String, _ prometheus: RunningPrometheus, _ api: QueryAPI
    ) -> String? {
        let wanted = prometheus.api.answer("parse_query?query=\(query.asQueryPart)")
        let found = answer("parse_query?x=", query, api)
        guard wanted?["status"] == found?["status"] else {
            return "parse_query of \(query): \(String(describing: wanted?["error"]))"
        }
        let texts = [wanted, found].map { JSONValueWriter.text($0?["data"] ?? .null) }
        return texts[0] == texts[1]
            ? nil : "the tree of \(query)\n  \(texts[1])\n  for \(texts[0])"
    }

    @Test(
        "of the world's rules are accepted and refused as by Prometheus",
        .enabled(if: !realRules.isEmpty, "needs the corpus of rules"))
    func rulesOfTheWorld() throws {
        var random = SeededGenerator(announcing: "real rules against Prometheus")
        let folder = try ScratchFolder()
        let program = try #require(TestPrograms.prometheus)
        let prometheus = try #require(
            try RunningPrometheus(program, config: "global: {}\n", folder))
        let history = MetricsHistory(Registry(), MetricsHistory.Options(), clock: SystemClock())
        let api = QueryAPI(history: history, clock: SystemClock())
        for _ in 0..<400 {
            let query = Self.realRules[Int.random(in: 0..<Self.realRules.count, using: &random)]
            let path = "query?time=\(Self.start)"
            let wanted = prometheus.api.answer(path + "&query=\(query.asQueryPart)")
            let difference = QueryAnswers.difference(wanted, Self.answer(path, query, api))
            #expect(difference == nil, "\(query)")
            #expect(Self.treeDifference(query, prometheus, api) == nil)
            let form = prometheus.api.answer("format_query?query=\(query.asQueryPart)")
            #expect(form?["data"] == Self.answer("format_query?x=", query, api)?["data"])
        }
    }

    /// The expressions of rules that others have written.
    private static let realRules = SharedCases.records("conformance/real-rules.jsonl").compactMap {
        $0["expr"]?.string
    }

    private static func answer(_ path: String, _ query: String, _ api: QueryAPI) -> Record? {
        let parts = path.split(separator: "?")
        let request = HTTPServer.Request(
            method: "GET", path: "/api/v1/\(parts[0])",
            query: "\(parts[1])&query=\(query.asQueryPart)", headers: [], body: [])
        guard let text = api.answer(request)?.text else { return nil }
        return JSONValueReader.value(of: text)?.object
    }

    // MARK: Samples

    private func load(
        into prometheus: RunningPrometheus, _ feed: SampleFeed, _ seed: SeededGenerator
    ) throws {
        var random = seed
        var request = WriteRequest()
        for job in ["a", "b", "bc"] {
            for instance in ["1", "2", "3"] {
                let labels = [("instance", instance), ("job", job)]
                for code in ["200", "404", "503"] {
                    request.append(
                        "requests_total", labels + [("code", code)],
                        counter(&random, resets: code == "503"))
                }
                request.append("temperature", labels, gauge(&random))
                request.append("sparse", labels, gauge(&random, gaps: 70))
                request.append(
                    "odd", labels,
                    gauge(&random).enumerated().map { place, sample in
                        let values = [Double.nan, .infinity, -.infinity, 0, -0.0]
                        return place % 5 == 0
                            ? (sample.time, values[place / 5 % values.count]) : sample
                    })
                let counts = counter(&random, resets: false)
                for (bound, part) in [("0.1", 0.3), ("0.5", 0.7), ("1", 0.9), ("+Inf", 1)] {
                    request.append(
                        "latency_bucket", labels + [("le", bound)],
                        counts.map { ($0.time, ($0.value * part).rounded()) })
                }
            }
        }
        let body = request.compressed()
        #expect(prometheus.write(body) == 204)
        let report = try #require(body.withUnsafeBytes { feed.take($0) })
        #expect(report.isWhole && report.refused.isEmpty && report.refusedSeries == 0)
        #expect(report.taken > 10_000)
    }

    private func counter(
        _ random: inout SeededGenerator, resets: Bool
    ) -> [(time: Int64, value: Double)] {
        var value = Double(Int.random(in: 0..<1_000, using: &random))
        return (0..<240).map { step in
            value += Double(Int.random(in: 0..<50, using: &random))
            if resets, Int.random(in: 0..<40, using: &random) == 0 { value = 0 }
            return ((Self.start + Int64(step) * 15) * 1_000, value)
        }
    }

    private func gauge(
        _ random: inout SeededGenerator, gaps: Int = 3
    ) -> [(time: Int64, value: Double)] {
        var samples: [(time: Int64, value: Double)] = []
        for step in 0..<240 {
            let chance = Int.random(in: 0..<100, using: &random)
            if chance < gaps { continue }
            let value = Double.random(in: -20...40, using: &random)
            samples.append(
                (
                    (Self.start + Int64(step) * 15) * 1_000,
                    chance == 99 ? Double(bitPattern: 0x7ff0_0000_0000_0002) : value
                ))
        }
        return samples
    }
}

import WeirCore
import WeirPromQL

/// What rules cost that are evaluated again and again: 1,000 of them over 100,000 series, every 5 seconds.
struct RuleRows {
    private static let ruleCount = 1_000
    private static let roundCount = 12
    private static let interval: Int64 = 5_000

    /// Prints the row.
    static func run(_ row: (String, String) -> Void) throws {
        let samples = MeshSamples(start: 1_700_000_000_000, edgeCount: 4_000)
        let store = SampleStore()
        let feed = SampleFeed(store)
        var loading = 0.0
        samples.requests { body in
            let start = Stages.cpuSeconds
            _ = body.withUnsafeBytes { feed.take($0) }
            loading += Stages.cpuSeconds - start
        }
        let sampleCount = Double(store.totals.sampleCount)
        row(
            "samples taken from remote write, per core and second",
            "\((sampleCount / loading / 1e5).rounded() / 10) million")
        let rules = try rules()
        var time = samples.start + 3_500_000
        var resultCount = 0
        let begin = Stages.cpuSeconds
        for _ in 0..<roundCount {
            for rule in rules {
                let result = try QueryEngine().instant(rule, at: time, over: store.view())
                if case .vector(let series) = result.value { resultCount += series.count }
            }
            time += interval
        }
        let cost = (Stages.cpuSeconds - begin) / Double(roundCount)
        precondition(resultCount > ruleCount, "the rules find their series")
        row(
            "\(ruleCount) rules over \(samples.edgeCount * 25) series, once",
            "\((cost * 1e4).rounded() / 10) ms of CPU, "
                + "\((cost / 5 * 1e4).rounded() / 100) % of a core every 5 s")
    }

    /// Four rules for each of 250 workloads: error ratio, p99, requests per second, burn rate.
    private static func rules() throws -> [Expression] {
        var rules: [Expression] = []
        for number in 0..<(ruleCount / 4) {
            let workload = "destination_workload=\"app-\(number)-v1\""
            let requests = "istio_requests_total{\(workload)"
            func ratio(_ span: String) -> String {
                "sum(rate(\(requests),response_code=~\"5..\"}[\(span)])) / sum(rate(\(requests)}[\(span)]))"
            }
            let buckets = "istio_request_duration_milliseconds_bucket{\(workload)}"
            rules += try [
                ratio("5m"),
                "histogram_quantile(0.99, sum by (le) (rate(\(buckets)[5m])))",
                "sum by (source_workload) (rate(\(requests)}[1m]))",
                "\(ratio("1h")) > 0.0144 and \(ratio("5m")) > 0.0144 or vector(0)",
            ].map { try QueryParser.parse($0) }
        }
        return rules
    }
}

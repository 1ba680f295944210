import WeirTesting

/// An hour of Istio's metrics every 15 seconds: 25 series for each edge between two workloads. Every value
/// follows from the edge and the step alone.
struct MeshSamples {
    /// When the hour begins, in milliseconds since 1970.
    let start: Int64
    /// Edges between workloads.
    let edgeCount: Int

    /// Samples of a series.
    static let stepCount = 240
    /// Milliseconds between two.
    static let interval: Int64 = 15_000

    /// The bounds of latencies with the share of requests below each, in thousandths: of a fast and of a
    /// slow workload.
    private static let latencies: [(bound: String, fast: Int, slow: Int)] = [
        ("0.5", 5, 0), ("1", 20, 2), ("5", 150, 10), ("10", 350, 30), ("25", 600, 80),
        ("50", 780, 150), ("100", 900, 260), ("250", 960, 420), ("500", 985, 600),
        ("1000", 994, 760), ("2500", 998, 900), ("5000", 999, 960), ("10000", 1000, 990),
        ("30000", 1000, 998), ("60000", 1000, 1000), ("300000", 1000, 1000),
        ("600000", 1000, 1000), ("1800000", 1000, 1000), ("3600000", 1000, 1000),
        ("+Inf", 1000, 1000),
    ]

    /// Requests of remote write with four edges each.
    func requests(_ take: ([UInt8]) throws -> Void) rethrows {
        for first in stride(from: 0, to: edgeCount, by: 4) {
            var request = WriteRequest()
            for edge in first..<min(first + 4, edgeCount) { append(edge, to: &request) }
            try take(request.compressed())
        }
    }

    private func append(_ edge: Int, to request: inout WriteRequest) {
        let labels = labels(edge)
        let counts = counts(edge)
        for (code, values) in zip(["200", "404", "503"], counts) {
            request.append(
                "istio_requests_total", labels + [("response_code", code)], samples(values))
        }
        let good = labels + [("response_code", "200")]
        let isSlow = edge % 25 == 0
        for (bound, fast, slow) in Self.latencies {
            let share = isSlow ? slow : fast
            request.append(
                "istio_request_duration_milliseconds_bucket", good + [("le", bound)],
                samples(counts[0].map { $0 * share / 1000 }))
        }
        request.append(
            "istio_request_duration_milliseconds_sum", good,
            samples(counts[0].map { $0 * (isSlow ? 900 : 42) }))
        request.append("istio_request_duration_milliseconds_count", good, samples(counts[0]))
    }

    private func samples(_ values: [Int]) -> [(time: Int64, value: Double)] {
        values.enumerated().map { step, value in
            (start + Int64(step) * Self.interval, Double(value))
        }
    }

    private func labels(_ edge: Int) -> [(String, String)] {
        let source = edge % max(1, edgeCount / 8)
        let target = edge * 13 % max(1, edgeCount / 10)
        let (from, to) = ("ns-\(source % 12)", "ns-\(target % 12)")
        return [
            ("app", "istio-proxy"), ("connection_security_policy", "mutual_tls"),
            ("destination_app", "app-\(target)"),
            ("destination_principal", "spiffe://cluster.local/ns/\(to)/sa/app-\(target)"),
            ("destination_service", "app-\(target).\(to).svc.cluster.local"),
            ("destination_service_name", "app-\(target)"), ("destination_service_namespace", to),
            ("destination_workload", "app-\(target)-v1"), ("destination_workload_namespace", to),
            ("instance", "10.\(edge / 65025 % 255).\(edge / 255 % 255).\(edge % 255):15020"),
            ("job", "istio-proxy"), ("reporter", "destination"), ("request_protocol", "http"),
            ("response_flags", "-"), ("source_app", "app-s\(source)"),
            ("source_principal", "spiffe://cluster.local/ns/\(from)/sa/app-s\(source)"),
            ("source_workload", "app-s\(source)-v1"), ("source_workload_namespace", from),
        ]
    }

    /// How many requests there were up to each step, by code. Every 50th edge's counters begin anew in the
    /// middle; every 100th edge ends ten minutes before the hour does.
    private func counts(_ edge: Int) -> [[Int]] {
        var sums = [0, 0, 0]
        var counts: [[Int]] = [[], [], []]
        for step in 0..<(edge % 100 == 13 ? 200 : Self.stepCount) {
            if edge % 50 == 7, step == 120 { sums = [0, 0, 0] }
            let phase = 31 * edge + 7 * step
            sums[0] += 7919 * edge % 400 + 20 + phase % 13
            sums[1] += 104_729 * edge % 5 + (phase + 17) % 3
            if edge % 20 == 0, step >= 160 {
                sums[2] += 40 + (phase + 34) % 13
            } else if phase % 13 == 0 {
                sums[2] += 1
            }
            for place in 0..<3 { counts[place].append(sums[place]) }
        }
        return counts
    }
}

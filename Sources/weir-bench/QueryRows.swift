import Glibc
import WeirCore
import WeirHost
import WeirTesting

/// What queries take over HTTP, and whether they answer the same, with a real Prometheus in the same run.
struct QueryRows {
    /// Twelve expressions of the kind that alerts and dashboards ask.
    static let expressions: [(name: String, query: String)] = {
        let requests = "istio_requests_total"
        let errors = #"istio_requests_total{response_code=~"5..""#
        func sum(_ labels: String, _ inner: String) -> String { "sum by (\(labels)) (\(inner))" }
        let workload = "destination_workload, destination_workload_namespace"
        func burn(_ span: String) -> String {
            let part = sum("destination_workload", "rate(\(errors)}[\(span)])")
            let whole = sum("destination_workload", "rate(\(requests)[\(span)])")
            return "(\(part) / \(whole) > 14.4 * 0.001)"
        }
        let buckets = "rate(istio_request_duration_milliseconds_bucket[5m])"
        let byWorkload = sum("destination_workload", "rate(\(requests)[5m])")
        return [
            ("threshold on a counter", #"\#(requests){response_code="503"} > 1000"#),
            ("per-series ratio of rates", "rate(\(errors)}[5m]) / rate(\(requests)[5m]) > 0.05"),
            (
                "sum-by ratio",
                sum(workload, "rate(\(errors)}[5m])") + " / "
                    + sum(workload, "rate(\(requests)[5m])") + " > 0.05"
            ),
            (
                "p99 by workload",
                "histogram_quantile(0.99, \(sum("le, " + workload, buckets))) > 1000"
            ),
            ("p99 global", "histogram_quantile(0.99, \(sum("le", buckets)))"),
            (
                "requests per second by service",
                sum("destination_service", "rate(\(requests)[1m])") + " > 100"
            ),
            ("burn rate 1 h and 5 m", "\(burn("1h")) and \(burn("5m"))"),
            ("absent", #"absent(\#(requests){destination_workload="no-such-workload"})"#),
            ("increase 10 m", #"increase(\#(requests){response_code="503"}[10m]) > 5"#),
            (
                "topk",
                "topk(10, \(sum("source_workload, destination_workload", "rate(\(requests)[5m])")))"
            ),
            (
                "subquery 30m:1m",
                "max_over_time(\(sum("destination_workload", "rate(\(requests)[1m])"))[30m:1m]) > 100"
            ),
            (
                "offset 30 m",
                byWorkload + " / "
                    + sum("destination_workload", "rate(\(requests)[5m] offset 30m)") + " > 1.02"
            ),
        ]
    }()

    /// Why there is nothing to compare.
    struct Problem: Error, CustomStringConvertible {
        var description: String
    }

    private let folder: ScratchFolder
    private let samples: MeshSamples
    private let client: HTTPClient

    init(edgeCount: Int) throws {
        folder = try ScratchFolder()
        let now = SystemClock().now.seconds
        samples = MeshSamples(start: (now / 60 * 60 - 3_600) * 1_000, edgeCount: edgeCount)
        var options = HTTPClientOptions()
        options.requestTimeout = .seconds(300)
        client = HTTPClient(options)
    }

    /// Prints a table for some thousands of series.
    static func run() throws {
        for edgeCount in [400, 4_000] { try QueryRows(edgeCount: edgeCount).run() }
    }

    /// Prints the table.
    func run() throws {
        let weir = try startWeir()
        defer { weir.process.kill9() }
        let loading = try load { body in write(body, weir.writePort) }
        let loaded = Road.memory(weir.process.pid).resident / 1024
        let prometheus = try startPrometheus()
        if let prometheus { _ = try load { prometheus.write($0) } }
        let count = samples.edgeCount * 25
        print("\n\(count) series, loaded by remote write in \(Road.rounded(loading)) s\n")
        print("| expression | weir ms | Prometheus ms | ratio | the same |")
        print("| --- | --- | --- | --- | --- |")
        var logarithms = 0.0
        for (name, query) in Self.expressions {
            let mine = measured(query, weir.port)
            let theirs = prometheus.map { measured(query, $0.port) }
            let ratio = (theirs?.milliseconds ?? .nan) / mine.milliseconds
            logarithms += log(ratio)
            let difference = theirs.map { QueryAnswers.difference($0.answer, mine.answer) }
            let verdict: String
            switch difference {
            case nil: verdict = "not asked"
            case .some(nil): verdict = "yes"
            case .some(let text?): verdict = text
            }
            print(
                "| \(name) | \(Road.rounded(mine.milliseconds)) | "
                    + "\(theirs.map { Road.rounded($0.milliseconds) } ?? "–") | "
                    + "\(Road.rounded(ratio)) | \(verdict) |")
        }
        let after = Road.memory(weir.process.pid).resident / 1024
        print("| geometric mean | | | \(Road.rounded(exp(logarithms / 12))) | |")
        print("| resident MB, loaded / after | \(loaded) / \(after) | | | |")
    }

    // MARK: Processes

    private func startWeir() throws -> (process: ChildProcess, port: Int, writePort: Int) {
        folder.write(
            """
            <system>
              admin_port 0
              log_level info
            </system>
            <source>
              @type prometheus_remote_write
              port 0
            </source>
            """, to: "weir.conf")
        let process = try ChildProcess(
            TestPrograms.weir, ["run", "-c", folder.file("weir.conf")],
            log: folder.file("weir.out"))
        let marks = ["admin server listens", "source listens"].map {
            "\($0) address=\"127.0.0.1:"
        }
        var ports = [0, 0]
        for _ in 0..<1_000 where ports.contains(0) {
            usleep(10_000)
            let log = String(decoding: folder.contents(of: "weir.out") ?? [], as: UTF8.self)
            ports = marks.map { mark in
                guard let range = log.firstRange(of: mark) else { return 0 }
                return Int(log[range.upperBound...].prefix { $0.isNumber }) ?? 0
            }
        }
        guard !ports.contains(0) else { throw Problem(description: "weir does not listen") }
        return (process, ports[0], ports[1])
    }

    private func startPrometheus() throws -> RunningPrometheus? {
        guard let program = TestPrograms.prometheus else {
            print("Prometheus is not there: `make deps-test` gets it")
            return nil
        }
        return try RunningPrometheus(
            program, config: "global: {}\n", folder,
            options: ["--web.enable-remote-write-receiver", "--query.timeout=100s"])
    }

    /// Gives all samples to a receiver.
    /// - Returns: The seconds that it took to send them.
    private func load(_ write: ([UInt8]) -> Int?) throws -> Double {
        var nanoseconds: UInt64 = 0
        let clock = SystemClock()
        var refusedCount = 0
        samples.requests { body in
            let start = clock.monotonicNanoseconds
            var status: Int?
            for _ in 0..<100 {
                status = write(body)
                if status != 503 { break }
                usleep(10_000)
            }
            if status != 204 { refusedCount += 1 }
            nanoseconds += clock.monotonicNanoseconds - start
        }
        guard refusedCount == 0 else {
            throw Problem(description: "\(refusedCount) requests were not taken")
        }
        return Double(nanoseconds) / 1e9
    }

    private func write(_ body: [UInt8], _ port: Int) -> Int? {
        body.withUnsafeBytes { body in
            try? client.send(
                "POST", "http://127.0.0.1:\(port)/api/v1/write",
                headers: ["Content-Encoding: snappy", "Content-Type: application/x-protobuf"],
                body: body
            ).status
        }
    }

    // MARK: Queries

    /// The answer of one of nine askings, and the median time.
    private func measured(_ query: String, _ port: Int) -> (milliseconds: Double, answer: Record?) {
        let time = samples.start / 1_000 + 3_585
        let text = "query=\(query.asQueryPart)&time=\(time)&timeout=100s"
        let body = Array(text.utf8)
        let clock = SystemClock()
        var times: [Double] = []
        for _ in 0..<10 {
            let start = clock.monotonicNanoseconds
            _ = body.withUnsafeBytes { body in
                try? client.send(
                    "POST", "http://127.0.0.1:\(port)/api/v1/query",
                    headers: ["Content-Type: application/x-www-form-urlencoded"], body: body)
            }
            times.append(Double(clock.monotonicNanoseconds - start) / 1e6)
        }
        // The first one warms up.
        let sorted = times.dropFirst().sorted()
        return (sorted[sorted.count / 2], JSONValueReader.value(of: client.body.bytes)?.object)
    }
}

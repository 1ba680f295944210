import Glibc
import Testing
import WeirCore
import WeirHost
import WeirTesting

@Suite("Samples that others push", .serialized, .timeLimit(.minutes(3))) struct ReceivingTests {
    private let folder: ScratchFolder

    init() throws { folder = try ScratchFolder() }

    /// An agent that takes samples, and the port that it takes them at.
    private func start() throws -> (weir: RunningWeir, port: Int) {
        folder.write(
            """
            <system>
              admin_port 0
            </system>
            <source>
              @type prometheus_remote_write
              port 0
            </source>
            """, to: "weir.conf")
        let weir = try RunningWeir(folder)
        #expect(weir.waitForLog("weir runs"))
        let port = try #require(weir.sourcePort)
        return (weir, port)
    }

    private func labels(_ series: [Record]) -> Set<String> {
        Set(
            series.map { one in
                (one["metric"]?.object?.fields ?? []).map { "\($0.key)=\($0.value.string ?? "")" }
                    .sorted().joined(separator: ",")
            })
    }

    @Test(
        "by a real Prometheus are those that it has itself",
        .enabled(if: TestPrograms.prometheus != nil, "needs `make deps-test`"))
    func prometheus() throws {
        let (weir, port) = try start()
        let program = try #require(TestPrograms.prometheus)
        let target = try #require(
            try RunningPrometheus(program, config: "global: {}", ScratchFolder()))
        let prometheus = try #require(
            try RunningPrometheus(
                program,
                config: """
                    global:
                      external_labels: {cluster: here}
                    scrape_configs:
                      - job_name: other
                        scrape_interval: 1s
                        scrape_protocols: [PrometheusProto]
                        static_configs: [{targets: ["127.0.0.1:\(target.port)"]}]
                    remote_write:
                      - url: http://127.0.0.1:\(port)/api/v1/write
                        send_exemplars: true
                        send_native_histograms: true
                        queue_config: {batch_send_deadline: 1s}
                    """, folder))
        let query = #"{job="other",__name__=~"prometheus_(build_info|tsdb_.*|http_request_.*)"}"#
        #expect(prometheus.api.wait(for: query, count: 100))
        let wanted = labels(prometheus.api.query(query))
        // Weir's own API is asked as Prometheus' is.
        let answers = QueryClient(port: try #require(weir.adminPort))
        let isThere = answers.wait(seconds: 60) {
            let found = answers.query(query.replacing("job", with: #"cluster="here",job"#))
            let without = labels(found).map { $0.replacing("cluster=here,", with: "") }
            return Set(without.map { $0.replacing(",cluster=here", with: "") })
                .isSuperset(of: wanted)
        }
        #expect(isThere)
        let histograms = answers.wait(seconds: 60) {
            answers.query("histogram_count(prometheus_http_request_duration_seconds) > 0").count > 0
        }
        #expect(histograms)
        #expect(weir.terminate() == 0)
        // Prometheus has nothing to complain of.
        #expect(!prometheus.log.contains("non-recoverable error"))
    }

    @Test func `are refused where they cannot be read, with the reason`() throws {
        let (weir, port) = try start()
        let client = HTTPClient()
        func send(_ method: String, _ path: String, _ type: String, _ body: [UInt8]) throws -> Int {
            try body.withUnsafeBytes { body in
                try client.send(
                    method, "http://127.0.0.1:\(port)\(path)", headers: ["Content-Type: \(type)"],
                    body: body
                ).status
            }
        }
        let plain = "application/x-protobuf"
        var request = WriteRequest()
        let now = SystemClock().now.seconds * 1_000
        request.append("a", [("job", "x")], [(now - 2_000, 1), (now - 1_000, 2)])
        let body = request.compressed()
        #expect(try send("POST", "/api/v1/write", plain, body) == 204)
        // The same again is no fault; another value at the same time is.
        var same = WriteRequest()
        same.append("a", [("job", "x")], [(now - 1_000, 2)])
        #expect(try send("POST", "/api/v1/write", plain, same.compressed()) == 204)
        var other = WriteRequest()
        other.append("a", [("job", "x")], [(now - 1_000, 3)])
        #expect(try send("POST", "/api/v1/write", plain, other.compressed()) == 400)
        #expect(
            String(decoding: client.body.bytes, as: UTF8.self)
                == "1 samples: duplicate_timestamp\n")
        #expect(try send("POST", "/api/v1/write", plain, [1, 2, 3]) == 400)
        #expect(
            try send(
                "POST", "/api/v1/write", "\(plain);proto=io.prometheus.write.v2.Request", body)
                == 415)
        #expect(try send("GET", "/api/v1/write", plain, []) == 405)
        #expect(try send("POST", "/", plain, body) == 404)
        let labels = #"origin="remote_write""#
        #expect(weir.metric("weir_history_samples_total{\(labels)}") == 3)
        #expect(
            weir.metric(
                "weir_history_refused_samples_total{\(labels),reason=\"duplicate_timestamp\"}")
                == 1)
        #expect(weir.metric("weir_remote_write_unreadable_requests_total") == 1)
        #expect(weir.terminate() == 0)
    }
}

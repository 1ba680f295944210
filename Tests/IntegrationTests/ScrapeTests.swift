import Glibc
import Synchronization
import Testing
import WeirCore
import WeirHost
import WeirTesting

/// Something that shows metrics, as it is told.
private final class MetricsDouble: Sendable {
    private final class Shown: Sendable {
        let answer = Mutex<(type: String, text: String)>(("text/plain", ""))
    }

    private let shown = Shown()
    private let server: HTTPServer

    init() throws {
        server = try HTTPServer(host: "127.0.0.1", port: 0) { [shown] request in
            let (type, text) = shown.answer.withLock { $0 }
            guard request.path == "/stats/prometheus" else {
                return HTTPServer.Response(status: 404, body: "")
            }
            return HTTPServer.Response(status: 200, contentType: type, body: text)
        }
    }

    deinit { server.stop() }

    var port: Int { server.port }

    func show(_ text: String, type: String = "text/plain; version=0.0.4") {
        shown.answer.withLock { $0 = (type, text) }
    }
}

@Suite("Scraping", .serialized, .timeLimit(.minutes(3))) struct ScrapeTests {
    private let folder: ScratchFolder
    private let target: MetricsDouble

    init() throws {
        folder = try ScratchFolder()
        target = try MetricsDouble()
    }

    private func start(_ source: String, environment: [String: String] = [:]) throws -> RunningWeir
    {
        folder.write(
            """
            <system>
              admin_port 0
              node_name node-1
            </system>
            <source>
              @type prometheus_scrape
              scrape_interval 1s
              scrape_timeout 1s
              \(source)
            </source>
            """, to: "weir.conf")
        return try RunningWeir(folder, environment: environment)
    }

    /// Asks until there is an answer that will do.
    private func answer(
        _ weir: RunningWeir, _ query: String, until isEnough: (Record) -> Bool
    ) -> Record? {
        let client = HTTPClient()
        guard let port = weir.adminPort else { return nil }
        let url = "http://127.0.0.1:\(port)/api/v1/query?query=\(query.asQueryPart)"
        let none = UnsafeRawBufferPointer(start: nil, count: 0)
        let clock = SystemClock()
        let start = clock.monotonicNanoseconds
        while clock.monotonicNanoseconds - start < 60_000_000_000 {
            guard (try? client.send("GET", url, headers: [], body: none)) != nil,
                let found = JSONValueReader.value(of: client.body.bytes)?.object
            else { continue }
            if isEnough(found) { return found }
        }
        return nil
    }

    private func series(_ answer: Record?) -> [Record] {
        (answer?["data"]?.object?["result"]?.array ?? []).compactMap(\.object)
    }

    /// The labels of each series with its value.
    private func lines(_ answer: Record?) -> Set<String> {
        Set(
            series(answer).map { one in
                let labels = (one["metric"]?.object?.fields ?? []).map {
                    "\($0.key)=\($0.value.string ?? "")"
                }
                let value = one["value"]?.array?.last?.string ?? ""
                return labels.sorted().joined(separator: ",") + " " + value
            })
    }

    @Test(
        "real Envoys finds what Prometheus finds",
        .enabled(
            if: TestPrograms.prometheus != nil && SharedCases.arePresent, "needs `make deps-test`"),
        arguments: ["client", "reviews-v1", "reviews-v2"])
    func agreement(_ name: String) throws {
        target.show(
            String(
                decoding: SharedCases.restored("corpus/envoy/stats/\(name).prometheus.txt.gz"),
                as: UTF8.self))
        let program = try #require(TestPrograms.prometheus)
        let prometheus = try #require(
            try RunningPrometheus(
                program,
                config: """
                    scrape_configs:
                      - job_name: envoy
                        scrape_interval: 1s
                        metrics_path: /stats/prometheus
                        static_configs:
                          - targets: ["127.0.0.1:\(target.port)"]
                    """, folder))
        let weir = try start(
            "targets 127.0.0.1:\(target.port)\n  metrics_path /stats/prometheus\n  job envoy")
        let query = #"{job="envoy",__name__!~"scrape_(duration_seconds|series_added)"}"#
        let isWhole = { (answer: Record) in self.series(answer).count > 500 }
        #expect(prometheus.api.wait(for: query, count: 500))
        let wanted = prometheus.api.answer("query?query=\(query.asQueryPart)")
        let found = answer(weir, query, until: isWhole)
        #expect(lines(wanted).count > 500)
        #expect(lines(found) == lines(wanted))
        #expect(weir.terminate() == 0)
    }

    @Test func `tells of a target that fails, and of its recovery`() throws {
        target.show("a 1\nbroken\n")
        let weir = try start("targets 127.0.0.1:\(target.port)\n  metrics_path /stats/prometheus")
        #expect(weir.waitForLog("a target cannot be scraped"))
        #expect(weir.log.contains("line 2: a number is missing"))
        #expect(answer(weir, "up == 0") { self.series($0).count == 1 } != nil)
        #expect(weir.metric("weir_scrape_failures_total") ?? 0 > 0)
        target.show(
            "# TYPE a counter\na_total 4 # {trace_id=\"t\"} 1\n# EOF\n",
            type: "application/openmetrics-text; version=1.0.0; charset=utf-8")
        #expect(weir.waitForLog("a target is scraped again"))
        #expect(answer(weir, "a_total == 4") { self.series($0).count == 1 } != nil)
        #expect(weir.terminate() == 0)
    }

    @Test func `finds this node's pods by their annotations, and loses those that go`() throws {
        target.show("a 1\n")
        func pod(_ name: String, _ annotations: String, phase: String = "Running") -> String {
            """
            {"metadata":{"name":"\(name)","namespace":"shop","labels":{"app":"web"},
             "annotations":{\(annotations)}},
             "status":{"phase":"\(phase)","podIP":"127.0.0.1"}}
            """
        }
        let wanted =
            #""prometheus.io/scrape":"true","prometheus.io/port":"\#(target.port)","prometheus.io/path":"/stats/prometheus""#
        let pods = [
            pod("web-1", wanted), pod("web-2", #""prometheus.io/scrape":"false""#),
            pod("web-3", wanted, phase: "Pending"),
        ]
        let list = Mutex(#"{"items":[\#(pods.joined(separator: ","))]}"#)
        let asked = Mutex<[String]>([])
        let api = try HTTPServer(host: "127.0.0.1", port: 0) { request in
            asked.withLock {
                $0.append(
                    "\(request.path)?\(request.query) \(request.header("authorization") ?? "")")
            }
            return HTTPServer.Response(
                status: 200, contentType: "application/json", body: list.withLock { $0 })
        }
        defer { api.stop() }
        folder.write("secret\n", to: "token")
        let weir = try start(
            """
            kubernetes_pods true
              kubernetes_url http://127.0.0.1:\(api.port)
              kubernetes_token_file \(folder.file("token"))
              discovery_interval 1s
            """)
        let found = answer(weir, "a") { self.series($0).count == 1 }
        #expect(
            lines(found) == [
                "__name__=a,app=web,instance=127.0.0.1:\(target.port),job=scrape,namespace=shop,pod=web-1 1"
            ])
        #expect(
            asked.withLock { $0.first }
                == "/api/v1/pods?fieldSelector=spec.nodeName%3Dnode-1 Bearer secret")
        list.withLock { $0 = #"{"items":[]}"# }
        #expect(answer(weir, "a") { self.series($0).isEmpty } != nil)
        list.withLock { $0 = "no" }
        #expect(weir.waitForLog("this node's pods cannot be listed"))
        #expect(weir.terminate() == 0)
    }

    @Test(
        "says what is to be mended",
        arguments: [
            ("job a", "there is nothing to scrape"),
            ("targets a b:1", "`a b:1` is not a target"),
            (
                "targets a:1\n  scrape_timeout 2s",
                "`scrape_timeout` is longer than `scrape_interval`"
            ),
            ("kubernetes_pods true", "Weir does not run in a Kubernetes cluster"),
        ])
    func mistakes(_ source: String, _ message: String) throws {
        let source = source.contains("scrape_timeout") ? source : source + "\n  scrape_timeout 1s"
        folder.write(
            "<source>\n  @type prometheus_scrape\n  scrape_interval 1s\n  \(source)\n</source>\n",
            to: "weir.conf")
        let check = try ChildProcess(
            TestPrograms.weir, ["check", folder.file("weir.conf")],
            environment: ["KUBERNETES_SERVICE_HOST": ""], log: folder.file("out"))
        #expect(check.wait() == 1)
        let output = String(decoding: folder.contents(of: "out") ?? [], as: UTF8.self)
        #expect(output.contains(message), "\(output)")
    }
}

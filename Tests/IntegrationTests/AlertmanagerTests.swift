import Glibc
import Synchronization
import Testing
import WeirCore
import WeirHost
import WeirTesting

/// Alerts of a running agent, told to a real Alertmanager and to one that misbehaves.
@Suite("Alerts that are told", .serialized, .timeLimit(.minutes(3))) struct AlertmanagerTests {
    private let folder: ScratchFolder

    init() throws {
        folder = try ScratchFolder()
        folder.write("", to: "access.log")
        folder.write(
            """
            groups:
            - name: mesh
              rules:
              - alert: Errors
                expr: >
                  sum by (destination_service_name) (istio_requests_total{response_code="503"})
                  > ignoring (response_code)
                  sum by (destination_service_name) (istio_requests_total{response_code="200"})
                labels: {severity: page}
                annotations: {summary: "{{ $labels.destination_service_name }} <is> bad"}
            """, to: "rules.yml")
    }

    private func start(_ notify: String) throws -> RunningWeir {
        folder.write(
            """
            <system>
              admin_port 0
            </system>
            <alerting>
              rule_files \(folder.file("rules.yml"))
              evaluation_interval 1s
              external_url http://weir.example.org
              <external_labels>
                cluster here
              </external_labels>
              <notify>
                @type alertmanager
                \(notify)
              </notify>
            </alerting>
            <source>
              @type tail
              path \(folder.file("access.log"))
              pos_file \(folder.file("access.pos"))
              tag mesh
              read_from_head true
              <parse>
                @type json
              </parse>
            </source>
            <filter mesh>
              @type istio_metrics
            </filter>
            <match mesh>
              @type null
            </match>
            """, to: "weir.conf")
        return try RunningWeir(folder)
    }

    private func log(_ code: Int, count: Int) {
        let line = """
            {"upstream_cluster":"outbound|9080||reviews.default.svc.cluster.local",\
            "response_code":\(code),"method":"GET","protocol":"HTTP/1.1","duration":5,\
            "bytes_sent":1,"bytes_received":1,"response_flags":"-",\
            "start_time":"2026-11-23T20:58:05.532Z","request_id":"r"}

            """
        folder.append(String(repeating: line, count: count), to: "access.log")
    }

    /// Asks until something is so.
    private func wait(_ seconds: UInt64 = 60, until isSo: () -> Bool) -> Bool {
        let clock = SystemClock()
        let start = clock.monotonicNanoseconds
        while clock.monotonicNanoseconds - start < seconds * 1_000_000_000 {
            if isSo() { return true }
        }
        return false
    }

    /// Runs Debian's Alertmanager, which was unpacked and not installed: it looks for its templates at one place
    /// of the system, so it gets them there, that nobody else sees.
    private static func run(
        _ program: String, _ arguments: [String], log: String
    ) throws -> ChildProcess {
        let place = "/usr/share/prometheus/alertmanager"
        let root = program.replacing("/usr/bin/prometheus-alertmanager", with: "")
        let script = """
            mount -t tmpfs none /usr/share && mkdir -p \(place) \
            && cp "$1"/*.tmpl \(place)/ && shift && exec "$@"
            """
        return try ChildProcess(
            "/usr/bin/unshare",
            [
                "--map-root-user", "--mount", "/bin/sh", "-c", script, "sh",
                "\(root)\(place)", program,
            ] + arguments, log: log)
    }

    @Test(
        "reach a real Alertmanager, and end there",
        .enabled(if: TestPrograms.alertmanager != nil, "needs `make deps-test`"))
    func real() throws {
        let program = try #require(TestPrograms.alertmanager)
        folder.write("route: {receiver: none}\nreceivers: [{name: none}]\n", to: "am.yml")
        let process = try Self.run(
            program,
            [
                "--config.file=\(folder.file("am.yml"))", "--storage.path=\(folder.file("am"))",
                "--web.listen-address=127.0.0.1:0", "--cluster.listen-address=",
            ], log: folder.file("am.log"))
        defer { process.kill9() }
        var port: Int?
        #expect(
            wait {
                let text = String(decoding: folder.contents(of: "am.log") ?? [], as: UTF8.self)
                guard let mark = text.firstRange(of: "Listening on"),
                    let address = text[mark.upperBound...].firstRange(of: "127.0.0.1:")
                else { return false }
                port = Int(text[address.upperBound...].prefix { $0.isNumber })
                return port != nil
            })
        let url = "http://127.0.0.1:\(try #require(port))"
        let weir = try start("urls \(url)/")
        let client = HTTPClient()
        func alerts() -> [Record] {
            let none = UnsafeRawBufferPointer(start: nil, count: 0)
            guard
                (try? client.send("GET", "\(url)/api/v2/alerts", headers: [], body: none)) != nil
            else { return [] }
            return (JSONValueReader.value(of: client.body.bytes)?.array ?? []).compactMap(\.object)
        }
        log(200, count: 5)
        log(503, count: 20)
        #expect(wait { alerts().count == 1 })
        let alert = try #require(alerts().first)
        #expect(
            JSONValueWriter.text(alert["labels"] ?? .null)
                == #"{"alertname":"Errors","cluster":"here","destination_service_name":"reviews","severity":"page"}"#
        )
        #expect(alert["annotations"]?.object?["summary"]?.string == "reviews <is> bad")
        #expect(
            alert["generatorURL"]?.string?.hasPrefix(
                "http://weir.example.org/graph?g0.expr=sum+by+")
                == true)
        log(200, count: 100)
        #expect(wait { alerts().isEmpty })
        #expect(weir.metric("weir_notices_sent_total") ?? 0 >= 2)
        #expect(weir.terminate() == 0)
    }

    @Test func `wait for a receiver that fails, and are then told with their newest state`() throws
    {
        let bodies = Mutex<[String]>([])
        let status = Mutex(503)
        let server = try HTTPServer(host: "127.0.0.1", port: 0) { request in
            bodies.withLock { $0.append(String(decoding: request.body, as: UTF8.self)) }
            return HTTPServer.Response(status: status.withLock { $0 }, body: "")
        }
        defer { server.stop() }
        let weir = try start("urls http://127.0.0.1:\(server.port), http://127.0.0.1:1")
        log(200, count: 5)
        log(503, count: 20)
        #expect(weir.waitForLog("alerts cannot be told", count: 2))
        #expect(wait { bodies.withLock { $0.count } >= 2 })
        #expect(weir.metric("weir_notice_failures_total") ?? 0 >= 2)
        // It ends meanwhile: that is what is told in the end, with its beginning.
        log(200, count: 100)
        let api = QueryClient(port: try #require(weir.adminPort))
        #expect(api.wait { api.ask("alerts")?.object?["alerts"]?.array?.isEmpty ?? false })
        status.withLock { $0 = 200 }
        #expect(weir.waitForLog("alerts are told again"))
        let last = try #require(bodies.withLock { $0.last })
        let notices = JSONValueReader.value(of: last)?.array ?? []
        #expect(notices.count == 1)
        let notice = notices.first?.object
        let (start, end) = (notice?["startsAt"]?.string ?? "", notice?["endsAt"]?.string ?? "")
        #expect(start < end && notice?["labels"]?.object?["alertname"]?.string == "Errors")
        status.withLock { $0 = 400 }
        log(503, count: 500)
        #expect(weir.waitForLog("alerts are refused by whoever is told"))
        #expect(weir.metric("weir_notices_dropped_total") ?? 0 >= 1)
        #expect(weir.terminate() == 0)
    }

    @Test(
        "are not configured by mistakes",
        arguments: [
            ("url http://a", "did you mean `urls`?"), ("urls a:9093", "`a:9093` is no address"),
            ("urls http://a\n  user b", "`user` and `password` belong together"),
        ])
    func mistakes(_ notify: String, _ told: String) throws {
        let weir = try start(notify)
        #expect(weir.process.wait() == 1)
        #expect(weir.log.contains(told), "\(weir.log)")
    }
}

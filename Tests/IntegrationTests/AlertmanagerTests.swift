import Synchronization
import Testing
import WeirCore
import WeirHost
import WeirTesting

/// Alerts of a running agent, told to a real Alertmanager and to one that misbehaves.
@Suite("Alerts that are told", .serialized, .timeLimit(.minutes(3))) struct AlertmanagerTests {
    private let mesh: AlertingMesh

    init() throws { mesh = try AlertingMesh() }

    private func start(_ notify: String) throws -> RunningWeir {
        try mesh.start("<notify>\n  @type alertmanager\n  \(notify)\n</notify>")
    }

    private func log(_ code: Int, count: Int) { mesh.log(code, count: count) }

    private func wait(until isSo: () -> Bool) -> Bool { AlertingMesh.wait(until: isSo) }

    @Test(
        "reach a real Alertmanager, and end there",
        .enabled(if: TestPrograms.alertmanager != nil, "needs `make deps-test`"))
    func real() throws {
        let program = try #require(TestPrograms.alertmanager)
        let (process, url) = try mesh.startAlertmanager(
            program, config: "route: {receiver: none}\nreceivers: [{name: none}]\n")
        defer { process.kill9() }
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

import Glibc
import Testing
import WeirCore
import WeirHost
import WeirTesting

/// Silences of a running agent, by the command line, by Alertmanager's own tool, and over a restart.
@Suite("Silences of an agent", .serialized) struct SilenceTests {
    private let receiver: WebhookStandIn
    private let mesh: AlertingMesh
    private let weir: RunningWeir
    private let url: String

    init() throws {
        receiver = try WebhookStandIn()
        mesh = try AlertingMesh()
        weir = try mesh.start(
            """
            <notify>
              @type webhook
              url \(receiver.url)
              group_interval 1s
              group_by destination_service_name
            </notify>
            <inhibit>
              source_matchers destination_service_name="database"
              target_matchers destination_service_name="shop"
              equal alertname
            </inhibit>
            """)
        url = "http://127.0.0.1:\(try #require(weir.adminPort))"
    }

    private func run(_ program: String, _ arguments: [String]) throws -> (code: Int32, text: String)
    {
        let process = try ChildProcess(program, arguments, log: mesh.folder.file("out"))
        let code = process.wait()
        let text = String(decoding: mesh.folder.contents(of: "out") ?? [], as: UTF8.self)
        unlink(mesh.folder.file("out"))
        return (code, text)
    }

    private func alerts(_ arguments: String...) throws -> (code: Int32, text: String) {
        try run(TestPrograms.weir, ["alerts"] + arguments + ["--url", url])
    }

    private func services(_ requests: [WebhookStandIn.Request]) -> [String] {
        requests.map {
            let labels = $0.json["commonLabels"]?.object
            return labels?["destination_service_name"]?.string ?? "?"
        }
    }

    @Test("are made, seen and ended by the command line; what they hold back is told afterwards")
    func commandLine() throws {
        #expect(try alerts().text.contains("no alert is pending or fires"))
        let made = try alerts(
            "silence", "destination_service_name=reviews", "--duration", "1h", "--comment", "known",
            "--author", "me")
        #expect(made.code == 0)
        let id = made.text.split(separator: "\n").first.map(String.init) ?? ""
        #expect(id.count == 36)
        let list = try alerts("silences").text
        #expect(
            list.contains("\(id)  active  {destination_service_name=\"reviews\"}")
                && list.contains("by me: known"), "\(list)")
        mesh.turnBad("reviews", "ratings")
        #expect(receiver.wait { !$0.isEmpty })
        #expect(services(receiver.requests) == ["ratings"])
        let shown = try alerts().text
        #expect(shown.contains("firing  Errors  for "), "\(shown)")
        #expect(shown.contains("  silenced by \(id)"))
        #expect(shown.contains("  summary: reviews <is> bad"))
        #expect(try !alerts("list", "destination_service_name=ratings").text.contains("reviews"))
        #expect(try alerts("list", "a=\"").code == 64)
        // A restart forgets no silence.
        weir.process.kill9()
        try weir.restart()
        #expect(
            AlertingMesh.wait { (weir.metric("weir_rule_evaluations_total") ?? 0) >= 3 })
        let again = "http://127.0.0.1:\(try #require(weir.adminPort))"
        #expect(services(receiver.requests) == ["ratings"])
        let end = try run(TestPrograms.weir, ["alerts", "unsilence", id, "--url", again])
        #expect(end.code == 0, "\(end.text)")
        #expect(receiver.wait { services($0).contains("reviews") })
        let twice = try run(TestPrograms.weir, ["alerts", "unsilence", id, "--url", again])
        #expect(twice.code == 1 && twice.text.contains("already expired"))
        let unknown = try run(TestPrograms.weir, ["alerts", "unsilence", "nobody", "--url", again])
        #expect(unknown.code == 1 && unknown.text.contains("silence not found"))
        #expect(try run(TestPrograms.weir, ["alerts", "--url", "http://127.0.0.1:1"]).code == 2)
        #expect(weir.terminate() == 0)
    }

    @Test(
        "are made, seen and ended by amtool",
        .enabled(if: TestPrograms.amtool != nil, "needs `make deps-test`"))
    func amtool() throws {
        let amtool = try #require(TestPrograms.amtool)
        func ask(_ arguments: String...) throws -> (code: Int32, text: String) {
            try run(amtool, ["--alertmanager.url=\(url)"] + arguments)
        }
        mesh.turnBad("reviews", "ratings")
        #expect(receiver.wait { $0.count == 2 })
        let seen = try ask("alert", "query", "-o", "extended")
        #expect(seen.code == 0 && seen.text.contains("destination_service_name=\"ratings\""))
        let made = try ask(
            "silence", "add", "destination_service_name=~rat.*", "--comment=known", "--author=me",
            "--duration=1h")
        #expect(made.code == 0, "\(made.text)")
        // It remarks first that an agent has not its own version.
        let id = made.text.split(separator: "\n").last.map(String.init) ?? ""
        let list = try ask("silence", "query")
        #expect(list.text.contains(id) && list.text.contains("known"), "\(list.text)")
        let silenced = try ask("alert", "query", "--silenced", "-o", "simple")
        #expect(
            silenced.text.contains("ratings") && !silenced.text.contains("reviews"),
            "\(silenced.text)")
        let active = try ask("alert", "query", "destination_service_name=reviews")
        #expect(active.text.contains("reviews") && !active.text.contains("ratings"))
        let longer = try ask("silence", "update", id, "--duration=2h")
        #expect(longer.code == 0, "\(longer.text)")
        let end = try ask("silence", "expire", id)
        #expect(end.code == 0, "\(end.text)")
        #expect(try !ask("silence", "query").text.contains(id))
        let wrong = try ask("silence", "add", "a=~.*", "--comment=x", "--author=me")
        #expect(wrong.code != 0, "\(wrong.text)")
        #expect(weir.terminate() == 0)
    }

    @Test("are not needed for what other alerts keep silent")
    func inhibited() throws {
        mesh.turnBad("database")
        #expect(receiver.wait { $0.count == 1 })
        mesh.turnBad("shop", "ratings")
        #expect(receiver.wait { $0.count == 2 })
        #expect(services(receiver.requests) == ["database", "ratings"])
        #expect(try alerts().text.contains("  kept silent by the alert "))
        mesh.log(200, count: 10)
        mesh.log(200, count: 10, service: "database")
        #expect(receiver.wait { services($0).contains("shop") })
        #expect(weir.terminate() == 0)
    }

    @Test(
        "that make no sense are refused",
        arguments: [
            ("{", "the body must be a JSON object"), ("{}", "matchers in body is required"),
            (#"{"matchers":[{}]}"#, "a matcher needs name and value"),
            (
                #"{"matchers":[{"name":"a","value":"(","isRegex":true}],"startsAt":"2026-11-27T12:00:00Z"}"#,
                "is refused"
            ),
            (
                #"{"matchers":[{"name":"a","value":"b"}],"startsAt":"soon"}"#,
                "startsAt in body must be a time"
            ),
        ])
    func refusals(_ body: String, _ told: String) throws {
        let client = HTTPClient()
        let bytes = Array(body.utf8)
        let answer = try bytes.withUnsafeBytes {
            try client.send("POST", "\(url)/api/v2/silences", headers: [], body: $0)
        }
        #expect(answer.status == 400)
        let text = JSONValueReader.value(of: client.body.bytes)?.string ?? ""
        #expect(text.contains(told), "\(text)")
        weir.process.kill9()
    }
}

import Glibc
import Testing
import WeirCore
import WeirHost
import WeirTesting

/// The answers are those of Zipkin's API (`zipkin2-api.yaml`), and what `weir trace` makes of them.
@Suite("Traces kept on the node", .serialized) struct TraceStoreTests {
    private let folder: ScratchFolder
    private let client = HTTPClient()

    init() throws { folder = try ScratchFolder() }

    private func start() throws -> (weir: RunningWeir, port: Int) {
        folder.write(
            """
            <system>
              admin_port 0
            </system>
            <source>
              @type zipkin
              port 0
              ack delivered
              trace_store \(folder.file("traces.db"))
              autocomplete_keys env
            </source>
            <match zipkin.**>
              @type trace_store
              path \(folder.file("traces.db"))
              <buffer>
                flush_interval 0.05
              </buffer>
            </match>
            """, to: "weir.conf")
        let weir = try RunningWeir(folder)
        #expect(weir.waitForLog("weir runs"), "\(weir.log)")
        return (weir, try #require(weir.sourcePort))
    }

    private func ask(
        _ port: Int, _ path: String, posting body: String? = nil
    ) throws -> (status: Int, body: String) {
        let answer = try Array((body ?? "").utf8).withUnsafeBytes {
            try client.send(
                body == nil ? "GET" : "POST", "http://127.0.0.1:\(port)\(path)",
                headers: ["Content-Type: application/json"], body: $0)
        }
        return (answer.status, String(decoding: client.body.bytes, as: UTF8.self))
    }

    /// Two traces: a call of three services, and a failed one.
    private func traces(_ now: Int64) -> String {
        let t = now * 1_000
        return """
            [{"traceId":"00000000000000010000000000000002","id":"a","kind":"SERVER","name":"get /",\
            "timestamp":\(t),"duration":90000,"localEndpoint":{"serviceName":"web"},\
            "tags":{"http.status_code":"200","env":"prod"}},\
            {"traceId":"00000000000000010000000000000002","id":"b","parentId":"a","kind":"CLIENT",\
            "name":"get /items","timestamp":\(t + 10_000),"duration":60000,\
            "localEndpoint":{"serviceName":"web"},"remoteEndpoint":{"serviceName":"app"}},\
            {"traceId":"00000000000000010000000000000002","id":"b","parentId":"a","kind":"SERVER",\
            "shared":true,"name":"get /items","timestamp":\(t + 20_000),"duration":40000,\
            "localEndpoint":{"serviceName":"app"},\
            "annotations":[{"timestamp":\(t + 25_000),"value":"cache.miss"}]},\
            {"traceId":"00000000000000010000000000000002","id":"c","parentId":"b","kind":"CLIENT",\
            "name":"select","timestamp":\(t + 30_000),"duration":20000,\
            "localEndpoint":{"serviceName":"app"},"remoteEndpoint":{"serviceName":"db"}},\
            {"traceId":"3","id":"d","kind":"SERVER","name":"post /","timestamp":\(t + 500_000),\
            "duration":1500,"localEndpoint":{"serviceName":"web"},"tags":{"error":"broken\\u001b[31m"}}]
            """
    }

    @Test func `answer Zipkin's questions`() throws {
        let (weir, port) = try start()
        #expect(try ask(port, "/api/v2/services") == (200, "[]"))
        let now = SystemClock().now.millisecondsSince1970 - 5_000
        #expect(try ask(port, "/api/v2/spans", posting: traces(now)).status == 202)
        // The same once more: nothing is doubled.
        #expect(try ask(port, "/api/v2/spans", posting: traces(now)).status == 202)

        #expect(try ask(port, "/api/v2/services") == (200, #"["app","web"]"#))
        #expect(
            try ask(port, "/api/v2/spans?serviceName=Web")
                == (200, #"["get /","get /items","post /"]"#))
        #expect(try ask(port, "/api/v2/spans").status == 400)
        #expect(try ask(port, "/zipkin/api/v2/remoteServices?serviceName=app") == (200, #"["db"]"#))
        #expect(try ask(port, "/api/v2/autocompleteKeys") == (200, #"["env"]"#))
        #expect(try ask(port, "/api/v2/autocompleteValues?key=env") == (200, #"["prod"]"#))
        #expect(
            try ask(port, "/api/v2/dependencies?endTs=\(now + 60_000)") == (
                200,
                #"[{"parent":"app","child":"db","callCount":1},"#
                    + #"{"parent":"web","child":"app","callCount":1}]"#
            ))

        try checkTraces(port, now)
        #expect(weir.terminate() == 0)
    }

    private func checkTraces(_ port: Int, _ now: Int64) throws {
        func counts(_ query: String) throws -> [Int] {
            let body = try ask(port, "/api/v2/traces?\(query)").body
            guard case .array(let traces)? = JSONValueReader.value(of: body) else {
                Issue.record("\(body)")
                return []
            }
            return traces.map { if case .array(let spans) = $0 { spans.count } else { -1 } }
        }
        // The youngest first.
        #expect(try counts("") == [1, 4])
        #expect(try counts("limit=1") == [1])
        #expect(try counts("serviceName=app") == [4])
        #expect(try counts("serviceName=web&remoteServiceName=app") == [4])
        #expect(try counts("serviceName=web&spanName=post%20/") == [1])
        #expect(try counts("minDuration=80000") == [4])
        #expect(try counts("minDuration=1000&maxDuration=2000") == [1])
        #expect(try counts("annotationQuery=error") == [1])
        #expect(try counts("annotationQuery=env%3Dprod%20and%20http.status_code%3D200") == [4])
        #expect(try counts("annotationQuery=cache.miss&serviceName=app") == [4])
        #expect(try counts("annotationQuery=cache.miss&serviceName=web") == [])
        #expect(try counts("endTs=\(now - 1)") == [])
        #expect(try counts("endTs=\(now)&lookback=1000") == [4])
        for query in ["limit=0", "limit=x", "maxDuration=5", "endTs=0", "lookback=-1"] {
            #expect(try ask(port, "/api/v2/traces?\(query)").status == 400, "\(query)")
        }

        let whole = try ask(port, "/api/v2/trace/00000000000000010000000000000002")
        #expect(whole.status == 200)
        #expect(JSONValueReader.value(of: whole.body) != nil)
        #expect(try ask(port, "/api/v2/trace/2").body == whole.body)
        #expect(
            try ask(port, "/api/v2/trace/9") == (404, "0000000000000009 not found"))
        #expect(try ask(port, "/api/v2/trace/xyz").status == 400)
        #expect(
            try ask(port, "/api/v2/traceMany?traceIds=2,3").body.hasPrefix("[[{\"traceId\":"))
        #expect(
            try ask(port, "/api/v2/traceMany") == (400, "traceIds parameter is empty"))
        #expect(
            try ask(port, "/api/v2/traceMany?traceIds=3,3").body
                == "redundant traceId: 0000000000000003")
        #expect(
            try ask(port, "/api/v2/traceMany?traceIds=3").body
                == "Use /api/v2/trace/{traceId} endpoint to retrieve a single trace")
    }

    @Test func `are drawn and listed by the command line`() throws {
        let (weir, port) = try start()
        let now = SystemClock().now.millisecondsSince1970 - 5_000
        #expect(try ask(port, "/api/v2/spans", posting: traces(now)).status == 202)
        func run(_ arguments: String...) throws -> (code: Int32, text: String) {
            let log = folder.file("out-\(arguments.joined().count)")
            let process = try ChildProcess(
                TestPrograms.weir, ["trace", "--url", "http://127.0.0.1:\(port)"] + arguments,
                log: log)
            let code = process.wait()
            let name = log.split(separator: "/").last.map(String.init) ?? ""
            return (code, String(decoding: folder.contents(of: name) ?? [], as: UTF8.self))
        }
        let drawn = try run("2")
        #expect(drawn.code == 0)
        let lines = drawn.text.split(separator: "\n").map(String.init)
        #expect(lines.count == 5, "\(drawn.text)")
        #expect(
            lines[0].hasPrefix(
                "trace 00000000000000010000000000000002  4 spans, 2 services, 90.0ms"))
        #expect(lines[1].hasPrefix("web get / server "))
        #expect(
            lines[1].contains(String(repeating: "█", count: 40)) && lines[1].hasSuffix("90.0ms 200")
        )
        #expect(lines[2].hasPrefix("  web get /items client "))
        #expect(lines[3].hasPrefix("    app get /items server "))
        #expect(lines[4].hasPrefix("      app select client "))
        #expect(lines[4].contains("·" + String(repeating: "█", count: 9) + "·"))

        // What came from outside does not colour the terminal.
        #expect(try run("3").text.contains("1.5ms ✗ broken [31m"))
        let failed = try run("--last", "--errors")
        #expect(failed.code == 0)
        #expect(failed.text.split(separator: "\n").count == 1)
        #expect(failed.text.contains("0000000000000003  1.5ms  1 spans  ✗ 1  web post /"))
        #expect(try run("--last").text.split(separator: "\n").count == 2)
        #expect(try run("--service", "nobody").code == 1)
        #expect(try run("ffff").code == 1)
        #expect(weir.terminate() == 0)
    }
}

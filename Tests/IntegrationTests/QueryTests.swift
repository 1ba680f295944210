import Glibc
import Testing
import WeirCore
import WeirTesting

@Suite("Queries to a running agent", .timeLimit(.minutes(3))) struct QueryTests {
    private let folder: ScratchFolder

    init() throws { folder = try ScratchFolder() }

    private func configuration(_ more: String = "") -> String {
        """
        <system>
          admin_port 0
          \(more)
        </system>
        \(TestConfigurations.counting(folder))
        """
    }

    private func run(
        _ program: String, _ arguments: [String]
    ) throws -> (code: Int32, output: String) {
        unlink(folder.file("out"))
        let process = try ChildProcess(program, arguments, log: folder.file("out"))
        let code = process.wait()
        return (code, String(decoding: folder.contents(of: "out") ?? [], as: UTF8.self))
    }

    /// Asks until the answer holds a text.
    private func wait(_ arguments: [String], for text: String) throws -> Bool {
        for _ in 0..<200 where try run(TestPrograms.weir, arguments).output.contains(text) {
            return true
        }
        return false
    }

    private let line = """
        {"upstream_cluster":"outbound|9080||reviews.default.svc.cluster.local","response_code":503,\
        "method":"GET","protocol":"HTTP/1.1","duration":5,"bytes_sent":1,"bytes_received":1,\
        "response_flags":"-","start_time":"2026-11-23T20:58:05.532Z","request_id":"r"}

        """

    @Test func `are answered from the metrics' own history, to others' clients as well`() throws {
        folder.write(String(repeating: line, count: 40), to: "access.log")
        folder.write(configuration("history_interval 1s"), to: "weir.conf")
        let weir = try RunningWeir(folder)
        let port = try #require(weir.adminPort)
        let url = "http://127.0.0.1:\(port)"
        let query = "sum by (destination_service_name, response_code) (istio_requests_total)"
        #expect(
            try wait(
                ["query", "--url", url, query],
                for: #"{destination_service_name="reviews", response_code="503"}  40"#))
        let json = try run(TestPrograms.weir, ["query", "--url", url, "--json", "1+1"])
        #expect(json.output.contains(#""resultType":"scalar""#))
        let refused = try run(TestPrograms.weir, ["query", "--url", url, "rate(a)"])
        #expect(refused.code == 1)
        #expect(refused.output.hasPrefix("1:6: expected type range vector"))
        let absent = try run(TestPrograms.weir, ["query", "--url", "http://127.0.0.1:1", "a"])
        #expect(absent.code == 2)
        if let promtool = TestPrograms.promtool {
            let instant = try run(promtool, ["query", "instant", url, query])
            #expect(instant.output.contains(#"response_code="503"} => 40 @["#))
            let labels = try run(promtool, ["query", "labels", url, "destination_service_name"])
            #expect(labels.output == "reviews\n")
            let series = try run(
                promtool, ["query", "series", "--match", "istio_requests_total", url])
            #expect(series.output.contains(#"destination_service_name="reviews""#))
        }
        #expect(weir.terminate() == 0)
    }

    @Test func `are drawn over time`() throws {
        folder.write(line, to: "access.log")
        folder.write(configuration(), to: "weir.conf")
        let weir = try RunningWeir(folder)
        let url = "http://127.0.0.1:\(try #require(weir.adminPort))"
        func query(_ more: [String]) throws -> (code: Int32, output: String) {
            try run(TestPrograms.weir, ["query", "--url", url] + more)
        }
        let range = ["--start", "1700000000", "--end", "1700000600", "--step", "10"]
        let drawn = try query(["(time() - 1700000000) * 100", "--chart"] + range)
        #expect(drawn.code == 0)
        let lines = drawn.output.split(separator: "\n").map(String.init)
        #expect(lines.count == 14)
        // It rises from the left below to the right above.
        #expect(lines[0].hasPrefix("60k ┤     ") && lines[0].count == 77)
        #expect(lines[6].hasPrefix("30k ┤  "))
        #expect(lines[11].hasPrefix("  0 ┤⣀") && lines[11].count < 20)
        #expect(lines[12].hasPrefix("2023-11-14T22:13:20Z  "))
        #expect(lines[12].hasSuffix("  2023-11-14T22:23:20Z"))
        #expect(lines[13] == "━ {}  last 60k, least 0, most 60k")
        let empty = try query(["nosuch", "--chart"] + range)
        #expect(empty.output == "nothing to draw\n")
        #expect(try query(["up", "--chart"]).output.contains("--chart draws a range: say --start"))
        #expect(weir.terminate() == 0)
    }

    @Test func `find what there was before a stop, and before a kill`() throws {
        folder.write(String(repeating: line, count: 40), to: "access.log")
        folder.write(
            configuration("history_interval 1s\n  history_snapshot_interval 1s"), to: "weir.conf")
        let weir = try RunningWeir(folder)
        let oldest = "min(min_over_time(timestamp(istio_requests_total)[1h:1s]))"
        var answers: [String] = []
        // The second start has the first one's history, the third that of the killed second.
        for (starts, ending) in [(1, SIGTERM), (2, SIGKILL), (3, SIGTERM)] {
            #expect(weir.waitForLog("admin server listens", count: starts))
            let query = [
                "query", "--url", "http://127.0.0.1:\(try #require(weir.adminPort))", oldest,
            ]
            #expect(try wait(query, for: "{}"))
            answers.append(try run(TestPrograms.weir, query).output)
            let isWritten = (0..<2_000).contains { _ in
                weir.metric("weir_history_snapshots_total") ?? 0 > 0
            }
            #expect(isWritten)
            weir.process.signal(ending)
            _ = weir.process.wait()
            if starts < 3 { try weir.restart() }
        }
        #expect(weir.waitForLog("the metrics' history goes on where it was", count: 2))
        #expect(Set(answers).count == 1, "\(answers)")
    }

    @Test func `find nothing where no history is kept`() throws {
        folder.write("", to: "access.log")
        folder.write(configuration("history_interval 0"), to: "weir.conf")
        let weir = try RunningWeir(folder)
        #expect(weir.ask("GET", "/api/v1/query?query=1")?.status == 404)
        #expect(weir.terminate() == 0)
    }
}

import Glibc
import Testing
import WeirCore
import WeirTesting

@Suite("An agent that counts Istio's metrics and is killed", .serialized) struct CountingTests {
    private static func line(_ number: Int) -> String {
        let code = number % 10 == 0 ? 503 : 200
        let service = number % 3 == 0 ? "ratings" : "reviews"
        return """
            {"authority":"\(service):9080","bytes_received":1,"bytes_sent":2,"duration":\(number % 50),\
            "method":"GET","path":"/\(number)","protocol":"HTTP/1.1","request_id":"r\(number)",\
            "response_code":\(code),"response_flags":"-","start_time":"2026-11-23T20:58:05.532Z",\
            "upstream_cluster":"outbound|9080||\(service).default.svc.cluster.local"}

            """
    }

    private static func configuration(port: Int, path: String) -> String {
        TestConfigurations.tailToElasticsearch(port: port, path: path)
            .replacing(
                "<match **>", with: "<filter **>\n  @type istio_metrics\n</filter>\n<match **>")
    }

    /// The count of requests by service and code, as a scrape shows it.
    private static func counts(_ scrape: String) -> [String: Int] {
        var counts: [String: Int] = [:]
        for line in scrape.split(separator: "\n") where line.hasPrefix("istio_requests_total{") {
            func label(_ name: String) -> Substring {
                guard let range = line.firstRange(of: ",\(name)=\"") else { return "" }
                return line[range.upperBound...].prefix { $0 != "\"" }
            }
            let key = "\(label("destination_service_name")) \(label("response_code"))"
            counts[key, default: 0] += line.split(separator: " ").last.flatMap { Int($0) } ?? 0
        }
        return counts
    }

    @Test func `counts every line once, and shows no count that falls`() throws {
        var random = SeededGenerator(announcing: "counting")
        let standIn = try ElasticsearchStandIn()
        standIn.keepRequests(false)
        let folder = try ScratchFolder()
        let log = folder.file("access.log")
        folder.write(Self.configuration(port: standIn.port, path: log), to: "weir.conf")
        folder.write("", to: "access.log")
        var written = 0
        var rotationCount = 0
        func write(_ count: Int) {
            folder.append((written..<(written + count)).map(Self.line).joined(), to: "access.log")
            written += count
        }
        write(100)
        let weir = try RunningWeir(folder)
        var seen: [String: Int] = [:]
        func scrape() -> [String: Int] {
            guard let answer = weir.ask("GET", "/metrics"), answer.status == 200 else {
                return seen
            }
            let counts = Self.counts(answer.body)
            for (key, count) in seen { #expect(counts[key] ?? 0 >= count, "\(key) fell") }
            seen = counts
            return counts
        }
        for kill in 0..<25 {
            write(Int.random(in: 1...400, using: &random))
            if kill % 6 == 5 {
                rotationCount += 1
                rename(log, "\(log).\(rotationCount)")
            }
            write(Int.random(in: 1...400, using: &random))
            let more = Int.random(in: 0...500, using: &random)
            _ = standIn.waitForDocuments(min(standIn.documents.count + more, written))
            _ = scrape()
            if kill % 5 == 4 { #expect(weir.terminate() == 0) } else { weir.process.kill9() }
            folder.write("", to: "weir.log")
            try weir.restart()
        }
        #expect(standIn.waitForDocuments(written))
        var expected: [String: Int] = [:]
        for number in 0..<written {
            let service = number % 3 == 0 ? "ratings" : "reviews"
            expected["\(service) \(number % 10 == 0 ? 503 : 200)", default: 0] += 1
        }
        #expect(scrape() == expected)
        #expect(weir.terminate() == 0)
    }

    @Test func `starts from nothing when its file of counts is of no use, and says so`() throws {
        let standIn = try ElasticsearchStandIn()
        let folder = try ScratchFolder()
        let log = folder.file("access.log")
        folder.write(Self.configuration(port: standIn.port, path: log), to: "weir.conf")
        folder.write((0..<20).map(Self.line).joined(), to: "access.log")
        let weir = try RunningWeir(folder)
        #expect(standIn.waitForDocuments(20))
        #expect(weir.terminate() == 0)
        folder.write("no journal at all", to: "access.log.pos.series")
        folder.append((20..<30).map(Self.line).joined(), to: "access.log")
        folder.write("", to: "weir.log")
        try weir.restart()
        #expect(weir.waitForLog("counted series are not all there"))
        #expect(standIn.waitForDocuments(30))
        #expect(weir.metric("istio_requests_total") == 10)
        #expect(weir.terminate() == 0)
    }
}

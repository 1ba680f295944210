import Glibc
import Testing
import WeirCore
import WeirTesting

@Suite(
    "The guide's Fluentd file, unchanged",
    .enabled(
        if: getuid() == 0 && access("/var/log/istio", F_OK) != 0,
        "needs to be root on a machine without /var/log/istio"))
struct GuideTests {
    @Test func `ships every line of a growing log to the host that it names`() throws {
        let config = "\(SourceTree.root)/pipelines/istio-guide/weir.conf"
        if let original = SharedCases.bytes("corpus/guide/22-fluentd.conf") {
            let copy = SourceTree.lines(of: "pipelines/istio-guide/weir.conf")
            #expect(copy.map { $0 + "\n" }.joined() == String(decoding: original, as: UTF8.self))
        }
        mkdir("/var/log/istio", 0o755)
        defer {
            for name in ["access.log", "access.log.pos", "access.log.pos.weir"] {
                unlink("/var/log/istio/\(name)")
            }
            rmdir("/var/log/istio")
        }
        let standIn = try ElasticsearchStandIn()
        let folder = try ScratchFolder()
        let log = LogFile("/var/log/istio/access.log")
        log.append("{\"n\":-1}\n")
        // The name `elasticsearch` is reached through a proxy, as in a cluster without that name.
        let weir = try RunningWeir(
            folder, config: config,
            environment: ["http_proxy": "http://127.0.0.1:\(standIn.port)", "no_proxy": ""])
        #expect(weir.waitForLog("weir runs"))
        while weir.metric("weir_tail_files") ?? 0 < 1 {}
        for number in 0..<1000 {
            log.append(
                """
                {"time":"2026-11-23T20:57:59.\(100 + number % 900)Z","n":\(number),\
                "destination_service":"reviews","response_code":\(number % 9 == 0 ? 503 : 200)}\n
                """)
        }
        #expect(standIn.waitForDocuments(1000))
        #expect(weir.terminate() == 0)
        #expect(standIn.violations.isEmpty)
        #expect(standIn.requests.allSatisfy { $0.path.hasSuffix("elasticsearch:9200/_bulk") })
        // What stood in the log before the start is not read: Fluentd's default.
        #expect(numbers("n", in: standIn.documents).sorted() == Array(0..<1000))
        for document in standIn.documents {
            guard case .object(let record)? = JSONValueReader.value(of: document.source) else {
                Issue.record("no object")
                continue
            }
            #expect(document.index == "logstash-2026.11.23")
            #expect(record["service_name"] == .string("reviews"))
            #expect(record["response_code"]?.integer != nil)
            #expect(record["@timestamp"]?.string?.hasPrefix("2026-11-23T") == true)
        }
    }
}

/// A log that a test writes, wherever it is.
private struct LogFile {
    let path: String

    init(_ path: String) {
        self.path = path
    }

    func append(_ text: String) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var text = text
        text.withUTF8 { _ = write(descriptor, $0.baseAddress, $0.count) }
    }
}

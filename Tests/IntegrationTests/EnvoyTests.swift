import Glibc
import Testing
import WeirCore
import WeirHost
import WeirTesting

@Suite(
    "A real Envoy's logs", .serialized,
    .enabled(if: TestPrograms.envoy != nil, "needs `make deps-test`"))
struct EnvoyTests {
    private static let rotationCount = 6

    private func configuration(_ folder: ScratchFolder) -> String {
        let fields = [
            #"start_time: "%START_TIME%""#, #"method: "%REQ(:METHOD)%""#,
            #"path: "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%""#, #"protocol: "%PROTOCOL%""#,
            #"response_code: "%RESPONSE_CODE%""#, #"response_flags: "%RESPONSE_FLAGS%""#,
            #"duration: "%DURATION%""#, #"user_agent: "%REQ(USER-AGENT)%""#,
        ]
        return TestConfigurations.envoy(
            logs: [(folder.file("json.log"), fields), (folder.file("text.log"), [])],
            routes: [("/missing", 404), ("/", 200)])
    }

    @Test func `arrive line by line, once, in JSON and in text, through rotations`() throws {
        let program = try #require(TestPrograms.envoy)
        let folder = try ScratchFolder()
        let envoy = try #require(
            try RunningEnvoy(program, config: configuration(folder), folder),
            "Envoy says where it listens")
        let standIns = (json: try ElasticsearchStandIn(), text: try ElasticsearchStandIn())
        folder.write(pipeline(folder, standIns.json.port, standIns.text.port), to: "weir.conf")
        let weir = try RunningWeir(folder)
        #expect(weir.waitForLog("weir runs"))
        let requestCount = try sendRequests(to: envoy, folder)
        for standIn in [standIns.json, standIns.text] {
            #expect(standIn.waitForDocuments(requestCount))
        }
        #expect(weir.terminate() == 0)
        for standIn in [standIns.json, standIns.text] {
            #expect(standIn.violations.isEmpty)
            check(standIn.documents, requestCount)
        }
        print("envoy: \(requestCount) requests, \(Self.rotationCount) rotations")
    }

    /// Sends requests without a pause; each second both logs are renamed and opened anew.
    /// - Returns: How many requests there were.
    private func sendRequests(to envoy: RunningEnvoy, _ folder: ScratchFolder) throws -> Int {
        let clock = SystemClock()
        let start = clock.monotonicNanoseconds
        var number = 0
        for rotation in 1...Self.rotationCount {
            while clock.monotonicNanoseconds - start < UInt64(rotation) * 1_000_000_000 {
                let path = number % 10 == 3 ? "/missing" : "/api"
                _ = try envoy.get(
                    "\(path)?n=\(number)",
                    headers: ["User-Agent: test \"quoted\" agent/\(number)"])
                number += 1
            }
            for name in ["json.log", "text.log"] {
                rename(folder.file(name), folder.file("\(name).\(rotation)"))
            }
            try envoy.reopenLogs()
        }
        return number
    }

    /// Every request's document is there once, with its code and its user agent whole.
    private func check(_ documents: [ElasticsearchStandIn.Document], _ requestCount: Int) {
        #expect(documents.count == requestCount)
        var seen: Set<Int> = []
        for document in documents {
            guard case .object(let record)? = JSONValueReader.value(of: document.source),
                case .string(let path)? = record["path"],
                let number = path.split(separator: "=").last.flatMap({ Int($0) })
            else {
                Issue.record("no path in \(document.source)")
                continue
            }
            seen.insert(number)
            #expect(record["response_code"] == .integer(number % 10 == 3 ? 404 : 200))
            #expect(record["user_agent"] == .string("test \"quoted\" agent/\(number)"))
        }
        #expect(seen == Set(0..<requestCount))
    }

    private func pipeline(_ folder: ScratchFolder, _ jsonPort: Int, _ textPort: Int) -> String {
        var text = "<system>\n  admin_port 0\n</system>\n"
        for (name, port) in [("json", jsonPort), ("text", textPort)] {
            text += """
                <source>
                  @type tail
                  path \(folder.file("\(name).log"))
                  pos_file \(folder.file("\(name).pos"))
                  tag \(name)
                  read_from_head true
                  <parse>
                    @type envoy
                  </parse>
                </source>
                <match \(name)>
                  @type elasticsearch
                  host 127.0.0.1
                  port \(port)
                  logstash_format true
                  <buffer>
                    flush_interval 0.1
                  </buffer>
                </match>

                """
        }
        return text
    }
}

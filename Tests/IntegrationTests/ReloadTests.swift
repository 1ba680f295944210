import Glibc
import Testing
import WeirCore
import WeirTesting

@Suite("A reload", .timeLimit(.minutes(3))) struct ReloadTests {
    private func lines(_ range: Range<Int>) -> String {
        range.map { "{\"n\":\($0)}\n" }.joined()
    }

    /// Two logs to two clusters.
    private func configuration(
        _ folder: ScratchFolder, _ ports: [Int], index: String = "first", more: String = ""
    ) -> String {
        var text = "<system>\n  admin_port 0\n  shutdown_timeout 2\n</system>\n\(more)\n"
        for (number, port) in ports.enumerated() {
            text += """
                <source>
                  @type tail
                  path \(folder.file("log.\(number)"))
                  pos_file \(folder.file("pos.\(number)"))
                  tag log.\(number)
                  read_from_head true
                  <parse>
                    @type json
                  </parse>
                </source>
                <match log.\(number)>
                  @type elasticsearch
                  host 127.0.0.1
                  port \(port)
                  index_name \(number == 1 ? index : "zero")
                  <buffer>
                    flush_interval 0.05
                    retry_wait 0.05
                    retry_max_interval 0.2
                  </buffer>
                </match>

                """
        }
        return text
    }

    @Test func `lets go on what has not changed, and loses and doubles nothing`() throws {
        let standIns = [try ElasticsearchStandIn(), try ElasticsearchStandIn()]
        let folder = try ScratchFolder()
        folder.write(configuration(folder, standIns.map(\.port)), to: "weir.conf")
        for name in ["log.0", "log.1"] { folder.write(lines(0..<100), to: name) }
        let weir = try RunningWeir(folder)
        for standIn in standIns { #expect(standIn.waitForDocuments(100)) }
        folder.write(
            configuration(
                folder, standIns.map(\.port), index: "second",
                more: "<filter log.0>\n  @type record_transformer\n  <record>\n    new yes\n"
                    + "  </record>\n</filter>"), to: "weir.conf")
        weir.process.signal(SIGHUP)
        #expect(weir.waitForLog("the new configuration runs"))
        #expect(weir.log.contains(#"kept_outputs="1" kept_sources="2""#))
        for name in ["log.0", "log.1"] { folder.append(lines(100..<200), to: name) }
        for standIn in standIns { #expect(standIn.waitForDocuments(200)) }
        #expect(weir.terminate() == 0)
        for standIn in standIns {
            #expect(numbers("n", in: standIn.documents).sorted() == Array(0..<200))
            #expect(standIn.duplicateCount == 0)
        }
        #expect(
            standIns[0].documents.suffix(100).allSatisfy { $0.source.contains("\"new\":\"yes\"") })
        #expect(standIns[1].documents.suffix(100).allSatisfy { $0.index == "second" })
    }

    @Test func `reads again what a removed output could not deliver`() throws {
        let standIns = [try ElasticsearchStandIn(), try ElasticsearchStandIn()]
        standIns[1].stop()
        let folder = try ScratchFolder()
        folder.write(configuration(folder, standIns.map(\.port)), to: "weir.conf")
        for name in ["log.0", "log.1"] { folder.write(lines(0..<100), to: name) }
        let weir = try RunningWeir(folder)
        #expect(standIns[0].waitForDocuments(100))
        #expect(weir.waitForLog("it is sent again"))
        let other = try ElasticsearchStandIn()
        folder.write(configuration(folder, [standIns[0].port, other.port]), to: "weir.conf")
        weir.process.signal(SIGHUP)
        #expect(weir.waitForLog("the new configuration runs"))
        #expect(other.waitForDocuments(100))
        folder.append(lines(100..<200), to: "log.0")
        #expect(standIns[0].waitForDocuments(200))
        #expect(weir.terminate() == 0)
        #expect(numbers("n", in: other.documents).sorted() == Array(0..<100))
        #expect(numbers("n", in: standIns[0].documents).sorted() == Array(0..<200))
    }

    @Test func `that does not start gives way to the former configuration`() throws {
        let standIns = [try ElasticsearchStandIn(), try ElasticsearchStandIn()]
        let folder = try ScratchFolder()
        folder.write(configuration(folder, standIns.map(\.port)), to: "weir.conf")
        for name in ["log.0", "log.1"] { folder.write(lines(0..<100), to: name) }
        let weir = try RunningWeir(folder)
        for standIn in standIns { #expect(standIn.waitForDocuments(100)) }
        folder.write("a file, no folder", to: "taken")
        folder.write(
            configuration(
                folder, standIns.map(\.port), index: "second",
                more: "<match never>\n  @type stdout\n  <buffer>\n    @type file\n    path "
                    + "\(folder.file("taken"))\n  </buffer>\n</match>"), to: "weir.conf")
        weir.process.signal(SIGHUP)
        #expect(weir.waitForLog("the former one is started again"))
        for name in ["log.0", "log.1"] { folder.append(lines(100..<200), to: name) }
        for standIn in standIns { #expect(standIn.waitForDocuments(200)) }
        #expect(weir.metric("weir_reloads_refused_total") == 1)
        #expect(weir.terminate() == 0)
        for standIn in standIns {
            #expect(numbers("n", in: standIn.documents).sorted() == Array(0..<200))
        }
        #expect(standIns[1].documents.allSatisfy { $0.index == "first" })
    }
}

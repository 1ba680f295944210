import Glibc
import Testing
import WeirCore
import WeirHost
import WeirTesting

@Suite("A running agent") struct LifeTests {
    private func lines(_ range: Range<Int>) -> String {
        range.map { "{\"n\":\($0)}\n" }.joined()
    }

    @Test func `delivers what was read when it is told to stop`() throws {
        let standIn = try ElasticsearchStandIn()
        let folder = try ScratchFolder()
        // Nothing is sent before the stop: the interval is an hour.
        folder.write(
            TestConfigurations.tailToElasticsearch(
                port: standIn.port, path: folder.file("access.log")
            ).replacing("flush_interval 0.05", with: "flush_interval 1h"), to: "weir.conf")
        folder.write(lines(0..<500), to: "access.log")
        let weir = try RunningWeir(folder)
        while weir.metric("weir_output_events_total") ?? 0 < 500 {}
        #expect(standIn.documents.isEmpty)
        #expect(weir.terminate() == 0)
        #expect(Set(numbers("n", in: standIn.documents)) == Set(0..<500))
    }

    @Test func `sends at once on SIGUSR1`() throws {
        let standIn = try ElasticsearchStandIn()
        let folder = try ScratchFolder()
        folder.write(
            TestConfigurations.tailToElasticsearch(
                port: standIn.port, path: folder.file("access.log")
            ).replacing("flush_interval 0.05", with: "flush_interval 1h"), to: "weir.conf")
        folder.write(lines(0..<10), to: "access.log")
        let weir = try RunningWeir(folder)
        while weir.metric("weir_output_events_total") ?? 0 < 10 {}
        weir.process.signal(SIGUSR1)
        #expect(standIn.waitForDocuments(10))
        #expect(weir.terminate() == 0)
    }

    @Test func `takes a new configuration on SIGHUP and refuses a broken one`() throws {
        let standIn = try ElasticsearchStandIn()
        let folder = try ScratchFolder()
        let sound = TestConfigurations.tailToElasticsearch(
            port: standIn.port, path: folder.file("access.log"))
        folder.write(sound, to: "weir.conf")
        folder.write(lines(0..<10), to: "access.log")
        let weir = try RunningWeir(folder)
        #expect(standIn.waitForDocuments(10))
        folder.write(sound.replacing("@type tail", with: "@type tial"), to: "weir.conf")
        weir.process.signal(SIGHUP)
        #expect(weir.waitForLog("the new configuration is refused"))
        #expect(weir.log.contains("did you mean `tail`?"))
        folder.append(lines(10..<20), to: "access.log")
        #expect(standIn.waitForDocuments(20))
        folder.write(
            sound.replacing("logstash_format true", with: "index_name renamed"), to: "weir.conf")
        #expect(weir.ask("POST", "/-/reload")?.status == 202)
        #expect(weir.waitForLog("the new configuration runs"))
        folder.append(lines(20..<30), to: "access.log")
        #expect(standIn.waitForDocuments(30))
        #expect(standIn.documents.suffix(10).allSatisfy { $0.index == "renamed" })
        #expect(weir.metric("weir_reloads_total") == 1)
        #expect(weir.metric("weir_reloads_refused_total") == 1)
        #expect(weir.terminate() == 0)
        #expect(Set(numbers("n", in: standIn.documents)) == Set(0..<30))
        #expect(standIn.documents.count == 30)
    }

    @Test func `waits for an Elasticsearch that is down, and loses nothing`() throws {
        let standIn = try ElasticsearchStandIn()
        standIn.stop()
        let folder = try ScratchFolder()
        folder.write(
            TestConfigurations.tailToElasticsearch(
                port: standIn.port, path: folder.file("access.log")), to: "weir.conf")
        folder.write(lines(0..<2000), to: "access.log")
        let weir = try RunningWeir(folder)
        #expect(weir.waitForLog("it is sent again"))
        folder.append(lines(2000..<4000), to: "access.log")
        try standIn.restart()
        #expect(standIn.waitForDocuments(4000))
        #expect(weir.terminate() == 0)
        #expect(numbers("n", in: standIn.documents).sorted() == Array(0..<4000))
    }

    @Test func `stops within its time though one Elasticsearch is dead, and serves the other`()
        throws
    {
        let living = try ElasticsearchStandIn()
        let dead = try ElasticsearchStandIn()
        dead.stop()
        let folder = try ScratchFolder()
        let sound = TestConfigurations.tailToElasticsearch(
            port: dead.port, path: folder.file("access.log"))
        let output = "<store>\n@type elasticsearch\nhost 127.0.0.1\nport"
        folder.write(
            sound.prefix(upTo: sound.firstRange(of: "<match **>")?.lowerBound ?? sound.endIndex)
                .replacing("<system>", with: "<system>\n  shutdown_timeout 1.5")
                + "<match **>\n@type copy\n\(output) \(dead.port)\n</store>\n"
                + "\(output) \(living.port)\n<buffer>\nflush_interval 1h\n</buffer>\n</store>\n"
                + "</match>\n", to: "weir.conf")
        folder.write(lines(0..<500), to: "access.log")
        let weir = try RunningWeir(folder)
        while weir.metric("weir_output_events_total") ?? 0 < 1000 {}
        #expect(living.documents.isEmpty)
        let clock = SystemClock()
        let start = clock.monotonicNanoseconds
        #expect(weir.terminate() == 3, "events were left undelivered")
        let took = clock.monotonicNanoseconds - start
        #expect(took > 1_400_000_000)
        #expect(took < 10_000_000_000)
        #expect(numbers("n", in: living.documents).sorted() == Array(0..<500))
        try dead.restart()
        try weir.restart()
        #expect(dead.waitForDocuments(500))
        #expect(weir.terminate() == 0)
        #expect(living.documents.count == 500)
    }

    @Test func `answers on its admin port and refuses what is not there`() throws {
        let folder = try ScratchFolder()
        folder.write(
            TestConfigurations.tailToElasticsearch(port: 1, path: folder.file("access.log")),
            to: "weir.conf")
        let weir = try RunningWeir(folder)
        #expect(weir.ask("GET", "/-/healthy")?.status == 200)
        #expect(weir.waitForLog("weir runs"))
        #expect(weir.ask("GET", "/-/reload")?.status == 405)
        #expect(weir.ask("GET", "/nothing")?.status == 404)
        #expect(weir.ask("GET", "/metrics")?.body.contains("# TYPE weir_tail_files gauge") == true)
        #expect(weir.terminate() == 0)
    }

    @Test func `tells of each part of the road by its own metrics`() throws {
        let standIn = try ElasticsearchStandIn()
        let folder = try ScratchFolder()
        folder.write(
            TestConfigurations.tailToElasticsearch(
                port: standIn.port, path: folder.file("access.log")
            ).replacing(
                "<match **>",
                with: "<filter **>\n  @type grep\n  <exclude>\n    key n\n    pattern /^3$/\n"
                    + "  </exclude>\n</filter>\n<match **>"), to: "weir.conf")
        standIn.follow([
            .refuses(status: 503, retryAfter: nil), .refusesItems(status: 400, every: 4),
            .forgetsLastItem,
        ])
        folder.write(lines(0..<5) + "no json\n" + lines(5..<8), to: "access.log")
        let weir = try RunningWeir(folder)
        #expect(standIn.waitForDocuments(6))
        folder.append(lines(8..<9), to: "access.log")
        #expect(standIn.waitForDocuments(7))
        while weir.metric("weir_output_delivered_events_total") ?? 0 < 7 {}
        while weir.metric("weir_tail_file_lag_bytes") != 0 {}
        let text = weir.ask("GET", "/metrics")?.body ?? ""
        let lines = Set(text.split(separator: "\n").map(String.init))
        let path = folder.file("access.log")
        for line in [
            #"weir_tail_lines_total{source="tail"} 10"#,
            #"weir_tail_file_lag_bytes{path="\#(path)",source="tail"} 0"#,
            #"weir_tail_file_lag_seconds{path="\#(path)",source="tail"} 0"#,
            #"weir_tail_lost_bytes_total{reason="truncated",source="tail"} 0"#,
            #"weir_parse_failures_total{reason="unmatched",source="tail"} 1"#,
            "weir_router_events_total 9",
            #"weir_filter_events_total{filter="grep"} 9"#,
            #"weir_filter_dropped_events_total{filter="grep"} 1"#,
            #"weir_filter_failed_events_total{filter="grep"} 0"#,
            #"weir_output_events_total{output="elasticsearch"} 8"#,
            #"weir_output_delivered_events_total{output="elasticsearch"} 7"#,
            #"weir_output_retries_total{output="elasticsearch"} 2"#,
            #"weir_output_refused_events_total{output="elasticsearch"} 1"#,
            #"weir_output_queued_chunks{output="elasticsearch"} 0"#,
            #"weir_output_buffered_bytes{output="elasticsearch"} 0"#,
            #"weir_output_dropped_events_total{output="elasticsearch"} 0"#,
            #"weir_elasticsearch_duplicates_absorbed_total{output="elasticsearch"} 1"#,
            "weir_dead_letter_events_total 1",
        ] {
            #expect(lines.contains(line), "\(line)")
        }
        for name in [
            "weir_tail_bytes_total", "weir_output_bytes_total",
            "weir_delivery_latency_seconds_count",
        ] {
            #expect(weir.metric(name) ?? 0 > 0, "\(name)")
        }
        #expect(weir.terminate() == 0)
    }

    @Test func `ends with code 1 and all mistakes on a broken configuration`() throws {
        let folder = try ScratchFolder()
        folder.write("<source>\n  @type tial\n</source>\n<match **>\n</match>\n", to: "weir.conf")
        let weir = try RunningWeir(folder)
        #expect(weir.process.wait() == 1)
        #expect(weir.log.contains("weir.conf:2:9: there is no source `tial`"))
        #expect(weir.log.contains("`<match>` has no `@type`"))
    }
}

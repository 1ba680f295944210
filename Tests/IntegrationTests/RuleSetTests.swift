import Testing
import WeirAlerts
import WeirCore
import WeirHost
import WeirMetrics
import WeirPromQL
import WeirTesting

@testable import WeirAgent

/// The rules that are shipped in `alerts/`.
@Suite("The rules of alerts/") struct RuleSetTests {
    private static let folder = "\(SourceTree.root)/alerts"

    private static func names(in folder: String) -> [String] {
        FileNames.inFolder(folder).filter { $0.hasSuffix(".yaml") }.sorted()
    }

    private func text(_ path: String) throws -> String {
        String(decoding: try #require(AtomicFile.read(path)), as: UTF8.self)
    }

    private func groups(_ name: String) throws -> [RuleGroup] {
        let file = RuleFile(Array(try text("\(Self.folder)/\(name)").utf8), file: name)
        #expect(file.diagnostics.isEmpty, "\(file.diagnostics)")
        return file.groups
    }

    @Test("fire when they should, and keep silent when they should", arguments: names(in: folder))
    func tests(_ name: String) throws {
        let groups = try groups(name)
        let tests = RuleTestFile(
            Array(try text("\(Self.folder)/tests/\(name)").utf8), file: name)
        #expect(tests.diagnostics.isEmpty, "\(tests.diagnostics)")
        let outcomes = RuleTestRun(tests, rules: groups).outcomes()
        for problem in outcomes.flatMap(\.problems) { Issue.record("\(problem)") }
        for rule in groups.flatMap(\.rules) where !rule.isRecord {
            let counts = tests.expectations.filter { $0.alert == rule.name }.map(\.count)
            #expect(counts.contains(0) && counts.contains { $0 > 0 }, "\(rule.name)")
        }
    }

    @Test(
        "say how grave they are, what to do, and are selected by the operator",
        arguments: names(in: folder))
    func form(_ name: String) throws {
        #expect(
            try text("\(Self.folder)/\(name)").contains("  labels:\n    # What kube-prometheus"))
        let runbooks = SourceTree.lines(of: "Sources/WeirAgent/Weir.docc/Runbooks.md")
        for rule in try groups(name).flatMap(\.rules) {
            #expect(rule.labels.contains { $0.name == "severity" })
            guard case .alert(let options) = rule.kind else { continue }
            let notes = Set(options.annotations.map(\.name))
            #expect(notes.isSuperset(of: ["summary", "description", "runbook_url"]))
            #expect(runbooks.contains("## \(rule.name)"), "\(rule.name) has no runbook")
            let link = options.annotations.first { $0.name == "runbook_url" }?.value.text ?? ""
            #expect(link.hasSuffix("#\(rule.name.lowercased())"))
        }
    }

    @Test("read only what an agent has", arguments: names(in: folder))
    func metrics(_ name: String) throws {
        let istio: Set<String> = [
            "istio_requests_total", "istio_request_duration_milliseconds_bucket",
            "istio_request_duration_milliseconds_count",
        ]
        let sources = SourceTree.files(under: "Sources").flatMap { SourceTree.lines(of: $0) }
            .joined().filter { !$0.isWhitespace }
        for rule in try groups(name).flatMap(\.rules) {
            for selector in rule.expression.selectors {
                let metric = try #require(selector.first { $0.name == "__name__" }?.value)
                let isKnown =
                    istio.contains(metric)
                    || ["MetricDescription", "counter", "gauge"].contains {
                        sources.contains("\($0)(\"\(metric)\"")
                    }
                #expect(isKnown, "\(metric) of \(rule.name)")
            }
        }
    }

    @Test(
        "can be written for an objective, and promtool agrees",
        .enabled(if: TestPrograms.promtool != nil, "needs `make deps-test`"),
        arguments: [[], ["--latency", "250ms", "--namespace", "default"]])
    func objective(_ more: [String]) throws {
        let promtool = try #require(TestPrograms.promtool)
        let scratch = try ScratchFolder()
        func run(_ program: String, _ arguments: [String]) throws -> (code: Int32, text: String) {
            let process = try ChildProcess(program, arguments, log: scratch.file("out"))
            let code = process.wait()
            return (code, String(decoding: scratch.contents(of: "out") ?? [], as: UTF8.self))
        }
        let written = try run(
            TestPrograms.weir,
            ["slo", "--objective", "99.9", "--service", "shop", "-o", scratch.file("slo")] + more)
        #expect(written.code == 0, "\(written.text)")
        let name = more.isEmpty ? "slo-shop-availability" : "slo-shop-latency"
        let tested = try run(TestPrograms.weir, ["test", scratch.file("slo/tests/\(name).yaml")])
        #expect(tested.code == 0, "\(tested.text)")
        #expect(try run(TestPrograms.weir, ["check", scratch.file("slo/\(name).yaml")]).code == 0)
        let lines = try text(scratch.file("slo/\(name).yaml")).split(
            separator: "\n", omittingEmptySubsequences: false)
        let spec = lines.drop { $0 != "spec:" }.dropFirst().map { String($0.dropFirst(2)) }
        scratch.write(spec.joined(separator: "\n"), to: "slo/\(name).yaml")
        let judged = try run(promtool, ["test", "rules", scratch.file("slo/tests/\(name).yaml")])
        #expect(judged.code == 0, "\(judged.text)")
        #expect(try run(promtool, ["check", "rules", scratch.file("slo/\(name).yaml")]).code == 0)
        let refused = try run(
            TestPrograms.weir, ["slo", "--objective", "100", "--service", "s", "-o", "x"])
        #expect(refused.code == 1)
    }

    @Test(
        "are judged by promtool as by Weir",
        .enabled(if: TestPrograms.promtool != nil, "needs `make deps-test`"))
    func promtool() throws {
        let promtool = try #require(TestPrograms.promtool)
        let scratch = try ScratchFolder()
        scratch.makeFolder("tests")
        for name in Self.names(in: Self.folder) {
            // What the operator hands to Prometheus: the resource's `spec`.
            let lines = try text("\(Self.folder)/\(name)").split(
                separator: "\n", omittingEmptySubsequences: false)
            let spec = lines.drop { $0 != "spec:" }.dropFirst().map { String($0.dropFirst(2)) }
            scratch.write(spec.joined(separator: "\n"), to: name)
            scratch.write(try text("\(Self.folder)/tests/\(name)"), to: "tests/\(name)")
            let check = try ChildProcess(
                promtool, ["check", "rules", scratch.file(name)], log: scratch.file("out"))
            #expect(check.wait() == 0, "\(name)")
            let test = try ChildProcess(
                promtool, ["test", "rules", scratch.file("tests/\(name)")],
                log: scratch.file("out"))
            let out = String(decoding: scratch.contents(of: "out") ?? [], as: UTF8.self)
            #expect(test.wait() == 0, "\(name): \(out)")
        }
    }

    /// Samples of all that the rules read, over two hours to now, a minute apart.
    private func samples(_ random: inout SeededGenerator, until end: Int64) -> WriteRequest {
        var request = WriteRequest()
        func counter(_ most: Int) -> [(time: Int64, value: Double)] {
            var value = 0.0
            return (0...120).map { minute in
                value += Double(Int.random(in: 0...max(most, 1), using: &random))
                return ((end - Int64(120 - minute) * 60) * 1_000, value)
            }
        }
        for service in ["shop", "cart"] {
            for (code, flags, most) in [
                ("200", "-", 900), ("503", "UO", 40), ("503", "UH", 9), ("503", "UF,URX", 20),
                ("404", "NR", 3), ("403", "-", 20), ("0", "DC", 5),
            ] {
                for reporter in ["source", "destination"] {
                    request.append(
                        "istio_requests_total",
                        [
                            ("destination_service_name", service), ("reporter", reporter),
                            ("destination_service_namespace", "default"), ("response_code", code),
                            ("response_flags", flags), ("source_workload", "web"),
                            (
                                "connection_security_policy",
                                service == "shop" ? "none" : "mutual_tls"
                            ),
                        ], counter(most))
                }
            }
            let all = counter(800)
            for (bound, share) in [("100", 0.5), ("1000", 0.98), ("2500", 0.999), ("+Inf", 1)] {
                request.append(
                    "istio_request_duration_milliseconds_bucket",
                    [
                        ("destination_service_name", service), ("reporter", "source"),
                        ("destination_service_namespace", "default"), ("le", bound),
                    ], all.map { ($0.time, ($0.value * share).rounded()) })
            }
            request.append(
                "istio_request_duration_milliseconds_count",
                [
                    ("destination_service_name", service), ("reporter", "source"),
                    ("destination_service_namespace", "default"),
                ], all)
        }
        for name in Self.ownMetrics {
            request.append(
                name, [("instance", "node"), ("output", "es"), ("notifier", "hook")], counter(3))
        }
        return request
    }

    private static let ownMetrics = [
        "weir_tail_lost_bytes_total", "weir_dead_letter_lost_events_total",
        "weir_tail_file_lag_seconds", "weir_parse_failures_total", "weir_tail_lines_total",
        "weir_rule_evaluation_failures_total", "weir_rule_group_missed_evaluations_total",
        "weir_notifications_waiting", "weir_reloads_refused_total", "weir_output_retries_total",
        "weir_output_delivered_events_total", "weir_output_dropped_events_total",
        "weir_output_refused_events_total", "weir_notifications_dropped_total",
        "weir_notices_dropped_total",
    ]

    @Test(
        "find over the same samples what they find in a real Prometheus",
        .enabled(if: TestPrograms.prometheus != nil, "needs `make deps-test`"))
    func answers() throws {
        var random = SeededGenerator(announcing: "alerts/ against Prometheus")
        let program = try #require(TestPrograms.prometheus)
        let started = try RunningPrometheus(
            program, config: "global: {}\n", try ScratchFolder(),
            options: ["--web.enable-remote-write-receiver"])
        let prometheus = try #require(started)
        let history = MetricsHistory(Registry(), MetricsHistory.Options(), clock: SystemClock())
        let end = SystemClock().now.seconds / 60 * 60
        let body = samples(&random, until: end).compressed()
        #expect(prometheus.write(body) == 204)
        let report = try #require(body.withUnsafeBytes { SampleFeed(history.store).take($0) })
        #expect(report.isWhole && report.refusedSeries == 0 && report.taken > 4_000)
        let api = QueryAPI(history: history, clock: SystemClock())
        let level = try ServiceLevel(objective: "99.9", service: "shop")
        let objective = RuleFile(Array(level.rules.utf8), file: "slo").groups
        let rules = try Self.names(in: Self.folder).flatMap { try groups($0) } + objective
        var found = 0
        for rule in rules.flatMap(\.rules) {
            for time in [end, end - 600, end - 3_000] {
                let query = "time=\(time)&query=\(rule.query.asQueryPart)"
                let wanted = prometheus.api.answer("query?\(query)")
                let request = HTTPServer.Request(
                    method: "GET", path: "/api/v1/query", query: query, headers: [], body: [])
                let answer = JSONValueReader.value(of: api.answer(request)?.text ?? "")?.object
                let difference = QueryAnswers.difference(wanted, answer)
                #expect(difference == nil, "\(rule.name) at \(time): \(difference ?? "")")
                let result = wanted?["data"]?.object?["result"]?.array
                found += result?.count ?? 0
            }
        }
        #expect(found > 50, "the comparison is of something")
    }
}

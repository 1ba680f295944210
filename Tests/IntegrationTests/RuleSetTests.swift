import Testing
import WeirAlerts
import WeirCore
import WeirHost
import WeirPromQL
import WeirTesting

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
        // By the text of the tests: each rule has one of either kind.
        let written = try text("\(Self.folder)/tests/\(name)")
        let checks = written.components(separatedBy: "  - eval_time:").dropFirst()
        for rule in groups.flatMap(\.rules) where !rule.isRecord {
            let own = checks.filter { $0.contains("alertname: \(rule.name)\n") }
            let isSilent = own.contains { $0.contains("exp_alerts: []") }
            let fires = own.contains { $0.contains("exp_labels:") }
            #expect(isSilent && fires, "\(rule.name) has no test of either kind")
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
        for rule in try groups(name).flatMap(\.rules) {
            for selector in rule.expression.selectors {
                let metric = try #require(selector.first { $0.name == "__name__" }?.value)
                let isKnown =
                    istio.contains(metric) || sources.contains { $0.contains("\"\(metric)\"") }
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
}

extension String {
    fileprivate func components(separatedBy mark: String) -> [String] {
        split(separator: mark, omittingEmptySubsequences: false).map(String.init)
    }
}

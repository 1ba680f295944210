import Testing
import WeirCore
import WeirPromQL
import WeirTesting

@testable import WeirAlerts

@Suite("Objectives of services") struct ServiceLevelTests {
    static let levels = [
        ("99.9", ServiceLevel.Indicator.availability, "30d"), ("99.95", .availability, "28d"),
        ("90", .availability, "7d"), ("50", .availability, "7d"),
        ("99.999", .latency(milliseconds: 250), "30d"),
        ("99", .latency(milliseconds: 1_000), "4w"),
    ]

    @Test("have sound rules, whose tests pass, each alert firing once", arguments: levels)
    func rules(_ objective: String, _ indicator: ServiceLevel.Indicator, _ window: String) throws {
        let level = try ServiceLevel(
            objective: objective, service: "shop", namespace: "default", window: window,
            indicator: indicator)
        let file = RuleFile(Array(level.rules.utf8), file: "slo.yaml")
        #expect(file.diagnostics.isEmpty, "\(file.diagnostics)")
        let tests = RuleTestFile(Array(level.tests(of: "slo.yaml").utf8), file: "tests.yaml")
        #expect(tests.diagnostics.isEmpty, "\(tests.diagnostics)")
        let outcomes = RuleTestRun(tests, rules: file.groups).outcomes()
        #expect(outcomes.count == (objective == "50" ? 6 : 8))
        for problem in outcomes.flatMap(\.problems) { Issue.record("\(problem)") }
        let firing = level.tests(of: "").ranges(of: "exp_labels:").count
        #expect(firing == outcomes.count / 2)
    }

    @Test("allow what is left of a hundred, to the digit")
    func budgets() throws {
        for (objective, budget) in [
            ("99.9", "0.001"), ("99.95", "0.0005"), ("99.999999999", "0.00000000001"),
            ("90", "0.1"), ("99", "0.01"), ("50.5", "0.495"), ("0.1", "0.999"), ("99.90", "0.001"),
        ] {
            let level = try ServiceLevel(objective: objective, service: "s")
            #expect(level.budget == budget, "\(objective)")
        }
        let level = try ServiceLevel(objective: "99.9", service: "s")
        #expect(ServiceLevel.burns.map { level.factor($0) } == [14.4, 6, 3, 1])
    }

    @Test("have a dashboard whose expressions are sound and read what the rules make")
    func dashboard() throws {
        let level = try ServiceLevel(objective: "99.9", service: "shop")
        let board = try #require(JSONValueReader.value(of: level.dashboard)?.object)
        #expect(board["schemaVersion"]?.integer == 39)
        let panels = (board["panels"]?.array ?? []).compactMap(\.object)
        #expect(panels.count == 5)
        let rules = RuleFile(Array(level.rules.utf8), file: "slo.yaml").groups.flatMap(\.rules)
        let made = Set(rules.filter(\.isRecord).map(\.name))
        var expressions = 0
        for target in panels.flatMap({ $0["targets"]?.array ?? [] }) {
            let text = try #require(target.object?["expr"]?.string)
            for selector in try QueryParser.parse(text).selectors {
                let name = selector.first { $0.name == "__name__" }?.value ?? ""
                #expect(made.contains(name), "\(text)")
            }
            expressions += 1
        }
        #expect(expressions == 9)
        #expect(try level.dashboard == ServiceLevel(objective: "99.9", service: "shop").dashboard)
    }

    @Test(
        "that cannot be are refused",
        arguments: [
            ("100", "shop", "30d"), ("0", "shop", "30d"), ("-1", "shop", "30d"),
            ("99,9", "shop", "30d"),
            ("99.", "shop", "30d"), ("", "shop", "30d"), ("99.9999999999", "shop", "30d"),
            ("99.9", "sh\"op", "30d"), ("99.9", "", "30d"), ("99.9", "../x", "30d"),
            ("99.9", "shop", "1d"), ("99.9", "shop", "soon"), ("99.9", "shop", "900d"),
        ])
    func refusals(_ objective: String, _ service: String, _ window: String) {
        #expect(throws: ServiceLevelError.self) {
            try ServiceLevel(objective: objective, service: service, window: window)
        }
    }

    @Test("of latency need a bound that the histograms have")
    func bounds() {
        #expect(throws: ServiceLevelError.self) {
            try ServiceLevel(
                objective: "99", service: "s", indicator: .latency(milliseconds: 300))
        }
    }
}

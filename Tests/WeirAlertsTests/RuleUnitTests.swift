import Testing
import WeirConfig
import WeirTesting

@testable import WeirAlerts

@Suite("Unit tests of rules") struct RuleUnitTests {
    private static let cases = SharedCases.files(in: "conformance/rules", suffix: ".test.yml")

    private func outcomes(_ test: String, rules: String) -> [RuleTestRun.Outcome] {
        let file = RuleTestFile(Array(test.utf8), file: "a.test.yml")
        let rules = RuleFile(Array(rules.utf8), file: "a.rules.yml")
        #expect(file.diagnostics.isEmpty && rules.diagnostics.isEmpty)
        return RuleTestRun(file, rules: rules.groups).outcomes()
    }

    @Test(
        "that promtool passes pass", .enabled(if: !cases.isEmpty, "needs the shared cases"),
        arguments: cases.map(\.name))
    func conformance(_ name: String) throws {
        let test = try #require(SharedCases.bytes("conformance/rules/\(name)"))
        let rules = try #require(
            SharedCases.bytes(
                "conformance/rules/\(name.replacing(".test.yml", with: ".rules.yml"))"))
        let outcomes = outcomes(
            String(decoding: test, as: UTF8.self), rules: String(decoding: rules, as: UTF8.self))
        #expect(outcomes.reduce(0) { $0 + $1.checkCount } > 0)
        #expect(outcomes.flatMap(\.problems).isEmpty)
    }

    private static let rules = """
        groups:
        - name: g
          rules:
          - record: job:errors
            expr: sum by (job) (errors)
          - alert: Errors
            expr: job:errors > 2
            for: 1m
            labels: {severity: page}
            annotations: {text: "{{ $value }} of {{ $labels.job }}"}
        """

    private func test(_ expectations: String) -> String {
        """
        evaluation_interval: 1m
        tests:
        - interval: 1m
          input_series:
          - {series: 'errors{job="a",i="1"}', values: '1 2 3 4'}
          - {series: 'errors{job="a",i="2"}', values: '1 1 1 1'}
        \(expectations)
        """
    }

    @Test(
        "say what is missing and what is there besides",
        arguments: [
            (
                """
                  alert_rule_test:
                  - eval_time: 2m
                    alertname: Errors
                    exp_alerts: []
                """,
                #"  + {alertname="Errors", job="a", severity="page"} annotations {text="4 of a"}"#
            ),
            (
                """
                  alert_rule_test:
                  - eval_time: 1m
                    alertname: Errors
                    exp_alerts:
                    - exp_labels: {job: a, severity: page}
                """, #"  - {alertname="Errors", job="a", severity="page"} annotations {}"#
            ),
            (
                """
                  promql_expr_test:
                  - expr: job:errors
                    eval_time: 3m
                    exp_samples:
                    - {labels: 'job:errors{job="a"}', value: 6}
                """, #"  + {__name__="job:errors", job="a"} 5"#
            ),
            (
                """
                  promql_expr_test:
                  - expr: 0 / 0
                    eval_time: 1m
                    exp_samples: [{labels: '{}', value: .nan}]
                """, "no number is equal to NaN"
            ),
            (
                """
                  promql_expr_test:
                  - {expr: 'rate(errors)', eval_time: 1m}
                """, "expected type range vector"
            ),
        ])
    func differences(_ expectations: String, _ told: String) {
        let problems = outcomes(test(expectations), rules: Self.rules).flatMap(\.problems)
        #expect(problems.count == 1)
        #expect(problems.first?.message.contains(told) == true, "\(problems)")
        #expect(problems.first?.location.line == 8)
    }

    @Test func `end where a rule fails`() {
        let rules = """
            groups:
            - name: g
              rules:
              - record: all
                expr: errors
                labels: {i: same}
            """
        let problems = outcomes(
            test("  promql_expr_test: [{expr: all, eval_time: 1m}]"), rules: rules
        )
        .flatMap(\.problems)
        #expect(problems.count == 1)
        #expect(
            problems.first?.message.contains(
                "the rule `all` failed at 0s: vector contains metrics with the same labelset")
                == true)
    }

    @Test(
        "are refused with the place, the reason and a way out",
        arguments: [
            ("tests: []", "1:1: there are no tests"),
            (
                "rule_file: [a]\ntests: [{}]",
                "1:1: a file of tests has no field `rule_file`\n  help: did you mean `rule_files`?"
            ),
            ("tests:\n- interval: 5x", "2:13: `5x` is not a duration"),
            ("tests:\n- input_series:\n  - {series: 'a{', values: '1'}", "a label is wanted"),
            (
                "tests:\n- input_series:\n  - {series: a, values: '1 y'}",
                "3:25: `y` is not a sample"
            ),
            ("tests:\n- alert_rule_test:\n  - {eval_time: 1m}", "the test has no `alertname`"),
            ("tests:\n- {name: a, name: b}", "2:13: `name` is there twice"),
            ("tests: [", "this is no YAML"),
        ])
    func refusals(_ text: String, _ told: String) {
        let file = RuleTestFile(Array(text.utf8), file: "t.yml")
        #expect(file.diagnostics.contains { $0.description.contains(told) }, "\(file.diagnostics)")
    }
}

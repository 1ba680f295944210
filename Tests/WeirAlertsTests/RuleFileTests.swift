import Testing
import WeirConfig
import WeirPromQL
import WeirTesting

@testable import WeirAlerts

@Suite("A file of rules") struct RuleFileTests {
    private func read(_ text: String) -> RuleFile { RuleFile(Array(text.utf8), file: "r.yml") }

    @Test func `is a plain file, or PrometheusRule resources, in several documents and lists`() {
        let file = read(
            """
            groups:
            - name: a
              interval: 30s
              limit: 5
              query_offset: 1m
              labels: {team: core, severity: none}
              rules:
              - alert: Up
                expr: |
                  up == 0
                for: 5m
                keep_firing_for: 1h
                labels: {severity: page}
                annotations: {summary: "{{ $labels.job }}"}
              - {record: one, expr: 1}
            ---
            apiVersion: monitoring.coreos.com/v1
            kind: PrometheusRule
            metadata: {name: x, labels: {release: y}}
            spec:
              groups:
              - {name: b, rules: []}
            ---
            kind: List
            items:
            - apiVersion: monitoring.coreos.com/v1
              kind: PrometheusRule
              spec: {groups: [{name: c, rules: [{record: two, expr: vector(2)}]}]}
            """)
        #expect(file.diagnostics.isEmpty, "\(file.diagnostics)")
        #expect(file.groups.map(\.name) == ["a", "b", "c"])
        let group = file.groups[0]
        #expect(group.interval == 30_000 && group.limit == 5 && group.queryOffset == 60_000)
        let rule = group.rules[0]
        guard case .alert(let options) = rule.kind else {
            Issue.record("no alert")
            return
        }
        #expect(options.holdDuration == 300_000 && options.keepFiring == 3_600_000)
        #expect(
            rule.labels.map { "\($0.name)=\($0.value.text)" } == ["team=core", "severity=page"])
        #expect(rule.expression.description == "up == 0")
        #expect(group.rules[1].expression.description == "1")
    }

    @Test(
        "is told every mistake, where it is and how to mend it",
        arguments: [
            ("[]", "r.yml:1:1: a rule file is a mapping, not a list"),
            (
                "grups: []",
                "r.yml:1:1: a rule file has no field `grups`\n  help: did you mean `groups`?"
            ),
            ("kind: Service", "r.yml:1:7: `Service` is no kind of resource that has rules"),
            (
                "kind: PrometheusRule\napiVersion: v1\nspec: {}",
                "r.yml:2:13: there is no PrometheusRule of version `v1`"
            ),
            ("groups:\n- rules: []", "r.yml:2:3: the group has no name"),
            ("groups:\n- name: a\n- name: a", "r.yml:3:9: the group `a` is there twice"),
            ("groups:\n- name: a\n  interval: 5 m", "r.yml:3:13: `5 m` is not a duration"),
            (
                "groups:\n- name: a\n  rules:\n  - expr: 1",
                "r.yml:4:5: a rule has either `record` or `alert`"
            ),
            ("groups:\n- name: a\n  rules:\n  - {alert: A}", "the rule `A` has no `expr`"),
            (
                "groups:\n- name: a\n  rules:\n  - {record: a, expr: 1, for: 1m}",
                "a recording rule has no `for`"
            ),
            (
                "groups:\n- name: a\n  rules:\n  - {alert: A, exp: 1}",
                "r.yml:4:16: a rule has no field `exp`\n  help: did you mean `expr`?"
            ),
            (
                "groups:\n- name: a\n  rules:\n  - alert: A\n    expr: sum(rate(x)) > 1",
                "r.yml:5:20: expected type range vector"
            ),
            ("groups:\n- name: a\n  rules:\n  - alert: A\n    expr: 'sum(x'", "r.yml:5:"),
            (
                "groups:\n- name: a\n  rules:\n  - alert: A\n    expr: |\n      x and\n      rate(y)",
                "r.yml:7:12: expected type range vector"
            ),
            (
                "groups:\n- name: a\n  rules:\n  - alert: A\n    expr: x\n    annotations:\n      text: 'is {{ humanise $value }}'",
                "r.yml:7:20: function \"humanise\" not defined"
            ),
            (
                "groups:\n- name: a\n  rules:\n  - {alert: A, expr: x}\n  - {alert: A, expr: x}",
                "r.yml:5:5: the rule `A` is there twice in its group"
            ),
            (
                "groups:\n- name: a\n  rules:\n  - {alert: A, expr: x, labels: {__name__: y}}",
                "`__name__` cannot be set here"
            ),
            ("groups:\n- name: \"a\n", "this is no YAML"),
            ("a: &x [*x]", "r.yml:1:8: this is no YAML: there is no anchor &x before this"),
        ])
    func mistakes(_ text: String, _ told: String) {
        let file = read(text)
        #expect(
            file.diagnostics.contains { $0.description.contains(told) }, "\(file.diagnostics)")
    }

    @Test func `of the guide is read as it stands`() throws {
        guard let bytes = SharedCases.bytes("corpus/guide/21-prometheusrule.yaml") else { return }
        let file = RuleFile(bytes, file: "21-prometheusrule.yaml")
        #expect(file.diagnostics.isEmpty)
        #expect(file.groups.first?.rules.first?.name == "HighErrorRate")
    }

    @Test func `does no harm, whatever it is`() {
        var random = SeededGenerator(announcing: "RuleFileTests")
        let whole = Array(
            """
            groups:
            - &a
              name: a
              interval: 30s
              rules:
              - alert: Up
                expr: |
                  up == 0
                for: 5m
                annotations: {summary: "{{ range query `up` }}{{ .Value | humanize }}{{ end }}"}
            - *a
            ---
            kind: PrometheusRule
            spec: {groups: [{name: c, rules: [{record: two, expr: vector(2)}]}]}
            """.utf8)
        let time = FuzzTime()
        while time.isLeft {
            let bytes = random.mutated(whole, with: Array("{}[]:-\n &*|>'\"".utf8))
            #expect(RuleFile(bytes, file: "f").groups.count <= 1_000)
            _ = RuleTestFile(bytes, file: "f").diagnostics
        }
        // Aliases of aliases: a small file that stands for a very large one.
        var bomb = "a: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1..<12 {
            let names = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
            bomb += "b\(level): &a\(level) [\(names)]\n"
        }
        #expect(read(bomb).diagnostics.contains { $0.message.contains("repeat too many parts") })
        let deep = String(repeating: "[", count: 10_000)
        #expect(!read(deep).diagnostics.isEmpty)
    }
}

import Glibc
import Testing
import WeirAlerts
import WeirCore
import WeirTesting

/// Unit tests of rules by Weir and by a real promtool: the same verdicts.
@Suite(
    "Tests of rules, held against promtool", .serialized,
    .enabled(if: TestPrograms.promtool != nil, "needs `make deps-test`"))
struct PromtoolRuleTests {
    private let folder: ScratchFolder

    init() throws { folder = try ScratchFolder() }

    private func verdicts(
        _ test: String, _ rules: [(name: String, text: String)]
    ) throws -> (
        weir: Bool, promtool: Bool, output: String
    ) {
        for (name, text) in rules { folder.write(text, to: name) }
        folder.write(test, to: "t.test.yml")
        unlink(folder.file("weir.out"))
        unlink(folder.file("promtool.out"))
        let path = folder.file("t.test.yml")
        let weir = try ChildProcess(
            TestPrograms.weir, ["test", path], log: folder.file("weir.out")
        ).wait()
        let promtool = try ChildProcess(
            try #require(TestPrograms.promtool), ["test", "rules", path],
            log: folder.file("promtool.out")
        ).wait()
        let output = ["weir.out", "promtool.out"].map {
            String(decoding: folder.contents(of: $0) ?? [], as: UTF8.self)
        }.joined(separator: "\n")
        return (weir == 0, promtool == 0, output)
    }

    @Test func `are checked, reported to CI, and counted`() throws {
        let rules =
            "groups:\n- name: g\n  rules:\n  - {alert: A, expr: 'up == 0', labels: {a: b}}\n"
        folder.write(rules, to: "r.yml")
        let test = """
            rule_files: ['*.yml']
            tests:
            - name: first <one>
              input_series: [{series: up, values: '0'}]
              alert_rule_test: [{eval_time: 0m, alertname: A}]
            """
        mkdir(folder.file("t"), 0o755)
        folder.write(test, to: "t/r_test.yaml")
        func run(_ arguments: [String]) throws -> (code: Int32, output: String) {
            unlink(folder.file("out"))
            let code = try ChildProcess(
                TestPrograms.weir, arguments, log: folder.file("out")
            ).wait()
            return (code, String(decoding: folder.contents(of: "out") ?? [], as: UTF8.self))
        }
        let check = try run(["check", folder.file("r.yml"), folder.file("t/r_test.yaml")])
        #expect(check.code == 0)
        #expect(check.output.contains("r.yml: sound"))
        folder.write(rules.replacing("up ==", with: "rate(up) =="), to: "broken.yaml")
        let broken = try run(["check", folder.file("broken.yaml")])
        #expect(broken.code == 1)
        #expect(broken.output.contains("broken.yaml:4:28: expected type range vector"))
        // A folder's tests are found by what they hold; their rules by their own place.
        folder.write(rules, to: "t/r.yml")
        let failed = try run(["test", folder.file("t"), "--junit", folder.file("junit.xml")])
        #expect(failed.code == 1)
        #expect(failed.output.contains(#"  + {a="b", alertname="A"} annotations {}"#))
        let report = String(decoding: folder.contents(of: "junit.xml") ?? [], as: UTF8.self)
        #expect(report.contains(#"name="first &lt;one&gt;"><failure"#))
        #expect(report.contains(#"<testsuites tests="1" failures="1">"#))
    }

    private static let cases = SharedCases.files(in: "conformance/rules", suffix: ".test.yml")

    @Test(
        "also on expectations that are wrong", .enabled(if: !cases.isEmpty, "needs the cases"),
        arguments: cases.map(\.name))
    func verdict(_ name: String) throws {
        var random = SeededGenerator(announcing: "promtool \(name)")
        let rulesName = name.replacing(".test.yml", with: ".rules.yml")
        let rules = String(
            decoding: SharedCases.bytes("conformance/rules/\(rulesName)") ?? [], as: UTF8.self)
        let test = String(
            decoding: SharedCases.bytes("conformance/rules/\(name)") ?? [], as: UTF8.self)
        let whole = try verdicts(test, [(rulesName, rules)])
        #expect(whole.weir && whole.promtool, "\(whole.output)")
        for _ in 0..<6 {
            // One number of the expectations, or of the input, is another.
            var bytes = Array(test.utf8)
            let start = test.utf8.count / 4
            let places = bytes.indices.filter { $0 > start && bytes[$0] &- 0x30 < 10 }
            bytes[random.pick(places)] = UInt8(ascii: "0") + UInt8(random.number(0...9))
            let mutated = try verdicts(
                String(decoding: bytes, as: UTF8.self), [(rulesName, rules)])
            #expect(mutated.weir == mutated.promtool, "\(mutated.output)")
        }
    }

    @Test(
        "of the guide's rule, which runs as it stands", .enabled(if: SharedCases.arePresent))
    func guide() throws {
        let bytes = try #require(SharedCases.bytes("corpus/guide/21-prometheusrule.yaml"))
        let resource = RuleFile(bytes, file: "21-prometheusrule.yaml")
        #expect(resource.diagnostics.isEmpty && resource.groups.count == 1)
        let lines = String(decoding: bytes, as: UTF8.self).split(
            separator: "\n", omittingEmptySubsequences: false)
        let spec = lines.drop { $0 != "spec:" }.dropFirst().map { String($0.dropFirst(2)) }
        let test = """
            rule_files: [guide.yml]
            evaluation_interval: 1m
            tests:
            - interval: 1m
              input_series:
              - {series: 'istio_requests_total{destination_service="shop",response_code="200"}', values: '0+900x20'}
              - {series: 'istio_requests_total{destination_service="shop",response_code="503"}', values: '0+1x20'}
              alert_rule_test:
              - {eval_time: 5m, alertname: HighErrorRate, exp_alerts: []}
              - eval_time: 12m
                alertname: HighErrorRate
                exp_alerts:
                - exp_labels: {severity: warning, destination_service: shop, response_code: "503"}
                  exp_annotations:
                    summary: High error rate for shop
                    description: 1% of requests to shop are failing
            """
        let outcomes = RuleTestRun(
            RuleTestFile(Array(test.utf8), file: "t"), rules: resource.groups
        ).outcomes()
        #expect(outcomes.flatMap(\.problems).isEmpty, "\(outcomes.flatMap(\.problems))")
        // One of 901 requests fails, and the alert says that all do: Prometheus agrees.
        let rules = [("guide.yml", spec.joined(separator: "\n"))]
        let same = try verdicts(test, rules)
        #expect(same.weir && same.promtool, "\(same.output)")
        let wrong = try verdicts(test.replacing("1% of", with: "0.1% of"), rules)
        #expect(!wrong.weir && !wrong.promtool)
    }

    /// Templates over `$value` and `$labels`, each with a text of its own.
    private static let templates = [
        "{{ $value }}", "{{ .Value }}", "{{ $labels.job }}", "{{ .Labels.instance }}",
        "{{ $labels }}",
        "{{ $labels.nosuch }}|", "{{- \" a \" -}}  b", "x  {{- 1 }}", "{{/* no */}}y",
        "{{ \"q\\\"\" }}",
        "{{ `raw\\n` }}", "{{ 'a' }}", "{{ 0x1F }} {{ 1e3 }} {{ -2 }} {{ true }}",
        "{{ if $labels.job }}a{{ else }}b{{ end }}",
        "{{ if not $labels.job }}a{{ else if eq $labels.job \"web\" }}b{{ else }}c{{ end }}",
        "{{ with $labels.job }}[{{ . }}]{{ end }}",
        "{{ with $labels.nosuch }}a{{ else }}b{{ end }}",
        "{{ $x := 3 }}{{ if true }}{{ $x = 4 }}{{ end }}{{ $x }}",
        "{{ $x := 3 }}{{ if true }}{{ $x := 4 }}{{ $x }}{{ end }}{{ $x }}",
        "{{ range $k, $v := $labels }}{{ $k }}={{ $v }};{{ end }}",
        "{{ define \"a\" }}<{{ . }}>{{ end }}{{ template \"a\" 5 }}{{ template \"a\" $value }}",
        "{{ range query \"v\" }}{{ .Labels.instance }}:{{ .Value }} {{ end }}",
        "{{ range query \"nosuch\" }}a{{ else }}none{{ end }}",
        "{{ query \"v\" | first | value }}",
        "{{ with query \"v\" }}{{ . | first | label \"job\" }}{{ end }}",
        "{{ query \"sum(v)\" | first | value | humanize }}",
        "{{ range $i, $x := query \"v\" }}{{ $i }}{{ if eq $i 0 }}{{ continue }}{{ end }}!{{ break }}{{ end }}",
        "{{ len $labels }} {{ len \"äb\" }}", "{{ index $labels \"job\" }}",
        "{{ slice \"abcdef\" 1 3 }}",
        "{{ print 1 2 \"a\" \"b\" 3 }}", "{{ println \"a\" 1 }}", "{{ html \"<a>&\" }}",
        "{{ urlquery \"a b/c?\" }}",
        "{{ js \"it's <b> & \\\"q\\\" \\\\ =\\n\\u00e9\\u200b\\u2028\\u00a0\\t\" 1 }}",
        "{{ and 1 0 2 }} {{ or 0 \"\" 3 }} {{ not 0 }}",
        "{{ eq 1 2 1 }} {{ ne \"a\" \"b\" }} {{ lt 1.5 2.5 }} {{ le 2 2 }} {{ gt \"b\" \"a\" }} {{ ge 1 2 }}",
        "{{ printf \"%d %5d %-5d| %05d %+d %x %X %o %b %c\" 42 42 42 42 42 255 255 8 5 65 }}",
        "{{ printf \"%s|%10s|%-10s|%.2s|%q|%x\" \"abc\" \"abc\" \"abc\" \"abc\" \"a\\\"b\" \"hi\" }}",
        "{{ printf \"%f %.1f %8.3f %e %g %G %+.1f %v\" 1.5 2.25 3.14159 12345.678 1e-7 1e21 1.0 0.1 }}",
        "{{ printf \"%v %v %t %%\" true \"x\" false }}", "{{ printf \"%d %s\" 1.5 2 }}",
        "{{ printf \"%d\" }}",
        "{{ printf \"a\" 1 }}", "{{ printf \"%!\" }}", "{{ printf \"%v %v\" $value 1000000.0 }}",
        "{{ $value | printf \"%.3f\" | printf \"[%s]\" }}", "{{ (query \"v\" | first).Value }}",
        "{{ reReplaceAll \"(.*):(.*)\" \"$2-${1}\" $labels.instance }}",
        "{{ reReplaceAll \"a*\" \"x\" \"baac\" }}",
        "{{ reReplaceAll \"^a\" \"\" \"aaa\" }}",
        "{{ match \"[0-9]+\" \"a1\" }} {{ match \"^a$\" \"ab\" }}",
        "{{ title \"hello big world\" }}", "{{ toUpper \"aä\" }}{{ toLower \"AÄ\" }}",
        "{{ stripPort \"a.b:80\" }} {{ stripPort \"[::1]:80\" }} {{ stripPort \"a\" }}",
        "{{ stripDomain \"a.b.c:80\" }} {{ stripDomain \"10.0.0.1:80\" }} {{ stripDomain \"a\" }}",
        "{{ safeHtml \"<b>\" }}", "{{ args 1 \"a\" }}",
        "{{ graphLink \"up > 1\" }} {{ tableLink \"up\" }}",
        "{{ humanize 1234567.0 }} {{ humanize 0.0001 }} {{ humanize -15e9 }} {{ humanize \"12e3\" }} {{ humanize 5 }}",
        "{{ humanize1024 1048576.0 }} {{ humanize1024 1 }} {{ humanize1024 -3000 }}",
        "{{ humanizeDuration 0 }} {{ humanizeDuration 59.5 }} {{ humanizeDuration 3661 }} {{ humanizeDuration 1e6 }} {{ humanizeDuration 0.005 }} {{ humanizeDuration -90 }}",
        "{{ humanizePercentage 0.1234 }} {{ humanizePercentage 1 }} {{ humanizePercentage -0.00001 }}",
        "{{ humanizeTimestamp 1435065584.128 }} {{ humanizeTimestamp 0 }} {{ humanizeTimestamp -1.5 }}",
        "{{ toTime 1700000000 }} {{ (toTime 1.5) }}",
        "{{ parseDuration \"1h30m\" }}",
        "{{ $externalLabels.cluster }} {{ .ExternalURL }} {{ $externalURL }}",
        "{{ sortByLabel \"instance\" (query \"v\") | first | label \"instance\" }}",
        "{{ block \"b\" 7 }}<{{ . }}>{{ end }}", "{{ range 3 }}{{ . }}{{ end }}",
        "{{ $a := 1 }}{{ $b := 2 }}{{ printf \"%d%d\" $a $b }}",
        "{{ strvalue (query \"v\" | first) }}|",
    ]

    @Test func `expand templates to the very texts`() throws {
        var rules =
            "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: v{instance=\"b:1\"} > 0\n    annotations:\n"
        for (number, template) in Self.templates.enumerated() {
            rules += "      t\(number): \(JSONValueWriter.text(.string(template)))\n"
        }
        let input = """
            evaluation_interval: 1m
            rule_files: [t.rules.yml]
            tests:
            - interval: 1m
              external_labels: {cluster: c1}
              external_url: http://x.example.org/p
              input_series:
              - {series: 'v{job="web",instance="a:1"}', values: '1.5 2'}
              - {series: 'v{job="web",instance="b:1"}', values: '0.0625 1234567.5'}
              alert_rule_test:
              - eval_time: 1m
                alertname: A
                exp_alerts:
                - exp_labels: {job: web, instance: 'b:1'}

            """
        // What Weir makes of them, it tells as what is there besides.
        let file = RuleFile(Array(rules.utf8), file: "t.rules.yml")
        #expect(file.diagnostics.isEmpty)
        let texts = try texts(RuleTestFile(Array(input.utf8), file: "t"), file)
        var expectations = input + "      exp_annotations:\n".indented(12)
        for (number, text) in texts.enumerated() {
            #expect(!text.contains("error expanding"), "\(Self.templates[number]): \(text)")
            expectations += "t\(number): \(JSONValueWriter.text(.string(text)))\n".indented(20)
        }
        let verdicts = try verdicts(expectations, [("t.rules.yml", rules)])
        #expect(verdicts.weir && verdicts.promtool, "\(verdicts.output)")
    }

    private func texts(_ test: RuleTestFile, _ rules: RuleFile) throws -> [String] {
        let outcome = try #require(RuleTestRun(test, rules: rules.groups).firingAlerts().first)
        return Self.templates.indices.map { number in
            outcome.annotations.first { $0.name == "t\(number)" }?.value ?? ""
        }
    }
}

extension String {
    fileprivate func indented(_ count: Int) -> String {
        String(repeating: " ", count: count - prefix { $0 == " " }.count) + drop { $0 == " " }
    }
}

import Glibc
import Testing
import WeirConfig
import WeirCore
import WeirPromQL
import WeirTesting

@testable import WeirAlerts

@Suite("Sound rules are looked at") struct RuleLintTests {
    /// A rule, and what a check says of it.
    struct Case: Sendable, CustomTestStringConvertible {
        var id: String
        var expr: String
        /// The mended expression; `nil` when there is nothing to remark.
        var mended: String?
        var annotation = ""

        init(_ id: String, _ expr: String, _ mended: String? = nil, annotation: String = "") {
            (self.id, self.expr, self.mended) = (id, expr, mended)
            self.annotation = annotation
        }

        var testDescription: String { "\(id): \(expr)" }
    }

    static func remarks(
        _ text: String, in surroundings: RuleLint.Surroundings = .init()
    ) -> [Diagnostic] {
        let file = RuleFile(Array(text.utf8), file: "r.yml")
        #expect(file.diagnostics.isEmpty, "\(file.diagnostics)")
        return RuleLint([file], in: surroundings).diagnostics()[0]
    }

    static func remarks(
        id: String, on expr: String, annotation: String = "",
        in surroundings: RuleLint.Surroundings = .init()
    ) -> [Diagnostic] {
        let text = """
            groups:
            - name: g
              rules:
              - alert: A
                expr: |
                  \(expr)
                annotations:
                  runbook_url: https://runbooks.example.org/a
                  note: |
                    \(annotation)
            """
        return remarks(text, in: surroundings).filter { $0.message.hasPrefix("\(id): ") }
    }

    /// The expression in a remark's help.
    static func mended(_ diagnostic: Diagnostic) -> String? {
        let parts = diagnostic.help.split(separator: "`", omittingEmptySubsequences: false)
        return parts.count == 3 ? String(parts[1]) : nil
    }

    static let requests = "istio_requests_total{reporter=\"source\"}"
    static let cases: [Case] = [
        Case(
            "M150", "rate(a{code=~\"5..\"}[5m]) / rate(a[5m]) > 0.1",
            "sum(rate(a{code=~\"5..\"}[5m])) / sum(rate(a[5m])) > 0.1"),
        Case(
            "M150",
            "sum by (job, code) (rate(a{code=\"5\"}[5m])) / sum by (job, code) (rate(a[5m]))",
            "sum by (job) (rate(a{code=\"5\"}[5m])) / sum by (job) (rate(a[5m]))"),
        Case("M150", "sum by (job) (rate(a{code=\"5\"}[5m])) / sum by (job) (rate(a[5m]))"),
        Case("M150", "rate(a{code=\"5\"}[5m]) / rate(b[5m])"),
        Case("M150", "rate(a{code=\"5\"}[5m]) / rate(a[1h])"),
        Case("M150", "rate(a{code=\"5\"}[5m]) / ignoring (code) group_left () rate(a[5m])"),
        Case(
            "M152", "sum(rate(istio_requests_total[5m])) > 9",
            "sum(rate(istio_requests_total{reporter=\"source\"}[5m])) > 9"),
        Case("M152", "sum(rate(\(requests)[5m])) > 9"),
        Case("M152", "sum by (reporter) (rate(istio_requests_total[5m])) > 9"),
        Case("M152", "absent(istio_requests_total)"),
        Case("M152", "sum(rate(http_requests_total{response_code=~\"5..\"}[5m])) > 9"),
        Case(
            "M152",
            "sum(rate(istio_requests_total{reporter=\"source\",response_code=~\"5.*\"}[5m])) > 9",
            "sum(rate(istio_requests_total{reporter=\"source\",response_code=~\"5.*|0\"}[5m])) > 9"),
        Case(
            "M152",
            "sum(rate(istio_requests_total{reporter=\"source\",response_code=~\"503|504\"}[5m])) > 9"
        ),
        Case(
            "M152", "sum(rate(\(requests)[5m])) / sum(rate(\(requests)[5m])) > 0.1",
            "sum(rate(\(requests)[5m])) / sum(rate(\(requests)[5m])) > 0.1 and "
                + "sum(rate(\(requests)[5m])) > 0.1"),
        Case(
            "M152",
            "sum(rate(\(requests)[5m])) / sum(rate(\(requests)[5m])) > 0.1 and sum(rate(\(requests)[5m])) > 1"
        ),
        Case(
            "R201", "rate(istio_request_total[5m]) > 0", "rate(istio_requests_total[5m]) > 0"),
        Case(
            "R201", "rate(istio_request_duration_seconds_sum{reporter=\"source\"}[5m]) > 0",
            "rate(istio_request_duration_milliseconds_sum{reporter=\"source\"}[5m]) > 0"),
        Case("R201", "rate(istio_request_bytes_bucket[5m]) > 0"),
        Case("R201", "anything_else > 0"),
        Case(
            "R202", "sum by (destination_servic) (\(requests)) > 0",
            "sum by (destination_service) (\(requests)) > 0"),
        Case(
            "R202", "istio_requests_total{responze_code=\"5\",response_cod=\"5\"} > 0",
            "istio_requests_total{response_code=\"5\",responze_code=\"5\"} > 0"),
        Case("R202", "sum by (destination_service, pod) (\(requests)) > 0"),
        Case(
            "R203", "sum by (job) (a) > 0", "sum by (job, pod) (a) > 0",
            annotation: "{{ $labels.job }} {{ $labels.pod }}"),
        Case("R203", "sum by (job) (a) > 0", annotation: "{{ $labels.job }}"),
        Case("R203", "sum without (job) (a) > 0", annotation: "{{ $labels.pod }}"),
        Case("R204", "rate(go_goroutines[5m]) > 0", "deriv(go_goroutines[5m]) > 0"),
        Case("R204", "delta(a_total[5m]) > 0", "increase(a_total[5m]) > 0"),
        Case("R204", "rate(a_total[5m]) > 0"),
        Case("R204", "delta(a_bytes[5m]) > 0"),
        Case("R205", "rate(a_total[30s]) > 0", "rate(a_total[1m]) > 0"),
        Case("R205", "rate(a_total[1m]) > 0"),
        Case("R205", "max_over_time(a[30s]) > 0"),
        Case(
            "R207", "sum by (job, code) (a) / sum by (job) (b)",
            "sum by (job, code) (a) / on (job) group_left () sum by (job) (b)"),
        Case(
            "R207", "sum by (job) (a) > 0 and sum(b) > 1",
            "sum by (job) (a) > 0 and on () sum(b) > 1"),
        Case("R207", "sum by (job, code) (a) / on (job) group_left () sum by (job) (b)"),
        Case("R207", "sum by (job) (a) or sum(b)"),
        Case("R207", "sum by (code, job) (a) / sum by (job, code) (b)"),
        Case("R207", "a / sum by (job) (b)"),
        Case("R207", "a{x=\"1\"} / a{x=\"2\"}", "a{x=\"1\"} / ignoring (x) a{x=\"2\"}"),
        Case("R207", "a{x=\"1\"} / a{y=\"2\"}"),
        Case("R207", "sum(a{x=\"1\"}) / sum(a{x=\"2\"})"),
    ]

    @Test(
        "and those that are near a mistake are left alone, the others are mended", arguments: cases)
    func check(_ one: Case) throws {
        let remarks = Self.remarks(id: one.id, on: one.expr, annotation: one.annotation)
        #expect(remarks.map(Self.mended) == (one.mended.map { [$0] } ?? []))
        #expect(remarks.allSatisfy { $0.severity == .warning })
        guard let mended = one.mended else { return }
        _ = try QueryParser.parse(mended)
        #expect(
            Self.remarks(id: one.id, on: mended, annotation: one.annotation).isEmpty,
            "what mends a rule is remarked upon again")
    }

    @Test(
        "for fractions that are shown as percentages",
        arguments: [
            ("a / b > 0.05", "{{ $value }}%", true), ("a_ratio > 0.9", "{{ $value }} %", true),
            ("a / b > 0.05 and c > 1", "{{ printf \"%.2f\" $value }}%", true),
            ("a / b > 0.05", "{{ $value | humanizePercentage }}", false),
            ("a / b * 100 > 5", "{{ $value }}%", false), ("a / b > 5", "{{ $value }}%", false),
            ("cpu_percent > 0.5", "{{ $value }}%", false),
            ("a / b > 0.05", "{{ $labels.job }}%", false),
        ])
    func fractions(_ expr: String, _ annotation: String, isTold: Bool) throws {
        let remarks = Self.remarks(id: "M151", on: expr, annotation: annotation)
        #expect(remarks.count == (isTold ? 1 : 0))
        guard isTold else { return }
        let mended = try #require(remarks.first.flatMap(Self.mended))
        #expect(mended == "{{ $value | humanizePercentage }}")
        let again = Self.remarks(id: "M151", on: expr, annotation: mended)
        #expect(again.isEmpty)
    }

    @Test(
        "for labels that the operator selects by",
        arguments: [
            ("{name: x}", true), ("{name: x, labels: {app.kubernetes.io/name: x}}", true),
            ("{name: x, labels: {release: monitoring}}", false),
        ])
    func selected(_ metadata: String, isTold: Bool) {
        let remarks = Self.remarks(
            """
            apiVersion: monitoring.coreos.com/v1
            kind: PrometheusRule
            metadata: \(metadata)
            spec: {groups: [{name: g, rules: [{record: a, expr: b}]}]}
            """)
        #expect(remarks.map { $0.message.prefix(4) } == (isTold ? ["M153"] : []))
    }

    @Test func `for a way onwards, a hold, and tests`() {
        let text = """
            groups:
            - name: g
              interval: 1m
              rules:
              - {alert: Bare, expr: up == 0, for: 30s}
              - {alert: Good, expr: up == 0, for: 1m, annotations: {dashboard: /d/1}}
              - {alert: Link, expr: up == 0, annotations: {note: "see https://a.example"}}
              - {record: a, expr: up == 0}
            """
        let remarks = Self.remarks(text, in: .init(testedAlerts: ["Good", "Link"]))
        #expect(
            remarks.map { "\($0.location) \($0.message.prefix(4))" } == [
                "r.yml:5:5 M154", "r.yml:5:39 R206", "r.yml:5:5 R208",
            ])
        #expect(remarks[1].help == "write `for: 1m` or longer, or `for: 0s`")
        #expect(!Self.remarks(text).contains { $0.message.hasPrefix("R208") })
    }

    @Test func `against the metrics that there are, when they are known`() {
        let known = RuleLint.Surroundings(metrics: ["http_requests_total", "latency_seconds"])
        func isKnown(_ expr: String) -> Bool {
            Self.remarks(id: "R201", on: expr, in: known).isEmpty
        }
        #expect(isKnown("http_requests_total > latency_seconds_count"))
        #expect(isKnown("ALERTS"))
        #expect(!isKnown("http_request_total > 1"))
        let recorded = RuleFile(
            Array("groups: [{name: g, rules: [{record: a:b, expr: ALERTS}]}]".utf8), file: "a.yml")
        let user = RuleFile(
            Array("groups: [{name: g, rules: [{record: c, expr: a:b}]}]".utf8), file: "b.yml")
        #expect(RuleLint([user, recorded], in: known).diagnostics() == [[], []])
        #expect(RuleLint([user], in: known).diagnostics()[0].count == 1)
    }

    @Test func `at the place inside of the expression`() {
        let remarks = Self.remarks(
            """
            groups:
            - name: g
              rules:
              - record: a
                expr: |
                  sum by (job) (
                    rate(b_total[20s])
                  )
            """)
        #expect(remarks.map(\.location.description) == ["r.yml:7:22"])
        #expect(remarks.first.flatMap(Self.mended) == "sum by (job) (rate(b_total[1m]))")
    }

    @Test(.enabled(if: SharedCases.arePresent))
    func `and the guide's is told all that is wrong with it`() throws {
        let bytes = try #require(SharedCases.bytes("corpus/guide/21-prometheusrule.yaml"))
        let file = RuleFile(bytes, file: "21.yaml")
        let remarks = RuleLint([file]).diagnostics()[0]
        #expect(
            remarks.map { "\($0.location) \($0.message.prefix(4))" } == [
                "21.yaml:4:3 M153", "21.yaml:10:7 M154", "21.yaml:11:13 M150",
                "21.yaml:11:18 M152", "21.yaml:17:26 M151",
            ])
        let mended = try #require(
            remarks.first { $0.message.hasPrefix("M152") }.flatMap(Self.mended))
        let all =
            "sum by (destination_service) (rate(istio_requests_total{reporter=\"source\"}[5m]))"
        #expect(
            mended
                == "sum by (destination_service) "
                + "(rate(istio_requests_total{reporter=\"source\",response_code=~\"5..|0\"}[5m]))"
                + " / \(all) > 0.05 and \(all) > 0.1")
        #expect(Self.remarks(id: "M150", on: mended).isEmpty)
        #expect(Self.remarks(id: "M152", on: mended).isEmpty)
    }

    @Test(
        "unless they have very many parts, and in little time if they have many",
        arguments: [(140, true), (2_000, false)], ["+", "or", "and"])
    func limits(_ length: (terms: Int, isTold: Bool), _ operation: String) {
        let terms = Array(repeating: "a", count: length.terms).joined(separator: " \(operation) ")
        let query = "\(terms) \(operation) rate(a_total[1s])"
        // The thread's own time: that of a clock holds what others do meanwhile, too.
        let start = Self.threadSeconds
        #expect(Self.remarks(id: "R205", on: query).count == (length.isTold ? 1 : 0))
        #expect(Self.threadSeconds - start < 30)
    }

    private static var threadSeconds: Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    @Test(.enabled(if: SharedCases.arePresent))
    func `whatever they say: some ten thousand real ones, each mended text is a query`() {
        var counts: [String: Int] = [:]
        var total = 0
        for rule in SharedCases.records("conformance/real-rules.jsonl") {
            guard let query = rule["expr"]?.string, (try? QueryParser.parse(query)) != nil else {
                continue
            }
            total += 1
            let lines = query.split(separator: "\n").map { "      " + $0 }.joined(separator: "\n")
            let file = RuleFile(
                Array(
                    "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: |\n\(lines)\n".utf8),
                file: "r.yml")
            for remark in RuleLint([file]).diagnostics()[0] {
                let id = String(remark.message.prefix(4))
                counts[id, default: 0] += 1
                if let mended = Self.mended(remark), !["R206", "M154"].contains(id) {
                    #expect((try? QueryParser.parse(mended)) != nil, "\(query): \(mended)")
                }
            }
        }
        print("\(total) real rules:", counts.sorted { $0.key < $1.key })
        #expect(total > 9_000)
        #expect(counts["M154"] ?? 0 > 9_000)
    }
}

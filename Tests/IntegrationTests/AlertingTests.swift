import Glibc
import Testing
import WeirCore
import WeirHost
import WeirTesting

@Suite("Rules on the node", .serialized, .timeLimit(.minutes(3))) struct AlertingTests {
    private let folder: ScratchFolder

    init() throws {
        folder = try ScratchFolder()
        folder.write("", to: "access.log")
        folder.write(Self.rules, to: "rules.yml")
        write(alerting: "rule_files \(folder.file("rules.yml"))")
    }

    private func write(alerting: String) {
        folder.write(
            """
            <system>
              admin_port 0
            </system>
            <alerting>
              evaluation_interval 1s
              \(alerting)
              <external_labels>
                cluster here
              </external_labels>
            </alerting>
            \(TestConfigurations.counting(folder))
            """, to: "weir.conf")
    }

    private static let rules = """
        groups:
        - name: mesh
          rules:
          - record: service:errors
            expr: sum by (destination_service_name) (istio_requests_total{response_code="503"})
            labels: {kind: recorded}
          - alert: Errors
            expr: service:errors > 10
            labels: {severity: page, name: "{{ $labels.destination_service_name | title }}"}
            annotations: {summary: "{{ $value }} errors in {{ $labels.destination_service_name }}"}
          - alert: Slowly
            expr: service:errors > 10
            for: 1h
            keep_firing_for: 5m
          - alert: Never
            expr: sum(service:errors) < 0
        - name: broken
          limit: 1
          rules:
          - {record: many, expr: 'count by (response_code) (istio_requests_total) or vector(1)'}
        """

    private func lines(_ service: String, _ code: Int, count: Int) -> String {
        let line = """
            {"upstream_cluster":"outbound|9080||\(service).default.svc.cluster.local",\
            "response_code":\(code),"method":"GET","protocol":"HTTP/1.1","duration":5,\
            "bytes_sent":1,"bytes_received":1,"response_flags":"-",\
            "start_time":"2026-11-23T20:58:05.532Z","request_id":"r"}

            """
        return String(repeating: line, count: count)
    }

    private func alerts(_ api: QueryClient) -> [String: String] {
        var states: [String: String] = [:]
        for case .object(let alert) in api.ask("alerts")?.object?["alerts"]?.array ?? [] {
            let name = alert["labels"]?.object?["alertname"]?.string ?? ""
            states[name] = alert["state"]?.string
        }
        return states
    }

    @Test func `fire in seconds, are shown as Prometheus shows them, and end`() throws {
        let weir = try RunningWeir(folder)
        let api = QueryClient(port: try #require(weir.adminPort))
        folder.append(lines("reviews", 503, count: 20), to: "access.log")
        #expect(api.wait { alerts(api) == ["Errors": "firing", "Slowly": "pending"] })
        let alert = api.ask("alerts")?.object?["alerts"]?.array?.first?.object
        #expect(
            JSONValueWriter.text(alert?["labels"] ?? .null)
                == #"{"alertname":"Errors","destination_service_name":"reviews","kind":"recorded","name":"Reviews","severity":"page"}"#
        )
        #expect(alert?["annotations"]?.object?["summary"]?.string == "20 errors in reviews")
        #expect(alert?["value"]?.string == "2e+01")
        #expect(api.query(#"ALERTS{alertname="Slowly",alertstate="pending"}"#).count == 1)
        #expect(api.query(#"service:errors{kind="recorded"} == 20"#).count == 1)
        // What cannot be evaluated is told once a second, and counted.
        #expect(weir.waitForLog("a rule cannot be evaluated"))
        #expect(weir.log.contains("exceeded limit of 1 with 2 series"))
        #expect(weir.metric("weir_rule_evaluation_failures_total") ?? 0 > 0)
        if let program = TestPrograms.prometheus {
            try compare(weir, api, program)
        }
        #expect(weir.terminate() == 0)
    }

    /// The same rules in a real Prometheus that scrapes the agent are shown alike.
    private func compare(_ weir: RunningWeir, _ api: QueryClient, _ program: String) throws {
        let other = try ScratchFolder()
        let port = try #require(weir.adminPort)
        let prometheus = try #require(
            try RunningPrometheus(
                program,
                config: """
                    global: {scrape_interval: 1s, evaluation_interval: 1s}
                    rule_files: ["\(folder.file("rules.yml"))"]
                    scrape_configs:
                      - job_name: weir
                        static_configs: [{targets: ["127.0.0.1:\(port)"]}]
                    """, other))
        let theirs = prometheus.api
        #expect(theirs.wait { alerts(theirs) == alerts(api) })
        for path in ["rules", "rules?type=alert", "rules?type=record", "alerts"] {
            let isSame = theirs.wait(seconds: 20) {
                Self.timeless(theirs.ask(path)) == Self.timeless(api.ask(path))
            }
            #expect(
                isSame, "\(Self.timeless(api.ask(path)))\n  for \(Self.timeless(theirs.ask(path)))")
        }
    }

    /// An answer without what depends on the moment, and on the order of groups.
    private static func timeless(_ value: Value?) -> String {
        func strip(_ value: Value) -> Value {
            switch value {
            case .object(let record):
                var kept = Record()
                for (key, value) in record.fields.sorted(by: { $0.key < $1.key })
                where ![
                    "evaluationTime", "lastEvaluation", "activeAt", "lastError", "groupNextToken",
                ].contains(key) {
                    kept[key] = strip(value)
                }
                return .object(kept)
            case .array(let values):
                let texts = values.map { JSONValueWriter.text(strip($0)) }.sorted()
                return .array(texts.map { .string($0) })
            default: return value
            }
        }
        return JSONValueWriter.text(strip(value ?? .null))
    }

    @Test func `go on where they were after a restart, and after another configuration`() throws {
        folder.append(lines("reviews", 503, count: 20), to: "access.log")
        let weir = try RunningWeir(folder)
        func since(_ api: QueryClient) -> String? {
            let all = api.ask("alerts")?.object?["alerts"]?.array ?? []
            let slowly = all.compactMap(\.object).first {
                $0["labels"]?.object?["alertname"]?.string == "Slowly"
            }
            return slowly?["activeAt"]?.string
        }
        let api = QueryClient(port: try #require(weir.adminPort))
        #expect(api.wait { since(api) != nil })
        let first = try #require(since(api))
        // Another group beside the ones that there were: these keep their alerts.
        folder.write(
            Self.rules + "\n- name: more\n  rules: [{alert: Always, expr: vector(1)}]\n",
            to: "rules.yml")
        weir.process.signal(SIGHUP)
        #expect(weir.waitForLog("the new configuration runs"))
        let again = QueryClient(port: try #require(weir.adminPort))
        #expect(again.wait { alerts(again)["Always"] == "firing" })
        #expect(since(again) == first)
        // Rules with a mistake are refused, and the running ones go on.
        folder.write(Self.rules.replacing("> 10", with: "> > 10"), to: "rules.yml")
        weir.process.signal(SIGHUP)
        #expect(weir.waitForLog("the new configuration is refused"))
        #expect(weir.log.contains("rules.yml:8:28: unexpected"))
        folder.write(Self.rules, to: "rules.yml")
        func elapsed(_ api: QueryClient) -> Double {
            api.numbers(#"time() - ALERTS_FOR_STATE{alertname="Slowly"}"#, by: [])[[]] ?? 0
        }
        #expect(again.wait { elapsed(again) > 4 })
        #expect(weir.terminate() == 0)
        folder.write("", to: "weir.log")
        try weir.restart()
        let later = QueryClient(port: try #require(weir.adminPort))
        #expect(later.wait { since(later) != nil })
        // The time in which nobody looked does not count: the hour has not begun anew.
        let moved = try #require(since(later))
        #expect(moved > first)
        #expect(elapsed(later) > 2)
        #expect(weir.terminate() == 0)
    }

    @Test(
        "are refused where they cannot run",
        arguments: [
            ("rule_files nosuch/*.yml", "no file matches `nosuch/*.yml`"),
            ("rule_file a", "did you mean `rule_files`?"),
            (
                "<inhibit>\nsource_matchers a\ntarget_matchers b=c\n</inhibit>",
                "must stand between label and value"
            ),
            (
                "<notify>\n@type webhook\n@id a/b\nurl http://x\n</notify>",
                "`a/b` cannot be the name of this notifier"
            ),
            (
                "<notify>\n@type webhook\nurl http://x\ngroup_wait soon\n</notify>",
                "group_wait"
            ),
        ])
    func mistakes(_ alerting: String, _ told: String) throws {
        write(alerting: alerting)
        let check = try ChildProcess(
            TestPrograms.weir, ["check", folder.file("weir.conf")], log: folder.file("out"))
        #expect(check.wait() == 1)
        let output = String(decoding: folder.contents(of: "out") ?? [], as: UTF8.self)
        #expect(output.contains(told), "\(output)")
    }

    @Test("that would not survive a restart say so")
    func unkept() throws {
        for (path, isTold) in [("", true), ("state_path \(folder.file("state"))", false)] {
            folder.write(
                """
                <system>
                  admin_port 0
                </system>
                <alerting>
                  rule_files \(folder.file("rules.yml"))
                  \(path)
                </alerting>
                <source>
                  @type prometheus_remote_write
                  port 0
                </source>
                """, to: "weir.conf")
            folder.write("", to: "weir.log")
            let weir = try RunningWeir(folder)
            #expect(weir.waitForLog("weir runs"))
            #expect(weir.log.contains("will not survive a restart") == isTold, "\(weir.log)")
            #expect(weir.terminate() == 0)
        }
    }
}

import Glibc
import Testing
import WeirCore
import WeirHost
import WeirMetrics
import WeirTesting

/// Real parts from the request to the receiver: Envoy, Weir, Prometheus, Alertmanager.
@Suite(
    "Alerts of a real Envoy", .serialized,
    .enabled(
        if: TestPrograms.envoy != nil && TestPrograms.alertmanager != nil
            && TestPrograms.prometheus != nil, "needs `make deps-test`"))
struct LiveAlertTests {
    private let mesh: AlertingMesh
    private let mine: WebhookStandIn
    private let theirs: WebhookStandIn
    private let fromPrometheus: WebhookStandIn

    init() throws {
        mesh = try AlertingMesh()
        mine = try WebhookStandIn()
        theirs = try WebhookStandIn()
        fromPrometheus = try WebhookStandIn()
        mesh.folder.write(
            """
            groups:
            - name: live
              interval: 1s
              rules:
              - alert: Unavailable
                expr: >
                  sum by (destination_service_name, response_code)
                  (increase(istio_requests_total{response_code="503"}[10s])) > 0
                labels: {severity: "{{ if gt $value 1.0 }}page{{ else }}page{{ end }}"}
                annotations:
                  summary: "{{ $labels.destination_service_name }} answers {{ $labels.response_code }}"
                  link: "{{ externalURL }}{{ pathPrefix }} {{ $externalLabels.cluster }}"
            """, to: "rules.yml")
    }

    private var envoyConfiguration: String {
        let fields = [
            #"start_time: "%START_TIME%""#, #"method: "%REQ(:METHOD)%""#,
            #"path: "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%""#, #"protocol: "%PROTOCOL%""#,
            #"response_code: "%RESPONSE_CODE%""#, #"response_flags: "%RESPONSE_FLAGS%""#,
            #"bytes_received: "%BYTES_RECEIVED%""#, #"bytes_sent: "%BYTES_SENT%""#,
            #"duration: "%DURATION%""#,
            #"upstream_cluster: "outbound|9080||reviews.default.svc.cluster.local""#,
        ]
        return TestConfigurations.envoy(
            logs: [(mesh.folder.file("access.log"), fields)],
            routes: [("/bad", 503), ("/", 200)])
    }

    private func status(_ requests: [WebhookStandIn.Request]) -> [String] {
        requests.map { $0.json["status"]?.string ?? "?" }
    }

    @Test("fire and end; Alertmanager tells the same, and Prometheus would have told it")
    func live() throws {
        let (alertmanager, url) = try mesh.startAlertmanager(
            try #require(TestPrograms.alertmanager),
            config: """
                route: {receiver: webhook, group_by: [alertname], group_wait: 0s, group_interval: 1s}
                receivers: [{name: webhook, webhook_configs: [{url: "\(theirs.url)"}]}]
                """)
        defer { alertmanager.kill9() }
        let program = try #require(TestPrograms.envoy)
        let running = try RunningEnvoy(program, config: envoyConfiguration, mesh.folder)
        let envoy = try #require(running, "Envoy says where it listens")
        let weir = try mesh.start(
            """
            <notify>
              @type webhook
              url \(mine.url)
              group_interval 1s
            </notify>
            <notify>
              @type alertmanager
              urls \(url)
            </notify>
            """)
        let started = try startPrometheus(weir)
        let prometheus = try #require(started)
        for _ in 0..<20 { #expect(try envoy.get("/good") == 200) }
        // The series is there before it is to rise.
        #expect(try envoy.get("/bad") == 503)
        #expect(
            AlertingMesh.wait {
                weir.ask("GET", "/metrics")?.body.contains("response_code=\"503\"") ?? false
            })
        // Prometheus looks for its targets and receivers some seconds after its start.
        let seen = #"count_over_time(istio_requests_total{response_code="503"}[1m]) > 1"#
        #expect(prometheus.api.wait(for: seen, count: 1))
        #expect(AlertingMesh.wait { (weir.metric("weir_rule_evaluations_total") ?? 0) >= 3 })
        let start = SystemClock().now.millisecondsSince1970
        for _ in 0..<20 { #expect(try envoy.get("/bad") == 503) }
        #expect(mine.wait { !$0.isEmpty })
        let wait = (mine.requests.first?.time ?? .max) - start
        print("from the first bad request to the webhook: \(wait) ms")
        #expect(wait <= 2_000)
        for receiver in [mine, theirs] {
            #expect(receiver.wait { status($0) == ["firing", "resolved"] })
        }
        #expect(fromPrometheus.wait { $0.contains { $0.body.contains("Unavailable") } })
        check()
        prometheus.stop()
        #expect(weir.terminate() == 0)
    }

    private func startPrometheus(_ weir: RunningWeir) throws -> RunningPrometheus? {
        let port = try #require(weir.adminPort)
        let program = try #require(TestPrograms.prometheus)
        return try RunningPrometheus(
            program,
            config: """
                global:
                  scrape_interval: 1s
                  evaluation_interval: 1s
                  external_labels: {cluster: here}
                rule_files: ["\(mesh.folder.file("rules.yml"))"]
                alerting:
                  alertmanagers:
                  - static_configs: [{targets: ["127.0.0.1:\(fromPrometheus.port)"]}]
                scrape_configs:
                - job_name: weir
                  static_configs: [{targets: ["127.0.0.1:\(port)"]}]
                """, try ScratchFolder(), options: ["--web.external-url=http://weir.example.org"])
    }

    /// Alertmanager was told the same, and what Prometheus tells of the alert is what Weir tells.
    private func check() {
        func alert(_ request: WebhookStandIn.Request?) -> Record {
            request?.json["alerts"]?.array?.first?.object ?? Record()
        }
        for (one, other) in zip(mine.requests, theirs.requests) {
            #expect(
                JSONValueWriter.text(.object(alert(one)))
                    == JSONValueWriter.text(.object(alert(other))))
        }
        let firing = alert(mine.requests.first)
        let told = fromPrometheus.requests.first { $0.body.contains("Unavailable") }
        let theirs = JSONValueReader.value(of: told?.body ?? "")?.array?.first?.object ?? Record()
        for field in ["labels", "annotations"] {
            #expect(
                JSONValueWriter.text(firing[field] ?? .null)
                    == JSONValueWriter.text(theirs[field] ?? .null))
        }
        #expect(firing["generatorURL"] == theirs["generatorURL"])
        #expect(
            firing["annotations"]?.object?["link"]?.string == "http://weir.example.org here")
    }
}

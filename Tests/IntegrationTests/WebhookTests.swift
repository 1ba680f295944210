import Glibc
import Testing
import WeirCore
import WeirHost
import WeirMetrics
import WeirTesting

/// Alerts of a running agent, told by webhooks: in seconds, and once, whatever happens to the process.
@Suite("Alerts that are told by webhooks", .serialized) struct WebhookTests {
    private let receiver: WebhookStandIn

    init() throws { receiver = try WebhookStandIn() }

    private func notify(_ more: String = "") -> String {
        "<notify>\n@type webhook\nurl \(receiver.url)\ngroup_interval 1s\n\(more)\n</notify>"
    }

    private func services(_ requests: [WebhookStandIn.Request]) -> [String] {
        requests.map { request in
            let labels = request.json["commonLabels"]?.object
            let service = labels?["destination_service_name"]?.string ?? "?"
            return "\(service) \(request.json["status"]?.string ?? "?")"
        }
    }

    /// When the alerts of a notification began.
    private func starts(_ request: WebhookStandIn.Request?) -> [String] {
        (request?.json["alerts"]?.array ?? []).map { $0.object?["startsAt"]?.string ?? "" }
    }

    @Test("arrive within two seconds of the first bad line")
    func latency() throws {
        let mesh = try AlertingMesh()
        let weir = try mesh.start(notify("group_by destination_service_name"))
        _ = weir.adminPort
        var waits: [Int64] = []
        for round in 1...8 {
            let service = "service-\(round)"
            mesh.log(200, count: 1, service: service)
            let start = SystemClock().now.millisecondsSince1970
            mesh.turnBad(service)
            #expect(receiver.wait { services($0).contains("\(service) firing") })
            waits.append((receiver.requests.last?.time ?? .max) - start)
        }
        waits.sort()
        print("from the first bad line to the webhook, in milliseconds: \(waits)")
        #expect(waits[waits.count / 2] <= 2_000)
        #expect(weir.terminate() == 0)
    }

    @Test("begin to fire in time although the process was killed while they waited")
    func killedWhilePending() throws {
        let mesh = try AlertingMesh(hold: "6s")
        let weir = try mesh.start(notify())
        mesh.turnBad()
        func activeAt() -> String? {
            guard let port = weir.adminPort else { return nil }
            let alerts = QueryClient(port: port).ask("alerts")?.object?["alerts"]?.array ?? []
            return alerts.first?.object?["activeAt"]?.string
        }
        #expect(AlertingMesh.wait { activeAt() != nil })
        let start = SystemClock().now.millisecondsSince1970
        for _ in 0..<2 {
            let evaluations = weir.metric("weir_rule_evaluations_total") ?? 0
            #expect(
                AlertingMesh.wait {
                    (weir.metric("weir_rule_evaluations_total") ?? 0) >= evaluations + 2
                })
            weir.process.kill9()
            try weir.restart()
            #expect(AlertingMesh.wait { activeAt() != nil })
        }
        #expect(receiver.requests.isEmpty)
        #expect(receiver.wait { $0.count == 1 })
        let wait = (receiver.requests.first?.time ?? .max) - start
        // Begun anew it would have taken ten seconds and two starts.
        print("an alert of 6 s fired \(wait) ms after it was first seen, over two kills")
        #expect(5_000..<10_000 ~= wait)
        #expect(weir.terminate() == 0)
    }

    @Test("that fire are told once, and keep their beginning, although the process is killed")
    func killedWhileFiring() throws {
        let mesh = try AlertingMesh()
        let weir = try mesh.start(notify("repeat_interval 1h"))
        mesh.turnBad()
        #expect(receiver.wait { $0.count == 1 })
        let begun = starts(receiver.requests.first)
        for _ in 0..<2 {
            // The notification is noted as told before its thread goes on.
            #expect(AlertingMesh.wait { (weir.metric("weir_notifications_waiting") ?? 1) == 0 })
            weir.process.kill9()
            try weir.restart()
            #expect(
                AlertingMesh.wait { (weir.metric("weir_rule_evaluations_total") ?? 0) >= 3 })
        }
        mesh.log(200, count: 5)
        #expect(receiver.wait { $0.count >= 2 })
        #expect(services(receiver.requests) == ["reviews firing", "reviews resolved"])
        #expect(starts(receiver.requests.last) == begun)
        #expect(weir.terminate() == 0)
    }

    @Test("that are on their way when the process is killed arrive, and once")
    func killedWhileNotifying() throws {
        let mesh = try AlertingMesh()
        let weir = try mesh.start(notify("timeout 30s"))
        receiver.setMood(.hangs)
        mesh.turnBad()
        #expect(receiver.wait { $0.count == 1 })
        weir.process.kill9()
        receiver.setMood(.well)
        try weir.restart()
        #expect(receiver.wait { $0.filter(\.isTaken).count == 1 })
        #expect(AlertingMesh.wait { (weir.metric("weir_rule_evaluations_total") ?? 0) >= 4 })
        #expect(receiver.taken.count == 1)
        let ids = Set(receiver.requests.map { $0.headers["weir-notification-id"] })
        #expect(ids.count == 1, "a receiver can tell that it is the same")
        #expect(Set(receiver.requests.map(\.body)).count == 1)
        #expect(weir.terminate() == 0)
    }

    @Test("that ended while the process was down are told to have ended")
    func endedMeanwhile() throws {
        let mesh = try AlertingMesh()
        let weir = try mesh.start(notify())
        mesh.turnBad()
        #expect(receiver.wait { $0.count == 1 })
        #expect(AlertingMesh.wait { (weir.metric("weir_notifications_waiting") ?? 1) == 0 })
        weir.process.kill9()
        mesh.log(200, count: 5)
        try weir.restart()
        #expect(receiver.wait { $0.count == 2 })
        #expect(services(receiver.requests).last == "reviews resolved")
        #expect(starts(receiver.requests.last) == starts(receiver.requests.first))
        #expect(weir.terminate() == 0)
    }

    @Test(
        "are those that a real Alertmanager sends", .enabled(if: TestPrograms.alertmanager != nil))
    func likeAlertmanager() throws {
        let program = try #require(TestPrograms.alertmanager)
        let theirs = try WebhookStandIn()
        let mesh = try AlertingMesh()
        let (process, url) = try mesh.startAlertmanager(
            program,
            config: """
                route: {receiver: webhook, group_by: [alertname, cluster], group_wait: 1s, group_interval: 1s}
                receivers: [{name: webhook, webhook_configs: [{url: "\(theirs.url)"}]}]
                """)
        defer { process.kill9() }
        let weir = try mesh.start(
            notify("group_by alertname, cluster\ngroup_wait 1s")
                + "\n<notify>\n@type alertmanager\nurls \(url)\n</notify>")
        mesh.turnBad("reviews", "ratings")
        #expect(receiver.wait { $0.count == 1 } && theirs.wait { $0.count == 1 })
        mesh.log(200, count: 5, service: "reviews", "ratings")
        #expect(receiver.wait { $0.count == 2 } && theirs.wait { $0.count == 2 })
        for (mine, other) in zip(receiver.requests, theirs.requests) {
            #expect(mine.body == other.body)
            #expect(mine.headers["content-type"] == other.headers["content-type"])
        }
        #expect(weir.terminate() == 0)
    }
}

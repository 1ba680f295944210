import Synchronization
import Testing
import WeirAlerts
import WeirConfig
import WeirCore
import WeirHost
import WeirMetrics
import WeirPipeline
import WeirTesting

@testable import WeirPlugins

/// A notifier of a section, its surroundings, and what it reports.
private final class WebhookRig {
    let receiver: WebhookStandIn
    let folder: ScratchFolder
    let registry = Registry()
    let reports = ReportList()
    private(set) var notifier: WebhookNotifier
    private let section: Section
    private var context: PluginContext

    final class ReportList: Sendable {
        private let list = Mutex<[NotifierReport]>([])
        func add(_ report: NotifierReport) { list.withLock { $0.append(report) } }
        var all: [NotifierReport] { list.withLock { $0 } }
    }

    init(
        _ more: String = "", files: [String: String] = [:], mutes: AlertMutes = AlertMutes()
    ) throws {
        receiver = try WebhookStandIn()
        folder = try ScratchFolder()
        for (name, text) in files { folder.write(text, to: name) }
        let text = """
            <notify>
              @type webhook
              url \(receiver.url)
              group_interval 0.2
              \(more.replacing("FOLDER", with: folder.path))
            </notify>
            """
        let (section, diagnostics) = ComponentSection.read(text, as: .notifier)
        #expect(diagnostics.isEmpty)
        self.section = try #require(section)
        let reports = reports
        context = PluginContext(
            hostName: "h", nodeName: "n", registry: registry, refusals: NoRefusals(),
            outputByteLimit: 1 << 20, outputLog: { _ in }, tailLog: { _ in })
        context.notifierLog = { reports.add($0) }
        context.alerting.stateFolder = folder.file("state")
        context.alerting.externalURL = "http://weir"
        context.alerting.mutes = mutes
        notifier = try WebhookNotifier(self.section, name: "hook", context: context)
    }

    /// Puts another notifier of the same section in its place.
    func renew() throws {
        notifier = try WebhookNotifier(section, name: "hook", context: context)
        notifier.start()
    }

    func count(_ name: String, _ labels: [Label] = []) -> Int {
        Int(
            registry.counter(MetricDescription(name, ""), [Label("notifier", "hook")] + labels)
                .value)
    }

    static func alert(_ name: String, resolved: Bool = false) -> AlertNotice {
        let now = SystemClock().now.millisecondsSince1970
        return AlertNotice(
            labels: [("alertname", name), ("i", "1")], annotations: [("summary", "s")],
            startsAt: now, endsAt: resolved ? now : now + 600_000, isResolved: resolved,
            generatorURL: "http://weir/graph")
    }
}

@Suite("Webhooks", .serialized) struct WebhookNotifierTests {
    private func names(_ requests: [WebhookStandIn.Request]) -> [String] {
        requests.map { request in
            let labels = request.json["commonLabels"]?.object
            return "\(labels?["alertname"]?.string ?? "?") \(request.json["status"]?.string ?? "?")"
        }
    }

    @Test("tell of alerts and of their end, with the headers that were asked for")
    func telling() throws {
        let rig = try WebhookRig(
            #"""
            custom_headers {"X-Team":"mesh"}
            hmac_secret_file FOLDER/secret
            user u
            password p
            """#, files: ["secret": "It's a Secret to Everybody\n"])
        rig.notifier.start()
        rig.notifier.take([WebhookRig.alert("A")])
        #expect(rig.receiver.wait { $0.count == 1 })
        rig.notifier.take([WebhookRig.alert("A", resolved: true)])
        #expect(rig.receiver.wait { $0.count == 2 })
        rig.notifier.stop()
        #expect(names(rig.receiver.taken) == ["A firing", "A resolved"])
        let first = try #require(rig.receiver.taken.first)
        #expect(first.headers["content-type"] == "application/json")
        #expect(first.headers["x-team"] == "mesh")
        #expect(first.headers["authorization"] == "Basic dTpw")
        #expect(first.headers["weir-notification-id"]?.count == 16)
        let signature = MessageSignature(secret: Array("It's a Secret to Everybody".utf8))
        #expect(
            first.headers["x-weir-signature-256"]
                == "sha256=" + (try #require(signature.text(of: Array(first.body.utf8)))))
        #expect(first.json["receiver"]?.string == "hook")
        #expect(first.json["externalURL"]?.string == "http://weir")
        #expect(rig.count("weir_notifications_sent_total") == 2)
    }

    @Test(
        "that are refused, redirected or not answered are sent until they are taken, in their order"
    )
    func trouble() throws {
        let rig = try WebhookRig("timeout 0.3")
        rig.receiver.setMood(.answers(status: 500, location: nil))
        rig.notifier.start()
        rig.notifier.take([WebhookRig.alert("A")])
        #expect(rig.receiver.wait { $0.count >= 1 })
        rig.notifier.take([WebhookRig.alert("B")])
        rig.receiver.setMood(.hangs)
        #expect(rig.receiver.wait { $0.count >= 2 })
        // A page to log in at is no receiver, whatever it says.
        rig.receiver.setMood(.answers(status: 302, location: "/login"))
        #expect(rig.receiver.wait { $0.count >= 3 })
        rig.notifier.take([WebhookRig.alert("C")])
        rig.receiver.setMood(.well)
        #expect(rig.receiver.wait { $0.filter(\.isTaken).count == 3 })
        rig.notifier.stop()
        #expect(names(rig.receiver.taken) == ["A firing", "B firing", "C firing"])
        let ids = Set(rig.receiver.requests.prefix(4).map { $0.headers["weir-notification-id"] })
        #expect(ids.count == 1, "each try of a notification bears its name")
        #expect(!rig.receiver.requests.contains { $0.path == "/login" })
        #expect(rig.count("weir_notification_failures_total") == 3)
        #expect(rig.reports.all.count == 2)
        guard case .failing(_, let url, let reason)? = rig.reports.all.first else {
            Issue.record("the trouble is told")
            return
        }
        #expect(url == "http://127.0.0.1:\(rig.receiver.port)" && reason == "status 500")
    }

    @Test("follow those who ask for the same request elsewhere, and tell strangers no password")
    func redirected() throws {
        let rig = try WebhookRig("user u\n  password p")
        let other = try WebhookStandIn()
        rig.receiver.setMood(.answers(status: 307, location: other.url))
        rig.notifier.start()
        rig.notifier.take([WebhookRig.alert("A")])
        #expect(other.wait { $0.count == 1 })
        rig.notifier.stop()
        #expect(rig.receiver.requests.first?.headers["authorization"] == "Basic dTpw")
        #expect(other.requests.first?.headers["authorization"] == nil)
        #expect(other.requests.first?.body == rig.receiver.requests.first?.body)
        #expect(rig.count("weir_notifications_sent_total") == 1)
    }

    @Test("that are redirected for ever fail")
    func circle() throws {
        let rig = try WebhookRig()
        rig.receiver.setMood(.answers(status: 308, location: "/hook"))
        rig.notifier.start()
        rig.notifier.take([WebhookRig.alert("A")])
        #expect(rig.receiver.wait { $0.count >= 6 })
        rig.receiver.setMood(.well)
        #expect(rig.receiver.wait { $0.last?.isTaken == true })
        rig.notifier.stop()
        #expect(rig.count("weir_notifications_sent_total") == 1)
    }

    @Test("that are refused for good are counted, and the group is told of anew")
    func refused() throws {
        let rig = try WebhookRig()
        rig.receiver.setMood(.answers(status: 400, location: nil))
        rig.notifier.start()
        rig.notifier.take([WebhookRig.alert("A")])
        #expect(rig.receiver.wait { $0.count >= 2 })
        rig.receiver.setMood(.well)
        #expect(rig.receiver.wait { $0.last?.isTaken == true })
        rig.notifier.stop()
        #expect(rig.count("weir_notifications_dropped_total", [Label("reason", "refused")]) >= 2)
        #expect(rig.count("weir_notifications_sent_total") == 1)
        #expect(
            rig.receiver.taken.first?.json["notification_reason"]?.string == "first notification")
    }

    @Test("that wait when the process ends are sent by the next one, and not made anew")
    func restart() throws {
        let rig = try WebhookRig()
        rig.receiver.setMood(.answers(status: 503, location: nil))
        rig.notifier.start()
        rig.notifier.take([WebhookRig.alert("A")])
        rig.notifier.take([WebhookRig.alert("B")])
        #expect(rig.receiver.wait { $0.count >= 1 })
        rig.notifier.stop()
        let id = rig.receiver.requests.first?.headers["weir-notification-id"]
        rig.receiver.setMood(.well)
        try rig.renew()
        rig.notifier.take([WebhookRig.alert("A"), WebhookRig.alert("B")])
        #expect(rig.receiver.wait { $0.filter(\.isTaken).count == 2 })
        rig.notifier.take([WebhookRig.alert("A", resolved: true)])
        #expect(rig.receiver.wait { $0.filter(\.isTaken).count == 3 })
        rig.notifier.stop()
        #expect(names(rig.receiver.taken) == ["A firing", "B firing", "A resolved"])
        #expect(rig.receiver.taken.first?.headers["weir-notification-id"] == id)
        try rig.renew()
        rig.notifier.take([WebhookRig.alert("B"), WebhookRig.alert("C")])
        #expect(rig.receiver.wait { $0.filter(\.isTaken).count == 4 })
        rig.notifier.stop()
        #expect(names(rig.receiver.taken).last == "C firing", "B was told of before")
    }

    @Test("that are more than may wait go, the oldest first, and are counted")
    func bounded() throws {
        let rig = try WebhookRig("queue_limit_size 64k\n  group_by ...")
        rig.receiver.setMood(.answers(status: 503, location: nil))
        rig.notifier.start()
        rig.notifier.take((0..<400).map { WebhookRig.alert("A\($0)") })
        #expect(rig.receiver.wait { $0.count >= 1 })
        let dropped = rig.count(
            "weir_notifications_dropped_total", [Label("reason", "queue_full")])
        #expect(dropped > 200)
        rig.notifier.stop()
    }

    @Test("keep silent about what is silenced")
    func silenced() throws {
        let mutes = AlertMutes()
        let now = SystemClock().now.millisecondsSince1970
        let matchers = try AlertMatcher.parse("alertname=A")
        let outcome = mutes.withSilences { silences in
            Result {
                try silences.set(
                    Silence(
                        id: "", matchers: matchers, startsAt: now, endsAt: now + 600_000,
                        updatedAt: now, createdBy: "me", comment: ""), newID: "s", at: now)
            }
        }
        #expect(try outcome.get() == "s")
        let rig = try WebhookRig(mutes: mutes)
        rig.notifier.start()
        rig.notifier.take([WebhookRig.alert("A"), WebhookRig.alert("B")])
        #expect(rig.receiver.wait { $0.count == 1 })
        rig.notifier.stop()
        #expect(names(rig.receiver.taken) == ["B firing"])
    }

    @Test("have the body of their template, or Alertmanager's when it fails")
    func templates() throws {
        let folder = try ScratchFolder()
        folder.write(#"{"text":{{ .CommonLabels.alertname | toJson }}}"#, to: "good")
        folder.write("{{ .Alerts.Nothing }}", to: "bad")
        for (name, body) in [("good", #"{"text":"A"}"#), ("bad", nil)] {
            let rig = try WebhookRig("body_template_file \(folder.file(name))")
            rig.notifier.start()
            rig.notifier.take([WebhookRig.alert("A")])
            #expect(rig.receiver.wait { $0.count == 1 })
            rig.notifier.stop()
            let told = rig.receiver.taken.first
            if let body {
                #expect(told?.body == body)
            } else {
                #expect(told?.json["version"]?.string == "4")
            }
            #expect(
                rig.count("weir_notification_template_failures_total") == (body == nil ? 1 : 0))
        }
    }

    @Test(
        "that cannot be are refused",
        arguments: [
            ("url ftp://x", "no address"), ("url http://", "no address"),
            ("url http://x\n  matchers a", "must stand between"),
            ("url http://x\n  body_template_file /nowhere", "cannot be read"),
            ("url http://x\n  hmac_secret_file /nowhere", "no secret"),
            ("url http://x\n  user u", "belong together"),
        ])
    func refusals(_ lines: String, _ told: String) throws {
        let (section, _) = ComponentSection.read(
            "<notify>\n  @type webhook\n  \(lines)\n</notify>", as: .notifier)
        let found = try #require(section)
        #expect {
            _ = try WebhookSettings(found)
            _ = try NotifierConnection(found)
        } throws: { error in
            (error as? SectionError)?.diagnostic.message.contains(told) == true
        }
    }
}

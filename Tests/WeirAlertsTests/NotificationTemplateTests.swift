import Testing
import WeirCore
import WeirTesting

@testable import WeirAlerts

@Suite("Templates of notifications") struct NotificationTemplateTests {
    private func text(_ template: String, values: [String: String] = [:]) throws -> String {
        let entries = [
            Notification.Entry(
                notice: notice(
                    ["alertname": "A", "i": "1", "team": "x"], from: 1_000,
                    annotations: ["summary": "say \"1\" <now>"]), isResolved: false),
            Notification.Entry(
                notice: notice(
                    ["alertname": "A", "i": "2", "team": "x"], from: 1_000, until: 2_000,
                    resolved: true, annotations: ["summary": "two"]), isResolved: true),
        ]
        let notification = Notification(
            id: "", receiver: "hook", groupKey: #"{}:{alertname="A"}"#,
            groupLabels: [("alertname", "A")], reason: .someResolved, entries: entries,
            truncatedCount: 3)
        return try NotificationTemplate(template, values: values).text(
            of: notification, "http://weir")
    }

    @Test(
        "have the data of Alertmanager's",
        arguments: [
            ("{{ .Receiver }} {{ .Status }} {{ .ExternalURL }}", "hook firing http://weir"),
            ("{{ .GroupLabels.alertname }} {{ .CommonLabels.team }}", "A x"),
            ("{{ len .Alerts }} {{ len .Alerts.Firing }} {{ len .Alerts.Resolved }}", "2 1 1"),
            ("{{ range .Alerts }}{{ .Labels.i }}={{ .Status }};{{ end }}", "1=firing;2=resolved;"),
            ("{{ range .Alerts.Resolved }}{{ .Annotations.summary }}{{ end }}", "two"),
            (
                "{{ range .CommonLabels.SortedPairs }}{{ .Name }}={{ .Value }} {{ end }}",
                "alertname=A team=x "
            ),
            (
                #"{{ join "," .CommonLabels.Names }} {{ join "," .CommonLabels.Values }}"#,
                "alertname,team A,x"
            ),
            ("{{ (index .Alerts 0).Fingerprint | len }}", "16"),
            ("{{ .TruncatedAlerts }} {{ .Reason }}", "3 some alerts resolved"),
            ("{{ .GroupKey | toJson }}", #""{}:{alertname=\"A\"}""#),
        ])
    func data(_ template: String, _ wanted: String) throws {
        #expect(try text(template) == wanted)
    }

    @Test("write JSON that Go would")
    func json() throws {
        #expect(
            try text("{{ (index .Alerts 0).Annotations.summary | toJson }}")
                == #""say \"1\" \u003cnow\u003e""#)
        #expect(try text("{{ .CommonLabels | toJson }}") == #"{"alertname":"A","team":"x"}"#)
        #expect(
            try text(
                "{{ (index .Alerts 1).EndsAt | toJson }} {{ (index .Alerts 0).EndsAt | toJson }}")
                == #""1970-01-01T00:00:02Z" "0001-01-01T00:00:00Z""#)
        #expect(
            try text(
                #"{{ stringSlice "a" "b" | toJson }}{{ toJson 1 }}{{ toJson 1.5 }}{{ toJson true }}"#
            )
                == #"["a","b"]11.5true"#)
        let whole = try text("{{ . | toJson }}")
        #expect(JSONValueReader.value(of: whole)?.object?["Status"]?.string == "firing")
    }

    /// A template of `alerts/templates/`, filled in.
    private func shipped(_ name: String) throws -> Record {
        let lines = SourceTree.lines(of: "alerts/templates/\(name).tmpl")
        let template = lines.joined(separator: "\n")
        let body = try text(template, values: ["routing_key": "key\""])
        return try #require(JSONValueReader.value(of: body)?.object, "\(body)")
    }

    @Test("for chats and pagers are shipped, and make what those take")
    func shippedOnes() throws {
        let slack = try shipped("slack")
        #expect(slack["text"]?.string == "[firing] A: 1 firing, 1 resolved")
        let attachments = (slack["attachments"]?.array ?? []).compactMap(\.object)
        #expect(attachments.map { $0["color"]?.string } == ["#d00000", "#2eb886"])
        #expect(attachments.first?["text"]?.string == "say \"1\" <now>")
        #expect(attachments.first?["fields"]?.array?.count == 3)
        let teams = try shipped("msteams")
        let card = teams["attachments"]?.array?.first?.object?["content"]?.object
        #expect(card?["type"]?.string == "AdaptiveCard")
        #expect(card?["body"]?.array?.count == 5)
        let pager = try shipped("pagerduty")
        #expect(pager["routing_key"]?.string == "key\"")
        #expect(pager["event_action"]?.string == "trigger")
        #expect(pager["dedup_key"]?.string == #"{}:{alertname="A"}"#)
        let payload = pager["payload"]?.object
        #expect(payload?["severity"]?.string == "error")
        #expect(payload?["custom_details"]?.object?["alerts"]?.array?.count == 2)
        #expect(pager["links"]?.array?.count == 1)
    }

    @Test(
        "that cannot be computed say where",
        arguments: ["{{ .Nothing }}", #"{{ query "up" }}"#, "{{ join 1 }}", "{{ .Alerts.Other }}"])
    func failures(_ template: String) {
        #expect(throws: TemplateError.self) { try text(template) }
    }

    @Test(
        "are refused when they call what there is not; those of alerts have no functions of notifications"
    )
    func refusals() {
        #expect(throws: TemplateError.self) { try NotificationTemplate("{{ nothing . }}") }
        #expect(throws: TemplateError.self) { try Template("{{ toJson . }}") }
    }
}

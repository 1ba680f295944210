import Testing
import WeirCore
import WeirTesting

@testable import WeirAlerts

@Suite("Templates of notifications") struct NotificationTemplateTests {
    private func text(_ template: String) throws -> String {
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
        return try NotificationTemplate(template).text(of: notification, "http://weir")
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

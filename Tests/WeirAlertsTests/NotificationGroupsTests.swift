import Testing
import WeirCore
import WeirPromQL
import WeirTesting

@testable import WeirAlerts

/// A notice with few words.
func notice(
    _ labels: [String: String], from start: Int64 = 0, until end: Int64 = .max,
    resolved: Bool = false, annotations: [String: String] = [:]
) -> AlertNotice {
    AlertNotice(
        labels: labels.sorted { $0.key < $1.key }.map { ($0.key, $0.value) },
        annotations: annotations.sorted { $0.key < $1.key }.map { ($0.key, $0.value) },
        startsAt: start, endsAt: end, isResolved: resolved, generatorURL: "http://x/graph")
}

@Suite("Groups of alerts") struct NotificationGroupsTests {
    private static let minute: Int64 = 60_000

    private func options(
        _ change: (inout NotificationGroups.Options) -> Void = { _ in }
    ) -> NotificationGroups.Options {
        var options = NotificationGroups.Options()
        options.groupWait = 0
        options.groupInterval = Self.minute
        options.repeatInterval = 10 * Self.minute
        change(&options)
        return options
    }

    /// What is told at a time, as `reason: alert=status …`.
    private func told(
        _ groups: inout NotificationGroups, at time: Int64,
        isMuted: (AlertNotice) -> Bool = { _ in false }
    ) -> [String] {
        groups.flush(at: time, isMuted: isMuted).compactMap(\.notification).map { notification in
            groups.noteArrival(notification.groupKey, at: time)
            let alerts = notification.entries.map { "\($0.notice["i"])=\($0.status)" }
            let cut = notification.truncatedCount > 0 ? " +\(notification.truncatedCount)" : ""
            return "\(notification.reason.rawValue): " + alerts.joined(separator: " ") + cut
        }
    }

    @Test("are told of at once, of changes after the interval, and again after the repeat interval")
    func course() {
        var groups = NotificationGroups(receiver: "r", options())
        #expect(groups.due == nil)
        #expect(groups.take([notice(["alertname": "A", "i": "1"])], at: 0) == 0)
        #expect(groups.due == 0)
        #expect(told(&groups, at: 0) == ["first notification: 1=firing"])
        #expect(groups.due == Self.minute)
        _ = groups.take([notice(["alertname": "A", "i": "2"])], at: 1_000)
        #expect(told(&groups, at: Self.minute - 1) == [])
        #expect(told(&groups, at: Self.minute) == ["new alerts added: 1=firing 2=firing"])
        for time in stride(from: 2 * Self.minute, to: 11 * Self.minute, by: Int(Self.minute)) {
            #expect(told(&groups, at: time) == [])
        }
        #expect(
            told(&groups, at: 11 * Self.minute) == ["repeat interval elapsed: 1=firing 2=firing"])
        let end = 11 * Self.minute + 5
        _ = groups.take(
            [notice(["alertname": "A", "i": "1"], until: end, resolved: true)], at: end)
        #expect(
            told(&groups, at: 12 * Self.minute) == ["some alerts resolved: 1=resolved 2=firing"])
        _ = groups.take(
            [notice(["alertname": "A", "i": "2"], until: end, resolved: true)], at: end)
        #expect(told(&groups, at: 13 * Self.minute) == ["all alerts resolved: 2=resolved"])
        #expect(groups.due == nil && groups.heldAlertCount == 0)
    }

    @Test("an end that is told again and again is told once")
    func resolvedOnce() {
        var groups = NotificationGroups(receiver: "r", options())
        _ = groups.take([notice(["alertname": "A", "i": "1"])], at: 0)
        _ = told(&groups, at: 0)
        let end = notice(["alertname": "A", "i": "1"], until: 5, resolved: true)
        _ = groups.take([end], at: 5)
        #expect(told(&groups, at: Self.minute) == ["all alerts resolved: 1=resolved"])
        _ = groups.take([end], at: Self.minute + 5)
        #expect(groups.due == nil)
        // It fires again: that is news.
        _ = groups.take([notice(["alertname": "A", "i": "1"])], at: 2 * Self.minute)
        #expect(told(&groups, at: 2 * Self.minute) == ["new alerts added: 1=firing"])
    }

    @Test("an alert that ended before anybody was told of it is not told")
    func neverTold() {
        var groups = NotificationGroups(receiver: "r", options { $0.groupWait = 1_000 })
        _ = groups.take([notice(["alertname": "A", "i": "1"])], at: 0)
        _ = groups.take([notice(["alertname": "A", "i": "1"], until: 5, resolved: true)], at: 5)
        #expect(told(&groups, at: 1_000) == [])
        #expect(groups.due == nil)
    }

    @Test("a new group waits for more alerts, unless its alert is old")
    func wait() {
        var groups = NotificationGroups(receiver: "r", options { $0.groupWait = 30_000 })
        _ = groups.take([notice(["alertname": "A", "i": "1"], from: 100_000)], at: 100_000)
        #expect(groups.due == 130_000)
        _ = groups.take([notice(["alertname": "A", "i": "2"], from: 120_000)], at: 120_000)
        #expect(told(&groups, at: 130_000) == ["first notification: 1=firing 2=firing"])
        _ = groups.take([notice(["alertname": "B", "i": "1"], from: 90_000)], at: 130_000)
        #expect(told(&groups, at: 130_000) == ["first notification: 1=firing"])
    }

    @Test("an alert of which nothing is heard any more ends when its time is over")
    func lease() {
        var groups = NotificationGroups(receiver: "r", options())
        _ = groups.take([notice(["alertname": "A", "i": "1"], until: 90_000)], at: 0)
        _ = told(&groups, at: 0)
        #expect(told(&groups, at: Self.minute) == [])
        #expect(told(&groups, at: 2 * Self.minute) == ["all alerts resolved: 1=resolved"])
    }

    @Test("are made by labels, by none, or one of each alert")
    func grouping() {
        let alerts = [
            notice(["alertname": "A", "i": "1", "cluster": "x"]),
            notice(["alertname": "A", "i": "2", "cluster": "y"]),
            notice(["alertname": "B", "i": "3", "cluster": "y"]),
        ]
        func keys(_ change: (inout NotificationGroups.Options) -> Void) -> [String] {
            var groups = NotificationGroups(receiver: "r", options(change))
            _ = groups.take(alerts, at: 0)
            return groups.flush(at: 0) { _ in false }.compactMap(\.notification?.groupKey).sorted()
        }
        #expect(keys { $0.groupBy = [] } == ["{}:{}"])
        #expect(keys { $0.groupBy = ["cluster"] } == [#"{}:{cluster="x"}"#, #"{}:{cluster="y"}"#])
        #expect(
            keys { $0.groupBy = ["cluster", "alertname"] }.first
                == #"{}:{alertname="A", cluster="x"}"#)
        #expect(keys { $0.groupsByAll = true }.count == 3)
    }

    @Test("leave out what the receiver does not want, and what is too many")
    func limits() throws {
        let alerts = (1...5).map { notice(["alertname": "A", "i": "\($0)", "odd": "\($0 % 2)"]) }
        var groups = NotificationGroups(
            receiver: "r",
            options {
                $0.alertLimit = 2
                $0.matchers = (try? AlertMatcher.parse("odd=1")) ?? []
                $0.sendsResolved = false
            })
        _ = groups.take(alerts, at: 0)
        #expect(told(&groups, at: 0) == ["first notification: 1=firing 3=firing +1"])
        let ends = (1...5).map {
            notice(["alertname": "A", "i": "\($0)", "odd": "\($0 % 2)"], until: 5, resolved: true)
        }
        _ = groups.take([ends[0]], at: 5)
        #expect(told(&groups, at: Self.minute) == [])
        _ = groups.take(ends, at: 5)
        #expect(told(&groups, at: 2 * Self.minute) == [])

        var full = NotificationGroups(receiver: "r", options())
        let many = (0..<NotificationGroups.alertLimit + 3).map {
            notice(["alertname": "A", "i": "\($0)"])
        }
        #expect(full.take(many, at: 0) == 3)
        #expect(full.heldAlertCount == NotificationGroups.alertLimit)
    }

    @Test("say nothing of alerts that are silenced, and tell of them when the silence is over")
    func muted() {
        var groups = NotificationGroups(receiver: "r", options())
        _ = groups.take(
            [notice(["alertname": "A", "i": "1"]), notice(["alertname": "A", "i": "2"])], at: 0)
        #expect(told(&groups, at: 0) { $0["i"] == "1" } == ["first notification: 2=firing"])
        #expect(told(&groups, at: Self.minute) { _ in true } == [])
        #expect(told(&groups, at: 2 * Self.minute) == ["new alerts added: 1=firing 2=firing"])
    }

    @Test(
        "are not repeated while a notification of them is on its way, and told anew when it is lost"
    )
    func onItsWay() {
        var groups = NotificationGroups(receiver: "r", options())
        _ = groups.take([notice(["alertname": "A", "i": "1"])], at: 0)
        let first = groups.flush(at: 0) { _ in false }.compactMap(\.notification)
        #expect(first.count == 1)
        for time in stride(from: Self.minute, through: 30 * Self.minute, by: Int(Self.minute)) {
            #expect(groups.flush(at: time) { _ in false }.compactMap(\.notification).isEmpty)
        }
        groups.noteArrival(first[0].groupKey, at: 30 * Self.minute)
        #expect(told(&groups, at: 39 * Self.minute) == [])
        #expect(told(&groups, at: 40 * Self.minute) == ["repeat interval elapsed: 1=firing"])
        groups.noteLoss(first[0].groupKey)
        #expect(told(&groups, at: 41 * Self.minute) == ["first notification: 1=firing"])
    }

    @Test("forget what nobody has been told of for long")
    func forgetting() {
        var groups = NotificationGroups(receiver: "r", options())
        _ = groups.take([notice(["alertname": "A", "i": "1"])], at: 0)
        _ = told(&groups, at: 0)
        _ = groups.take([notice(["alertname": "A", "i": "1"], until: 5, resolved: true)], at: 5)
        _ = told(&groups, at: Self.minute)
        #expect(groups.forget(at: 21 * Self.minute) == [])
        #expect(groups.forget(at: 21 * Self.minute + 1) == [#"{}:{alertname="A"}"#])
        #expect(groups.groups.isEmpty)
    }
}

@Suite("The webhook's body") struct WebhookBodyTests {
    /// A capture of a real Alertmanager: the body, and the notification that it tells of.
    private func capture(_ number: Int) throws -> (raw: String, notification: Notification) {
        let raw = try CapturedDelivery.body("webhook-00\(number)")
        let body = try #require(JSONValueReader.value(of: raw)?.object)
        let entries = try (body["alerts"]?.array ?? []).map { value in
            let alert = try #require(value.object)
            let isResolved = alert["status"]?.string == "resolved"
            let notice = AlertNotice(
                labels: CapturedDelivery.pairs(alert["labels"]),
                annotations: CapturedDelivery.pairs(alert["annotations"]),
                startsAt: try CapturedDelivery.time(alert["startsAt"]),
                endsAt: isResolved ? try CapturedDelivery.time(alert["endsAt"]) : .max,
                isResolved: isResolved,
                generatorURL: alert["generatorURL"]?.string ?? "")
            #expect(notice.fingerprintText == alert["fingerprint"]?.string)
            return Notification.Entry(notice: notice, isResolved: isResolved)
        }
        let reason = try #require(
            Notification.Reason(rawValue: body["notification_reason"]?.string ?? ""))
        return (
            raw,
            Notification(
                id: "", receiver: body["receiver"]?.string ?? "",
                groupKey: body["groupKey"]?.string ?? "",
                groupLabels: CapturedDelivery.pairs(body["groupLabels"]),
                reason: reason, entries: entries)
        )
    }

    private func text(_ notification: Notification) -> String {
        var buffer = ByteBuffer()
        WebhookBody.append(notification, externalURL: "http://vm:19402", to: &buffer)
        return String(decoding: buffer.bytes, as: UTF8.self)
    }

    @Test(
        "is to the byte what Alertmanager sends", .enabled(if: SharedCases.arePresent),
        arguments: [1, 2, 3])
    func captured(_ number: Int) throws {
        let (raw, notification) = try capture(number)
        #expect(text(notification) == raw)
    }

    @Test(
        "of the alerts as Prometheus told them is what Alertmanager sent, at its times",
        .enabled(if: SharedCases.arePresent))
    func course() throws {
        let captures = try (1...3).map { try capture($0) }
        var options = NotificationGroups.Options()
        options.groupBy = ["alertname", "cluster"]
        options.groupWait = 3_000
        options.groupInterval = 10_000
        var groups = NotificationGroups(receiver: "hook", options)
        func bodies(at time: Int64) -> [String] {
            groups.flush(at: time) { _ in false }.compactMap(\.notification).map {
                groups.noteArrival($0.groupKey, at: time)
                return text($0)
            }
        }
        let start = captures[0].notification.entries[0].notice.startsAt
        _ = groups.take(captures[0].notification.entries.map(\.notice), at: start)
        #expect(bodies(at: start) == [])
        #expect(bodies(at: start + 3_000) == [captures[0].raw])
        let cart = captures[1].notification.entries[0].notice
        _ = groups.take([cart], at: cart.endsAt)
        #expect(bodies(at: start + 63_000) == [captures[1].raw])
        // Prometheus tells the end again, so the group holds it still when the other ends.
        _ = groups.take([cart], at: cart.endsAt + 20_000)
        let pay = captures[2].notification.entries[1].notice
        _ = groups.take([pay], at: pay.endsAt)
        #expect(bodies(at: start + 103_000) == [captures[2].raw])
        #expect(bodies(at: start + 200_000) == [])
    }

    @Test("escapes what Go escapes, and shortens times")
    func escaping() {
        let alert = notice(
            ["alertname": "<A>&\u{2028}", "q": "\"\\\n\t\u{1}"], from: 1_500, until: 2_000,
            resolved: true)
        let body = text(
            Notification(
                id: "", receiver: "r", groupKey: "{}:{}", groupLabels: [], reason: .allResolved,
                entries: [Notification.Entry(notice: alert, isResolved: true)]))
        #expect(body.contains(#""alertname":"\u003cA\u003e\u0026\u2028","q":"\"\\\n\t\u0001""#))
        #expect(
            body.contains(
                #""startsAt":"1970-01-01T00:00:01.5Z","endsAt":"1970-01-01T00:00:02Z""#))
    }

    @Test(
        "shows times that no year has as the nearest that there are", arguments: [Int64.min, .max])
    func extremes(_ time: Int64) {
        #expect(
            ["0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"].contains(GoJSON.time(time)))
    }

    @Test("has the alerts by job, instance and labels; who has none of them stands last")
    func order() {
        let alerts = [
            ["a": "2"], ["job": "j", "instance": "2"], ["job": "i"], ["a": "1"],
            ["job": "j", "instance": "1"], ["job": "j"], ["instance": "0"],
        ].map { notice($0) }
        let sorted = alerts.sorted(by: Notification.isBefore).map { alert in
            alert.labels.map { "\($0.name)\($0.value)" }.joined(separator: ",")
        }
        #expect(
            sorted == [
                "jobi", "instance1,jobj", "instance2,jobj", "jobj", "instance0", "a1", "a2",
            ])
    }
}

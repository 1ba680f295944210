import WeirAgent
import WeirAlerts
import WeirCore
import WeirPromQL

/// What came of a replay, for people and for programs.
struct ReplayText {
    let report: Replay.Report
    let seconds: Double

    /// Letters across a chart.
    private static let width = 72
    /// Most alerts of a chart.
    private static let chartLimit = 40

    /// A time as it is shown.
    static func time(_ milliseconds: Int64) -> String {
        TimeFormat.text(
            of: Timestamp(millisecondsSince1970: milliseconds), format: "%Y-%m-%dT%H:%M:%SZ",
            zone: .utc)
    }

    /// All of it, for people.
    var lines: [String] {
        var lines = changes(report.timeline)
        lines += notifications(report.timeline)
        lines += chart(report.timeline, "The alerts over time")
        if let compared = report.compared {
            lines += chart(compared, "By the other rules")
            lines += differences(report.timeline, compared)
        }
        return lines + summary
    }

    private func changes(_ timeline: ReplayTimeline) -> [String] {
        if timeline.entries.isEmpty { return ["No alert was pending or fired."] }
        return timeline.entries.map { entry in
            let alert = timeline.alerts[entry.alert]
            let value = entry.value.isNaN ? "" : "  value \(GoText.shortest(entry.value))"
            let change = entry.change.rawValue.padded(to: 9)
            return "\(Self.time(entry.time))  \(change)  \(alert.name)  \(alert.labels)\(value)"
        }
    }

    private func notifications(_ timeline: ReplayTimeline) -> [String] {
        if timeline.told.isEmpty { return ["", "Nobody would have been told anything."] }
        return ["", "What would have been told:"]
            + timeline.told.map { told in
                let notification = told.notification
                let firing = notification.entries.count { !$0.isResolved }
                let resolved = notification.entries.count - firing
                return
                    "\(Self.time(told.time))  \(notification.receiver)  \(notification.groupKey)  "
                    + "\(firing) firing, \(resolved) resolved: \(notification.reason.rawValue)"
            }
    }

    // MARK: Chart

    private func chart(_ timeline: ReplayTimeline, _ title: String) -> [String] {
        guard let span = report.span, !timeline.alerts.isEmpty else { return [] }
        var lines = [
            "",
            "\(title) (░ pending, █ firing), \(Self.time(span.first)) to \(Self.time(span.last)):",
        ]
        for alert in timeline.alerts.prefix(Self.chartLimit) {
            var letters = Array(repeating: Character("·"), count: Self.width)
            for stretch in alert.spans {
                let first = column(stretch.start, span)
                let last = max(
                    first, column(stretch.end ?? span.last, span) - (stretch.end == nil ? 0 : 1))
                for place in first...last where letters[place] != "█" {
                    letters[place] = stretch.isFiring ? "█" : "░"
                }
            }
            lines.append("\(String(letters))  \(alert.name) \(alert.labels)")
        }
        let more = timeline.alerts.count - Self.chartLimit
        if more > 0 { lines.append("and \(more) more alerts") }
        return lines
    }

    private func column(_ time: Int64, _ span: (first: Int64, last: Int64)) -> Int {
        let length = max(Double(span.last - span.first), 1)
        let place = Double(time - span.first) / length * Double(Self.width)
        return min(max(Int(place), 0), Self.width - 1)
    }

    // MARK: Comparison

    /// The stretches in which an alert fired, by name and labels.
    private func firing(_ timeline: ReplayTimeline) -> [String: [ReplayTimeline.Span]] {
        var spans: [String: [ReplayTimeline.Span]] = [:]
        for alert in timeline.alerts {
            let firing = alert.spans.filter(\.isFiring)
            if !firing.isEmpty { spans["\(alert.name) \(alert.labels)", default: []] += firing }
        }
        return spans
    }

    private func differences(_ one: ReplayTimeline, _ other: ReplayTimeline) -> [String] {
        let (left, right) = (firing(one), firing(other))
        var lines: [String] = []
        for name in Set(left.keys).union(right.keys).sorted() {
            let (mine, others) = (left[name] ?? [], right[name] ?? [])
            if mine == others { continue }
            lines.append(name)
            for span in mine where !others.contains(span) { lines.append("  - \(text(span))") }
            for span in others where !mine.contains(span) { lines.append("  + \(text(span))") }
        }
        if lines.isEmpty { return ["", "The other rules fire at the same times."] }
        return ["", "Fires by these rules alone (-), by the others alone (+):"] + lines
    }

    private func text(_ span: ReplayTimeline.Span) -> String {
        guard let end = span.end else { return "\(Self.time(span.start)) to the end" }
        let length = Humanize.duration(Double(end - span.start) / 1_000)
        return "\(Self.time(span.start)) to \(Self.time(end)) (\(length))"
    }

    // MARK: Summary

    private var summary: [String] {
        let rate = Int(Double(report.lineCount) / max(seconds, 0.001))
        var lines = [
            "",
            "\(report.lineCount) lines in \(GoText.shortest((seconds * 100).rounded() / 100)) s, "
                + "\(rate) a second",
        ]
        for (count, what) in [
            (report.failureCount, "lines were no events of the format"),
            (report.timelessCount, "events told no time and were left out; see --time-key"),
            (report.lateCount, "events came too late for their time; see --window"),
            (report.timeline.leftOutCount, "changes were too many to be kept"),
        ] where count > 0 { lines.append("\(count) \(what)") }
        for (rule, reason) in report.failures { lines.append("rule \(rule) failed: \(reason)") }
        return lines
    }

    // MARK: JSON

    /// The same for programs.
    var json: String {
        var fields: [(key: String, value: Value)] = [
            ("lines", .integer(Int64(report.lineCount))),
            ("unparsed", .integer(Int64(report.failureCount))),
            ("timeless", .integer(Int64(report.timelessCount))),
            ("late", .integer(Int64(report.lateCount))),
            ("alerts", Self.value(report.timeline)),
            (
                "notifications",
                .array(
                    report.timeline.told.map { told in
                        .object([
                            "time": .string(Self.time(told.time)),
                            "receiver": .string(told.notification.receiver),
                            "groupKey": .string(told.notification.groupKey),
                            "status": .string(told.notification.status),
                            "reason": .string(told.notification.reason.rawValue),
                            "alerts": .integer(Int64(told.notification.entries.count)),
                        ])
                    })
            ),
        ]
        if let compared = report.compared { fields.append(("compared", Self.value(compared))) }
        return JSONValueWriter.text(.object(Record(fields)))
    }

    private static func value(_ timeline: ReplayTimeline) -> Value {
        .array(
            timeline.alerts.map { alert in
                .object([
                    "name": .string(alert.name), "labels": .string(alert.labels),
                    "spans": .array(
                        alert.spans.map { span in
                            .object([
                                "state": .string(span.isFiring ? "firing" : "pending"),
                                "start": .string(time(span.start)),
                                "end": span.end.map { .string(time($0)) } ?? .null,
                            ])
                        }),
                ])
            })
    }
}

extension String {
    fileprivate func padded(to length: Int) -> String {
        self + String(repeating: " ", count: max(0, length - count))
    }
}

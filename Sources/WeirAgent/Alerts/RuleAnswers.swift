import WeirAlerts
import WeirCore
import WeirHost
import WeirPromQL

/// `/api/v1/rules` and `/api/v1/alerts`, in Prometheus' shape.
extension QueryAPI {
    /// The groups with their rules, and how each is.
    func ruleGroups(_ parameters: QueryParameters) throws(QueryRefusal) -> HTTPServer.Response {
        let kind = parameters["type"]
        guard kind == nil || kind == "alert" || kind == "record" else {
            throw .badData("invalid parameter \"type\": not supported value \"\(kind ?? "")\"")
        }
        let names = Set(parameters.all("rule_name[]"))
        let groupNames = Set(parameters.all("rule_group[]"))
        let files = Set(parameters.all("file[]"))
        let hidesAlerts = parameters["exclude_alerts"] == "true"
        let groups = (rules?.groups ?? []).filter { one in
            (groupNames.isEmpty || groupNames.contains(one.group.name))
                && (files.isEmpty || files.contains(one.group.file))
        }
        return QueryAnswer.success { buffer in
            buffer.append(#"{"groups":["#)
            var isFirst = true
            for (group, interval, status) in groups {
                let places = group.rules.indices.filter { place in
                    let rule = group.rules[place]
                    return (kind == nil || (kind == "record") == rule.isRecord)
                        && (names.isEmpty || names.contains(rule.name))
                }
                if places.isEmpty, kind != nil || !names.isEmpty { continue }
                if !isFirst { buffer.append(",") }
                isFirst = false
                buffer.append(#"{"name":"#)
                ResultWriter.append(group.name, to: &buffer)
                buffer.append(#","file":"#)
                ResultWriter.append(group.file, to: &buffer)
                buffer.append(#","rules":["#)
                for (number, place) in places.enumerated() {
                    if number > 0 { buffer.append(",") }
                    Self.append(
                        group.rules[place], place, status, hidesAlerts: hidesAlerts, to: &buffer)
                }
                buffer.append("],\"interval\":\(GoText.plain(Double(interval) / 1_000))")
                buffer.append(",\"limit\":\(group.limit)")
                Self.appendTimes(status, to: &buffer)
                buffer.append("}")
            }
            buffer.append("]}")
        }
    }

    /// The alerts that are pending or firing.
    func activeAlerts() -> HTTPServer.Response {
        let alerts = (rules?.groups ?? []).flatMap { $0.status.alerts.joined() }
        return QueryAnswer.success { buffer in
            buffer.append(#"{"alerts":"#)
            Self.append(alerts, to: &buffer)
            buffer.append("}")
        }
    }

    private static func append(
        _ rule: Rule, _ place: Int, _ status: RuleEvaluation.Status, hidesAlerts: Bool,
        to buffer: inout ByteBuffer
    ) {
        buffer.append("{")
        if case .alert(let options) = rule.kind {
            let alerts = place < status.alerts.count ? status.alerts[place] : []
            let states = alerts.map(\.state)
            let state: Alert.State =
                states.contains(.firing)
                ? .firing : states.contains(.pending) ? .pending : .inactive
            buffer.append("\"state\":\"\(state.rawValue)\",\"name\":")
            ResultWriter.append(rule.name, to: &buffer)
            append(rule.expression, to: &buffer)
            buffer.append(",\"duration\":\(GoText.plain(Double(options.holdDuration) / 1_000))")
            buffer.append(",\"keepFiringFor\":\(GoText.plain(Double(options.keepFiring) / 1_000))")
            append("labels", rule.labels.map { ($0.name, $0.value.text) }, to: &buffer)
            append("annotations", options.annotations.map { ($0.name, $0.value.text) }, to: &buffer)
            buffer.append(#","alerts":"#)
            append(hidesAlerts ? [] : alerts, to: &buffer)
        } else {
            buffer.append(#""name":"#)
            ResultWriter.append(rule.name, to: &buffer)
            append(rule.expression, to: &buffer)
            let labels = rule.labels.map { ($0.name, $0.value.text) }
            if !labels.isEmpty { append("labels", labels, to: &buffer) }
        }
        let problem = status.problems[place]
        let health = problem != nil ? "err" : status.lastTime == nil ? "unknown" : "ok"
        buffer.append(",\"health\":\"\(health)\"")
        if let problem {
            buffer.append(#","lastError":"#)
            ResultWriter.append(problem, to: &buffer)
        }
        appendTimes(status, to: &buffer)
        buffer.append(",\"type\":\"\(rule.isRecord ? "recording" : "alerting")\"}")
    }

    private static func append(_ expression: Expression, to buffer: inout ByteBuffer) {
        buffer.append(#","query":"#)
        ResultWriter.append(expression.description, to: &buffer)
    }

    private static func append(
        _ name: String, _ labels: [(name: String, value: String)], to buffer: inout ByteBuffer
    ) {
        buffer.append(",\"\(name)\":")
        ResultWriter.append(labels: labels.sorted { $0.name < $1.name }, to: &buffer)
    }

    private static func appendTimes(
        _ status: RuleEvaluation.Status, to buffer: inout ByteBuffer
    ) {
        buffer.append(",\"evaluationTime\":\(GoText.plain(status.seconds)),\"lastEvaluation\":")
        ResultWriter.append(
            status.lastTime.map { time($0) } ?? "0001-01-01T00:00:00Z", to: &buffer)
    }

    private static func append(_ alerts: [Alert], to buffer: inout ByteBuffer) {
        buffer.append("[")
        let active = alerts.filter { $0.state != .inactive }.sorted { left, right in
            left.labels.map { "\($0.name)=\($0.value)" }.lexicographicallyPrecedes(
                right.labels.map { "\($0.name)=\($0.value)" })
        }
        for (place, alert) in active.enumerated() {
            if place > 0 { buffer.append(",") }
            buffer.append(#"{"labels":"#)
            ResultWriter.append(labels: alert.labels, to: &buffer)
            append("annotations", alert.annotations, to: &buffer)
            buffer.append(",\"state\":\"\(alert.state.rawValue)\",\"activeAt\":")
            ResultWriter.append(time(alert.activeAt), to: &buffer)
            if let since = alert.keptFiringSince {
                buffer.append(#","keepFiringSince":"#)
                ResultWriter.append(time(since), to: &buffer)
            }
            buffer.append(",\"value\":\"\(GoText.scientific(alert.value))\"}")
        }
        buffer.append("]")
    }

    /// A time in RFC 3339, in UTC.
    private static func time(_ milliseconds: Int64) -> String {
        let rest = ((milliseconds % 1_000) + 1_000) % 1_000
        let seconds = (milliseconds - rest) / 1_000
        let text = TimeFormat.text(
            of: Timestamp(seconds: seconds), format: "%Y-%m-%dT%H:%M:%S", zone: .utc)
        if rest == 0 { return text + "Z" }
        var digits = "\(rest)"
        digits = String(repeating: "0", count: 3 - digits.count) + digits
        while digits.hasSuffix("0") { digits.removeLast() }
        return "\(text).\(digits)Z"
    }
}

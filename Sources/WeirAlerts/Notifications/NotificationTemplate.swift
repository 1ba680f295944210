import WeirPromQL

/// A template of what a receiver is told, over the data that Alertmanager's templates have
/// (prometheus.io/docs/alerting/latest/notifications): `.Receiver`, `.Status`, `.Alerts`, `.GroupLabels`,
/// `.CommonLabels`, `.CommonAnnotations`, `.ExternalURL`; and `.GroupKey`, `.Reason`, `.TruncatedAlerts` of the
/// webhook besides; `.Values` are the user's own.
public struct NotificationTemplate: Sendable {
    private let template: Template
    private let values: [String: String]

    /// Parses a template.
    /// - Parameter values: Texts for `.Values`.
    public init(_ text: String, values: [String: String] = [:]) throws(TemplateError) {
        self.values = values
        template = try Template(
            text,
            functions: TemplateFunctions.names.union(TemplateFunctions.notificationNames))
    }

    /// The text of a notification.
    public func text(
        of notification: Notification, _ externalURL: String
    ) throws(TemplateError) -> String {
        if let plain = template.plain { return plain }
        let root = TemplateValue.map([
            "Receiver": .string(notification.receiver), "Status": .string(notification.status),
            "Alerts": .list(notification.entries.map(Self.value)),
            "GroupLabels": Self.value(notification.groupLabels),
            "CommonLabels": Self.value(notification.commonLabels),
            "CommonAnnotations": Self.value(notification.commonAnnotations),
            "ExternalURL": .string(externalURL), "GroupKey": .string(notification.groupKey),
            "Reason": .string(notification.reason.rawValue),
            "TruncatedAlerts": .integer(notification.truncatedCount), "Values": .labels(values),
        ])
        let surroundings = TemplateSurroundings(now: 0, externalURL: externalURL) {
            _ throws(TemplateFailure) in
            throw TemplateFailure("a notification has no metrics to ask")
        }
        return try TemplateRun.text(
            of: template, root, variables: [], TemplateFunctions(surroundings))
    }

    private static func value(_ entry: Notification.Entry) -> TemplateValue {
        let notice = entry.notice
        // Go's own first time: that of what has not ended.
        let firstTime = -62_135_596_800.0 * 1e9
        return .map([
            "Status": .string(entry.status), "Labels": value(notice.labels),
            "Annotations": value(notice.annotations),
            "StartsAt": .time(Double(notice.startsAt) * 1e6),
            "EndsAt": .time(entry.isResolved ? Double(notice.endsAt) * 1e6 : firstTime),
            "GeneratorURL": .string(notice.generatorURL),
            "Fingerprint": .string(notice.fingerprintText),
        ])
    }

    private static func value(_ pairs: [(name: String, value: String)]) -> TemplateValue {
        var values: [String: String] = [:]
        for pair in pairs { values[pair.name] = pair.value }
        return .pairs(values)
    }

    /// Names in the order of their bytes, `alertname` first, as Alertmanager has them.
    static func ordered(_ names: some Sequence<String>) -> [String] {
        names.sorted { left, right in
            if left == "alertname" || right == "alertname" {
                return left == "alertname" && right != "alertname"
            }
            return QuerySymbols.isBefore(left, right)
        }
    }
}

import WeirCore

/// The body that Alertmanager posts to webhooks: its version 4, to the byte
/// (prometheus.io/docs/alerting/latest/configuration/#webhook_config).
public enum WebhookBody {
    /// Appends a notification.
    /// - Parameter externalURL: Where people reach the agent.
    public static func append(
        _ notification: Notification, externalURL: String, to buffer: inout ByteBuffer
    ) {
        buffer.append(#"{"receiver":"#)
        GoJSON.append(notification.receiver, to: &buffer)
        buffer.append(#","status":"#)
        GoJSON.append(notification.status, to: &buffer)
        buffer.append(#","alerts":["#)
        for (place, entry) in notification.entries.enumerated() {
            if place > 0 { buffer.append(",") }
            append(entry, to: &buffer)
        }
        buffer.append(#"],"notification_reason":"#)
        GoJSON.append(notification.reason.rawValue, to: &buffer)
        buffer.append(#","groupLabels":"#)
        GoJSON.append(notification.groupLabels, to: &buffer)
        buffer.append(#","commonLabels":"#)
        GoJSON.append(notification.commonLabels, to: &buffer)
        buffer.append(#","commonAnnotations":"#)
        GoJSON.append(notification.commonAnnotations, to: &buffer)
        buffer.append(#","externalURL":"#)
        GoJSON.append(externalURL, to: &buffer)
        buffer.append(#","version":"4","groupKey":"#)
        GoJSON.append(notification.groupKey, to: &buffer)
        buffer.append(#","truncatedAlerts":"#)
        buffer.append(decimal: notification.truncatedCount)
        buffer.append("}\n")
    }

    private static func append(_ entry: Notification.Entry, to buffer: inout ByteBuffer) {
        let notice = entry.notice
        buffer.append(#"{"status":"#)
        GoJSON.append(entry.status, to: &buffer)
        buffer.append(#","labels":"#)
        GoJSON.append(notice.labels, to: &buffer)
        buffer.append(#","annotations":"#)
        GoJSON.append(notice.annotations, to: &buffer)
        buffer.append(#","startsAt":"#)
        GoJSON.append(GoJSON.shortTime(notice.startsAt), to: &buffer)
        buffer.append(#","endsAt":"#)
        GoJSON.append(
            entry.isResolved ? GoJSON.shortTime(notice.endsAt) : "0001-01-01T00:00:00Z", to: &buffer
        )
        buffer.append(#","generatorURL":"#)
        GoJSON.append(notice.generatorURL, to: &buffer)
        buffer.append(#","fingerprint":"#)
        GoJSON.append(notice.fingerprintText, to: &buffer)
        buffer.append("}")
    }
}

extension Notification {
    /// `firing` or `resolved`.
    public var status: String { isFiring ? "firing" : "resolved" }
}

extension Notification.Entry {
    /// `firing` or `resolved`.
    public var status: String { isResolved ? "resolved" : "firing" }
}

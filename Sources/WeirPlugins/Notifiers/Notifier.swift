import WeirAlerts

/// Tells somebody of alerts.
public protocol Notifier: AnyObject, Sendable {
    /// How alerts are grouped before they are told; `nil` where whoever is told does that.
    var grouping: NotificationGroups? { get }
    /// Begins to send.
    func start()
    /// Takes notices, to be sent in their order; never waits.
    func take(_ notices: [AlertNotice])
    /// Sends what waits, as far as that goes within a moment, and ends.
    func stop()
}

/// What happens in notifying that a person may want to know.
public enum NotifierReport: Sendable, Equatable {
    /// Notices that went through before do not.
    case failing(notifier: String, url: String, reason: String)
    /// They go through again.
    case recovered(notifier: String, url: String)
    /// Notices are refused for good.
    case refused(notifier: String, url: String, reason: String)
    /// A template failed; the notification was sent in Alertmanager's form.
    case templateFailed(notifier: String, reason: String)
    /// Notifications could not be written down; they are in memory alone.
    case journalNotWritten(notifier: String, reason: String)
    /// The end of what was written down could not be understood.
    case journalDamaged(notifier: String, lostByteCount: Int)
}

/// An alert of a rule: one set of labels for which the rule's expression holds, or held until lately.
public struct Alert: Sendable {
    /// How far it is.
    public enum State: String, Sendable {
        /// Its expression holds, not yet for long enough.
        case pending
        case firing
        /// Its expression holds no more.
        case inactive
    }

    /// Its labels, `alertname` among them, ascending by name.
    public var labels: [(name: String, value: String)]
    /// Its texts, in the order of the rule.
    public var annotations: [(name: String, value: String)]
    /// The value of the expression when it last held.
    public var value: Double
    /// How far it is.
    public var state = State.pending
    /// Since when its expression holds, in milliseconds.
    public var activeAt: Int64
    /// Since when it fires.
    public var firedAt: Int64?
    /// Since when its expression holds no more, while it is kept firing.
    public var keptFiringSince: Int64?
    /// When it ended.
    public var resolvedAt: Int64?
    /// When somebody was last told of it.
    var lastSentAt: Int64?
    /// Until when it goes on although its expression does not hold, since samples that it may hold for were
    /// lost with the former process.
    var graceUntil: Int64?

    /// Whether somebody is to be told of it now: of each change at once, and again after some time
    /// (Prometheus: rules/alerting.go, `needsSending`).
    func isDue(at time: Int64, resendDelay: Int64) -> Bool {
        if state == .pending { return false }
        guard let lastSentAt else { return true }
        if let resolvedAt, resolvedAt > lastSentAt { return true }
        return lastSentAt &+ resendDelay < time
    }
}

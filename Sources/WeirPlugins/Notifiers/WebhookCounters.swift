import WeirMetrics

/// Counts what a webhook tells, and what it cannot.
struct WebhookCounters: Sendable {
    let sent: Counter
    let failures: Counter
    let refused: Counter
    let queueDropped: Counter
    let noticesDropped: Counter
    let templateFailures: Counter
    let journalFailures: Counter
    let waiting: Gauge

    init(_ registry: Registry, _ notifier: String) {
        let labels = [Label("notifier", notifier)]
        func counter(_ name: String, _ help: String, reason: String? = nil) -> Counter {
            registry.counter(
                MetricDescription(name, help),
                labels + (reason.map { [Label("reason", $0)] } ?? []))
        }
        sent = counter("weir_notifications_sent_total", "Notifications that were taken.")
        failures = counter(
            "weir_notification_failures_total",
            "Requests with a notification that failed; it is sent again.")
        let lost = "Notifications that nobody was told."
        refused = counter("weir_notifications_dropped_total", lost, reason: "refused")
        queueDropped = counter("weir_notifications_dropped_total", lost, reason: "queue_full")
        noticesDropped = counter(
            "weir_notices_dropped_total", "Notices of alerts that nobody was told.",
            reason: "queue_full")
        templateFailures = counter(
            "weir_notification_template_failures_total",
            "Notifications whose template failed; they were sent in Alertmanager's form.")
        journalFailures = counter(
            "weir_notification_journal_failures_total",
            "Times that notifications could not be written down.")
        waiting = registry.gauge(
            MetricDescription("weir_notifications_waiting", "Notifications that wait to be taken."),
            labels)
    }

    func note(_ outcome: NotificationOutbox.Outcome) {
        noticesDropped.add(outcome.leftOutCount)
        queueDropped.add(outcome.droppedCount)
        if outcome.journalFailure != nil { journalFailures.add() }
        waiting.set(outcome.waitingCount)
    }
}

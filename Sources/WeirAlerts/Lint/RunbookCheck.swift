/// An alert that leads nowhere: no runbook, no dashboard.
struct RunbookCheck: RuleCheck {
    let id = "M154"

    func findings(in rule: LintedRule) -> [Finding] {
        guard let alert = rule.alert else { return [] }
        let leads = alert.annotations.contains { name, value in
            name.contains("runbook") || name.contains("dashboard") || value.text.contains("://")
        }
        guard !leads else { return [] }
        return [
            Finding(
                location: rule.rule.location,
                message: "the alert `\(rule.rule.name)` has no link to a runbook or a dashboard",
                help: "add the annotation `runbook_url`")
        ]
    }
}

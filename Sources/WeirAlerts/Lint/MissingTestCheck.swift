/// An alert that no unit test is about, where there are tests.
struct MissingTestCheck: RuleCheck {
    let id = "R208"

    func findings(in rule: LintedRule) -> [Finding] {
        guard rule.alert != nil, let tested = rule.surroundings.testedAlerts,
            !tested.contains(rule.rule.name)
        else { return [] }
        return [
            Finding(
                location: rule.rule.location,
                message: "no unit test is about the alert `\(rule.rule.name)`",
                help: "add an `alert_rule_test` with `alertname: \(rule.rule.name)`")
        ]
    }
}

import WeirPromQL

/// A `for` that ends before the rule is looked at again.
struct ShortHoldCheck: RuleCheck {
    let id = "R206"

    func findings(in rule: LintedRule) -> [Finding] {
        guard let alert = rule.alert, alert.holdDuration > 0, alert.holdDuration < rule.interval
        else { return [] }
        let interval = DurationText.written(rule.interval)
        return [
            Finding(
                location: rule.rule.holdLocation ?? rule.rule.location,
                message: "`for` is shorter than the interval of \(interval) at which the rule is "
                    + "evaluated: it comes to one interval",
                help: "write `for: \(interval)` or longer, or `for: 0s`")
        ]
    }
}

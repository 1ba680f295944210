import WeirPromQL

/// `{{ $value }}%` where the value is a fraction: 0.07 is shown as 0.07%.
struct FractionAsPercentageCheck: RuleCheck {
    let id = "M151"

    func findings(in rule: LintedRule) -> [Finding] {
        guard let alert = rule.alert, Self.isFraction(rule.rule.expression) else { return [] }
        return alert.annotations.flatMap { _, text in
            zip(text.template.nodes, text.template.nodes.dropFirst()).compactMap { node, next in
                guard case .action(let pipeline) = node, case .text(let after) = next,
                    after.hasPrefix("%") || after.hasPrefix(" %"), pipeline.usesValue,
                    !pipeline.calls(["humanizePercentage", "query"])
                else { return nil }
                return Finding(
                    location: text.location(of: pipeline.place),
                    message: "the value is a fraction: 7 of 100 are shown as 0.07%",
                    help:
                        "write `{{ $value | humanizePercentage }}`, without a percent sign after it"
                )
            }
        }
    }

    /// Whether an alert's value is a share between 0 and 1.
    static func isFraction(_ expression: Expression) -> Bool {
        guard case .binary(let binary) = expression.core.kind else {
            return isRatio(expression)
        }
        if binary.operation == .and || binary.operation == .unless {
            return isFraction(binary.left)
        }
        guard binary.operation.isComparison, !binary.returnsBool else {
            return isRatio(expression)
        }
        let (value, bound) =
            binary.left.constant != nil
            ? (binary.right, binary.left.constant) : (binary.left, binary.right.constant)
        guard let bound else { return isRatio(value) }
        let isNamedPercentage = value.vectorSelectors.contains {
            let name = $0.metric ?? ""
            return name.contains("percent") || name.contains("pct")
        }
        guard !isNamedPercentage, !hasHundred(value), abs(bound) <= 1 else { return false }
        return isRatio(value) || (abs(bound) > 0 && abs(bound) < 1)
    }

    private static func isRatio(_ expression: Expression) -> Bool {
        !hasHundred(expression)
            && expression.all.contains {
                guard case .binary(let binary) = $0.kind else { return false }
                return binary.operation == .divide && binary.right.constant == nil
            }
    }

    private static func hasHundred(_ expression: Expression) -> Bool {
        expression.all.contains { $0.constant.map { abs($0) == 100 } ?? false }
    }
}

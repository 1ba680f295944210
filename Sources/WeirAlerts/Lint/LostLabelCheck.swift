import WeirPromQL

/// A text that names a label which the expression does not keep: it is shown as nothing.
struct LostLabelCheck: RuleCheck {
    let id = "R203"

    func findings(in rule: LintedRule) -> [Finding] {
        guard rule.alert != nil,
            case .exactly(let labels) = LabelFlow.of(rule.rule.expression)
        else { return [] }
        var told: Set<String> = []
        return rule.templates.flatMap { text in
            text.template.namedLabels.compactMap { name, place in
                guard !labels.contains(name), told.insert(name).inserted else { return nil }
                let mended = keeping(name, rule)
                return Finding(
                    location: text.location(of: place),
                    message: "the expression does not keep the label `\(name)`",
                    help: mended.map { "keep it: `\($0)`" } ?? "name a label that it keeps")
            }
        }
    }

    /// The rule's expression with the label in each `by`.
    private func keeping(_ label: String, _ rule: LintedRule) -> String? {
        let mended = Self.keeping(label, in: rule.rule.expression)
        return LabelFlow.of(mended).keeps(label) ? mended.printed : nil
    }

    private static func keeping(_ label: String, in expression: Expression) -> Expression {
        expression.rewritten { part in
            guard case .aggregation(var aggregation) = part.kind else { return nil }
            if aggregation.isWithout {
                aggregation.grouping.removeAll { $0 == label }
            } else if !aggregation.grouping.contains(label) {
                aggregation.grouping.append(label)
            }
            aggregation.expression = keeping(label, in: aggregation.expression)
            return Expression(.aggregation(aggregation), at: part.range)
        }
    }
}

import WeirConfig
import WeirPromQL

/// A label that a metric of Istio does not have.
struct UnknownLabelCheck: RuleCheck {
    let id = "R202"

    func findings(in rule: LintedRule) -> [Finding] {
        var told: Set<String> = []
        return rule.rule.expression.all.flatMap { part -> [Finding] in
            let names: [String]
            let metrics: Set<String>
            switch part.kind {
            case .vectorSelector(let selector):
                names = selector.conditions.map(\.name)
                metrics = Set([selector.metric].compactMap { $0 })
            case .aggregation(let aggregation):
                names = aggregation.grouping
                metrics = Set(aggregation.expression.vectorSelectors.map { $0.metric ?? "" })
            default: return []
            }
            guard metrics.count == 1, let metric = metrics.first, let istio = IstioMetric(metric)
            else { return [] }
            return names.compactMap { name in
                let near = nearest(to: name, in: istio.labels)
                let isOfIstio = IstioMetric.labelPrefixes.contains { name.hasPrefix($0) }
                guard !istio.labels.contains(name), isOfIstio, told.insert(name).inserted else {
                    return nil
                }
                return Finding(
                    location: rule.rule.location(of: part.range),
                    message:
                        "`\(metric)` has no label `\(name)` unless a Telemetry resource adds it",
                    help: near.flatMap { renamed(rule, from: name, to: $0) }.map {
                        "did you mean `\($0)`?"
                    } ?? "use one of Istio's own labels, such as `destination_service`")
            }
        }
    }

    private func renamed(_ rule: LintedRule, from old: String, to new: String) -> String? {
        var expression = rule.rule.expression.withSelectors { selector in
            var selector = selector
            for index in selector.matchers.indices where selector.matchers[index].name == old {
                selector.matchers[index].name = new
            }
            return selector
        }
        expression = Self.grouped(expression, from: old, to: new)
        return expression.printed
    }

    private static func grouped(
        _ expression: Expression, from old: String, to new: String
    ) -> Expression {
        expression.rewritten { part in
            guard case .aggregation(var aggregation) = part.kind,
                aggregation.grouping.contains(old)
            else { return nil }
            aggregation.grouping = aggregation.grouping.map { $0 == old ? new : $0 }
            aggregation.expression = grouped(aggregation.expression, from: old, to: new)
            return Expression(.aggregation(aggregation), at: part.range)
        }
    }
}

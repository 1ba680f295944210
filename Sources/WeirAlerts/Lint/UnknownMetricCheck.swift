import WeirConfig
import WeirPromQL

/// A metric that nothing makes: the rule never finds anything.
struct UnknownMetricCheck: RuleCheck {
    let id = "R201"

    func findings(in rule: LintedRule) -> [Finding] {
        var told: Set<String> = []
        return rule.rule.expression.all.compactMap { part in
            guard case .vectorSelector(let selector) = part.kind, let name = selector.metric,
                !isKnown(name, rule.surroundings), told.insert(name).inserted
            else { return nil }
            let candidates =
                (rule.surroundings.metrics ?? []).union(rule.surroundings.recorded).sorted()
                + IstioMetric.names
            let near = renamed(name) ?? nearest(to: name, in: candidates)
            let mended = near.flatMap { near in
                rule.mended { other in
                    guard case .vectorSelector(var found) = other.kind, found.metric == name
                    else { return nil }
                    found.name = near
                    found.matchers.removeAll { $0.name == "__name__" }
                    found.matchers.insert(
                        LabelMatcher(name: "__name__", operation: .equal, value: near), at: 0)
                    return Expression(.vectorSelector(found), at: other.range)
                }
            }
            return Finding(
                location: rule.rule.location(of: part.range), message: "nothing makes `\(name)`",
                help: mended.map { "did you mean `\($0)`?" }
                    ?? "name a metric that is scraped, counted from logs or recorded by a rule")
        }
    }

    private func isKnown(_ name: String, _ surroundings: RuleLint.Surroundings) -> Bool {
        if name == "ALERTS" || name == "ALERTS_FOR_STATE" || surroundings.recorded.contains(name) {
            return true
        }
        // Weir's own appear when there is something to count.
        if name.hasPrefix("weir_") { return true }
        if let metrics = surroundings.metrics {
            let family = ["_bucket", "_sum", "_count"].lazy.filter { name.hasSuffix($0) }
                .map { String(name.dropLast($0.utf8.count)) }.first
            return metrics.contains(name) || family.map { metrics.contains($0) } ?? false
        }
        // Whatever else begins with `istio_` may be a metric of the user's own, or of Istio's agents.
        let isOfProxies = ["istio_request", "istio_response", "istio_tcp_"].contains {
            name.hasPrefix($0)
        }
        return !isOfProxies || IstioMetric(name) != nil
    }

    /// What Istio calls now what it called so before 1.5.
    private func renamed(_ name: String) -> String? {
        let old = "istio_request_duration_seconds"
        guard name.hasPrefix(old) else { return nil }
        return "istio_request_duration_milliseconds" + name.dropFirst(old.utf8.count)
    }
}

/// A PrometheusRule that Prometheus' operator passes by.
struct RuleSelectorCheck: RuleCheck {
    let id = "M153"

    func findings(in resource: RuleFile.Resource) -> [Finding] {
        let selecting = resource.labels.filter { !Self.describes($0) }
        guard selecting.isEmpty else { return [] }
        return [
            Finding(
                location: resource.location,
                message: "the PrometheusRule `\(resource.name)` has no label that a `ruleSelector` "
                    + "looks for: the operator passes it by",
                help: "add `labels:` with what your Prometheus selects, such as "
                    + "`release: kube-prometheus-stack`")
        ]
    }

    /// Whether a label says what a resource is, and selectors do not use it.
    private static func describes(_ label: String) -> Bool {
        label.hasPrefix("app.kubernetes.io/") || label.hasPrefix("helm.sh/")
            || ["chart", "heritage", "version"].contains(label)
    }
}

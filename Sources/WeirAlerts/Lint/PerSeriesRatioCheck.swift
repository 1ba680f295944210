import WeirPromQL

/// A part of some series divided by the same series one by one, which is always 1.
struct PerSeriesRatioCheck: RuleCheck {
    let id = "M150"

    func findings(in rule: LintedRule) -> [Finding] {
        rule.rule.expression.all.compactMap { part in
            guard let ratio = PerSeriesRatio(part) else { return nil }
            let labels = ratio.narrowed.map { "`\($0)`" }.joined(separator: ", ")
            let mended = rule.mended {
                $0.range == part.range ? PerSeriesRatio(part)?.mended(for: rule) : nil
            }
            return Finding(
                location: rule.rule.location(of: part.range),
                message: "the ratio is 1 wherever there is one: both sides keep \(labels), so that "
                    + "each series is divided by itself",
                help: mended.map { "sum both sides without it, such as `\($0)`" }
                    ?? "sum both sides by labels without \(labels)")
        }
    }
}

/// A division whose sides are the same but for conditions on labels that both of them keep.
struct PerSeriesRatio {
    /// The labels that only the numerator has conditions on.
    let narrowed: [String]
    private let ratio: BinaryExpression
    private let range: TextRange

    /// The expression as such a division, if it is one.
    init?(_ expression: Expression) {
        guard case .binary(let binary) = expression.kind, binary.operation == .divide,
            binary.matchesAllLabels
        else { return nil }
        let (left, right) = (binary.left.core, binary.right.core)
        let (above, below) = (left.vectorSelectors, right.vectorSelectors)
        guard above.count == 1, below.count == 1 else { return nil }
        let extra = above[0].matchers.filter { !below[0].matchers.contains($0) }
        let isNarrowing = below[0].matchers.allSatisfy { above[0].matchers.contains($0) }
        guard isNarrowing, !extra.isEmpty, extra.allSatisfy({ $0.name != "__name__" }) else {
            return nil
        }
        func bare(_ side: Expression) -> String {
            side.withSelectors { selector in
                var selector = selector
                selector.matchers = selector.matchers.filter { $0.name == "__name__" }
                return selector
            }.description
        }
        guard bare(left) == bare(right),
            extra.allSatisfy({ left.passes($0.name) && right.passes($0.name) })
        else { return nil }
        narrowed = extra.map(\.name).reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
        ratio = binary
        range = expression.range
    }

    /// The same division of sums that do not keep those labels.
    func mended(for rule: LintedRule) -> Expression {
        var mended = ratio
        mended.left = sum(ratio.left.core, rule)
        mended.right = sum(ratio.right.core, rule)
        return Expression(.binary(mended), at: range)
    }

    private func sum(_ side: Expression, _ rule: LintedRule) -> Expression {
        var side = side
        if case .aggregation(var aggregation) = side.kind {
            if aggregation.isWithout {
                aggregation.grouping += narrowed
            } else {
                aggregation.grouping.removeAll { narrowed.contains($0) }
            }
            side.kind = .aggregation(aggregation)
            return side
        }
        var labels = rule.templates.flatMap { $0.template.namedLabels.map(\.name) }
            .reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
            .filter { !narrowed.contains($0) }
        let metric = side.vectorSelectors.first?.metric ?? ""
        if labels.isEmpty, IstioMetric(metric) != nil { labels = ["destination_service"] }
        return Expression(.aggregation(Aggregation(.sum, side, grouping: labels)), at: side.range)
    }
}

extension BinaryExpression {
    /// Whether series of both sides find each other by all their labels.
    var matchesAllLabels: Bool {
        guard let matching else { return false }
        return !matching.isOn && matching.labels.isEmpty
            && (matching.cardinality == .oneToOne || operation.isSetOperator)
    }
}

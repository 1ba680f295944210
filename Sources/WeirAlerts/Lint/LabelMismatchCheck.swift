import WeirPromQL

/// Two sides whose series can never find each other.
struct LabelMismatchCheck: RuleCheck {
    let id = "R207"

    func findings(in rule: LintedRule) -> [Finding] {
        rule.rule.expression.all.compactMap { part in
            guard case .binary(let binary) = part.kind, binary.operation != .or,
                binary.operation != .unless, binary.matchesAllLabels
            else { return nil }
            return aggregated(binary, part, rule) ?? selected(binary, part, rule)
        }
    }

    /// Sides that aggregations leave different labels.
    private func aggregated(
        _ binary: BinaryExpression, _ part: Expression, _ rule: LintedRule
    ) -> Finding? {
        guard case .exactly(let left) = LabelFlow.of(binary.left),
            case .exactly(let right) = LabelFlow.of(binary.right), left != right
        else { return nil }
        let shared = left.intersection(right).sorted()
        var matching = VectorMatching(labels: shared, isOn: true)
        if binary.operation.isSetOperator {
            matching.cardinality = .manyToMany
        } else if right.isSubset(of: left) {
            matching.cardinality = .manyToOne
        } else if left.isSubset(of: right) {
            matching.cardinality = .oneToMany
        } else {
            return Finding(
                location: rule.rule.location(of: part.range), message: message(left, right),
                help: "aggregate both sides by the same labels")
        }
        return Finding(
            location: rule.rule.location(of: part.range), message: message(left, right),
            help: mended(part, matching, rule).map { "write `\($0)`" }
                ?? "aggregate both sides by the same labels")
    }

    private func message(_ left: Set<String>, _ right: Set<String>) -> String {
        func text(_ labels: Set<String>) -> String {
            labels.isEmpty ? "no labels" : labels.sorted().map { "`\($0)`" }.joined(separator: ", ")
        }
        return "the sides never match: the left one has \(text(left)), the right one \(text(right))"
    }

    /// Sides that are selected by different values of a label that both of them keep.
    private func selected(
        _ binary: BinaryExpression, _ part: Expression, _ rule: LintedRule
    ) -> Finding? {
        let (left, right) = (binary.left.vectorSelectors, binary.right.vectorSelectors)
        guard left.count == 1, right.count == 1 else { return nil }
        var differing: [String] = []
        for matcher in left[0].conditions where matcher.operation == .equal {
            let differs = right[0].conditions.contains {
                $0.name == matcher.name && $0.operation == .equal && $0.value != matcher.value
            }
            if differs, binary.left.passes(matcher.name), binary.right.passes(matcher.name) {
                differing.append(matcher.name)
            }
        }
        guard !differing.isEmpty else { return nil }
        let matching = VectorMatching(
            cardinality: binary.operation.isSetOperator ? .manyToMany : .oneToOne,
            labels: differing)
        let names = differing.map { "`\($0)`" }.joined(separator: ", ")
        return Finding(
            location: rule.rule.location(of: part.range),
            message: "the sides never match: they have different values of \(names)",
            help: mended(part, matching, rule).map { "write `\($0)`" }
                ?? "match without \(names), by `ignoring`")
    }

    private func mended(
        _ part: Expression, _ matching: VectorMatching, _ rule: LintedRule
    ) -> String? {
        rule.mended { found in
            guard found.range == part.range, case .binary(var binary) = found.kind else {
                return nil
            }
            binary.matching = matching
            return Expression(.binary(binary), at: found.range)
        }
    }
}

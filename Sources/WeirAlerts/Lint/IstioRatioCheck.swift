import WeirPromQL

/// What Istio's request counters mislead to: both reporters counted, missing responses not counted,
/// a share that few requests make large.
struct IstioRatioCheck: RuleCheck {
    let id = "M152"

    func findings(in rule: LintedRule) -> [Finding] {
        let expression = rule.rule.expression
        let unpicked = Self.unpicked(expression, isPicked: false)
        let uncounted = expression.all.filter { Self.missesNoResponse($0) }
        let unguarded = rule.alert == nil ? [] : Self.unguarded(expression)
        var faults: [String] = []
        if !unpicked.isEmpty {
            faults.append("each request counts twice, as both `reporter`s tell it")
        }
        if !uncounted.isEmpty {
            faults.append("requests without a response (`response_code=\"0\"`) are no errors")
        }
        if !unguarded.isEmpty {
            faults.append(
                "there is no guard for little traffic: one failure of two requests is 50%")
        }
        guard let first = unpicked.first ?? uncounted.first ?? unguarded.first else { return [] }
        let mended = Self.mended(rule, expression.range, picks: !unpicked.isEmpty)
        return [
            Finding(
                location: rule.rule.location(of: first.range),
                message: faults.joined(separator: "; "),
                help: mended.map { "write `\($0)`" }
                    ?? "choose a `reporter`, count code 0, and add `and sum(rate(…)) > 0.1`")
        ]
    }

    // MARK: Reporters

    /// Selectors of Istio's metrics in which both reporters are.
    private static func unpicked(_ expression: Expression, isPicked: Bool) -> [Expression] {
        var isPicked = isPicked
        switch expression.kind {
        case .vectorSelector(let selector):
            let isSure =
                isPicked || selector.matchers.contains { $0.name == "reporter" }
                || IstioMetric(selector.metric ?? "") == nil
            return isSure ? [] : [expression]
        case .aggregation(let aggregation):
            let keeps = aggregation.grouping.contains("reporter") && !aggregation.isWithout
            isPicked = isPicked || keeps || aggregation.operation == .group
        case .call(let call):
            isPicked = isPicked || ["absent", "absent_over_time"].contains(call.function.name)
        default: break
        }
        return expression.parts.flatMap { unpicked($0, isPicked: isPicked) }
    }

    // MARK: No response

    /// Whether it takes a class of codes such as `5..` for all that fails.
    private static func missesNoResponse(_ expression: Expression) -> Bool {
        guard case .vectorSelector(let selector) = expression.kind,
            IstioMetric(selector.metric ?? "") != nil
        else { return false }
        return selector.matchers.contains { missesNoResponse($0) }
    }

    private static func missesNoResponse(_ matcher: LabelMatcher) -> Bool {
        guard matcher.name == "response_code",
            matcher.operation == .matches || matcher.operation == .notMatches
        else { return false }
        let codes = alternatives(of: matcher.value)
        return !codes.contains { $0.hasPrefix("0") || $0.hasPrefix("[0") || $0.hasPrefix("(") }
            && codes.contains { code in
                code.hasPrefix("5") && [".", "[", "\\d"].contains { code.dropFirst().contains($0) }
            }
    }

    private static func alternatives(of pattern: String) -> [Substring] {
        var text = pattern[...]
        if text.hasPrefix("^") { text = text.dropFirst() }
        if text.hasSuffix("$") { text = text.dropLast() }
        if text.hasPrefix("("), text.hasSuffix(")"), !text.dropFirst().dropLast().contains("(") {
            text = text.dropFirst().dropLast()
        }
        return text.split(separator: "|")
    }

    // MARK: Traffic

    /// Comparisons of a share of requests that nothing holds back when there are few.
    private static func unguarded(_ expression: Expression) -> [Expression] {
        guard case .binary(let binary) = expression.core.kind else { return [] }
        switch binary.operation {
        case .or: return unguarded(binary.left) + unguarded(binary.right)
        case .and, .unless: return isGuard(binary.right) ? [] : unguarded(binary.left)
        default: return share(in: expression.core) == nil ? [] : [expression.core]
        }
    }

    private static func isGuard(_ expression: Expression) -> Bool {
        expression.all.contains {
            guard case .binary(let binary) = $0.kind else { return false }
            return binary.operation.isComparison
        }
    }

    /// The division by a rate of requests that a comparison with a number is about.
    private static func share(in expression: Expression) -> BinaryExpression? {
        guard case .binary(let comparison) = expression.kind, comparison.operation.isComparison,
            comparison.left.constant != nil || comparison.right.constant != nil
        else { return nil }
        for part in expression.all {
            guard case .binary(let ratio) = part.kind, ratio.operation == .divide,
                ratio.left.vectorSelectors.contains(where: { $0.metric == "istio_requests_total" }),
                ratio.right.vectorSelectors.contains(where: { $0.metric == "istio_requests_total" }
                ),
                !isGuard(ratio.right)
            else { continue }
            return ratio
        }
        return nil
    }

    private static func guarded(_ expression: Expression) -> Expression {
        guard case .binary(var binary) = expression.kind else {
            guard case .parenthesis(let inner) = expression.kind else { return expression }
            return Expression(.parenthesis(guarded(inner)), at: expression.range)
        }
        switch binary.operation {
        case .or:
            binary.left = guarded(binary.left)
            binary.right = guarded(binary.right)
            return Expression(.binary(binary), at: expression.range)
        case .and, .unless:
            if !isGuard(binary.right) { binary.left = guarded(binary.left) }
            return Expression(.binary(binary), at: expression.range)
        default: break
        }
        guard let ratio = share(in: expression) else { return expression }
        let countsIncrease = ratio.right.all.contains {
            if case .call(let call) = $0.kind { call.function.name == "increase" } else { false }
        }
        let bound = Expression(
            .number(NumberLiteral(countsIncrease ? 30 : 0.1)), at: expression.range)
        let traffic = BinaryExpression(.greater, ratio.right, bound)
        let matching = VectorMatching(
            cardinality: .manyToMany, labels: ratio.matching?.labels ?? [],
            isOn: ratio.matching?.isOn ?? false)
        return Expression(
            .binary(
                BinaryExpression(
                    .and, expression, Expression(.binary(traffic), at: expression.range),
                    matching: matching)), at: expression.range)
    }

    // MARK: Mending

    private static func mended(_ rule: LintedRule, _ range: TextRange, picks: Bool) -> String? {
        let expression = rule.rule.expression.rewritten {
            PerSeriesRatio($0)?.mended(for: rule)
        }
        let isOfServer = expression.vectorSelectors.flatMap(\.matchers).contains {
            $0.name == "connection_security_policy"
        }
        let counted = expression.withSelectors { selector in
            guard IstioMetric(selector.metric ?? "") != nil else { return selector }
            var selector = selector
            for index in selector.matchers.indices
            where missesNoResponse(selector.matchers[index]) {
                let codes = alternatives(of: selector.matchers[index].value)
                selector.matchers[index].value = (codes + ["0"]).joined(separator: "|")
            }
            if picks, !selector.matchers.contains(where: { $0.name == "reporter" }) {
                // Only the client's proxy sees what never reached a server, and only the server's
                // knows whether mTLS was in force.
                let reporter = isOfServer ? "destination" : "source"
                selector.matchers.append(
                    LabelMatcher(name: "reporter", operation: .equal, value: reporter))
            }
            return selector
        }
        return (rule.alert == nil ? counted : guarded(counted)).printed
    }
}

import WeirPromQL

extension Expression {
    /// The expression without parentheses around it.
    var core: Expression {
        var expression = self
        while true {
            switch expression.kind {
            case .parenthesis(let inner), .stepInvariant(let inner): expression = inner
            default: return expression
            }
        }
    }

    /// What it is directly made of.
    var parts: [Expression] {
        switch kind {
        case .number, .string, .vectorSelector: []
        case .parenthesis(let inner), .unary(_, let inner), .stepInvariant(let inner): [inner]
        case .binary(let binary): [binary.left, binary.right]
        case .aggregation(let aggregation):
            (aggregation.parameter.map { [$0] } ?? []) + [aggregation.expression]
        case .call(let call): call.arguments
        case .matrixSelector(let matrix):
            [Expression(.vectorSelector(matrix.selector), at: matrix.selectorRange)]
        case .subquery(let subquery): [subquery.expression]
        }
    }

    /// Itself and all that it is made of, outermost first.
    var all: [Expression] {
        var all: [Expression] = []
        var ahead = [self]
        while let next = ahead.popLast() {
            all.append(next)
            ahead += next.parts.reversed()
        }
        return all
    }

    /// The selector, if it is one, with or without a window.
    var selector: VectorSelector? {
        switch kind {
        case .vectorSelector(let selector): selector
        case .matrixSelector(let matrix): matrix.selector
        default: nil
        }
    }

    /// The selectors within.
    var vectorSelectors: [VectorSelector] {
        all.compactMap { if case .vectorSelector(let selector) = $0.kind { selector } else { nil } }
    }

    /// The number that it is written as, a sign included.
    var constant: Double? {
        switch core.kind {
        case .number(let number): number.value
        case .unary(let isNegative, let inner): inner.constant.map { isNegative ? -$0 : $0 }
        default: nil
        }
    }

    /// The same with parts put in the place of others, from the outside inwards; what is put there
    /// is not looked into.
    func rewritten(_ change: (Expression) -> Expression?) -> Expression {
        if let changed = change(self) { return changed }
        var copy = self
        switch kind {
        case .number, .string, .vectorSelector: break
        case .parenthesis(let inner): copy.kind = .parenthesis(inner.rewritten(change))
        case .stepInvariant(let inner): copy.kind = .stepInvariant(inner.rewritten(change))
        case .unary(let isNegative, let inner):
            copy.kind = .unary(isNegative: isNegative, inner.rewritten(change))
        case .binary(var binary):
            binary.left = binary.left.rewritten(change)
            binary.right = binary.right.rewritten(change)
            copy.kind = .binary(binary)
        case .aggregation(var aggregation):
            aggregation.expression = aggregation.expression.rewritten(change)
            aggregation.parameter = aggregation.parameter?.rewritten(change)
            copy.kind = .aggregation(aggregation)
        case .call(var call):
            call.arguments = call.arguments.map { $0.rewritten(change) }
            copy.kind = .call(call)
        case .matrixSelector(var matrix):
            let selector = Expression(.vectorSelector(matrix.selector), at: matrix.selectorRange)
            if case .vectorSelector(let changed) = selector.rewritten(change).kind {
                matrix.selector = changed
            }
            copy.kind = .matrixSelector(matrix)
        case .subquery(var subquery):
            subquery.expression = subquery.expression.rewritten(change)
            copy.kind = .subquery(subquery)
        }
        return copy
    }

    /// The same with other selectors.
    func withSelectors(_ change: (VectorSelector) -> VectorSelector) -> Expression {
        rewritten {
            guard case .vectorSelector(let selector) = $0.kind else { return nil }
            return Expression(.vectorSelector(change(selector)), at: $0.range)
        }
    }
}

extension VectorSelector {
    /// The metric that it selects, if it is one.
    var metric: String? {
        name ?? matchers.first { $0.name == "__name__" && $0.operation == .equal }?.value
    }

    /// Its conditions on labels other than the name.
    var conditions: [LabelMatcher] { matchers.filter { $0.name != "__name__" } }
}

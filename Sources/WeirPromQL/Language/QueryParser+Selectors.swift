extension QueryParser {
    /// What `offset` and `@` change of a selector or a subquery.
    struct TimeParts {
        var offset: DurationText?
        var pinnedTime: PinnedTime?
    }

    // MARK: Selectors

    /// `name{matchers}`, `name` or `{matchers}`.
    mutating func vectorSelector(name: String?) throws(ParseError) -> Expression {
        let start = token.range.start
        var selector = VectorSelector(name: name, matchers: [])
        if let name {
            selector.matchers.append(
                LabelMatcher(name: "__name__", operation: .equal, value: name))
            advance()
        }
        if isSign("{") { try matchers(into: &selector) }
        let range = TextRange(start: start, end: formerEnd)
        guard allowsEmptySelector || selector.matchers.contains(where: { !Self.matchesEmpty($0) })
        else {
            throw ParseError(
                "vector selector must contain at least one non-empty matcher", at: range,
                help: "name the metric, or give a label a value that it must have")
        }
        return Expression(.vectorSelector(selector), at: range)
    }

    private mutating func matchers(into selector: inout VectorSelector) throws(ParseError) {
        try expect("{", in: "label matching")
        while !isSign("}") {
            let label = token
            switch label.kind {
            case .identifier, .string: advance()
            default: throw unexpected(in: "label matching", expected: "label or string")
            }
            if let operation = token.kind == .sign
                ? LabelMatcher.Operation(rawValue: token.text) : nil
            {
                advance()
                guard case .string = token.kind else {
                    throw unexpected(in: "label matching", expected: "string")
                }
                let matcher = LabelMatcher(
                    name: label.text, operation: operation, value: token.text)
                try check(matcher, selector, label)
                selector.matchers.append(matcher)
                advance()
            } else if case .string = label.kind {
                // A metric's name in quotes.
                if let name = selector.name {
                    throw ParseError(
                        "metric name must not be set twice: \(GoText.quoted(name)) or "
                            + GoText.quoted(label.text), at: label.range)
                }
                selector.name = label.text
                selector.matchers.append(
                    LabelMatcher(name: "__name__", operation: .equal, value: label.text))
            } else {
                throw unexpected(in: "label matching", expected: "label matching operator")
            }
            guard take(",") else { break }
        }
        try expect("}", in: "label matching")
    }

    private func check(
        _ matcher: LabelMatcher, _ selector: VectorSelector, _ label: Token
    ) throws(ParseError) {
        if matcher.name == "__name__", let name = selector.name {
            throw ParseError(
                "metric name must not be set twice: \(GoText.quoted(name)) or "
                    + GoText.quoted(matcher.value), at: label.range)
        }
        guard matcher.operation == .matches || matcher.operation == .notMatches else { return }
        do throws(LabelPatternError) {
            _ = try LabelPattern(matcher.value)
        } catch {
            throw ParseError(error.message, at: token.range, help: error.help)
        }
    }

    /// Whether a label that is not there passes.
    private static func matchesEmpty(_ matcher: LabelMatcher) -> Bool {
        (try? CompiledMatcher(matcher))?.passes("") ?? true
    }

    // MARK: Time

    /// Changes the time of the selector or subquery that was just read.
    mutating func change(
        _ expression: inout Expression, _ word: Token, _ end: Int,
        _ body: (inout TimeParts) -> String?
    ) throws(ParseError) {
        func changed(
            _ offset: inout DurationText?, _ pinnedTime: inout PinnedTime?
        ) throws(ParseError) {
            var parts = TimeParts(offset: offset, pinnedTime: pinnedTime)
            if let problem = body(&parts) { throw ParseError(problem, at: word.range) }
            (offset, pinnedTime) = (parts.offset, parts.pinnedTime)
        }
        switch expression.kind {
        case .vectorSelector(var selector):
            try changed(&selector.offset, &selector.pinnedTime)
            expression.kind = .vectorSelector(selector)
        case .matrixSelector(var matrix):
            try changed(&matrix.selector.offset, &matrix.selector.pinnedTime)
            expression.kind = .matrixSelector(matrix)
        case .subquery(var subquery):
            try changed(&subquery.offset, &subquery.pinnedTime)
            expression.kind = .subquery(subquery)
        default:
            let name = word.text == "@" ? "@ modifier" : "offset modifier"
            throw ParseError(
                "\(name) must be preceded by an instant vector selector or range vector selector "
                    + "or a subquery", at: expression.range)
        }
        expression.range.end = end
    }

    /// Sets how a selector looks beyond its window.
    mutating func setEdge(_ edge: WindowEdge, of expression: inout Expression) throws(ParseError) {
        guard options.hasExtendedSelectors else {
            throw ParseError(
                "\(edge.rawValue) modifier is experimental and not enabled", at: token.range,
                help: "allow it with `--enable-feature=promql-extended-range-selectors`")
        }
        let problem = ParseError(
            edge == .anchored
                ? "anchored modifier must be preceded by a range selector"
                : "smoothed modifier must be preceded by an instant vector selector or range vector selector",
            at: token.range)
        switch expression.kind {
        case .vectorSelector(var selector) where edge == .smoothed && selector.edge == .plain:
            selector.edge = edge
            expression.kind = .vectorSelector(selector)
        case .matrixSelector(var matrix) where matrix.selector.edge == .plain:
            matrix.selector.edge = edge
            expression.kind = .matrixSelector(matrix)
        default: throw problem
        }
        advance()
        expression.range.end = formerEnd
    }

    mutating func pinnedTime() throws(ParseError) -> PinnedTime {
        var sign = 1.0
        if isSign("-") || isSign("+") {
            sign = isSign("-") ? -1 : 1
            advance()
        }
        switch token.kind {
        case .number(let value), .duration(let value):
            let milliseconds = (sign * value * 1_000).rounded(.toNearestOrAwayFromZero)
            guard milliseconds.isFinite, abs(milliseconds) < 9.2e18 else {
                throw ParseError(
                    "timestamp out of bounds for @ modifier: \(token.text)", at: token.range)
            }
            advance()
            return .milliseconds(Int64(milliseconds))
        case .identifier where isWord("start") || isWord("end"):
            let isStart = isWord("start")
            advance()
            try expect("(", in: "@ modifier preprocessor")
            try expect(")", in: "@ modifier preprocessor")
            return isStart ? .start : .end
        case .identifier where isWord("inf") || isWord("nan"):
            throw ParseError(
                "timestamp out of bounds for @ modifier: \(token.text)", at: token.range)
        default: throw unexpected(in: "@", expected: "timestamp")
        }
    }

    /// `[range]` or `[range:step]` behind an expression.
    mutating func range(of expression: Expression) throws(ParseError) -> Expression {
        advance()
        let window = try span()
        guard isSign(":") else {
            guard isSign("]") else {
                throw unexpected(in: "subquery or range", expected: "\":\" or \"]\"")
            }
            advance()
            guard case .vectorSelector(let selector) = expression.kind else {
                throw ParseError(
                    "ranges only allowed for vector selectors", at: expression.range,
                    help: "write a subquery: `[5m:1m]`")
            }
            guard selector.offset == nil else {
                throw ParseError("no offset modifiers allowed before range", at: expression.range)
            }
            guard selector.pinnedTime == nil else {
                throw ParseError("no @ modifiers allowed before range", at: expression.range)
            }
            let matrix = MatrixSelector(
                selector: selector, selectorRange: expression.range, window: window)
            return Expression(
                .matrixSelector(matrix),
                at: TextRange(start: expression.range.start, end: formerEnd))
        }
        advance()
        let step = isSign("]") ? nil : try span()
        guard take("]") else { throw unexpected(in: "subquery selector", expected: "\"]\"") }
        let type = Self.type(of: expression)
        guard type == .instantVector else {
            throw ParseError(
                "subquery is only allowed on instant vector, got \(type.rawValue) instead",
                at: expression.range)
        }
        return Expression(
            .subquery(Subquery(expression: expression, window: window, step: step)),
            at: TextRange(start: expression.range.start, end: formerEnd))
    }

    // MARK: Time spans

    /// A span in brackets, which must be positive where that is known already.
    private mutating func span() throws(ParseError) -> DurationText {
        let start = token.range.start
        let expression = try spanExpression(above: 0)
        let text = DurationText(expression, at: TextRange(start: start, end: formerEnd))
        if case .literal(let number) = expression, number.value <= 0 {
            throw ParseError("duration must be greater than 0", at: text.range)
        }
        return text
    }

    /// The span behind `offset`: a sign and one part; operators behind it belong to the query.
    mutating func offsetSpan() throws(ParseError) -> DurationText {
        let start = token.range.start
        let expression = try signedSpan { parser throws(ParseError) in
            try parser.spanPart()
        }
        return DurationText(expression, at: TextRange(start: start, end: formerEnd))
    }

    private mutating func signedSpan(
        _ inner: (inout QueryParser) throws(ParseError) -> DurationExpression
    ) throws(ParseError) -> DurationExpression {
        guard isSign("-") || isSign("+") else { return try inner(&self) }
        let isNegative = isSign("-")
        advance()
        let value = try deeper { parser throws(ParseError) in try inner(&parser) }
        if case .literal(var number) = value {
            if isNegative { number.value = -number.value }
            return .literal(number)
        }
        try checkEnabled()
        return .unary(isNegative: isNegative, value)
    }

    private func spanOperator() -> (operation: DurationExpression.Operation, strength: Int)? {
        guard token.kind == .sign,
            let operation = DurationExpression.Operation(rawValue: token.text)
        else { return nil }
        switch operation {
        case .add, .subtract: return (operation, 1)
        case .multiply, .divide, .modulo: return (operation, 2)
        case .power: return (operation, 3)
        }
    }

    private mutating func spanExpression(
        above strength: Int
    ) throws(ParseError) -> DurationExpression {
        try deeper { parser throws(ParseError) in
            let isSigned = parser.isSign("-") || parser.isSign("+")
            var left = try parser.signedSpan { inner throws(ParseError) in
                // A sign binds less strongly than `^`.
                isSigned ? try inner.spanExpression(above: 2) : try inner.spanPart()
            }
            while let (operation, own) = parser.spanOperator(), own > strength {
                try parser.checkEnabled()
                parser.advance()
                let right = try parser.spanExpression(above: operation == .power ? own - 1 : own)
                left = .binary(operation, left, right)
            }
            return left
        }
    }

    private mutating func spanPart() throws(ParseError) -> DurationExpression {
        switch token.kind {
        case .number(let value), .duration(let value):
            var isDuration = false
            if case .duration = token.kind { isDuration = true }
            guard value.isFinite, abs(value) < 9_223_372_036 else {
                throw ParseError("duration out of range", at: token.range)
            }
            advance()
            return .literal(NumberLiteral(value, isDuration: isDuration))
        case .sign where token.text == "(":
            try checkEnabled()
            advance()
            let inner = try spanExpression(above: 0)
            try expect(")", in: "duration expression")
            return .parenthesis(inner)
        case .identifier:
            let word = token.text.lowercased()
            guard ["step", "range", "min_of", "max_of"].contains(word) else {
                throw unexpected(in: "duration", expected: "number, duration or step()")
            }
            try checkEnabled()
            advance()
            try expect("(", in: "duration expression")
            if word == "step" || word == "range" {
                try expect(")", in: "duration expression")
                return word == "step" ? .step : .range
            }
            let first = try spanExpression(above: 0)
            try expect(",", in: "duration expression")
            let second = try spanExpression(above: 0)
            try expect(")", in: "duration expression")
            return word == "min_of" ? .minimum(first, second) : .maximum(first, second)
        default: throw unexpected(in: "duration", expected: "number or duration")
        }
    }

    private func checkEnabled() throws(ParseError) {
        guard !options.hasDurationExpressions else { return }
        throw ParseError(
            "experimental duration expression is not enabled", at: token.range,
            help: "allow it with `--enable-feature=promql-duration-expr`")
    }
}

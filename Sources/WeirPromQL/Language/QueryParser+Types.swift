extension QueryParser {
    /// What stands between an operator and its right side, with its places.
    struct Modifiers {
        var matching: TextRange?
        var grouping: TextRange?
        var fill: TextRange?
        var returnsBool: TextRange?
    }

    // MARK: Modifiers

    /// Reads `bool`, `on`, `ignoring`, `group_left`, `group_right` and `fill`.
    mutating func modifiers(_ binary: inout BinaryExpression) throws(ParseError) -> Modifiers {
        var found = Modifiers()
        var matching = VectorMatching(
            cardinality: binary.operation.isSetOperator ? .manyToMany : .oneToOne)
        if isWord("bool") {
            found.returnsBool = token.range
            binary.returnsBool = true
            advance()
        }
        if isWord("on") || isWord("ignoring"), following.text == "(" {
            found.matching = token.range
            matching.isOn = isWord("on")
            advance()
            matching.labels = try labelNames()
            if isWord("group_left") || isWord("group_right") {
                found.grouping = token.range
                matching.cardinality = isWord("group_left") ? .manyToOne : .oneToMany
                advance()
                if isSign("(") { matching.included = try labelNames() }
            }
        }
        while let word = fillWord(), following.text == "(" {
            found.fill = token.range
            advance()
            let value = try fillValue()
            if word != "fill_right" { matching.fillLeft = value }
            if word != "fill_left" { matching.fillRight = value }
        }
        binary.matching = matching
        return found
    }

    private func fillWord() -> String? {
        guard token.kind == .identifier else { return nil }
        let word = token.text.lowercased()
        return ["fill", "fill_left", "fill_right"].contains(word) ? word : nil
    }

    private mutating func fillValue() throws(ParseError) -> Double {
        guard options.hasFillModifiers else {
            throw ParseError(
                "fill modifiers are experimental and not enabled", at: token.range,
                help: "allow them with `--enable-feature=promql-binop-fill-modifiers`")
        }
        try expect("(", in: "fill modifier")
        var sign = 1.0
        if isSign("-") || isSign("+") {
            sign = isSign("-") ? -1 : 1
            advance()
        }
        let value: Double
        switch token.kind {
        case .number(let number): value = number
        case .identifier where isWord("inf"): value = .infinity
        case .identifier where isWord("nan"): value = .nan
        default: throw unexpected(in: "fill modifier", expected: "number")
        }
        advance()
        try expect(")", in: "fill modifier")
        return sign * value
    }

    /// Checks a binary expression when both sides are known.
    func check(
        _ binary: inout BinaryExpression, _ modifiers: Modifiers, at range: TextRange, sign: Token
    ) throws(ParseError) {
        let left = Self.type(of: binary.left)
        let right = Self.type(of: binary.right)
        let operation = binary.operation
        for (type, side) in [(left, binary.left), (right, binary.right)]
        where type != .scalar && type != .instantVector {
            throw ParseError(
                "binary expression must contain only scalar and instant vector types",
                at: side.range)
        }
        if let place = modifiers.returnsBool, !operation.isComparison {
            throw ParseError("bool modifier can only be used on comparison operators", at: place)
        }
        let areScalars = left == .scalar && right == .scalar
        if operation.isComparison, !binary.returnsBool, areScalars {
            throw ParseError(
                "comparisons between scalars must use BOOL modifier", at: sign.range,
                help: "write `\(operation.rawValue) bool`")
        }
        let areVectors = left == .instantVector && right == .instantVector
        if operation.isSetOperator {
            guard areVectors else {
                throw ParseError(
                    "set operator \(GoText.quoted(operation.rawValue)) not allowed in binary scalar expression",
                    at: range)
            }
            if let place = modifiers.grouping {
                throw ParseError(
                    "no grouping allowed for \(GoText.quoted(operation.rawValue)) operation",
                    at: place)
            }
            if let place = modifiers.fill {
                throw ParseError(
                    "filling in missing series not allowed for set operators", at: place)
            }
        }
        guard areVectors else {
            if let place = modifiers.matching ?? modifiers.fill {
                throw ParseError("vector matching only allowed between instant vectors", at: place)
            }
            binary.matching = nil
            return
        }
        guard let matching = binary.matching, matching.isOn else { return }
        for label in matching.included where matching.labels.contains(label) {
            throw ParseError(
                "label \(GoText.quoted(label)) must not occur in ON and GROUP clause at once",
                at: modifiers.grouping ?? range)
        }
    }

    // MARK: Types

    /// The type of an expression's value.
    public static func type(of expression: Expression) -> ValueType {
        switch expression.kind {
        case .number: .scalar
        case .string: .string
        case .parenthesis(let inner), .stepInvariant(let inner), .unary(_, let inner):
            type(of: inner)
        case .binary(let binary):
            type(of: binary.left) == .scalar && type(of: binary.right) == .scalar
                ? .scalar : .instantVector
        case .aggregation, .vectorSelector: .instantVector
        case .call(let call): call.function.result
        case .matrixSelector, .subquery: .rangeVector
        }
    }

    private static func expect(
        _ expression: Expression, _ wanted: ValueType, in context: String
    ) throws(ParseError) {
        let found = type(of: expression)
        guard found == wanted else {
            throw ParseError(
                "expected type \(wanted.rawValue) in \(context), got \(found.rawValue)",
                at: expression.range, help: help(for: found, wanted))
        }
    }

    private static func help(for found: ValueType, _ wanted: ValueType) -> String {
        switch (found, wanted) {
        case (.instantVector, .rangeVector): "give a range, such as `[5m]`"
        case (.rangeVector, .instantVector):
            "take the range away, or use a function of ranges such as `rate`"
        case (.instantVector, .scalar): "use `scalar()`, or a number"
        case (.scalar, .instantVector): "use `vector()`"
        default: ""
        }
    }

    /// Checks a function's arguments.
    static func check(_ call: FunctionCall, at range: TextRange) throws(ParseError) {
        let signature = call.function
        let name = GoText.quoted(signature.name)
        let count = call.arguments.count
        let wanted = signature.parameters.count
        switch signature.arity {
        case .exact:
            guard count == wanted else {
                throw ParseError(
                    "expected \(wanted) argument(s) in call to \(name), got \(count)", at: range)
            }
        case .optional(let optional):
            guard count >= wanted - optional else {
                throw ParseError(
                    "expected at least \(wanted - optional) argument(s) in call to \(name), got \(count)",
                    at: range)
            }
            guard count <= wanted else {
                throw ParseError(
                    "expected at most \(wanted) argument(s) in call to \(name), got \(count)",
                    at: range)
            }
        case .repeated(let limit):
            guard count >= wanted - 1 else {
                throw ParseError(
                    "expected at least \(wanted - 1) argument(s) in call to \(name), got \(count)",
                    at: range)
            }
            guard count <= wanted - 1 + limit else {
                throw ParseError(
                    "expected at most \(wanted - 1 + limit) argument(s) in call to \(name), got \(count)",
                    at: range)
            }
        }
        for (place, argument) in call.arguments.enumerated() {
            let type = signature.parameters[min(place, wanted - 1)]
            try expect(argument, type, in: "call to function \(name)")
        }
        try checkSpecially(call)
    }

    /// What only some functions allow.
    private static func checkSpecially(_ call: FunctionCall) throws(ParseError) {
        for argument in call.arguments {
            guard case .matrixSelector(let matrix) = argument.kind else { continue }
            let allowed: [String]
            switch matrix.selector.edge {
            case .plain: continue
            case .anchored: allowed = ["changes", "delta", "increase", "rate", "resets"]
            case .smoothed: allowed = ["delta", "increase", "rate"]
            }
            guard allowed.contains(call.function.name) else {
                throw ParseError(
                    "\(matrix.selector.edge.rawValue) modifier can only be used with: "
                        + "\(allowed.joined(separator: ", ")) - not with \(call.function.name)",
                    at: argument.range)
            }
        }
        if call.function.name == "info", call.arguments.count > 1 {
            guard case .vectorSelector(let selector) = call.arguments[1].kind else {
                throw ParseError(
                    "expected label selectors only", at: call.arguments[1].range,
                    help: "write the labels to add in braces: `{k8s_cluster=~\".+\"}`")
            }
            if selector.name != nil {
                throw ParseError(
                    "expected label selectors only, got vector selector instead",
                    at: call.arguments[1].range)
            }
        }
    }

    /// An aggregation of its arguments.
    static func aggregation(
        _ operation: AggregationOperator, _ arguments: [Expression],
        _ grouping: (labels: [String], isWithout: Bool)?, at range: TextRange
    ) throws(ParseError) -> Expression {
        let wanted = operation.parameterType == nil ? 1 : 2
        guard let last = arguments.last, arguments.count == wanted else {
            throw ParseError(
                arguments.isEmpty
                    ? "no arguments for aggregate expression provided"
                    : "wrong number of arguments for aggregate expression provided, expected \(wanted), got \(arguments.count)",
                at: range)
        }
        try expect(last, .instantVector, in: "aggregation expression")
        var parameter: Expression?
        if let type = operation.parameterType {
            try expect(arguments[0], type, in: "aggregation parameter")
            parameter = arguments[0]
        }
        return Expression(
            .aggregation(
                Aggregation(
                    operation, last, parameter: parameter, grouping: grouping?.labels ?? [],
                    isWithout: grouping?.isWithout ?? false)), at: range)
    }
}

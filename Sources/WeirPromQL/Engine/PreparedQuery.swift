/// An expression whose time spans are numbers and whose unchanging parts are marked, for given steps.
struct QueryPreparation {
    private let steps: Steps
    private let options: QueryOptions

    init(steps: Steps, options: QueryOptions) {
        self.steps = steps
        self.options = options
    }

    /// Prepares an expression: marks what has the same value at every step.
    func prepare(_ expression: Expression) throws(QueryError) -> Expression {
        var expression = expression
        let isInvariant = try mark(&expression, depth: 0)
        return isInvariant ? wrapped(expression) : expression
    }

    /// Around literals there is nothing to gain.
    private func wrapped(_ expression: Expression) -> Expression {
        switch expression.kind {
        case .number, .string, .stepInvariant: expression
        default: Expression(.stepInvariant(expression), at: expression.range)
        }
    }

    /// Marks the invariant parts within, and says whether the whole is invariant.
    private func mark(_ expression: inout Expression, depth: Int) throws(QueryError) -> Bool {
        guard depth < options.depthLimit else {
            throw QueryError("the expression is nested too deeply", kind: .limit)
        }
        switch expression.kind {
        case .number, .string, .stepInvariant: return true
        case .vectorSelector(let selector): return selector.pinnedTime != nil
        case .matrixSelector(let matrix): return matrix.selector.pinnedTime != nil
        case .parenthesis(var inner):
            let isInvariant = try mark(&inner, depth: depth + 1)
            expression.kind = .parenthesis(inner)
            return isInvariant
        case .unary(let isNegative, var inner):
            let isInvariant = try mark(&inner, depth: depth + 1)
            expression.kind = .unary(isNegative: isNegative, inner)
            return isInvariant
        case .subquery(var subquery):
            let isInner = try mark(&subquery.expression, depth: depth + 1)
            if isInner { subquery.expression = wrapped(subquery.expression) }
            expression.kind = .subquery(subquery)
            return subquery.pinnedTime != nil
        case .binary, .aggregation, .call:
            return try markOperands(&expression, depth: depth)
        }
    }

    private func markOperands(
        _ expression: inout Expression, depth: Int
    ) throws(QueryError) -> Bool {
        switch expression.kind {
        case .binary(var binary):
            let isLeft = try mark(&binary.left, depth: depth + 1)
            let isRight = try mark(&binary.right, depth: depth + 1)
            if isLeft && isRight { return true }
            if isLeft { binary.left = wrapped(binary.left) }
            if isRight { binary.right = wrapped(binary.right) }
            expression.kind = .binary(binary)
            return false
        case .aggregation(var aggregation):
            // Only the operand decides; a parameter that changes is asked for at each step anyway.
            let isInner = try mark(&aggregation.expression, depth: depth + 1)
            var isParameter = true
            if var parameter = aggregation.parameter {
                isParameter = try mark(&parameter, depth: depth + 1)
                aggregation.parameter = parameter
            }
            if isInner && isParameter { return true }
            if isInner { aggregation.expression = wrapped(aggregation.expression) }
            expression.kind = .aggregation(aggregation)
            return false
        case .call(var call):
            var areInvariant: [Bool] = []
            for place in call.arguments.indices {
                areInvariant.append(try mark(&call.arguments[place], depth: depth + 1))
            }
            let dependsOnTime = Self.timeFunctions.contains(call.function.name)
            let isWhole = !dependsOnTime && areInvariant.allSatisfy { $0 }
            if isWhole {
                expression.kind = .call(call)
                return true
            }
            for place in call.arguments.indices where areInvariant[place] {
                if case .matrixSelector = call.arguments[place].kind { continue }
                if case .subquery = call.arguments[place].kind { continue }
                call.arguments[place] = wrapped(call.arguments[place])
            }
            expression.kind = .call(call)
            return false
        default: return false
        }
    }

    /// What has another value at another time although its arguments have not.
    private static let timeFunctions: Set<String> = [
        "days_in_month", "day_of_month", "day_of_week", "day_of_year", "hour", "minute", "month",
        "predict_linear", "time", "timestamp", "year",
    ]
}

/// A stretch of a query's text, in bytes of its UTF-8.
public struct TextRange: Hashable, Sendable {
    /// The first byte.
    public var start: Int
    /// One past the last byte.
    public var end: Int

    /// A stretch from `start` up to `end`.
    public init(start: Int, end: Int) {
        self.start = start
        self.end = end
    }
}

/// One PromQL expression with the place where it was written.
public struct Expression: Sendable {
    /// What it is.
    public var kind: Kind
    /// Where it stands in the query.
    public var range: TextRange

    /// An expression of this kind at this place.
    public init(_ kind: Kind, at range: TextRange) {
        self.kind = kind
        self.range = range
    }

    /// What an expression can be.
    public indirect enum Kind: Sendable {
        case number(NumberLiteral)
        case string(String)
        case parenthesis(Expression)
        case unary(isNegative: Bool, Expression)
        case binary(BinaryExpression)
        case aggregation(Aggregation)
        case call(FunctionCall)
        case vectorSelector(VectorSelector)
        case matrixSelector(MatrixSelector)
        case subquery(Subquery)
        /// Has the same value at every step: evaluated once. Never written by a user, only put around an
        /// expression before it is evaluated.
        case stepInvariant(Expression)
    }

    /// The expression without parentheses around it.
    var stripped: Expression {
        var expression = self
        while true {
            switch expression.kind {
            case .parenthesis(let inner), .stepInvariant(let inner): expression = inner
            default: return expression
            }
        }
    }
}

extension Expression {
    /// The matchers of all selectors within, in the order in which they are written.
    public var selectors: [[LabelMatcher]] {
        switch kind {
        case .number, .string: []
        case .parenthesis(let inner), .unary(_, let inner), .stepInvariant(let inner):
            inner.selectors
        case .binary(let binary): binary.left.selectors + binary.right.selectors
        case .aggregation(let aggregation):
            (aggregation.parameter?.selectors ?? []) + aggregation.expression.selectors
        case .call(let call): call.arguments.flatMap(\.selectors)
        case .vectorSelector(let selector): [selector.matchers]
        case .matrixSelector(let matrix): [matrix.selector.matchers]
        case .subquery(let subquery): subquery.expression.selectors
        }
    }
}

/// A number, and whether it was written as a duration (`5m` is 300).
public struct NumberLiteral: Hashable, Sendable {
    /// Its value; a duration's in seconds.
    public var value: Double
    /// Whether it was written as a duration.
    public var isDuration: Bool

    /// A number.
    public init(_ value: Double, isDuration: Bool = false) {
        self.value = value
        self.isDuration = isDuration
    }
}

/// The types that PromQL's expressions have.
public enum ValueType: String, Sendable {
    case scalar
    case string
    case instantVector = "instant vector"
    case rangeVector = "range vector"
    /// What nothing returns.
    case none
}

/// One condition on a label.
public struct LabelMatcher: Hashable, Sendable {
    /// How the value is compared.
    public enum Operation: String, Sendable {
        case equal = "="
        case notEqual = "!="
        case matches = "=~"
        case notMatches = "!~"
    }

    /// The label's name.
    public var name: String
    /// How its value is compared.
    public var operation: Operation
    /// With what: a text, or an RE2 pattern that must match the whole value.
    public var value: String

    /// A condition.
    public init(name: String, operation: Operation, value: String) {
        self.name = name
        self.operation = operation
        self.value = value
    }
}

/// The time that `@` pins a selector to.
public enum PinnedTime: Hashable, Sendable {
    /// Milliseconds after the epoch.
    case milliseconds(Int64)
    /// `start()`: the first step.
    case start
    /// `end()`: the last step.
    case end
}

/// How a range selector looks beyond its window's edges.
public enum WindowEdge: String, Sendable {
    /// Just the samples in the window.
    case plain
    /// Takes the last sample at or before the window's start for its edge.
    case anchored
    /// Interpolates at both edges.
    case smoothed
}

/// A time span in a query: written out, or computed from others when the query's step is known.
public indirect enum DurationExpression: Sendable {
    /// Seconds; `5m` is 300.
    case literal(NumberLiteral)
    /// `step()`: the query's interval.
    case step
    /// `range()`: the query's end less its start.
    case range
    case parenthesis(DurationExpression)
    case unary(isNegative: Bool, DurationExpression)
    case binary(Operation, DurationExpression, DurationExpression)
    /// `min_of(a, b)`.
    case minimum(DurationExpression, DurationExpression)
    /// `max_of(a, b)`.
    case maximum(DurationExpression, DurationExpression)

    /// The arithmetic of time spans.
    public enum Operation: String, Sendable {
        case add = "+"
        case subtract = "-"
        case multiply = "*"
        case divide = "/"
        case modulo = "%"
        case power = "^"
    }
}

/// A time span with the place where it was written.
public struct DurationText: Sendable {
    /// The span.
    public var expression: DurationExpression
    /// Where it stands in the query.
    public var range: TextRange

    /// A span at this place.
    public init(_ expression: DurationExpression, at range: TextRange) {
        self.expression = expression
        self.range = range
    }
}

/// `name{label="value"} offset 5m @ 12`.
public struct VectorSelector: Sendable {
    /// The metric's name as it was written before the braces; also among the matchers.
    public var name: String?
    /// All conditions, that on `__name__` included.
    public var matchers: [LabelMatcher]
    /// How far back, or `nil`; a negative span looks forward.
    public var offset: DurationText?
    /// The time that `@` pins it to.
    public var pinnedTime: PinnedTime?
    /// How its value is found at a step; `smoothed` interpolates.
    public var edge: WindowEdge

    /// A selector.
    public init(
        name: String? = nil, matchers: [LabelMatcher], offset: DurationText? = nil,
        pinnedTime: PinnedTime? = nil, edge: WindowEdge = .plain
    ) {
        self.name = name
        self.matchers = matchers
        self.offset = offset
        self.pinnedTime = pinnedTime
        self.edge = edge
    }
}

/// `selector[5m]`. The offset, the pinned time and the edge stand in its selector.
public struct MatrixSelector: Sendable {
    /// Which series, and from when.
    public var selector: VectorSelector
    /// Where the selector without its range stands.
    public var selectorRange: TextRange
    /// The window's length.
    public var window: DurationText

    /// A range selector.
    public init(selector: VectorSelector, selectorRange: TextRange, window: DurationText) {
        self.selector = selector
        self.selectorRange = selectorRange
        self.window = window
    }
}

/// `expression[1h:5m] offset 1d @ end()`.
public struct Subquery: Sendable {
    /// What is evaluated at each of the subquery's own steps.
    public var expression: Expression
    /// The window's length.
    public var window: DurationText
    /// The subquery's interval, or `nil` for the engine's default.
    public var step: DurationText?
    /// How far back, or `nil`.
    public var offset: DurationText?
    /// The time that `@` pins it to.
    public var pinnedTime: PinnedTime?

    /// A subquery.
    public init(
        expression: Expression, window: DurationText, step: DurationText? = nil,
        offset: DurationText? = nil, pinnedTime: PinnedTime? = nil
    ) {
        self.expression = expression
        self.window = window
        self.step = step
        self.offset = offset
        self.pinnedTime = pinnedTime
    }
}

/// The operators between two expressions, by what is written.
public enum BinaryOperator: String, CaseIterable, Sendable {
    case add = "+"
    case subtract = "-"
    case multiply = "*"
    case divide = "/"
    case modulo = "%"
    case power = "^"
    case arcTangent = "atan2"
    case equal = "=="
    case notEqual = "!="
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="
    /// Keeps a histogram's observations below a bound.
    case trimUpper = "</"
    /// Keeps a histogram's observations above a bound.
    case trimLower = ">/"
    case and
    case or
    case unless

    /// Whether it compares.
    public var isComparison: Bool {
        switch self {
        case .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual: true
        default: false
        }
    }

    /// Whether it lets through a part of its left side, as it is called.
    public var isFilter: Bool { isComparison || self == .trimUpper || self == .trimLower }

    /// Whether it works on sets of series, not on their values.
    public var isSetOperator: Bool { self == .and || self == .or || self == .unless }
}

/// How the series of two vectors find each other.
public struct VectorMatching: Hashable, Sendable {
    /// Who may have several partners.
    public enum Cardinality: String, Sendable {
        case oneToOne = "one-to-one"
        case manyToOne = "many-to-one"
        case oneToMany = "one-to-many"
        case manyToMany = "many-to-many"
    }

    /// Who may have several partners.
    public var cardinality: Cardinality
    /// The labels of `on` or `ignoring`.
    public var labels: [String]
    /// Whether the labels are those of `on`.
    public var isOn: Bool
    /// The labels of `group_left` or `group_right`.
    public var included: [String]
    /// What stands for a missing series on the left: `fill` and `fill_left`.
    public var fillLeft: Double?
    /// What stands for a missing series on the right: `fill` and `fill_right`.
    public var fillRight: Double?

    /// A way of matching; without arguments, by all labels.
    public init(
        cardinality: Cardinality = .oneToOne, labels: [String] = [], isOn: Bool = false,
        included: [String] = [], fillLeft: Double? = nil, fillRight: Double? = nil
    ) {
        self.cardinality = cardinality
        self.labels = labels
        self.isOn = isOn
        self.included = included
        self.fillLeft = fillLeft
        self.fillRight = fillRight
    }
}

/// `left operator right`.
public struct BinaryExpression: Sendable {
    /// The operator.
    public var operation: BinaryOperator
    /// The left side.
    public var left: Expression
    /// The right side.
    public var right: Expression
    /// How the sides' series match; `nil` unless both are vectors.
    public var matching: VectorMatching?
    /// Whether a comparison answers 0 or 1 instead of filtering.
    public var returnsBool: Bool

    /// A binary expression.
    public init(
        _ operation: BinaryOperator, _ left: Expression, _ right: Expression,
        matching: VectorMatching? = nil, returnsBool: Bool = false
    ) {
        self.operation = operation
        self.left = left
        self.right = right
        self.matching = matching
        self.returnsBool = returnsBool
    }
}

/// The aggregations, by what is written.
public enum AggregationOperator: String, CaseIterable, Sendable {
    case sum
    case avg
    case count
    case min
    case max
    case group
    case stddev
    case stdvar
    case topk
    case bottomk
    case countValues = "count_values"
    case quantile
    case limitk
    case limitRatio = "limit_ratio"

    /// The type of its parameter; `nil` where it has none.
    public var parameterType: ValueType? {
        switch self {
        case .topk, .bottomk, .quantile, .limitk, .limitRatio: .scalar
        case .countValues: .string
        default: nil
        }
    }

    /// Whether it stands behind the feature `promql-experimental-functions`.
    public var isExperimental: Bool { self == .limitk || self == .limitRatio }
}

/// `sum by (label) (expression)`.
public struct Aggregation: Sendable {
    /// What is computed of each group.
    public var operation: AggregationOperator
    /// What is aggregated.
    public var expression: Expression
    /// The parameter of `topk` and its like.
    public var parameter: Expression?
    /// The labels of `by` or `without`.
    public var grouping: [String]
    /// Whether the labels are those of `without`.
    public var isWithout: Bool

    /// An aggregation.
    public init(
        _ operation: AggregationOperator, _ expression: Expression, parameter: Expression? = nil,
        grouping: [String] = [], isWithout: Bool = false
    ) {
        self.operation = operation
        self.expression = expression
        self.parameter = parameter
        self.grouping = grouping
        self.isWithout = isWithout
    }
}

/// `function(arguments)`.
public struct FunctionCall: Sendable {
    /// Which function.
    public var function: FunctionSignature
    /// Its arguments, those that may be left out absent.
    public var arguments: [Expression]

    /// A call.
    public init(_ function: FunctionSignature, _ arguments: [Expression]) {
        self.function = function
        self.arguments = arguments
    }
}

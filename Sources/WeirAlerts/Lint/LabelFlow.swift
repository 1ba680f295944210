import WeirPromQL

/// Which labels an expression's series have, as far as the expression alone says it.
enum LabelFlow: Equatable {
    /// Those of the series that are selected, or who knows which.
    case open
    /// At most these.
    case exactly(Set<String>)

    /// The labels of an expression's series.
    static func of(_ expression: Expression) -> LabelFlow {
        switch expression.kind {
        case .parenthesis(let inner), .stepInvariant(let inner), .unary(_, let inner): of(inner)
        case .aggregation(let aggregation): of(aggregation)
        case .call(let call): of(call)
        case .binary(let binary): of(binary)
        case .subquery(let subquery): of(subquery.expression)
        case .number, .string, .vectorSelector, .matrixSelector: .open
        }
    }

    private static func of(_ aggregation: Aggregation) -> LabelFlow {
        switch aggregation.operation {
        case .topk, .bottomk, .limitk, .limitRatio: return of(aggregation.expression)
        case .countValues: return .open
        default: break
        }
        let inner = of(aggregation.expression)
        if !aggregation.isWithout {
            let kept = Set(aggregation.grouping)
            if case .exactly(let labels) = inner { return .exactly(kept.intersection(labels)) }
            return .exactly(kept)
        }
        guard case .exactly(let labels) = inner else { return .open }
        return .exactly(labels.subtracting(aggregation.grouping))
    }

    private static func of(_ call: FunctionCall) -> LabelFlow {
        switch call.function.name {
        case "label_replace", "label_join", "absent", "absent_over_time", "info",
            "histogram_quantiles":
            return .open
        case "vector": return .exactly([])
        case "histogram_quantile":
            guard let last = call.arguments.last, case .exactly(let labels) = of(last) else {
                return .open
            }
            return .exactly(labels.subtracting(["le"]))
        default:
            let vectors = call.arguments.filter {
                let type = QueryParser.type(of: $0)
                return type == .instantVector || type == .rangeVector
            }
            return vectors.count == 1 ? of(vectors[0]) : .open
        }
    }

    private static func of(_ binary: BinaryExpression) -> LabelFlow {
        let isVector = [binary.left, binary.right].map {
            QueryParser.type(of: $0) == .instantVector
        }
        guard isVector[0], isVector[1] else {
            return isVector[0] ? of(binary.left) : isVector[1] ? of(binary.right) : .open
        }
        switch binary.operation {
        case .and, .unless: return of(binary.left)
        case .or:
            let left = of(binary.left)
            return left == of(binary.right) ? left : .open
        default: break
        }
        guard let matching = binary.matching else { return of(binary.left) }
        switch matching.cardinality {
        case .manyToOne, .oneToMany:
            let many = matching.cardinality == .manyToOne ? binary.left : binary.right
            guard case .exactly(let labels) = of(many) else { return .open }
            return .exactly(labels.union(matching.included))
        case .oneToOne, .manyToMany:
            if matching.isOn { return .exactly(Set(matching.labels)) }
            guard case .exactly(let labels) = of(binary.left) else {
                return matching.labels.isEmpty ? of(binary.right) : .open
            }
            return .exactly(labels.subtracting(matching.labels))
        }
    }

    /// Whether the series can have a label.
    func keeps(_ label: String) -> Bool {
        switch self {
        case .open: true
        case .exactly(let labels): labels.contains(label)
        }
    }
}

extension Expression {
    /// Whether a label of the selected series is there as well in what comes out: as long as only
    /// functions that leave labels alone, and aggregations that keep this one, stand between.
    func passes(_ label: String) -> Bool {
        switch kind {
        case .vectorSelector, .matrixSelector: true
        case .parenthesis(let inner), .unary(_, let inner), .stepInvariant(let inner):
            inner.passes(label)
        case .subquery(let subquery): subquery.expression.passes(label)
        case .aggregation(let aggregation):
            switch aggregation.operation {
            case .topk, .bottomk, .limitk, .limitRatio, .countValues: false
            default:
                aggregation.grouping.contains(label) != aggregation.isWithout
                    && aggregation.expression.passes(label)
            }
        case .call(let call):
            ![
                "label_replace", "label_join", "absent", "absent_over_time", "info", "vector",
                "scalar",
            ]
            .contains(call.function.name)
                && (call.arguments.last { !$0.vectorSelectors.isEmpty }?.passes(label) ?? false)
        case .binary(let binary):
            binary.left.vectorSelectors.isEmpty
                ? binary.right.passes(label)
                : binary.right.vectorSelectors.isEmpty && binary.left.passes(label)
        case .number, .string: false
        }
    }
}

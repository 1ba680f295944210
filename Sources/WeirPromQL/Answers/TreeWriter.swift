import WeirCore

/// Writes an expression's tree as `/api/v1/parse_query` has it (Prometheus: web/api/v1/translate_ast.go).
public enum TreeWriter {
    /// Appends an expression as an object, its keys ascending.
    public static func append(_ expression: Expression, to buffer: inout ByteBuffer) {
        switch expression.kind {
        case .number(let number):
            node("numberLiteral", [("val", { text(GoText.plain(number.value), &$0) })], &buffer)
        case .string(let value):
            node("stringLiteral", [("val", { text(value, &$0) })], &buffer)
        case .parenthesis(let inner):
            node("parenExpr", [("expr", { append(inner, to: &$0) })], &buffer)
        case .stepInvariant(let inner): append(inner, to: &buffer)
        case .unary(let isNegative, let inner):
            node(
                "unaryExpr",
                [
                    ("expr", { append(inner, to: &$0) }),
                    ("op", { text(isNegative ? "-" : "+", &$0) }),
                ], &buffer)
        case .binary(let binary): append(binary, to: &buffer)
        case .aggregation(let aggregation): append(aggregation, to: &buffer)
        case .call(let call): append(call, to: &buffer)
        case .vectorSelector(let selector):
            node("vectorSelector", fields(of: selector), &buffer)
        case .matrixSelector(let matrix):
            let range = milliseconds(matrix.window)
            node(
                "matrixSelector",
                fields(of: matrix.selector) + [("range", { $0.append(decimal: range) })], &buffer)
        case .subquery(let subquery): append(subquery, to: &buffer)
        }
    }

    // MARK: Nodes

    private static func append(_ binary: BinaryExpression, to buffer: inout ByteBuffer) {
        node(
            "binaryExpr",
            [
                ("bool", { flag(binary.returnsBool, &$0) }),
                ("lhs", { append(binary.left, to: &$0) }),
                ("matching", { append(binary.matching, to: &$0) }),
                ("op", { text(binary.operation.rawValue, &$0) }),
                ("rhs", { append(binary.right, to: &$0) }),
            ], &buffer)
    }

    private static func append(_ matching: VectorMatching?, to buffer: inout ByteBuffer) {
        guard let matching else { return buffer.append("null") }
        var fields: [Field] = [
            ("card", { text(matching.cardinality.rawValue, &$0) }),
            ("include", { texts(matching.included, &$0) }),
            ("labels", { texts(matching.labels, &$0) }),
            ("on", { flag(matching.isOn, &$0) }),
        ]
        if matching.fillLeft != nil || matching.fillRight != nil {
            fields.append(
                (
                    "fillValues",
                    {
                        object(
                            [
                                ("lhs", { number(matching.fillLeft, &$0) }),
                                ("rhs", { number(matching.fillRight, &$0) }),
                            ], &$0)
                    }
                ))
        }
        object(fields, &buffer)
    }

    private static func append(_ aggregation: Aggregation, to buffer: inout ByteBuffer) {
        node(
            "aggregation",
            [
                ("expr", { append(aggregation.expression, to: &$0) }),
                ("grouping", { texts(aggregation.grouping, &$0) }),
                ("op", { text(aggregation.operation.rawValue, &$0) }),
                (
                    "param",
                    { buffer in
                        guard let parameter = aggregation.parameter else {
                            return buffer.append("null")
                        }
                        append(parameter, to: &buffer)
                    }
                ),
                ("without", { flag(aggregation.isWithout, &$0) }),
            ], &buffer)
    }

    private static func append(_ call: FunctionCall, to buffer: inout ByteBuffer) {
        let function = call.function
        let variadic =
            switch function.arity {
            case .exact: 0
            case .optional(let count): count
            case .repeated(let limit): limit < 1_000 ? limit : -1
            }
        node(
            "call",
            [
                ("args", { list(call.arguments, &$0) { append($0, to: &$1) } }),
                (
                    "func",
                    {
                        object(
                            [
                                ("argTypes", { texts(function.parameters.map(name), &$0) }),
                                ("name", { text(function.name, &$0) }),
                                ("returnType", { text(name(function.result), &$0) }),
                                ("variadic", { $0.append(decimal: variadic) }),
                            ], &$0)
                    }
                ),
            ], &buffer)
    }

    private static func append(_ subquery: Subquery, to buffer: inout ByteBuffer) {
        let range = milliseconds(subquery.window)
        let step = subquery.step.map(milliseconds) ?? 0
        let offset = subquery.offset.map(milliseconds) ?? 0
        node(
            "subquery",
            [
                ("expr", { append(subquery.expression, to: &$0) }),
                ("offset", { $0.append(decimal: offset) }),
                ("range", { $0.append(decimal: range) }),
                ("step", { $0.append(decimal: step) }),
            ] + fields(of: subquery.pinnedTime), &buffer)
    }

    private static func fields(of selector: VectorSelector) -> [Field] {
        let offset = selector.offset.map(milliseconds) ?? 0
        var matchers = selector.matchers
        // A name before the braces counts as their last condition.
        if selector.name != nil, !matchers.isEmpty { matchers.append(matchers.removeFirst()) }
        var fields: [Field] = [
            (
                "matchers",
                {
                    list(matchers, &$0) { matcher, buffer in
                        object(
                            [
                                ("name", { text(matcher.name, &$0) }),
                                ("type", { text(matcher.operation.rawValue, &$0) }),
                                ("value", { text(matcher.value, &$0) }),
                            ], &buffer)
                    }
                }
            ),
            ("name", { text(selector.name ?? "", &$0) }),
            ("offset", { $0.append(decimal: offset) }),
        ]
        switch selector.edge {
        case .plain: break
        case .anchored: fields.append(("anchored", { flag(true, &$0) }))
        case .smoothed: fields.append(("smoothed", { flag(true, &$0) }))
        }
        return fields + self.fields(of: selector.pinnedTime)
    }

    private static func fields(of pinned: PinnedTime?) -> [Field] {
        var time: Int64?
        var edge: String?
        switch pinned {
        case nil: break
        case .milliseconds(let milliseconds): time = milliseconds
        case .start: edge = "start"
        case .end: edge = "end"
        }
        return [
            (
                "startOrEnd",
                { buffer in
                    if let edge { text(edge, &buffer) } else { buffer.append("null") }
                }
            ),
            (
                "timestamp",
                { buffer in
                    guard let time else { return buffer.append("null") }
                    buffer.append(decimal: Int(time))
                }
            ),
        ]
    }

    // MARK: Values

    private typealias Field = (name: String, value: (inout ByteBuffer) -> Void)

    private static func node(
        _ type: String, _ fields: [Field], _ buffer: inout ByteBuffer
    ) {
        object(fields + [("type", { text(type, &$0) })], &buffer)
    }

    private static func object(_ fields: [Field], _ buffer: inout ByteBuffer) {
        buffer.append("{")
        for (place, field) in fields.sorted(by: { $0.name < $1.name }).enumerated() {
            if place > 0 { buffer.append(",") }
            text(field.name, &buffer)
            buffer.append(":")
            field.value(&buffer)
        }
        buffer.append("}")
    }

    private static func list<T>(
        _ all: [T], _ buffer: inout ByteBuffer, _ append: (T, inout ByteBuffer) -> Void
    ) {
        buffer.append("[")
        for (place, one) in all.enumerated() {
            if place > 0 { buffer.append(",") }
            append(one, &buffer)
        }
        buffer.append("]")
    }

    private static func texts(_ all: [String], _ buffer: inout ByteBuffer) {
        list(all, &buffer) { text($0, &$1) }
    }

    private static func text(_ value: String, _ buffer: inout ByteBuffer) {
        ResultWriter.append(value, to: &buffer)
    }

    private static func flag(_ value: Bool, _ buffer: inout ByteBuffer) {
        buffer.append(value ? "true" as StaticString : "false")
    }

    private static func number(_ value: Double?, _ buffer: inout ByteBuffer) {
        guard let value else { return buffer.append("null") }
        text(GoText.plain(value), &buffer)
    }

    /// The types' names in the API.
    private static func name(_ type: ValueType) -> String {
        switch type {
        case .instantVector: "vector"
        case .rangeVector: "matrix"
        default: type.rawValue
        }
    }

    /// A span's length; 0 for one that only a query's times tell.
    private static func milliseconds(_ text: DurationText) -> Int {
        func seconds(_ expression: DurationExpression) -> Double? {
            switch expression {
            case .literal(let number): number.value
            case .parenthesis(let inner): seconds(inner)
            case .unary(let isNegative, let inner):
                seconds(inner).map { isNegative ? -$0 : $0 }
            default: nil
            }
        }
        let span = (seconds(text.expression) ?? 0) * 1_000
        return Int(clampedTo: span.rounded(.toNearestOrAwayFromZero))
    }
}

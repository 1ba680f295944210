extension Expression {
    /// The expression as `/api/v1/format_query` prints it: what is longer than a line is broken at its parts
    /// (Prometheus: promql/parser/prettier.go).
    public var formatted: String { LineBreaking.text(self, level: 0) }
}

/// Prints expressions over several lines.
private enum LineBreaking {
    /// Bytes that fit on a line.
    private static let lineLimit = 100

    private static func indent(_ level: Int) -> String { String(repeating: "  ", count: level) }

    static func text(_ expression: Expression, level: Int) -> String {
        let whole = expression.description
        let fits = whole.utf8.count <= lineLimit
        switch expression.kind {
        case .stepInvariant(let inner): return text(inner, level: level)
        case .unary(let isNegative, let inner):
            let inner = text(inner, level: level).drop { $0 == " " }
            return indent(level) + (isNegative ? "-" : "+") + inner
        case .subquery(let subquery):
            // One that fits is not indented.
            return fits ? whole : text(subquery.expression, level: level) + Printer.window(subquery)
        default: break
        }
        if fits { return indent(level) + whole }
        switch expression.kind {
        case .parenthesis(let inner):
            return enclosed("", [inner], level)
        case .aggregation(let aggregation):
            let parts = [aggregation.parameter, aggregation.expression].compactMap(\.self)
            return enclosed(Printer.head(of: aggregation), parts, level)
        case .call(let call): return enclosed(call.function.name, call.arguments, level)
        case .binary(let binary):
            return [
                text(binary.left, level: level + 1),
                indent(level) + Printer.operation(of: binary),
                text(binary.right, level: level + 1),
            ].joined(separator: "\n")
        default: return indent(level) + whole
        }
    }

    /// Parts in parentheses, each on lines of its own.
    private static func enclosed(_ head: String, _ parts: [Expression], _ level: Int) -> String {
        let lines = parts.map { text($0, level: level + 1) }.joined(separator: ",\n")
        return "\(indent(level))\(head)(\n\(lines)\n\(indent(level)))"
    }
}

extension Expression: CustomStringConvertible {
    /// The expression in the form in which Prometheus prints it: what is read from it is the same again.
    public var description: String { Printer.text(self) }
}

/// Prints expressions (Prometheus: promql/parser/printer.go).
enum Printer {
    /// An expression on one line.
    static func text(_ expression: Expression) -> String {
        switch expression.kind {
        case .number(let number): text(number)
        case .string(let text): GoText.quoted(text)
        case .parenthesis(let inner): "(\(text(inner)))"
        case .stepInvariant(let inner): text(inner)
        case .unary(let isNegative, let inner): (isNegative ? "-" : "+") + text(inner)
        case .binary(let binary): text(binary)
        case .aggregation(let aggregation): text(aggregation)
        case .call(let call):
            "\(call.function.name)(\(call.arguments.map { text($0) }.joined(separator: ", ")))"
        case .vectorSelector(let selector):
            series(selector) + edge(selector.edge) + time(selector.pinnedTime, selector.offset)
        case .matrixSelector(let matrix):
            "\(series(matrix.selector))[\(span(matrix.window))]\(edge(matrix.selector.edge))"
                + time(matrix.selector.pinnedTime, matrix.selector.offset)
        case .subquery(let subquery):
            text(subquery.expression) + window(subquery)
        }
    }

    /// What stands behind a subquery's expression.
    static func window(_ subquery: Subquery) -> String {
        "[\(span(subquery.window)):" + (subquery.step.map(span) ?? "") + "]"
            + time(subquery.pinnedTime, subquery.offset)
    }

    private static func text(_ number: NumberLiteral) -> String {
        number.isDuration ? duration(number.value) : GoText.plain(number.value)
    }

    // MARK: Operators

    private static func text(_ binary: BinaryExpression) -> String {
        "\(text(binary.left)) \(operation(of: binary)) \(text(binary.right))"
    }

    /// An operator with all that stands between its sides.
    static func operation(of binary: BinaryExpression) -> String {
        binary.operation.rawValue + (binary.returnsBool ? " bool" : "")
            + (binary.matching.map { text($0) } ?? "")
    }

    private static func text(_ matching: VectorMatching) -> String {
        var text = ""
        let isGrouped = matching.cardinality == .manyToOne || matching.cardinality == .oneToMany
        if matching.isOn || !matching.labels.isEmpty || isGrouped {
            text += matching.isOn ? " on (" : " ignoring ("
            text += names(matching.labels) + ")"
        }
        if isGrouped {
            text += matching.cardinality == .manyToOne ? " group_left (" : " group_right ("
            text += names(matching.included) + ")"
        }
        switch (matching.fillLeft, matching.fillRight) {
        case (nil, nil): break
        case (let left?, let right?) where left.bitPattern == right.bitPattern:
            text += " fill (\(GoText.plain(left)))"
        case (let left, let right):
            if let left { text += " fill_left (\(GoText.plain(left)))" }
            if let right { text += " fill_right (\(GoText.plain(right)))" }
        }
        return text
    }

    private static func text(_ aggregation: Aggregation) -> String {
        let parameter = aggregation.parameter.map { text($0) + ", " } ?? ""
        return "\(head(of: aggregation))(\(parameter)\(text(aggregation.expression)))"
    }

    /// What stands before an aggregation's parentheses.
    static func head(of aggregation: Aggregation) -> String {
        var head = aggregation.operation.rawValue
        if aggregation.isWithout {
            head += " without (\(names(aggregation.grouping))) "
        } else if !aggregation.grouping.isEmpty {
            head += " by (\(names(aggregation.grouping))) "
        }
        return head
    }

    // MARK: Selectors

    private static func series(_ selector: VectorSelector) -> String {
        var parts: [String] = []
        var name = ""
        if let written = selector.name {
            if isPlain(written, allowsColons: true) {
                name = written
            } else {
                parts.append(GoText.quoted(written))
            }
        }
        var matchers: [String] = []
        for matcher in selector.matchers {
            let isName = matcher.name == "__name__" && matcher.operation == .equal
            if isName, matcher.value == selector.name { continue }
            matchers.append(
                Self.name(matcher.name) + matcher.operation.rawValue
                    + GoText.quoted(matcher.value))
        }
        parts += matchers.sorted(by: QuerySymbols.isBefore)
        return parts.isEmpty && !name.isEmpty ? name : "\(name){\(parts.joined(separator: ","))}"
    }

    private static func edge(_ edge: WindowEdge) -> String {
        edge == .plain ? "" : " \(edge.rawValue)"
    }

    private static func time(_ pinned: PinnedTime?, _ offset: DurationText?) -> String {
        var text = ""
        switch pinned {
        case nil: break
        case .start: text += " @ start()"
        case .end: text += " @ end()"
        case .milliseconds(let time):
            let part = String(time.magnitude % 1_000)
            text += " @ \(time < 0 ? "-" : "")\(time.magnitude / 1_000)."
            text += String(repeating: "0", count: 3 - part.count) + part
        }
        if let offset { text += " offset \(span(offset))" }
        return text
    }

    private static func names(_ labels: [String]) -> String {
        labels.map(name).joined(separator: ", ")
    }

    private static func name(_ label: String) -> String {
        isPlain(label, allowsColons: false) ? label : GoText.quoted(label)
    }

    private static func isPlain(_ text: String, allowsColons: Bool) -> Bool {
        guard let first = text.utf8.first, !(0x30...0x39 ~= first) else { return false }
        return text.utf8.allSatisfy { byte in
            (byte | 0x20) &- 0x61 < 26 || byte &- 0x30 < 10 || byte == UInt8(ascii: "_")
                || allowsColons && byte == UInt8(ascii: ":")
        }
    }

    // MARK: Time spans

    private static func span(_ text: DurationText) -> String { span(text.expression) }

    private static func span(_ expression: DurationExpression) -> String {
        switch expression {
        case .literal(let number): duration(number.value)
        case .step: "step()"
        case .range: "range()"
        case .parenthesis(let inner): "(\(span(inner)))"
        case .unary(let isNegative, let inner): (isNegative ? "-" : "+") + span(inner)
        case .minimum(let left, let right): "min_of(\(span(left)), \(span(right)))"
        case .maximum(let left, let right): "max_of(\(span(left)), \(span(right)))"
        case .binary(let operation, let left, let right):
            "\(span(left)) \(operation.rawValue) \(span(right))"
        }
    }

    private static let units: [(name: String, milliseconds: UInt64, mustBeWhole: Bool)] = [
        ("y", 365 * 86_400_000, true), ("w", 7 * 86_400_000, true), ("d", 86_400_000, false),
        ("h", 3_600_000, false), ("m", 60_000, false), ("s", 1_000, false), ("ms", 1, false),
    ]

    /// A time span in its largest units; years and weeks only where nothing is left over.
    private static func duration(_ seconds: Double) -> String {
        let milliseconds = (abs(seconds) * 1_000).rounded(.toNearestOrAwayFromZero)
        guard milliseconds >= 1, milliseconds < 9e18 else { return "0s" }
        var rest = UInt64(milliseconds)
        var text = seconds < 0 ? "-" : ""
        for unit in units {
            if unit.mustBeWhole, rest % unit.milliseconds != 0 { continue }
            let count = rest / unit.milliseconds
            if count == 0 { continue }
            text += "\(count)\(unit.name)"
            rest -= count * unit.milliseconds
        }
        return text
    }
}

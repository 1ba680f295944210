/// The functions of labels: `label_replace`, `label_join`, and those that sort by them.
enum LabelFunctions {
    static let all: [PromQLFunction] = [
        PromQLFunction(
            FunctionSignature(
                "label_replace", [.instantVector, .string, .string, .string, .string]),
            .rows(replace)),
        PromQLFunction(
            FunctionSignature(
                "label_join", [.instantVector, .string, .string, .string], arity: .repeated(1_000)),
            .rows(join)),
        sorting("sort_by_label", isDescending: false),
        sorting("sort_by_label_desc", isDescending: true),
    ]

    @Sendable private static func replace(
        _ evaluator: Evaluator, _ invocation: PromQLFunction.Invocation,
        _ consume: Evaluator.RowConsumer
    ) throws(QueryError) {
        let destination = invocation.text(1)
        let pattern: LabelPattern
        do throws(LabelPatternError) {
            pattern = try LabelPattern(invocation.text(4))
        } catch {
            throw QueryError(
                "invalid regular expression in label_replace(): \(invocation.text(4))")
        }
        guard isName(destination) else {
            throw QueryError(
                "invalid destination label name in label_replace(): \(destination)")
        }
        let template = LabelTemplateText(invocation.text(2)) { pattern.groupNumber(named: $0) }
        let source = evaluator.symbols.symbol(for: invocation.text(3))
        try relabelled(invocation, destination, evaluator, consume) { labels in
            let value = evaluator.symbols.text(of: labels.value(of: source))
            return pattern.captures(in: value).map { template.text($0) }
        }
        if pattern.isUnsure {
            throw QueryError(
                "the pattern \(GoText.quoted(invocation.text(4))) of label_replace() takes too many steps; write a simpler one",
                kind: .limit)
        }
    }

    @Sendable private static func join(
        _ evaluator: Evaluator, _ invocation: PromQLFunction.Invocation,
        _ consume: Evaluator.RowConsumer
    ) throws(QueryError) {
        let destination = invocation.text(1)
        let separator = invocation.text(2)
        var sources: [Symbol] = []
        for place in 3..<max(3, invocation.call.arguments.count) {
            let name = invocation.text(place)
            guard isName(name) else {
                throw QueryError("invalid source label name in label_join(): \(name)")
            }
            sources.append(evaluator.symbols.symbol(for: name))
        }
        guard isName(destination) else {
            throw QueryError("invalid destination label name in label_join(): \(destination)")
        }
        try relabelled(invocation, destination, evaluator, consume) { labels in
            sources.map { evaluator.symbols.text(of: labels.value(of: $0)) }
                .joined(separator: separator)
        }
    }

    /// Whether a text can name a label: any text that is not empty, and was UTF-8.
    private static func isName(_ text: String) -> Bool {
        !text.isEmpty && !text.unicodeScalars.contains("\u{fffd}")
    }

    /// Gives each series a label; `nil` leaves it as it is.
    private static func relabelled(
        _ invocation: PromQLFunction.Invocation, _ destination: String, _ evaluator: Evaluator,
        _ consume: Evaluator.RowConsumer, value: (LabelSet) -> String?
    ) throws(QueryError) {
        let name = evaluator.symbols.symbol(for: destination)
        let merger = RowMerger(countingFor: evaluator)
        try evaluator.rows(invocation.call.arguments[0], invocation.steps) {
            row throws(QueryError) in
            if let value = value(row.labels) {
                row.labels = evaluator.symbols.setting(
                    name, to: evaluator.symbols.symbol(for: value), in: row.labels)
                // A name that was written anew stays.
                if name == .metricName { row.dropsName = false }
            }
            try merger.add(row)
        }
        try merger.finish(consume)
    }

    private static func sorting(_ name: String, isDescending: Bool) -> PromQLFunction {
        PromQLFunction(
            FunctionSignature(
                name, [.instantVector, .string], arity: .repeated(1_000), isExperimental: true),
            .rows { evaluator, invocation, consume throws(QueryError) in
                let symbols = evaluator.symbols
                let names = invocation.call.arguments.indices.dropFirst().map {
                    symbols.symbol(for: invocation.text($0))
                }
                var rows = try evaluator.collect(invocation.call.arguments[0], invocation.steps)
                rows.sort { left, right in
                    for name in names {
                        let first = symbols.text(of: left.labels.value(of: name))
                        let second = symbols.text(of: right.labels.value(of: name))
                        if first == second { continue }
                        return NaturalOrder.isBefore(first, second) != isDescending
                    }
                    return isDescending
                        ? symbols.isBefore(right.labels, left.labels)
                        : symbols.isBefore(left.labels, right.labels)
                }
                for place in rows.indices { try consume(&rows[place]) }
            })
    }
}

/// The order in which people expect texts with numbers: `a2` before `a10`.
enum NaturalOrder {
    static func isBefore(_ left: String, _ right: String) -> Bool {
        var first = Array(left.utf8)[...]
        var second = Array(right.utf8)[...]
        while let one = first.first, let other = second.first {
            let firstNumber = number(&first)
            let secondNumber = number(&second)
            switch (firstNumber, secondNumber) {
            case (let one?, let other?):
                if one.value != other.value { return isLess(one.value, other.value) }
                if one.length != other.length { return one.length < other.length }
            case (nil, nil):
                if one != other { return one < other }
                first = first.dropFirst()
                second = second.dropFirst()
            default: return one < other
            }
        }
        return first.isEmpty && !second.isEmpty
    }

    /// Takes the digits at a text's beginning: without leading zeros, and how many there were.
    private static func number(
        _ bytes: inout ArraySlice<UInt8>
    ) -> (value: ArraySlice<UInt8>, length: Int)? {
        let digits = bytes.prefix { $0 &- 0x30 < 10 }
        guard !digits.isEmpty else { return nil }
        bytes = bytes[digits.endIndex...]
        return (digits.drop { $0 == 0x30 }, digits.count)
    }

    private static func isLess(_ left: ArraySlice<UInt8>, _ right: ArraySlice<UInt8>) -> Bool {
        left.count != right.count ? left.count < right.count : left.lexicographicallyPrecedes(right)
    }
}

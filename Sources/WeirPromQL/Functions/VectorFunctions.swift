/// The functions of whole vectors: `absent`, `scalar`, `vector`, `sort`, `timestamp`.
enum VectorFunctions {
    static let all: [PromQLFunction] = [
        PromQLFunction(FunctionSignature("absent", [.instantVector]), .rows(absent)),
        PromQLFunction(
            FunctionSignature("absent_over_time", [.rangeVector]), .rows(absentOverTime)),
        PromQLFunction(
            FunctionSignature("scalar", [.instantVector], returns: .scalar), .rows(scalar)),
        PromQLFunction(FunctionSignature("vector", [.scalar]), .rows(vector)),
        PromQLFunction(FunctionSignature("timestamp", [.instantVector]), .rows(timestamp)),
        sorting("sort", isDescending: false),
        sorting("sort_desc", isDescending: true),
    ]

    // MARK: Absence

    @Sendable private static func absent(
        _ evaluator: Evaluator, _ invocation: PromQLFunction.Invocation,
        _ consume: Evaluator.RowConsumer
    ) throws(QueryError) {
        let argument = invocation.call.arguments[0]
        var row = absence(of: argument, evaluator, invocation.steps)
        try evaluator.rows(argument, invocation.steps) { present throws(QueryError) in
            for step in row.floats.indices where present.isPresent(at: step) {
                row.remove(at: step)
            }
        }
        if row.hasSamples { try consume(&row) }
    }

    @Sendable private static func absentOverTime(
        _ evaluator: Evaluator, _ invocation: PromQLFunction.Invocation,
        _ consume: Evaluator.RowConsumer
    ) throws(QueryError) {
        let argument = invocation.call.arguments[0]
        var row = absence(of: argument, evaluator, invocation.steps)
        var call = invocation.call
        call.function = FunctionSignature("present_over_time", [.rangeVector])
        try evaluator.windowRows(
            call, { _, _ in .float(1) }, keepsName: true, invocation.steps
        ) { present throws(QueryError) in
            for step in row.floats.indices where present.isPresent(at: step) {
                row.remove(at: step)
            }
        }
        if row.hasSamples { try consume(&row) }
    }

    /// A series of ones, with the labels that a selector demands.
    private static func absence(
        of expression: Expression, _ evaluator: Evaluator, _ steps: Steps
    ) -> SeriesRow {
        let matchers: [LabelMatcher]
        switch expression.stripped.kind {
        case .vectorSelector(let selector): matchers = selector.matchers
        case .matrixSelector(let matrix): matchers = matrix.selector.matchers
        default: matchers = []
        }
        var values: [String: String?] = [:]
        for matcher in matchers where matcher.name != "__name__" {
            let isFirst = values[matcher.name] == nil
            values[matcher.name] =
                matcher.operation == .equal && isFirst ? .some(matcher.value) : .some(nil)
        }
        let pairs = values.compactMap { name, value in value.map { (name: name, value: $0) } }
        var row = SeriesRow(labels: evaluator.symbols.labelSet(pairs), stepCount: steps.count)
        for step in row.floats.indices { row.floats[step] = 1 }
        return row
    }

    // MARK: Scalars

    @Sendable private static func scalar(
        _ evaluator: Evaluator, _ invocation: PromQLFunction.Invocation,
        _ consume: Evaluator.RowConsumer
    ) throws(QueryError) {
        var row = SeriesRow(labels: LabelSet(), stepCount: invocation.steps.count)
        var counts = ContiguousArray(repeating: 0, count: invocation.steps.count)
        try evaluator.rows(invocation.call.arguments[0], invocation.steps) {
            one throws(QueryError) in
            for step in counts.indices where SeriesRow.isPresent(one.floats[step]) {
                counts[step] += 1
                row.floats[step] = one.floats[step]
            }
        }
        for step in counts.indices where counts[step] != 1 { row.floats[step] = .nan }
        try consume(&row)
    }

    @Sendable private static func vector(
        _ evaluator: Evaluator, _ invocation: PromQLFunction.Invocation,
        _ consume: Evaluator.RowConsumer
    ) throws(QueryError) {
        var row = SeriesRow(labels: LabelSet(), stepCount: invocation.steps.count)
        row.floats = try evaluator.scalars(invocation.call.arguments[0], invocation.steps)
        try consume(&row)
    }

    // MARK: Times

    @Sendable private static func timestamp(
        _ evaluator: Evaluator, _ invocation: PromQLFunction.Invocation,
        _ consume: Evaluator.RowConsumer
    ) throws(QueryError) {
        let argument = invocation.call.arguments[0]
        let steps = invocation.steps
        let merger = evaluator.nameDropMerger(of: argument, refusesEqualLabels: false)
        func replace(_ row: inout SeriesRow) throws(QueryError) {
            for step in 0..<steps.count where row.isPresent(at: step) {
                let time = row.times.isEmpty ? steps[step] : row.times[step]
                row.remove(at: step)
                row.floats[step] = Double(time) / 1_000
            }
            row.histograms.removeAll()
            row.times.removeAll()
            evaluator.dropName(&row)
            if let merger { try merger.add(row) } else { try consume(&row) }
        }
        // Of a selector it is the samples' own time, else that of the step.
        let inner = argument.stripped
        if case .vectorSelector(let selector) = inner.kind, selector.edge == .plain {
            try evaluator.selectorRows(selector, at: inner.range, steps, withTimes: true) {
                row throws(QueryError) in try replace(&row)
            }
        } else {
            try evaluator.rows(argument, steps) { row throws(QueryError) in try replace(&row) }
        }
        try merger?.finish(consume)
    }

    // MARK: Order

    private static func sorting(_ name: String, isDescending: Bool) -> PromQLFunction {
        PromQLFunction(
            FunctionSignature(name, [.instantVector]),
            .rows { evaluator, invocation, consume throws(QueryError) in
                var rows = try evaluator.collect(invocation.call.arguments[0], invocation.steps)
                for place in rows.indices where !rows[place].histograms.isEmpty {
                    rows[place].histograms.removeAll()
                }
                rows = rows.filter { $0.hasSamples }
                if invocation.steps.count == 1 {
                    rows.sort { left, right in
                        let (first, second) = (left.floats[0], right.floats[0])
                        // What is no number stands at the end in either order.
                        if first.isNaN || second.isNaN { return !first.isNaN && second.isNaN }
                        return isDescending ? first > second : first < second
                    }
                }
                for place in rows.indices { try consume(&rows[place]) }
            })
    }
}

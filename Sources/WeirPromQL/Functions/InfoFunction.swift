/// `info`: gives series the labels of the info metric about the same target
/// (Prometheus: promql/info.go).
enum InfoFunction {
    static let all: [PromQLFunction] = [
        PromQLFunction(
            FunctionSignature(
                "info", [.instantVector, .instantVector], arity: .optional(1), isExperimental: true),
            .rows(info))
    ]

    /// The labels that say which target a series is about.
    private static let identifying = ["instance", "job"]

    /// What the second argument asks for.
    private struct Request {
        /// Which metrics tell of targets.
        var names: [CompiledMatcher]
        /// Which of their labels, and with which values; none asks for all.
        var labels: [String: [CompiledMatcher]]
        var selector: [LabelMatcher]
    }

    @Sendable private static func info(
        _ evaluator: Evaluator, _ invocation: PromQLFunction.Invocation,
        _ consume: Evaluator.RowConsumer
    ) throws(QueryError) {
        let steps = invocation.steps
        let request = try request(evaluator, invocation)
        let symbols = evaluator.symbols
        let keys = identifying.map { symbols.symbol(for: $0) }
        func key(_ labels: LabelSet) -> LabelSet { labels.filter { keys.contains($0) } }
        var sources: [LabelSet: [SeriesRow]] = [:]
        let selector = VectorSelector(matchers: request.selector)
        try evaluator.selectorRows(selector, at: invocation.range, steps) {
            row throws(QueryError) in
            try evaluator.holdSeries(steps)
            sources[key(row.labels), default: []].append(row)
        }
        let merger = RowMerger(countingFor: evaluator)
        try evaluator.rows(invocation.call.arguments[0], steps) { row throws(QueryError) in
            let name = symbols.text(of: row.labels.value(of: .metricName))
            if request.names.allSatisfy({ $0.passes(name) }) {
                // An info metric itself.
                return try merger.add(row)
            }
            try enrich(row, sources[key(row.labels)] ?? [], request, evaluator, merger)
        }
        try merger.finish(consume)
    }

    private static func request(
        _ evaluator: Evaluator, _ invocation: PromQLFunction.Invocation
    ) throws(QueryError) -> Request {
        var matchers: [LabelMatcher] = []
        if invocation.call.arguments.count > 1,
            case .vectorSelector(let selector) = invocation.call.arguments[1].stripped.kind
        {
            matchers = selector.matchers
        }
        var names = matchers.filter { $0.name == "__name__" }
        if names.isEmpty {
            names = [LabelMatcher(name: "__name__", operation: .equal, value: "target_info")]
        }
        if !names.contains(where: { $0.operation == .equal || $0.operation == .matches }) {
            // What is only told what it is not is still an info metric.
            names.append(LabelMatcher(name: "__name__", operation: .matches, value: ".+_info"))
        }
        let selector = names + matchers.filter { $0.name != "__name__" }
        var labels: [String: [CompiledMatcher]] = [:]
        for matcher in matchers where matcher.name != "__name__" {
            labels[matcher.name, default: []] += try evaluator.compiled([matcher])
        }
        return Request(
            names: try evaluator.compiled(names), labels: labels, selector: selector)
    }

    /// Gives a series the labels of the info series that there are at each step.
    private static func enrich(
        _ row: SeriesRow, _ sources: [SeriesRow], _ request: Request, _ evaluator: Evaluator,
        _ merger: RowMerger
    ) throws(QueryError) {
        let symbols = evaluator.symbols
        var parts: [LabelSet: SeriesRow] = [:]
        var order: [LabelSet] = []
        for step in row.floats.indices where row.isPresent(at: step) {
            var labels = row.labels
            var added: [Symbol: Symbol] = [:]
            for source in sources where source.isPresent(at: step) {
                for label in source.labels.labels {
                    guard row.labels.value(of: label.name) == .empty, label.name != .metricName
                    else { continue }
                    let name = symbols.text(of: label.name)
                    if !request.labels.isEmpty, request.labels[name] == nil { continue }
                    if let former = added[label.name], former != label.value {
                        throw QueryError("conflicting label: \(name)")
                    }
                    added[label.name] = label.value
                    labels = symbols.setting(label.name, to: label.value, in: labels)
                }
            }
            let hasSource = sources.contains { $0.isPresent(at: step) }
            if !hasSource, request.labels.values.joined().contains(where: { !$0.passes("") }) {
                continue
            }
            if parts[labels] == nil {
                var part = SeriesRow(labels: labels, stepCount: row.floats.count)
                part.dropsName = row.dropsName
                parts[labels] = part
                order.append(labels)
            }
            parts[labels]?.floats[step] = row.floats[step]
            if let histogram = row.histogram(at: step) { parts[labels]?.set(histogram, at: step) }
        }
        for labels in order {
            if let part = parts[labels] { try merger.add(part) }
        }
    }
}

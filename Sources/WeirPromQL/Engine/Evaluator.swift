/// Evaluates one query: walks its expression, and hands on the series of each part one by one.
///
/// A part's series are *streamed*: the part above takes each as it comes and keeps what it must, so that an
/// aggregation over many series never holds them all. Not shared between threads.
final class Evaluator {
    /// Takes one series; it may change it, and keeps a copy if it needs one.
    typealias RowConsumer = (inout SeriesRow) throws(QueryError) -> Void

    let source: any SampleSource
    let symbols: QuerySymbols
    let options: QueryOptions
    /// The steps of the whole query, for `start()`, `end()`, `range()` and `step()`.
    let querySteps: Steps
    var annotations = Annotations()
    /// Whether only counts and sums of histograms are asked for: what is not known of resets is then told
    /// from them (Prometheus: promql/histogram_stats_iterator.go).
    var readsHistogramStats = false
    /// Samples held now, against the limit.
    private var heldSamples = 0
    private let isCancelled: () -> QueryError?
    private var valuesUntilCheck = 0

    init(
        source: any SampleSource, steps: Steps, options: QueryOptions,
        isCancelled: @escaping () -> QueryError?
    ) {
        self.source = source
        symbols = QuerySymbols(source.symbols)
        self.options = options
        querySteps = steps
        self.isCancelled = isCancelled
    }

    // MARK: Limits

    /// Counts a series that is held from now on, with samples at all steps.
    func holdSeries(_ steps: Steps) throws(QueryError) {
        try hold(steps.count + QueryOptions.seriesCost)
    }

    /// Counts series that are no longer held.
    func releaseSeries(_ count: Int, _ steps: Steps) {
        release(count * (steps.count + QueryOptions.seriesCost))
    }

    /// Counts samples that are held from now on.
    func hold(_ sampleCount: Int) throws(QueryError) {
        heldSamples += sampleCount
        if heldSamples > options.sampleLimit {
            throw QueryError(
                "query processing would load too many samples into memory in query execution; ask for fewer series or steps, or raise query_memory_limit",
                kind: .limit)
        }
    }

    /// Counts samples that are no longer held.
    func release(_ sampleCount: Int) { heldSamples -= sampleCount }

    /// Called for each series: whether the query shall go on.
    /// - Parameter stepCount: How many values it has.
    func checkCancellation(_ stepCount: Int = 1) throws(QueryError) {
        valuesUntilCheck -= 16 + stepCount
        guard valuesUntilCheck < 0 else { return }
        valuesUntilCheck = 2_048
        if let error = isCancelled() { throw error }
    }

    /// The series that a selector selects.
    func select(
        _ matchers: [LabelMatcher], from first: Int64, through last: Int64
    ) throws(QueryError) -> [any SelectedSeries] {
        let ready = try compiled(matchers)
        let series = source.select(ready, from: first, through: last)
        for matcher in ready where matcher.isUnsure {
            throw QueryError(
                "the pattern \(GoText.quoted(matcher.matcher.value)) takes too many steps to match the values of \(matcher.matcher.name); write a simpler one",
                kind: .limit)
        }
        return series
    }

    // MARK: Values

    /// The series of an instant vector, one by one. A scalar's are one series without labels.
    func rows(
        _ expression: Expression, _ steps: Steps, _ consume: RowConsumer
    ) throws(QueryError) {
        switch expression.kind {
        case .parenthesis(let inner): try rows(inner, steps, consume)
        case .stepInvariant(let inner): try invariantRows(inner, steps, consume)
        case .vectorSelector(let selector):
            try selectorRows(selector, at: expression.range, steps, consume)
        case .unary(let isNegative, let inner):
            try unaryRows(isNegative: isNegative, inner, steps, consume)
        case .binary(let binary):
            try binaryRows(binary, at: expression.range, steps, consume)
        case .aggregation(let aggregation):
            try aggregationRows(aggregation, at: expression.range, steps, consume)
        case .call(let call): try callRows(call, at: expression.range, steps, consume)
        case .number:
            var row = SeriesRow(labels: LabelSet(), stepCount: steps.count)
            row.floats = try scalars(expression, steps)
            try consume(&row)
        case .string, .matrixSelector, .subquery:
            throw QueryError("a value of this type cannot stand here")
        }
    }

    /// A scalar's value at each step.
    func scalars(
        _ expression: Expression, _ steps: Steps
    ) throws(QueryError) -> ContiguousArray<Double> {
        switch expression.kind {
        case .number(let number):
            return ContiguousArray(repeating: number.value, count: steps.count)
        case .parenthesis(let inner): return try scalars(inner, steps)
        case .stepInvariant(let inner):
            let value = try scalars(inner, Steps(at: steps.start))
            return ContiguousArray(repeating: value.first ?? .nan, count: steps.count)
        case .unary(let isNegative, let inner):
            var values = try scalars(inner, steps)
            if isNegative { for step in values.indices { values[step] = -values[step] } }
            return values
        case .binary(let binary):
            let left = try scalars(binary.left, steps)
            let right = try scalars(binary.right, steps)
            var values = left
            for step in values.indices {
                values[step] = binary.operation.scalar(left[step], right[step])
            }
            return values
        case .call(let call):
            var values = ContiguousArray<Double>(repeating: .nan, count: steps.count)
            try callRows(call, at: expression.range, steps) { row throws(QueryError) in
                values = row.floats
            }
            return values
        default: throw QueryError("a value of this type cannot stand here")
        }
    }

    /// Whether an expression's value is a scalar; the parser has checked the types.
    static func isScalar(_ expression: Expression) -> Bool {
        switch expression.kind {
        case .number: true
        case .parenthesis(let inner), .stepInvariant(let inner), .unary(_, let inner):
            isScalar(inner)
        case .binary(let binary): isScalar(binary.left) && isScalar(binary.right)
        case .call(let call): call.function.result == .scalar
        default: false
        }
    }

    /// All series of an instant vector at once. The caller releases them.
    func collect(_ expression: Expression, _ steps: Steps) throws(QueryError) -> [SeriesRow] {
        var all: [SeriesRow] = []
        try rows(expression, steps) { row throws(QueryError) in
            try self.holdSeries(steps)
            all.append(row)
        }
        return all
    }

    private func invariantRows(
        _ expression: Expression, _ steps: Steps, _ consume: RowConsumer
    ) throws(QueryError) {
        if steps.count == 1 { return try rows(expression, steps, consume) }
        try rows(expression, Steps(at: steps.start)) { row throws(QueryError) in
            var whole = SeriesRow(labels: row.labels, stepCount: steps.count)
            whole.dropsName = row.dropsName
            for step in 0..<steps.count { whole.floats[step] = row.floats[0] }
            if let histogram = row.histogram(at: 0) {
                whole.histograms = ContiguousArray(repeating: histogram, count: steps.count)
            }
            if let time = row.times.first {
                whole.times = ContiguousArray(repeating: time, count: steps.count)
            }
            try consume(&whole)
        }
    }

    private func unaryRows(
        isNegative: Bool, _ inner: Expression, _ steps: Steps, _ consume: RowConsumer
    ) throws(QueryError) {
        guard isNegative else { return try rows(inner, steps, consume) }
        let merger = nameDropMerger(of: inner, refusesEqualLabels: true)
        try rows(inner, steps) { row throws(QueryError) in
            for step in row.floats.indices where SeriesRow.isPresent(row.floats[step]) {
                row.floats[step] = -row.floats[step]
            }
            for step in row.histograms.indices {
                row.histograms[step] = row.histograms[step]?.scaled(by: -1)
            }
            self.dropName(&row)
            if let merger { try merger.add(row) } else { try consume(&row) }
        }
        try merger?.finish(consume)
    }

    // MARK: Names

    /// Takes a series' name away, now or when the query ends.
    func dropName(_ row: inout SeriesRow) {
        if options.delaysNameRemoval {
            row.dropsName = true
        } else {
            row.labels = row.labels.withoutMetadata
        }
    }

    /// Where series can become equal by losing their names: what joins them again, or says that it
    /// cannot. `nil` where they stay apart.
    func nameDropMerger(of expression: Expression, refusesEqualLabels: Bool) -> RowMerger? {
        if options.delaysNameRemoval || Self.hasOneName(expression) { return nil }
        return RowMerger(countingFor: self, refusesEqualLabels: refusesEqualLabels)
    }

    /// Whether all series of an expression surely have the same name, so that losing it makes no two alike.
    private static func hasOneName(_ expression: Expression) -> Bool {
        switch expression.kind {
        case .parenthesis(let inner), .stepInvariant(let inner), .unary(_, let inner):
            return hasOneName(inner)
        case .vectorSelector(let selector): return hasOneName(selector)
        case .matrixSelector(let matrix): return hasOneName(matrix.selector)
        case .subquery(let subquery): return hasOneName(subquery.expression)
        case .aggregation(let aggregation):
            return aggregation.isWithout || !aggregation.grouping.contains("__name__")
        case .call(let call):
            switch call.function.name {
            case "label_replace", "label_join", "info": return false
            default: break
            }
            for argument in call.arguments {
                switch argument.kind {
                case .matrixSelector, .vectorSelector, .subquery, .call: return hasOneName(argument)
                default: continue
                }
            }
            return false
        default: return false
        }
    }

    private static func hasOneName(_ selector: VectorSelector) -> Bool {
        let hasName = selector.matchers.contains { $0.name == "__name__" && $0.operation == .equal }
        return hasName
            && !selector.matchers.contains { $0.name == "__type__" || $0.name == "__unit__" }
    }

    /// A metric's name for a remark: empty where there is none.
    func metricName(_ labels: LabelSet) -> String {
        symbols.text(of: labels.value(of: .metricName))
    }
}

/// Joins series with equal labels, in the order in which the first of each came.
final class RowMerger {
    private let evaluator: Evaluator?
    private let refusesEqualLabels: Bool
    private var table = LabelSetTable()
    private var all: [SeriesRow] = []

    /// - Parameters:
    ///   - evaluator: Who counts what is held, unless the series are counted already.
    ///   - refusesEqualLabels: Whether equal labels are an error even where no samples meet.
    init(countingFor evaluator: Evaluator? = nil, refusesEqualLabels: Bool = false) {
        self.evaluator = evaluator
        self.refusesEqualLabels = refusesEqualLabels
    }

    /// Adds a series.
    /// - Throws: Where it has a sample at a step at which one with the same labels has one.
    func add(_ row: SeriesRow) throws(QueryError) {
        let (place, isNew) = table.place(of: row.labels)
        if isNew {
            try evaluator?.hold(row.floats.count + QueryOptions.seriesCost)
            return all.append(row)
        }
        if refusesEqualLabels { throw .duplicateLabelSet }
        try all[place].merge(row)
        if row.dropsName { all[place].dropsName = true }
    }

    /// All series, each once.
    func takeAll() -> [SeriesRow] {
        let taken = all
        all = []
        return taken
    }

    /// Hands on what there is.
    func finish(_ consume: Evaluator.RowConsumer) throws(QueryError) {
        for place in all.indices {
            evaluator?.release(all[place].floats.count + QueryOptions.seriesCost)
            try consume(&all[place])
        }
    }
}

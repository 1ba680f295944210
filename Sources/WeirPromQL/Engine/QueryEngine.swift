/// Evaluates expressions over a source of samples. Does no I/O and reads no clock.
public struct QueryEngine: Sendable {
    /// How queries are evaluated.
    public var options: QueryOptions

    /// An engine.
    public init(options: QueryOptions = QueryOptions()) { self.options = options }

    /// The value of an expression at one time.
    /// - Parameters:
    ///   - time: Milliseconds after the epoch.
    ///   - isCancelled: Asked now and then: why the query shall end, if it shall.
    public func instant(
        _ expression: Expression, at time: Int64, over source: any SampleSource,
        isCancelled: @escaping () -> QueryError? = { nil }
    ) throws(QueryError) -> QueryResult {
        let steps = Steps(at: time)
        switch expression.stripped.kind {
        case .string(let text):
            return QueryResult(value: .string(time: time, text: text), annotations: Annotations())
        case .matrixSelector, .subquery:
            let evaluator = evaluator(steps, source, isCancelled)
            let series = try evaluator.matrix(expression.stripped, steps)
            return QueryResult(value: .matrix(series), annotations: evaluator.annotations)
        default: break
        }
        let prepared = try QueryPreparation(steps: steps, options: options).prepare(expression)
        let evaluator = evaluator(steps, source, isCancelled)
        if Evaluator.isScalar(prepared) {
            let value = try evaluator.scalars(prepared, steps).first ?? .nan
            return QueryResult(
                value: .scalar(time: time, value: value), annotations: evaluator.annotations)
        }
        let rows = try finished(prepared, steps, evaluator)
        return QueryResult(
            value: .vector(results(rows, steps, evaluator)), annotations: evaluator.annotations)
    }

    /// The values of an expression at many times, ascending by labels.
    public func range(
        _ expression: Expression, _ steps: Steps, over source: any SampleSource,
        isCancelled: @escaping () -> QueryError? = { nil }
    ) throws(QueryError) -> QueryResult {
        let prepared = try QueryPreparation(steps: steps, options: options).prepare(expression)
        let evaluator = evaluator(steps, source, isCancelled)
        var rows = try finished(prepared, steps, evaluator)
        let symbols = evaluator.symbols
        rows.sort { symbols.isBefore($0.labels, $1.labels) }
        return QueryResult(
            value: .matrix(results(rows, steps, evaluator)), annotations: evaluator.annotations)
    }

    private func evaluator(
        _ steps: Steps, _ source: any SampleSource, _ isCancelled: @escaping () -> QueryError?
    ) -> Evaluator {
        Evaluator(source: source, steps: steps, options: options, isCancelled: isCancelled)
    }

    /// All series of the whole expression, without the names that were to go.
    private func finished(
        _ expression: Expression, _ steps: Steps, _ evaluator: Evaluator
    ) throws(QueryError) -> [SeriesRow] {
        let merger = RowMerger()
        try evaluator.rows(expression, steps) { row throws(QueryError) in
            try evaluator.holdSeries(steps)
            if row.dropsName { row.labels = row.labels.withoutMetadata }
            try merger.add(row)
        }
        return merger.takeAll()
    }

    private func results(
        _ rows: [SeriesRow], _ steps: Steps, _ evaluator: Evaluator
    ) -> [ResultSeries] {
        var series: [ResultSeries] = []
        for row in rows {
            var points: [ResultPoint] = []
            for step in 0..<steps.count {
                if SeriesRow.isPresent(row.floats[step]) {
                    points.append(ResultPoint(time: steps[step], value: row.floats[step]))
                } else if let histogram = row.histogram(at: step) {
                    points.append(ResultPoint(time: steps[step], value: 0, histogram: histogram))
                }
            }
            if points.isEmpty { continue }
            series.append(
                ResultSeries(labels: evaluator.symbols.pairs(of: row.labels), points: points))
        }
        return series
    }
}

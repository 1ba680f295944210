import Glibc

/// The functions of histograms, native and classic.
enum HistogramFunctions {
    static let all: [PromQLFunction] = [
        PromQLFunction(
            FunctionSignature("histogram_count", [.instantVector]), .ofHistogram { $0.count }),
        PromQLFunction(
            FunctionSignature("histogram_sum", [.instantVector]), .ofHistogram { $0.sum }),
        PromQLFunction(
            FunctionSignature("histogram_avg", [.instantVector]),
            .ofHistogram { $0.sum / $0.count }),
        PromQLFunction(
            FunctionSignature("histogram_stddev", [.instantVector]),
            .ofHistogram { variance($0).squareRoot() }),
        PromQLFunction(
            FunctionSignature("histogram_stdvar", [.instantVector]), .ofHistogram { variance($0) }),
        PromQLFunction(
            FunctionSignature("histogram_quantile", [.scalar, .instantVector]), .rows(quantile)),
        PromQLFunction(
            FunctionSignature(
                "histogram_quantiles", [.instantVector, .string, .scalar], arity: .repeated(10),
                isExperimental: true), .rows(quantiles)),
        PromQLFunction(
            FunctionSignature("histogram_fraction", [.scalar, .scalar, .instantVector]),
            .rows(fraction)),
    ]

    /// The variance, each observation taken as its bucket's middle.
    private static func variance(_ histogram: FloatHistogram) -> Double {
        let mean = histogram.sum / histogram.count
        var sum = 0.0
        var error = 0.0
        for bucket in histogram.buckets {
            let middle: Double
            if histogram.usesCustomBounds {
                middle = (bucket.upper + bucket.lower) / 2
            } else if bucket.lower <= 0, bucket.upper >= 0 {
                middle = 0
            } else {
                let mean = (bucket.upper * bucket.lower).squareRoot()
                middle = bucket.upper < 0 ? -mean : mean
            }
            let distance = middle - mean
            Arithmetic.add(bucket.count * distance * distance, to: &sum, error: &error)
        }
        return (sum + error) / histogram.count
    }

    // MARK: Quantiles

    @Sendable private static func quantile(
        _ evaluator: Evaluator, _ invocation: PromQLFunction.Invocation,
        _ consume: Evaluator.RowConsumer
    ) throws(QueryError) {
        let fractions = try evaluator.scalars(invocation.call.arguments[0], invocation.steps)
        for fraction in fractions {
            check(fraction, evaluator, at: invocation.call.arguments[0].range)
        }
        try HistogramVector(evaluator, invocation, argument: 1).rows(consume) { histogram, step in
            histogram.quantile(at: step, fractions[step])
        }
    }

    @Sendable private static func quantiles(
        _ evaluator: Evaluator, _ invocation: PromQLFunction.Invocation,
        _ consume: Evaluator.RowConsumer
    ) throws(QueryError) {
        let label = evaluator.symbols.symbol(for: invocation.text(1))
        let vector = try HistogramVector(evaluator, invocation, argument: 0)
        for argument in invocation.call.arguments.dropFirst(2) {
            let fractions = try evaluator.scalars(argument, invocation.steps)
            for fraction in fractions { check(fraction, evaluator, at: argument.range) }
            let text = openMetricsText(fractions.first ?? .nan)
            try vector.rows({ row throws(QueryError) in
                row.labels = evaluator.symbols.setting(
                    label, to: evaluator.symbols.symbol(for: text), in: row.labels)
                try consume(&row)
            }) { histogram, step in
                histogram.quantile(at: step, fractions[step])
            }
        }
    }

    /// A number as OpenMetrics has it: never without a point or an exponent.
    private static func openMetricsText(_ value: Double) -> String {
        let text = GoText.shortest(value)
        return value.isFinite && !text.contains(".") && !text.contains("e") ? text + ".0" : text
    }

    private static func check(_ fraction: Double, _ evaluator: Evaluator, at range: TextRange) {
        guard fraction.isNaN || fraction < 0 || fraction > 1 else { return }
        Remarks(evaluator, at: range).warnOfQuantile(fraction)
    }

    @Sendable private static func fraction(
        _ evaluator: Evaluator, _ invocation: PromQLFunction.Invocation,
        _ consume: Evaluator.RowConsumer
    ) throws(QueryError) {
        let lower = try evaluator.scalars(invocation.call.arguments[0], invocation.steps)
        let upper = try evaluator.scalars(invocation.call.arguments[1], invocation.steps)
        try HistogramVector(evaluator, invocation, argument: 2).rows(consume) { histogram, step in
            histogram.fraction(at: step, lower[step], upper[step])
        }
    }
}

/// The histograms of a vector: native ones as they are, classic ones put together from their buckets.
private struct HistogramVector {
    /// One histogram at all steps.
    struct Histogram {
        fileprivate let evaluator: Evaluator
        fileprivate let steps: Steps
        fileprivate var labels: LabelSet
        fileprivate var dropsName = false
        /// The classic buckets: their bounds and series.
        fileprivate var classic: [(upper: Double, row: SeriesRow)] = []
        fileprivate var native: SeriesRow?
        fileprivate var range: TextRange

        private func buckets(at step: Int) -> [HistogramQuantile.ClassicBucket] {
            classic.compactMap { upper, row in
                SeriesRow.isPresent(row.floats[step])
                    ? HistogramQuantile.ClassicBucket(upper: upper, count: row.floats[step]) : nil
            }
        }

        private var remarks: Remarks {
            let remarks = Remarks(evaluator, at: range)
            remarks.labels = labels
            return remarks
        }

        /// Whether there is a native histogram, and no classic one that contradicts it.
        private func native(at step: Int, _ buckets: Int) -> FloatHistogram?? {
            guard let histogram = native?.histogram(at: step) else { return .none }
            guard buckets == 0 else {
                remarks.warn(
                    "vector contains a mix of classic and native histograms for metric name "
                        + remarks.metricName)
                return .some(nil)
            }
            return histogram
        }

        /// The quantile at a step.
        func quantile(at step: Int, _ fraction: Double) -> Double? {
            let buckets = buckets(at: step)
            if let native = native(at: step, buckets.count) {
                guard let native else { return nil }
                let (value, observations) = HistogramQuantile.quantile(fraction, of: native)
                switch observations {
                case .none: break
                case .decideResult:
                    remarks.inform(
                        "input to histogram_quantile has NaN observations, result is NaN for metric name \(remarks.metricName)"
                    )
                case .skewResult:
                    remarks.inform(
                        "input to histogram_quantile has NaN observations, result is skewed higher for metric name \(remarks.metricName)"
                    )
                }
                return value
            }
            guard !buckets.isEmpty else { return nil }
            guard let (ordered, mending) = HistogramQuantile.ordered(buckets) else { return .nan }
            if let mending, 0...1 ~= fraction { tell(mending, step) }
            return HistogramQuantile.quantile(fraction, of: ordered)
        }

        private func tell(_ mending: MonotonicityMending, _ step: Int) {
            var mending = mending
            (mending.first, mending.last) = (steps[step], steps[step])
            let name = evaluator.options.delaysNameRemoval ? remarks.metricName : "\"\""
            remarks.inform(
                "input to histogram_quantile needed to be fixed for monotonicity (see "
                    + "https://prometheus.io/docs/prometheus/latest/querying/functions/"
                    + "#histogram_quantile) for metric name \(name)", of: mending)
        }

        /// The fraction at a step.
        func fraction(
            at step: Int, _ lower: Double, _ upper: Double
        ) -> Double? {
            let buckets = buckets(at: step)
            if let native = native(at: step, buckets.count) {
                guard let native else { return nil }
                let (value, hasNaN) = HistogramQuantile.fraction(lower, upper, of: native)
                if hasNaN {
                    remarks.inform(
                        "input to histogram_fraction has NaN observations, which are excluded from all fractions for metric name \(remarks.metricName)"
                    )
                }
                return value
            }
            guard !buckets.isEmpty else { return nil }
            guard let joined = HistogramQuantile.joined(buckets) else { return .nan }
            return HistogramQuantile.fraction(lower, upper, of: joined)
        }
    }

    private let evaluator: Evaluator
    private let steps: Steps
    private var histograms: [Histogram] = []

    init(
        _ evaluator: Evaluator, _ invocation: PromQLFunction.Invocation, argument: Int
    ) throws(QueryError) {
        self.evaluator = evaluator
        steps = invocation.steps
        let expression = invocation.call.arguments[argument]
        let withoutBound = LabelProjection([Symbol.upperBound], keepsOthers: true)
        var table = LabelSetTable()
        var bounds: [Symbol: Double?] = [:]
        var found: [Histogram] = []
        func place(_ labels: LabelSet, _ projection: LabelProjection) -> Int {
            let (place, isNew) = table.place(of: labels, by: projection)
            if isNew {
                found.append(
                    Histogram(
                        evaluator: evaluator, steps: steps, labels: table.sets[place],
                        range: expression.range))
            }
            return place
        }
        func bound(_ symbol: Symbol) -> Double? {
            if let known = bounds[symbol] { return known }
            let bound = Self.bound(evaluator.symbols.text(of: symbol))
            bounds[symbol] = .some(bound)
            return bound
        }
        try evaluator.rows(expression, steps) { row throws(QueryError) in
            try evaluator.holdSeries(invocation.steps)
            if row.floats.contains(where: SeriesRow.isPresent) {
                let symbol = row.labels.value(of: .upperBound)
                if let upper = bound(symbol) {
                    found[place(row.labels, withoutBound)].classic.append((upper, row))
                } else {
                    let text = evaluator.symbols.text(of: symbol)
                    let remarks = Remarks(evaluator, at: expression.range)
                    remarks.labels = row.labels
                    remarks.warn(
                        "bucket label \"le\" is missing or has a malformed value of "
                            + "\(GoText.quoted(text)) for metric name \(remarks.metricName)")
                }
            }
            if !row.histograms.isEmpty { found[place(row.labels, .all)].native = row }
        }
        histograms = found
    }

    private static func bound(_ text: String) -> Double? {
        switch text.lowercased() {
        case "inf", "+inf", "infinity", "+infinity": return .infinity
        case "-inf", "-infinity": return -.infinity
        case "nan": return .nan
        default: return text.isEmpty ? nil : Double(text)
        }
    }

    /// The series of a number of each histogram.
    func rows(
        _ consume: Evaluator.RowConsumer, _ body: (Histogram, Int) -> Double?
    ) throws(QueryError) {
        let merger = evaluator.options.delaysNameRemoval ? nil : RowMerger()
        for histogram in histograms {
            var row = SeriesRow(labels: histogram.labels, stepCount: steps.count)
            for step in 0..<steps.count {
                if let number = body(histogram, step) { row.floats[step] = number }
            }
            guard row.hasSamples else { continue }
            evaluator.dropName(&row)
            if let merger { try merger.add(row) } else { try consume(&row) }
        }
        try merger?.finish(consume)
    }
}

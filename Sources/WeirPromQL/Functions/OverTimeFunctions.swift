/// The functions that summarize a window: `avg_over_time` and its like.
enum OverTimeFunctions {
    static let all: [PromQLFunction] = [
        .window("avg_over_time") { window, remarks in average(window, remarks) },
        .window("sum_over_time") { window, remarks in sum(window, remarks) },
        .window("min_over_time") { window, remarks in
            extreme(window, remarks, yieldsTime: false) { $0 < $1 || $1.isNaN }
        },
        .window("max_over_time") { window, remarks in
            extreme(window, remarks, yieldsTime: false) { $0 > $1 || $1.isNaN }
        },
        .window("ts_of_min_over_time", isExperimental: true) { window, remarks in
            extreme(window, remarks, yieldsTime: true) { $0 <= $1 || $1.isNaN }
        },
        .window("ts_of_max_over_time", isExperimental: true) { window, remarks in
            extreme(window, remarks, yieldsTime: true) { $0 >= $1 || $1.isNaN }
        },
        .window("count_over_time") { window, _ in
            .float(Double(window.floats.count + window.histograms.count))
        },
        .window("present_over_time") { _, _ in .float(1) },
        .window("first_over_time", isExperimental: true, keepsName: true) { window, _ in
            end(of: window, isFirst: true).sample
        },
        .window("last_over_time", keepsName: true) { window, _ in
            end(of: window, isFirst: false).sample
        },
        .window("ts_of_first_over_time", isExperimental: true) { window, _ in
            .float(Double(end(of: window, isFirst: true).time) / 1_000)
        },
        .window("ts_of_last_over_time", isExperimental: true) { window, _ in
            .float(Double(end(of: window, isFirst: false).time) / 1_000)
        },
        .window("stddev_over_time") { window, remarks in
            variance(window, remarks) { $0.squareRoot() }
        },
        .window("stdvar_over_time") { window, remarks in variance(window, remarks) { $0 } },
        .window("mad_over_time", isExperimental: true) { window, remarks in
            medianDeviation(window, remarks)
        },
        .window("quantile_over_time", [.scalar, .rangeVector]) { window, remarks in
            quantile(window, remarks)
        },
    ]

    /// Whether there are only floats in a window; a mix is remarked upon, and yields nothing.
    private static func average(_ window: borrowing Window, _ remarks: Remarks) -> Sample {
        if !window.floats.isEmpty && !window.histograms.isEmpty {
            remarks.warnOfMixedSamples()
            return .absent
        }
        if window.floats.isEmpty { return HistogramAggregate.average(window, remarks) }
        var mean = RunningMean()
        for place in window.floats { mean.add(window.buffer.floats[place]) }
        return .float(mean.value)
    }

    private static func sum(_ window: borrowing Window, _ remarks: Remarks) -> Sample {
        if !window.floats.isEmpty && !window.histograms.isEmpty {
            remarks.warnOfMixedSamples()
            return .absent
        }
        if window.floats.isEmpty { return HistogramAggregate.sum(window, remarks) }
        var total = 0.0
        var error = 0.0
        for place in window.floats {
            Arithmetic.add(window.buffer.floats[place], to: &total, error: &error)
        }
        return .float(total.isInfinite ? total : total + error)
    }

    private static func extreme(
        _ window: borrowing Window, _ remarks: Remarks, yieldsTime: Bool,
        replaces: (Double, Double) -> Bool
    ) -> Sample {
        guard !window.floats.isEmpty else { return .absent }
        if !window.histograms.isEmpty { remarks.informOfIgnoredHistograms() }
        var best = window.floats.lowerBound
        for place in window.floats
        where replaces(window.buffer.floats[place], window.buffer.floats[best]) {
            best = place
        }
        return .float(
            yieldsTime
                ? Double(window.buffer.floatTimes[best]) / 1_000 : window.buffer.floats[best])
    }

    private static func end(
        of window: borrowing Window, isFirst: Bool
    ) -> (time: Int64, sample: Sample) {
        let float = isFirst ? window.floats.first : window.floats.last
        let histogram = isFirst ? window.histograms.first : window.histograms.last
        let floatTime = float.map { window.buffer.floatTimes[$0] }
        let histogramTime = histogram.map { window.buffer.histogramTimes[$0] }
        if let float, let floatTime {
            guard let histogramTime else {
                return (floatTime, .float(window.buffer.floats[float]))
            }
            if isFirst ? floatTime < histogramTime : floatTime > histogramTime {
                return (floatTime, .float(window.buffer.floats[float]))
            }
        }
        guard let histogram, let histogramTime else { return (0, .absent) }
        return (histogramTime, .histogram(window.buffer.histograms[histogram]))
    }

    private static func variance(
        _ window: borrowing Window, _ remarks: Remarks, result: (Double) -> Double
    ) -> Sample {
        guard !window.floats.isEmpty else { return .absent }
        if !window.histograms.isEmpty { remarks.informOfIgnoredHistograms() }
        var count = 0.0
        var mean = 0.0
        var meanError = 0.0
        var squares = 0.0
        var squaresError = 0.0
        for place in window.floats {
            let value = window.buffer.floats[place]
            count += 1
            let distance = value - (mean + meanError)
            Arithmetic.add(distance / count, to: &mean, error: &meanError)
            Arithmetic.add(
                distance * (value - (mean + meanError)), to: &squares, error: &squaresError)
        }
        return .float(result((squares + squaresError) / count))
    }

    private static func medianDeviation(
        _ window: borrowing Window, _ remarks: Remarks
    ) -> Sample {
        guard !window.floats.isEmpty else { return .absent }
        if !window.histograms.isEmpty { remarks.informOfIgnoredHistograms() }
        var values = ContiguousArray(window.buffer.floats[window.floats])
        if values.contains(where: \.isNaN) { return .float(.nan) }
        let median = Arithmetic.quantile(0.5, &values)
        for place in values.indices { values[place] = abs(values[place] - median) }
        return .float(Arithmetic.quantile(0.5, &values))
    }

    private static func quantile(_ window: borrowing Window, _ remarks: Remarks) -> Sample {
        guard !window.floats.isEmpty else { return .absent }
        let fraction = window.parameters.first ?? .nan
        if fraction.isNaN || fraction < 0 || fraction > 1 { remarks.warnOfQuantile(fraction) }
        if !window.histograms.isEmpty { remarks.informOfIgnoredHistograms() }
        var values = ContiguousArray(window.buffer.floats[window.floats])
        return .float(Arithmetic.quantile(fraction, &values))
    }
}

/// The mean of floats: their compensated sum over their count, and where that sum leaves the range of
/// numbers, the running mean (Prometheus: promql/functions.go, `funcAvgOverTime`).
struct RunningMean {
    private var count = 0.0
    private var sum = 0.0
    private var error = 0.0
    private var isIncremental = false

    /// Counts one more value.
    mutating func add(_ value: Double) {
        count += 1
        if count == 1 {
            sum = value
            return
        }
        if !isIncremental {
            var newSum = sum
            var newError = error
            Arithmetic.add(value, to: &newSum, error: &newError)
            if !newSum.isInfinite {
                sum = newSum
                error = newError
                return
            }
            isIncremental = true
            sum /= count - 1
            error /= count - 1
        }
        let weight = (count - 1) / count
        sum *= weight
        error *= weight
        Arithmetic.add(value / count, to: &sum, error: &error)
    }

    /// The mean of what was added.
    var value: Double { isIncremental ? sum + error : sum / count + error / count }
}

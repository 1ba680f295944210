/// One group of an aggregation at all steps: what is known of the values so far.
struct Fold {
    private let operation: AggregationOperator
    /// Sum, mean, extreme or squares, and their rounding errors.
    private var values: ContiguousArray<Double>
    private var errors: ContiguousArray<Double>
    private var counts: ContiguousArray<Double>
    /// The mean, for deviations.
    private var means: ContiguousArray<Double> = []
    private var averages: ContiguousArray<RunningMean> = []
    private var sums: ContiguousArray<HistogramSum?> = []
    private var histogramMeans: ContiguousArray<HistogramMean?> = []
    /// Steps at which floats and histograms met, or histograms that do not fit.
    private var isVoid: ContiguousArray<Bool> = []

    init(_ operation: AggregationOperator, stepCount: Int) {
        self.operation = operation
        values = ContiguousArray(repeating: 0, count: stepCount)
        counts = ContiguousArray(repeating: 0, count: stepCount)
        errors = operation == .sum ? values : []
        if operation == .avg {
            averages = ContiguousArray(repeating: RunningMean(), count: stepCount)
        }
        if operation == .stddev || operation == .stdvar {
            means = values
        }
    }

    /// Takes a series' values.
    mutating func add(_ row: SeriesRow, _ remarks: Remarks) {
        for step in row.floats.indices {
            let value = row.floats[step]
            if SeriesRow.isPresent(value) {
                add(value, at: step, remarks)
            } else if let histogram = row.histogram(at: step) {
                add(histogram, at: step, remarks)
            }
        }
    }

    @inline(__always)
    private mutating func add(_ value: Double, at step: Int, _ remarks: Remarks) {
        switch operation {
        case .sum:
            if !sums.isEmpty, sums[step] != nil { return mix(step, remarks) }
            Arithmetic.add(value, to: &values[step], error: &errors[step])
        case .avg:
            if !histogramMeans.isEmpty, histogramMeans[step] != nil { return mix(step, remarks) }
            averages[step].add(value)
        case .min:
            if counts[step] == 0 || value < values[step] || values[step].isNaN {
                values[step] = value
            }
        case .max:
            if counts[step] == 0 || value > values[step] || values[step].isNaN {
                values[step] = value
            }
        case .stddev, .stdvar:
            // Without compensation, as in Prometheus.
            let distance = value - means[step]
            means[step] += distance / (counts[step] + 1)
            values[step] += distance * (value - means[step])
        default: break
        }
        counts[step] += 1
    }

    private mutating func add(_ histogram: FloatHistogram, at step: Int, _ remarks: Remarks) {
        switch operation {
        case .sum:
            if counts[step] > 0 { return mix(step, remarks) }
            if sums.isEmpty { sums = ContiguousArray(repeating: nil, count: values.count) }
            guard sums[step] != nil else {
                sums[step] = HistogramSum(histogram)
                return
            }
            do throws(HistogramMismatch) {
                try sums[step]?.add(histogram)
            } catch {
                void(step)
                HistogramRate.warnOfMixedSchemas(remarks)
            }
        case .avg:
            if counts[step] > 0 { return mix(step, remarks) }
            if histogramMeans.isEmpty {
                histogramMeans = ContiguousArray(repeating: nil, count: values.count)
            }
            if histogramMeans[step] == nil {
                histogramMeans[step] = HistogramMean(histogram)
            } else {
                do throws(HistogramMismatch) {
                    try histogramMeans[step]?.add(histogram)
                } catch {
                    void(step)
                    HistogramRate.warnOfMixedSchemas(remarks)
                }
            }
        case .count, .group: counts[step] += 1
        default:
            remarks.inform("ignored histogram in \(operation.rawValue) aggregation")
        }
    }

    private mutating func mix(_ step: Int, _ remarks: Remarks) {
        void(step)
        remarks.warn("encountered a mix of histograms and floats for aggregation")
    }

    private mutating func void(_ step: Int) {
        if isVoid.isEmpty { isVoid = ContiguousArray(repeating: false, count: values.count) }
        isVoid[step] = true
    }

    /// Writes the group's values.
    func finish(into row: inout SeriesRow, _ remarks: Remarks) {
        for step in values.indices {
            if !isVoid.isEmpty, isVoid[step] { continue }
            if !sums.isEmpty, let sum = sums[step] {
                sum.remark(remarks)
                row.set(sum.value.compacted(), at: step)
            } else if !histogramMeans.isEmpty, let mean = histogramMeans[step] {
                mean.remark(remarks)
                row.set(mean.value.compacted(), at: step)
            } else if counts[step] > 0 {
                row.floats[step] = value(at: step)
            }
        }
    }

    private func value(at step: Int) -> Double {
        switch operation {
        case .sum: values[step].isInfinite ? values[step] : values[step] + errors[step]
        case .avg: averages[step].value
        case .count: counts[step]
        case .group: 1
        case .stddev: (values[step] / counts[step]).squareRoot()
        case .stdvar: values[step] / counts[step]
        default: values[step]
        }
    }
}

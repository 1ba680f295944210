/// The groups of an aggregation at all steps: what is known of the values so far.
///
/// A group's values at its steps lie side by side, one group behind the other.
struct FoldTable {
    private let operation: AggregationOperator
    private let stepCount: Int
    /// Sum, extreme or squares of distances.
    private var values: ContiguousArray<Double> = []
    /// The sums' rounding errors, or the means of deviations.
    private var details: ContiguousArray<Double> = []
    private var counts: ContiguousArray<Double> = []
    private var averages: ContiguousArray<RunningMean> = []
    /// Histograms are rare; so are places at which something is void.
    private var sums: [Int: HistogramSum] = [:]
    private var histogramMeans: [Int: HistogramMean] = [:]
    /// Places at which floats and histograms met, or histograms that do not fit.
    private var void: Set<Int> = []

    init(_ operation: AggregationOperator, stepCount: Int) {
        self.operation = operation
        self.stepCount = stepCount
    }

    /// Makes room for one more group.
    mutating func addGroup() {
        for _ in 0..<stepCount { counts.append(0) }
        switch operation {
        case .avg: for _ in 0..<stepCount { averages.append(RunningMean()) }
        case .sum, .stddev, .stdvar:
            for _ in 0..<stepCount {
                values.append(0)
                details.append(0)
            }
        case .min, .max: for _ in 0..<stepCount { values.append(0) }
        default: break
        }
    }

    /// Takes a series' values into a group.
    @inline(__always)
    mutating func add(_ row: borrowing SeriesRow, to group: Int, _ remarks: Remarks) {
        let base = group &* stepCount
        for step in 0..<stepCount {
            let value = row.floats[step]
            if SeriesRow.isPresent(value) {
                add(value, at: base &+ step, remarks)
            } else if let histogram = row.histogram(at: step) {
                add(histogram, at: base &+ step, remarks)
            }
        }
    }

    @inline(__always)
    private mutating func add(_ value: Double, at place: Int, _ remarks: Remarks) {
        switch operation {
        case .sum:
            if !sums.isEmpty, sums[place] != nil { return mix(place, remarks) }
            Arithmetic.add(value, to: &values[place], error: &details[place])
        case .avg:
            if !histogramMeans.isEmpty, histogramMeans[place] != nil { return mix(place, remarks) }
            averages[place].add(value)
        case .min:
            if counts[place] == 0 || value < values[place] || values[place].isNaN {
                values[place] = value
            }
        case .max:
            if counts[place] == 0 || value > values[place] || values[place].isNaN {
                values[place] = value
            }
        case .stddev, .stdvar:
            // Without compensation, as in Prometheus.
            let distance = value - details[place]
            details[place] += distance / (counts[place] + 1)
            values[place] += distance * (value - details[place])
        default: break
        }
        counts[place] += 1
    }

    @inline(never)
    private mutating func add(_ histogram: FloatHistogram, at place: Int, _ remarks: Remarks) {
        switch operation {
        case .sum, .avg:
            if counts[place] > 0 { return mix(place, remarks) }
            do throws(HistogramMismatch) {
                if operation == .sum {
                    guard sums[place] != nil else { return sums[place] = HistogramSum(histogram) }
                    try sums[place]?.add(histogram)
                } else {
                    guard histogramMeans[place] != nil else {
                        return histogramMeans[place] = HistogramMean(histogram)
                    }
                    try histogramMeans[place]?.add(histogram)
                }
            } catch {
                void.insert(place)
                HistogramRate.warnOfMixedSchemas(remarks)
            }
        case .count, .group: counts[place] += 1
        default:
            remarks.inform("ignored histogram in \(operation.rawValue) aggregation")
        }
    }

    private mutating func mix(_ place: Int, _ remarks: Remarks) {
        void.insert(place)
        remarks.warn("encountered a mix of histograms and floats for aggregation")
    }

    /// Writes a group's values.
    func finish(_ group: Int, into row: inout SeriesRow, _ remarks: Remarks) {
        let base = group &* stepCount
        for step in 0..<stepCount {
            let place = base &+ step
            if !void.isEmpty, void.contains(place) { continue }
            if !sums.isEmpty, let sum = sums[place] {
                sum.remark(remarks)
                row.set(sum.value.compacted(), at: step)
            } else if !histogramMeans.isEmpty, let mean = histogramMeans[place] {
                mean.remark(remarks)
                row.set(mean.value.compacted(), at: step)
            } else if counts[place] > 0 {
                row.floats[step] = value(at: place)
            }
        }
    }

    private func value(at place: Int) -> Double {
        switch operation {
        case .sum: values[place].isInfinite ? values[place] : values[place] + details[place]
        case .avg: averages[place].value
        case .count: counts[place]
        case .group: 1
        case .stddev: (values[place] / counts[place]).squareRoot()
        case .stdvar: values[place] / counts[place]
        default: values[place]
        }
    }
}

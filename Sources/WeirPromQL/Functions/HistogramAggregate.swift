/// A sum of histograms whose rounding errors are kept apart.
struct HistogramSum {
    private var total: FloatHistogram
    private var error: FloatHistogram?
    private var hasReset = false
    private var hasNoReset = false
    private(set) var boundsWereReconciled = false

    init(_ first: FloatHistogram) {
        total = first
        noteHint(of: first)
    }

    private mutating func noteHint(of histogram: FloatHistogram) {
        if histogram.counterResetHint == .reset { hasReset = true }
        if histogram.counterResetHint == .notReset { hasNoReset = true }
    }

    /// Adds one more.
    mutating func add(_ histogram: FloatHistogram) throws(HistogramMismatch) {
        noteHint(of: histogram)
        var other = histogram
        var rest = error ?? Self.empty(like: total)
        if total.hasLayout(of: other), rest.hasLayout(of: total) {
            for place in total.positiveBuckets.indices {
                Arithmetic.add(
                    other.positiveBuckets[place], to: &total.positiveBuckets[place],
                    error: &rest.positiveBuckets[place])
            }
            for place in total.negativeBuckets.indices {
                Arithmetic.add(
                    other.negativeBuckets[place], to: &total.negativeBuckets[place],
                    error: &rest.negativeBuckets[place])
            }
        } else {
            if try total.align(with: &other) { boundsWereReconciled = true }
            _ = try rest.align(with: &total)
            let (positive, positiveRest) = Self.added(total.positive, other.positive, rest.positive)
            let (negative, negativeRest) = Self.added(total.negative, other.negative, rest.negative)
            (total.positive, rest.positive) = (positive, positiveRest)
            (total.negative, rest.negative) = (negative, negativeRest)
        }
        Arithmetic.add(other.zeroCount, to: &total.zeroCount, error: &rest.zeroCount)
        Arithmetic.add(other.count, to: &total.count, error: &rest.count)
        Arithmetic.add(other.sum, to: &total.sum, error: &rest.sum)
        error = rest
        switch (total.counterResetHint, other.counterResetHint) {
        case let (mine, theirs) where mine == theirs: break
        case (.gauge, _), (_, .gauge): total.counterResetHint = .gauge
        default: total.counterResetHint = .unknown
        }
    }

    private static func empty(like histogram: FloatHistogram) -> FloatHistogram {
        var empty = histogram
        empty.positiveBuckets = Array(repeating: 0, count: histogram.positiveBuckets.count)
        empty.negativeBuckets = Array(repeating: 0, count: histogram.negativeBuckets.count)
        (empty.zeroCount, empty.count, empty.sum) = (0, 0, 0)
        return empty
    }

    private static func added(
        _ left: SparseBuckets, _ right: SparseBuckets, _ errors: SparseBuckets
    ) -> (SparseBuckets, SparseBuckets) {
        var all: [Int: (sum: Double, error: Double)] = [:]
        for bucket in left { all[bucket.index, default: (0, 0)].sum = bucket.count }
        for bucket in errors { all[bucket.index, default: (0, 0)].error = bucket.count }
        for bucket in right {
            var entry = all[bucket.index] ?? (0, 0)
            Arithmetic.add(bucket.count, to: &entry.sum, error: &entry.error)
            all[bucket.index] = entry
        }
        var sums = SparseBuckets()
        var rests = SparseBuckets()
        for (index, entry) in all.sorted(by: { $0.key < $1.key }) {
            sums.append((index, entry.sum))
            if entry.error != 0 { rests.append((index, entry.error)) }
        }
        return (sums, rests)
    }

    /// Multiplies what there is so far.
    mutating func scale(by factor: Double) {
        total = total.scaled(by: factor)
        error = error?.scaled(by: factor)
    }

    /// Whether a number has left the range of numbers.
    var hasOverflow: Bool {
        total.count.isInfinite || total.sum.isInfinite || total.zeroCount.isInfinite
            || total.positiveBuckets.contains { $0.isInfinite }
            || total.negativeBuckets.contains { $0.isInfinite }
    }

    /// The sum.
    var value: FloatHistogram {
        guard var sum = error else { return total }
        sum.counterResetHint = total.counterResetHint
        _ = try? sum.add(total)
        return sum
    }

    /// Says what is to be said of an aggregation.
    func remark(_ remarks: Remarks) {
        HistogramRate.remark(
            HistogramMerge(
                hintsCollide: hasReset && hasNoReset, boundsWereReconciled: boundsWereReconciled),
            .aggregate, remarks, ignoresHints: false)
    }
}

/// The mean of histograms, likewise.
struct HistogramMean {
    private var sum: HistogramSum
    private var count = 1.0
    private var isIncremental = false

    init(_ first: FloatHistogram) { sum = HistogramSum(first) }

    /// Counts one more.
    mutating func add(_ histogram: FloatHistogram) throws(HistogramMismatch) {
        count += 1
        if !isIncremental {
            var next = sum
            try next.add(histogram)
            if !next.hasOverflow {
                sum = next
                return
            }
            isIncremental = true
            sum.scale(by: 1 / (count - 1))
        }
        sum.scale(by: (count - 1) / count)
        try sum.add(histogram.divided(by: count))
    }

    /// The mean.
    var value: FloatHistogram { isIncremental ? sum.value : sum.value.divided(by: count) }

    /// Says what is to be said of an aggregation.
    func remark(_ remarks: Remarks) { sum.remark(remarks) }
}

/// Sum and mean of a window's histograms.
enum HistogramAggregate {
    static func sum(_ window: borrowing Window, _ remarks: Remarks) -> Sample {
        guard let first = window.histograms.first else { return .absent }
        var sum = HistogramSum(window.buffer.histograms[first])
        do throws(HistogramMismatch) {
            for place in window.histograms.dropFirst() {
                try sum.add(window.buffer.histograms[place])
            }
        } catch {
            HistogramRate.warnOfMixedSchemas(remarks)
            return .absent
        }
        sum.remark(remarks)
        return .histogram(sum.value)
    }

    static func average(_ window: borrowing Window, _ remarks: Remarks) -> Sample {
        guard let first = window.histograms.first else { return .absent }
        var mean = HistogramMean(window.buffer.histograms[first])
        do throws(HistogramMismatch) {
            for place in window.histograms.dropFirst() {
                try mean.add(window.buffer.histograms[place])
            }
        } catch {
            HistogramRate.warnOfMixedSchemas(remarks)
            return .absent
        }
        mean.remark(remarks)
        return .histogram(mean.value)
    }
}

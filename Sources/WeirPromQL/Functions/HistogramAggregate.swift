/// Hot path: once per series and step of a sum of histograms.
///
/// A sum of histograms whose rounding errors are kept apart.
struct HistogramSum {
    private var total: FloatHistogram
    /// The errors, in the layout of the sum; nothing as long as there is one histogram only.
    private var rest = FloatHistogram()
    private var isOfOne = true
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
    /// - Complexity: O(*n*), without allocation where the sum has all of its buckets already.
    mutating func add(_ histogram: FloatHistogram) throws(HistogramMismatch) {
        if isOfOne { rest = Self.empty(like: total) }
        if total.hasLayout(of: histogram) {
            addCounts(of: histogram)
        } else {
            var other = histogram
            // The errors follow the sum, which they may move once more.
            for _ in 0..<2 where !total.hasScale(of: other) {
                if try total.align(with: &other) { boundsWereReconciled = true }
                _ = try rest.align(with: &total)
            }
            let (fitting, _) = total.makeRoom(for: other)
            if !rest.hasLayout(of: total) {
                (rest, _) = total.makeRoom(for: rest)
                rest.lay(positive: total.positiveSpans, negative: total.negativeSpans)
            }
            addCounts(of: fitting)
        }
        isOfOne = false
        noteHint(of: histogram)
        _ = total.mergeHint(of: histogram)
    }

    private static func empty(like histogram: FloatHistogram) -> FloatHistogram {
        var empty = histogram
        empty.positiveBuckets = Array(repeating: 0, count: histogram.positiveBuckets.count)
        empty.negativeBuckets = Array(repeating: 0, count: histogram.negativeBuckets.count)
        (empty.zeroCount, empty.count, empty.sum) = (0, 0, 0)
        return empty
    }

    /// Adds a histogram all of whose buckets the sum has.
    private mutating func addCounts(of other: FloatHistogram) {
        Self.add(
            other.positiveBuckets, at: other.positiveSpans, to: &total.positiveBuckets,
            errors: &rest.positiveBuckets, at: total.positiveSpans)
        Self.add(
            other.negativeBuckets, at: other.negativeSpans, to: &total.negativeBuckets,
            errors: &rest.negativeBuckets, at: total.negativeSpans)
        Arithmetic.add(other.zeroCount, to: &total.zeroCount, error: &rest.zeroCount)
        Arithmetic.add(other.count, to: &total.count, error: &rest.count)
        Arithmetic.add(other.sum, to: &total.sum, error: &rest.sum)
    }

    private static func add(
        _ counts: [Double], at spans: [FloatHistogram.Span], to sums: inout [Double],
        errors: inout [Double], at base: [FloatHistogram.Span]
    ) {
        guard spans != base else {
            for place in counts.indices {
                Arithmetic.add(counts[place], to: &sums[place], error: &errors[place])
            }
            return
        }
        FloatHistogram.overlay(spans, on: base) { place, base, length in
            for step in 0..<length {
                Arithmetic.add(
                    counts[place + step], to: &sums[base + step], error: &errors[base + step])
            }
        }
    }

    /// Adds one more, unless a number would leave the range of numbers.
    /// - Returns: Whether it was added.
    mutating func addWithinRange(
        _ histogram: FloatHistogram
    ) throws(HistogramMismatch) -> Bool {
        if total.hasLayout(of: histogram) {
            guard staysInRange(adding: histogram) else { return false }
            try add(histogram)
            return true
        }
        var next = self
        try next.add(histogram)
        if next.hasOverflow { return false }
        self = next
        return true
    }

    private func staysInRange(adding other: FloatHistogram) -> Bool {
        var isInRange =
            !(total.zeroCount + other.zeroCount).isInfinite
            && !(total.count + other.count).isInfinite && !(total.sum + other.sum).isInfinite
        for place in total.positiveBuckets.indices
        where (total.positiveBuckets[place] + other.positiveBuckets[place]).isInfinite {
            isInRange = false
        }
        for place in total.negativeBuckets.indices
        where (total.negativeBuckets[place] + other.negativeBuckets[place]).isInfinite {
            isInRange = false
        }
        return isInRange
    }

    /// Multiplies what there is so far.
    mutating func scale(by factor: Double) {
        total = total.scaled(by: factor)
        rest = rest.scaled(by: factor)
    }

    /// Whether a number has left the range of numbers.
    private var hasOverflow: Bool {
        total.count.isInfinite || total.sum.isInfinite || total.zeroCount.isInfinite
            || total.positiveBuckets.contains { $0.isInfinite }
            || total.negativeBuckets.contains { $0.isInfinite }
    }

    /// The sum.
    var value: FloatHistogram {
        if isOfOne { return total }
        var sum = rest
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
            if try sum.addWithinRange(histogram) { return }
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

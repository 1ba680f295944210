import Glibc

/// Quantiles and fractions of histograms (Prometheus: promql/quantile.go).
enum HistogramQuantile {
    /// What is to be said of histograms with observations that are no numbers.
    enum NaNObservations {
        case none
        /// The quantile lies among them.
        case decideResult
        /// They push the quantile up.
        case skewResult
    }

    // MARK: Native histograms

    /// The φ-quantile of a native histogram.
    static func quantile(
        _ fraction: Double, of histogram: FloatHistogram
    ) -> (value: Double, NaNObservations) {
        if fraction < 0 { return (-.infinity, .none) }
        if fraction > 1 { return (.infinity, .none) }
        if histogram.count == 0 || fraction.isNaN { return (.nan, .none) }
        let buckets = histogram.buckets
        let isForward = histogram.sum.isNaN || fraction < 0.5
        var rank = isForward ? fraction * histogram.count : (1 - fraction) * histogram.count
        var count = 0.0
        var found: FloatHistogram.Bucket?
        for bucket in isForward ? buckets : buckets.reversed() {
            found = bucket
            count += bucket.count
            if count >= rank { break }
        }
        // What a histogram without buckets counts lies at 0.
        var bucket =
            found
            ?? FloatHistogram.Bucket(
                lower: 0, upper: 0, includesLower: true, includesUpper: true, count: 0)
        if let open = narrow(&bucket, of: histogram) { return (open, .none) }
        count = min(count, histogram.count)
        if count < rank {
            return histogram.sum.isNaN ? (.nan, .decideResult) : (bucket.upper, .none)
        }
        rank = isForward ? rank - (count - bucket.count) : count - rank
        let value = interpolated(bucket, rank / bucket.count, histogram.usesCustomBounds)
        return (value, hasNaN(histogram, buckets) ? .skewResult : .none)
    }

    /// Whether there are observations that are in no bucket; a sum that is no number may have other
    /// reasons, such as infinite ones of both signs.
    private static func hasNaN(
        _ histogram: FloatHistogram, _ buckets: [FloatHistogram.Bucket]
    ) -> Bool {
        histogram.sum.isNaN && buckets.reduce(0) { $0 + $1.count } < histogram.count
    }

    /// Narrows a bucket to where observations can be.
    /// - Returns: The quantile itself, where the bucket has no end to interpolate to.
    private static func narrow(
        _ bucket: inout FloatHistogram.Bucket, of histogram: FloatHistogram
    ) -> Double? {
        if histogram.usesCustomBounds {
            if bucket.lower > -.infinity { return bucket.upper == .infinity ? bucket.lower : nil }
            if bucket.upper <= 0 { return bucket.upper }
            bucket.lower = 0
            return nil
        }
        if bucket.lower < 0, bucket.upper > 0 {
            narrowZero(&bucket, histogram)
        }
        return nil
    }

    /// Half of the zero bucket, where all other observations lie on one side.
    private static func narrowZero(
        _ bucket: inout FloatHistogram.Bucket, _ histogram: FloatHistogram
    ) {
        let hasNegative = !histogram.negativeBuckets.isEmpty
        let hasPositive = !histogram.positiveBuckets.isEmpty
        if hasPositive, !hasNegative { bucket.lower = 0 }
        if hasNegative, !hasPositive { bucket.upper = 0 }
    }

    private static func interpolated(
        _ bucket: FloatHistogram.Bucket, _ part: Double, _ isLinear: Bool
    ) -> Double {
        if isLinear || bucket.lower <= 0 && bucket.upper >= 0 {
            return bucket.lower + (bucket.upper - bucket.lower) * part
        }
        let (logLower, logUpper) = (log2(abs(bucket.lower)), log2(abs(bucket.upper)))
        return bucket.lower > 0
            ? exp2(logLower + (logUpper - logLower) * part)
            : -exp2(logUpper + (logLower - logUpper) * (1 - part))
    }

    /// The part of a native histogram's observations between two values.
    static func fraction(
        _ lower: Double, _ upper: Double, of histogram: FloatHistogram
    ) -> (value: Double, hasNaN: Bool) {
        if histogram.count == 0 || lower.isNaN || upper.isNaN { return (.nan, false) }
        if lower >= upper { return (0, false) }
        let buckets = histogram.buckets
        let hasNaN = hasNaN(histogram, buckets)
        let count = hasNaN ? buckets.reduce(0) { $0 + $1.count } : histogram.count
        var rank = 0.0
        var lowerRank: Double?
        var upperRank: Double?
        for var bucket in buckets {
            let isZero = bucket.lower <= 0 && bucket.upper >= 0
            if isZero { narrowZero(&bucket, histogram) }
            func place(_ value: Double) -> Double? {
                if bucket.lower >= value { return rank }
                guard bucket.upper > value else { return nil }
                return rank + bucket.count
                    * self.part(
                        bucket, value, isLinear: isZero || histogram.usesCustomBounds)
            }
            lowerRank = lowerRank ?? place(lower)
            upperRank = upperRank ?? place(upper)
            if lowerRank != nil, upperRank != nil { break }
            rank += bucket.count
        }
        let first = min(lowerRank ?? count, count)
        let last = min(upperRank ?? count, count)
        return ((last - first) / histogram.count, hasNaN)
    }

    /// How much of a bucket lies below a value within it.
    private static func part(
        _ bucket: FloatHistogram.Bucket, _ value: Double, isLinear: Bool
    ) -> Double {
        if isLinear {
            // Of a bucket without an end nothing is known.
            if bucket.lower == -.infinity { return 1 }
            return (value - bucket.lower) / (bucket.upper - bucket.lower)
        }
        let (logLower, logUpper) = (log2(abs(bucket.lower)), log2(abs(bucket.upper)))
        let logValue = log2(abs(value))
        return value > 0
            ? (logValue - logLower) / (logUpper - logLower)
            : 1 - (logValue - logUpper) / (logLower - logUpper)
    }

    // MARK: Classic histograms

    /// A bucket of a classic histogram: an upper bound and how many observations lie up to it.
    struct ClassicBucket {
        var upper: Double
        var count: Double
    }

    /// Puts buckets in order, joins equal ones, and lets no count fall.
    /// - Returns: `nil` where there is no `+Inf` bucket.
    static func ordered(
        _ buckets: [ClassicBucket]
    ) -> (buckets: [ClassicBucket], mending: MonotonicityMending?)? {
        guard var joined = joined(buckets) else { return nil }
        var mending: MonotonicityMending?
        var former = joined[0].count
        for place in joined.indices.dropFirst() {
            let count = joined[place].count
            if count == former { continue }
            if almostEqual(former, count) {
                joined[place].count = former
            } else if count < former {
                let difference = former - count
                let upper = joined[place].upper
                mending = MonotonicityMending(
                    least: min(mending?.least ?? upper, upper),
                    greatest: max(mending?.greatest ?? upper, upper),
                    difference: max(mending?.difference ?? 0, difference))
                joined[place].count = former
            } else {
                former = count
            }
        }
        return (joined, mending)
    }

    /// Puts buckets in order and joins equal ones.
    /// - Returns: `nil` where there is no `+Inf` bucket.
    static func joined(_ buckets: [ClassicBucket]) -> [ClassicBucket]? {
        var joined: [ClassicBucket] = []
        for bucket in buckets.sorted(by: { $0.upper < $1.upper }) {
            if let last = joined.indices.last, joined[last].upper == bucket.upper {
                joined[last].count += bucket.count
            } else {
                joined.append(bucket)
            }
        }
        return joined.last?.upper == .infinity ? joined : nil
    }

    /// A difference that floating-point sums make by themselves: a trillionth.
    private static func almostEqual(_ left: Double, _ right: Double) -> Bool {
        if left == right { return true }
        let difference = abs(left - right)
        if left == 0 || right == 0 { return false }
        return difference / min(abs(left) + abs(right), .greatestFiniteMagnitude) < 1e-12
    }

    /// The φ-quantile of a classic histogram's buckets in order.
    static func quantile(_ fraction: Double, of buckets: [ClassicBucket]) -> Double {
        if fraction.isNaN { return .nan }
        if fraction < 0 { return -.infinity }
        if fraction > 1 { return .infinity }
        guard buckets.count >= 2, let total = buckets.last?.count, total != 0, !total.isNaN else {
            return .nan
        }
        var rank = fraction * total
        let place = buckets.dropLast().firstIndex { $0.count >= rank } ?? buckets.count - 1
        if place == buckets.count - 1 { return buckets[place - 1].upper }
        if place == 0, buckets[0].upper <= 0 { return buckets[0].upper }
        var start = 0.0
        var count = buckets[place].count
        if place > 0 {
            start = buckets[place - 1].upper
            count -= buckets[place - 1].count
            rank -= buckets[place - 1].count
        }
        return start + (buckets[place].upper - start) * (rank / count)
    }

    /// The part of a classic histogram's observations between two values; counts that fall are taken as
    /// they are.
    static func fraction(
        _ lower: Double, _ upper: Double, of buckets: [ClassicBucket]
    ) -> Double {
        guard let total = buckets.last?.count, total != 0, !lower.isNaN, !upper.isNaN,
            !total.isNaN
        else { return .nan }
        if lower >= upper { return 0 }
        func rank(of value: Double) -> Double {
            var former = 0.0
            for (place, bucket) in buckets.enumerated() {
                let start =
                    place > 0 ? buckets[place - 1].upper : bucket.upper > 0 ? 0 : -.infinity
                if value <= start { return former }
                if value < bucket.upper {
                    if start == -.infinity { return bucket.count }
                    return former + (bucket.count - former) * (value - start)
                        / (bucket.upper - start)
                }
                former = bucket.count
            }
            return total
        }
        return (min(rank(of: upper), total) - min(rank(of: lower), total)) / total
    }
}

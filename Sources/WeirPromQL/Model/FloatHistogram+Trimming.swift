import Glibc

extension FloatHistogram {
    /// What of it lies at or below a bound: the operator `</`.
    public func trimmed(upper bound: Double) -> FloatHistogram {
        trimmed(at: bound, keepsBelow: true)
    }

    /// What of it lies above a bound: the operator `>/`.
    public func trimmed(lower bound: Double) -> FloatHistogram {
        trimmed(at: bound, keepsBelow: false)
    }

    /// What is kept of a bucket, and the value that stands for it in the sum.
    private struct Share {
        var count: Double
        var value: Double
    }

    /// How values lie within a bucket.
    private enum Spread {
        case even
        case exponential(isPositive: Bool)
    }

    private func trimmed(at bound: Double, keepsBelow: Bool) -> FloatHistogram {
        guard !bound.isNaN else {
            var empty = FloatHistogram()
            empty.schema = schema
            empty.customBounds = customBounds
            empty.zeroThreshold = zeroThreshold
            empty.counterResetHint = counterResetHint
            return empty
        }
        var trimmed = self
        var total = Share(count: 0, value: 0)
        var hasChanged = false
        func share(_ lower: Double, _ upper: Double, _ count: Double, _ spread: Spread) -> Double {
            let kept = Self.share(
                lower, upper, count, at: bound, keepsBelow: keepsBelow, spread)
            total.count += kept.count
            total.value = total.value.addingProduct(kept.value, kept.count)
            if kept.count != count { hasChanged = true }
            return kept.count
        }
        var positive = self.positive
        for place in positive.indices {
            let (lower, upper) = bounds(positive[place].index)
            positive[place].count = share(
                lower, upper, positive[place].count,
                usesCustomBounds ? .even : .exponential(isPositive: true))
        }
        var negative = self.negative
        for place in negative.indices {
            let (lower, upper) = bounds(negative[place].index)
            negative[place].count = share(
                -upper, -lower, negative[place].count, .exponential(isPositive: false))
        }
        if zeroCount > 0 {
            let lower = self.negative.isEmpty && !self.positive.isEmpty ? 0 : -zeroThreshold
            let upper = self.positive.isEmpty && !self.negative.isEmpty ? 0 : zeroThreshold
            // A zero bucket without a width lies at or above a bound of its own value.
            let isAbove = keepsBelow && bound <= lower
            trimmed.zeroCount = isAbove ? 0 : share(lower, upper, zeroCount, .even)
            if isAbove { hasChanged = true }
        }
        guard hasChanged else { return self }
        trimmed.positive = positive
        trimmed.negative = negative
        trimmed.count = total.count
        trimmed.sum = total.value
        return trimmed
    }

    private static func share(
        _ lower: Double, _ upper: Double, _ count: Double, at bound: Double, keepsBelow: Bool,
        _ spread: Spread
    ) -> Share {
        if keepsBelow ? upper <= bound : lower >= bound {
            return Share(count: count, value: middle(lower, upper, spread))
        }
        if keepsBelow ? lower >= bound : upper <= bound { return Share(count: 0, value: 0) }
        if lower == -.infinity || upper == .infinity {
            return openShare(lower, upper, count, at: bound, keepsBelow: keepsBelow)
        }
        let below = count * fraction(lower, upper, bound, spread)
        return keepsBelow
            ? Share(count: below, value: middle(lower, bound, spread))
            : Share(count: count - below, value: middle(bound, upper, spread))
    }

    /// A bucket without an end: nothing is known of how its values lie, so it goes whole, but for the first
    /// of bounds above zero, whose values are taken to lie between 0 and its bound.
    private static func openShare(
        _ lower: Double, _ upper: Double, _ count: Double, at bound: Double, keepsBelow: Bool
    ) -> Share {
        if lower == -.infinity {
            let isBounded = upper > 0 && upper != .infinity
            if keepsBelow {
                if bound > 0, isBounded {
                    return Share(count: count * bound / upper, value: bound / 2)
                }
                return upper <= 0 ? Share(count: count, value: bound) : Share(count: 0, value: 0)
            }
            if bound >= 0, upper > bound, isBounded {
                return Share(count: count * (1 - bound / upper), value: (bound + upper) / 2)
            }
            return Share(count: 0, value: 0)
        }
        if !keepsBelow, bound >= lower { return Share(count: count, value: bound) }
        return Share(count: 0, value: 0)
    }

    private static func fraction(
        _ lower: Double, _ upper: Double, _ bound: Double, _ spread: Spread
    ) -> Double {
        switch spread {
        case .even: return (bound - lower) / (upper - lower)
        case .exponential(let isPositive):
            let (logLower, logUpper) = (log2(abs(lower)), log2(abs(upper)))
            let logBound = log2(abs(bound))
            return isPositive
                ? (logBound - logLower) / (logUpper - logLower)
                : 1 - (logBound - logUpper) / (logLower - logUpper)
        }
    }

    /// The value that stands for an interval.
    private static func middle(_ lower: Double, _ upper: Double, _ spread: Spread) -> Double {
        if lower.isInfinite {
            if upper.isInfinite { return 0 }
            return upper > 0 ? upper / 2 : upper
        }
        if upper.isInfinite { return lower }
        switch spread {
        case .even: return (lower + upper) / 2
        case .exponential(let isPositive):
            let mean = abs(lower * upper).squareRoot()
            return isPositive ? mean : -mean
        }
    }
}

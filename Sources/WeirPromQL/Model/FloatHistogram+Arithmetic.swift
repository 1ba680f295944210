/// Two histograms that have no buckets in common: of exponential schemas, and with bounds of their own.
public struct HistogramMismatch: Error {}

/// What was to be remarked when two histograms were brought together.
public struct HistogramMerge: Sendable {
    /// One says that a counter was reset, the other that it was not.
    public var hintsCollide = false
    /// Their bounds differed; those that both have were taken.
    public var boundsWereReconciled = false
}

extension FloatHistogram {
    // MARK: Adding

    /// Adds another histogram's counts.
    @discardableResult
    public mutating func add(_ other: FloatHistogram) throws(HistogramMismatch) -> HistogramMerge {
        if hasLayout(of: other) {
            for place in positiveBuckets.indices {
                positiveBuckets[place] += other.positiveBuckets[place]
            }
            for place in negativeBuckets.indices {
                negativeBuckets[place] += other.negativeBuckets[place]
            }
            return addTotals(of: other, sign: 1)
        }
        return try combine(other, sign: 1)
    }

    /// Takes another histogram's counts away.
    @discardableResult
    public mutating func subtract(
        _ other: FloatHistogram
    ) throws(HistogramMismatch) -> HistogramMerge { try combine(other, sign: -1) }

    /// Whether the buckets stand one beside the other's.
    func hasLayout(of other: FloatHistogram) -> Bool {
        schema == other.schema && zeroThreshold == other.zeroThreshold
            && positiveSpans == other.positiveSpans && negativeSpans == other.negativeSpans
            && positiveBuckets.count == other.positiveBuckets.count
            && negativeBuckets.count == other.negativeBuckets.count
            && (!usesCustomBounds || customBounds == other.customBounds)
    }

    private mutating func addTotals(of other: FloatHistogram, sign: Double) -> HistogramMerge {
        zeroCount += sign * other.zeroCount
        count += sign * other.count
        sum += sign * other.sum
        return HistogramMerge(hintsCollide: mergeHint(of: other))
    }

    private mutating func combine(
        _ other: FloatHistogram, sign: Double
    ) throws(HistogramMismatch) -> HistogramMerge {
        var other = other
        let boundsWereReconciled = try align(with: &other)
        positive = Self.sum(positive, other.positive, sign: sign)
        negative = Self.sum(negative, other.negative, sign: sign)
        var merge = addTotals(of: other, sign: sign)
        merge.boundsWereReconciled = boundsWereReconciled
        return merge
    }

    /// Brings both to the same schema, bounds and zero bucket.
    /// - Returns: Whether bounds of their own were given up.
    mutating func align(with other: inout FloatHistogram) throws(HistogramMismatch) -> Bool {
        guard usesCustomBounds == other.usesCustomBounds else { throw HistogramMismatch() }
        if usesCustomBounds {
            if customBounds == other.customBounds { return false }
            let common = Self.common(customBounds, other.customBounds)
            positive = Self.remapped(positive, from: customBounds, to: common)
            customBounds = common
            other.positive = Self.remapped(other.positive, from: other.customBounds, to: common)
            other.customBounds = common
            return true
        }
        let target = min(schema, other.schema)
        self = reduced(toSchema: target)
        other = other.reduced(toSchema: target)
        while zeroThreshold != other.zeroThreshold {
            if zeroThreshold > other.zeroThreshold {
                other.widenZero(to: zeroThreshold)
            } else {
                widenZero(to: other.zeroThreshold)
            }
        }
        return false
    }

    static func sum(_ left: SparseBuckets, _ right: SparseBuckets, sign: Double) -> SparseBuckets {
        var sum = SparseBuckets()
        sum.reserveCapacity(left.count + right.count)
        var place = 0
        for bucket in left {
            while place < right.count, right[place].index < bucket.index {
                sum.append((right[place].index, sign * right[place].count))
                place += 1
            }
            if place < right.count, right[place].index == bucket.index {
                sum.append((bucket.index, bucket.count + sign * right[place].count))
                place += 1
            } else {
                sum.append(bucket)
            }
        }
        for bucket in right[place...] { sum.append((bucket.index, sign * bucket.count)) }
        return sum
    }

    /// Joins what both say of resets.
    /// - Returns: Whether they contradict each other.
    private mutating func mergeHint(of other: FloatHistogram) -> Bool {
        switch (counterResetHint, other.counterResetHint) {
        case let (mine, theirs) where mine == theirs: return false
        case (.gauge, _), (_, .gauge): counterResetHint = .gauge
        case (.unknown, _), (_, .unknown): counterResetHint = .unknown
        default:
            counterResetHint = .unknown
            return true
        }
        return false
    }

    // MARK: Scaling

    /// All counts and the sum times a factor; a negative one makes it a gauge.
    public func scaled(by factor: Double) -> FloatHistogram {
        changed { $0 * factor }.markedGauge(if: factor < 0)
    }

    /// All counts and the sum divided; by zero, there are no buckets.
    public func divided(by divisor: Double) -> FloatHistogram {
        var quotient = changed { $0 / divisor }.markedGauge(if: divisor < 0)
        if divisor == 0 {
            (quotient.positiveSpans, quotient.positiveBuckets) = ([], [])
            (quotient.negativeSpans, quotient.negativeBuckets) = ([], [])
        }
        return quotient
    }

    private func changed(_ change: (Double) -> Double) -> FloatHistogram {
        var changed = self
        changed.zeroCount = change(zeroCount)
        changed.count = change(count)
        changed.sum = change(sum)
        for place in positiveBuckets.indices {
            changed.positiveBuckets[place] = change(positiveBuckets[place])
        }
        for place in negativeBuckets.indices {
            changed.negativeBuckets[place] = change(negativeBuckets[place])
        }
        return changed
    }

    private func markedGauge(if isGauge: Bool) -> FloatHistogram {
        guard isGauge else { return self }
        var marked = self
        marked.counterResetHint = .gauge
        return marked
    }

    // MARK: Comparing

    /// Whether two histograms hold the same, as PromQL's `==` has it.
    public func isEqual(to other: FloatHistogram) -> Bool {
        func same(_ left: Double, _ right: Double) -> Bool {
            left.bitPattern == right.bitPattern || left == right
        }
        guard schema == other.schema, same(count, other.count), same(sum, other.sum),
            !usesCustomBounds || customBounds == other.customBounds,
            zeroThreshold == other.zeroThreshold, same(zeroCount, other.zeroCount)
        else { return false }
        func equal(_ left: SparseBuckets, _ right: SparseBuckets) -> Bool {
            left.count == right.count
                && zip(left, right).allSatisfy { $0.index == $1.index && same($0.count, $1.count) }
        }
        return equal(positive, other.positive) && equal(negative, other.negative)
    }

    /// Whether a counter was reset between a former sample and this one
    /// (Prometheus: model/histogram, `DetectReset`).
    public func detectsReset(since former: FloatHistogram) -> Bool {
        switch counterResetHint {
        case .reset: return true
        case .notReset: return false
        case .unknown, .gauge: break
        }
        if count < former.count || usesCustomBounds != former.usesCustomBounds { return true }
        if usesCustomBounds {
            let common = Self.common(customBounds, former.customBounds)
            return Self.falls(
                Self.remapped(positive, from: customBounds, to: common),
                since: Self.remapped(former.positive, from: former.customBounds, to: common))
        }
        if schema > former.schema || zeroThreshold < former.zeroThreshold { return true }
        let (zero, threshold) = former.zeroCount(upTo: zeroThreshold)
        if threshold != zeroThreshold || zeroCount < zero { return true }
        var coarse = former
        coarse.widenZero(to: zeroThreshold)
        coarse = coarse.reduced(toSchema: schema)
        return Self.falls(positive, since: coarse.positive)
            || Self.falls(negative, since: coarse.negative)
    }

    /// Whether any bucket lost counts.
    private static func falls(_ buckets: SparseBuckets, since former: SparseBuckets) -> Bool {
        var place = 0
        for bucket in former {
            while place < buckets.count, buckets[place].index < bucket.index {
                if buckets[place].count < 0 { return true }
                place += 1
            }
            let present = place < buckets.count && buckets[place].index == bucket.index
            if (present ? buckets[place].count : 0) < bucket.count { return true }
            if present { place += 1 }
        }
        return false
    }
}

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
    ///
    /// The finer one is brought to the coarser one's schema, and the zero buckets to one threshold that
    /// parts no bucket; of bounds of their own, those that both have are kept. Buckets may be left empty.
    /// - Complexity: O(*n*), without allocation where this one has all of the other's buckets.
    @discardableResult
    public mutating func add(
        _ other: FloatHistogram
    ) throws(HistogramMismatch) -> HistogramMerge { try combine(other, sign: 1) }

    /// Takes another histogram's counts away, in the same way.
    @discardableResult
    public mutating func subtract(
        _ other: FloatHistogram
    ) throws(HistogramMismatch) -> HistogramMerge { try combine(other, sign: -1) }

    private mutating func combine(
        _ other: FloatHistogram, sign: Double
    ) throws(HistogramMismatch) -> HistogramMerge {
        var merge = HistogramMerge()
        if hasLayout(of: other) {
            for place in positiveBuckets.indices {
                positiveBuckets[place] += sign * other.positiveBuckets[place]
            }
            for place in negativeBuckets.indices {
                negativeBuckets[place] += sign * other.negativeBuckets[place]
            }
            addTotals(of: other, sign: sign)
        } else {
            var aligned = other
            merge.boundsWereReconciled = try align(with: &aligned)
            let (fitting, _) = makeRoom(for: aligned)
            Self.overlay(fitting.positiveSpans, on: positiveSpans) { place, base, length in
                for step in 0..<length {
                    positiveBuckets[base + step] += sign * fitting.positiveBuckets[place + step]
                }
            }
            Self.overlay(fitting.negativeSpans, on: negativeSpans) { place, base, length in
                for step in 0..<length {
                    negativeBuckets[base + step] += sign * fitting.negativeBuckets[place + step]
                }
            }
            addTotals(of: fitting, sign: sign)
        }
        merge.hintsCollide = mergeHint(of: other)
        return merge
    }

    private mutating func addTotals(of other: FloatHistogram, sign: Double) {
        zeroCount += sign * other.zeroCount
        count += sign * other.count
        sum += sign * other.sum
    }

    /// Brings both to the same schema, bounds and zero bucket.
    /// - Returns: Whether bounds of their own were given up.
    mutating func align(with other: inout FloatHistogram) throws(HistogramMismatch) -> Bool {
        guard usesCustomBounds == other.usesCustomBounds else { throw HistogramMismatch() }
        if hasScale(of: other) { return false }
        if usesCustomBounds {
            if customBounds == other.customBounds { return false }
            let common = Self.common(customBounds, other.customBounds)
            positive = Self.remapped(positive, from: customBounds, to: common)
            customBounds = common
            other.positive = Self.remapped(other.positive, from: other.customBounds, to: common)
            other.customBounds = common
            return true
        }
        // First the zero buckets: the finer buckets are, the less of them the wider one swallows.
        while zeroThreshold > other.zeroThreshold || zeroThreshold < other.zeroThreshold {
            if zeroThreshold > other.zeroThreshold {
                other.widenZero(to: zeroThreshold)
            } else {
                widenZero(to: other.zeroThreshold)
            }
        }
        let target = min(schema, other.schema)
        self = reduced(toSchema: target)
        other = other.reduced(toSchema: target)
        return false
    }

    /// Joins what both say of resets.
    /// - Returns: Whether they contradict each other.
    mutating func mergeHint(of other: FloatHistogram) -> Bool {
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

    /// Whether two histograms hold the same, as PromQL's `==` has it: bit by bit, empty buckets aside.
    public func isEqual(to other: FloatHistogram) -> Bool {
        func same(_ left: Double, _ right: Double) -> Bool { left.bitPattern == right.bitPattern }
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
        if hasScale(of: former) {
            return zeroCount < former.zeroCount
                || Self.falls(
                    positiveBuckets, positiveSpans, since: former.positiveBuckets,
                    former.positiveSpans)
                || Self.falls(
                    negativeBuckets, negativeSpans, since: former.negativeBuckets,
                    former.negativeSpans)
        }
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

    /// Whether any bucket of the same scale lost counts.
    private static func falls(
        _ counts: [Double], _ spans: [Span], since former: [Double], _ formerSpans: [Span]
    ) -> Bool {
        if spans == formerSpans, counts.count == former.count {
            for place in counts.indices where counts[place] < former[place] { return true }
            return false
        }
        var hasFallen = false
        if fits(spans, counts.count), fits(formerSpans, former.count) {
            let isCovered = overlay(formerSpans, on: spans) { place, base, length in
                for step in 0..<length where counts[base + step] < former[place + step] {
                    hasFallen = true
                }
            }
            if isCovered || hasFallen { return hasFallen }
        }
        return falls(sparse(spans, counts), since: sparse(formerSpans, former))
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

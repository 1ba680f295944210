/// Buckets of one side of a histogram as index and count, ascending by index, none of them empty.
typealias SparseBuckets = ContiguousArray<(index: Int, count: Double)>

extension FloatHistogram {
    /// One bucket with its bounds.
    public struct Bucket: Sendable {
        /// The lower bound.
        public var lower: Double
        /// The upper bound.
        public var upper: Double
        /// Whether the lower bound lies in it.
        public var includesLower: Bool
        /// Whether the upper bound does.
        public var includesUpper: Bool
        /// The observations in it.
        public var count: Double

        /// Which bounds lie in it, as the HTTP API has it: 0 the upper one, 1 the lower one, 2 none, 3 both.
        public var boundaries: Int { includesLower ? includesUpper ? 3 : 1 : includesUpper ? 0 : 2 }
    }

    // MARK: Bounds

    /// The bounds of a positive bucket.
    func bounds(_ index: Int) -> (lower: Double, upper: Double) {
        guard usesCustomBounds else {
            return (
                BucketBounds.upper(of: index - 1, schema: schema),
                BucketBounds.upper(of: index, schema: schema)
            )
        }
        return (customBound(index - 1), customBound(index))
    }

    private func customBound(_ index: Int) -> Double {
        if index < 0 { return -.infinity }
        return index < customBounds.count ? customBounds[index] : .infinity
    }

    // MARK: Sparse form

    /// The buckets of a side that are not empty; those that spans put where none can be are left out.
    static func sparse(_ spans: [Span], _ buckets: [Double]) -> SparseBuckets {
        var sparse = SparseBuckets()
        sparse.reserveCapacity(buckets.count)
        var runs = BucketRuns(spans)
        var first = -indexLimit
        while let run = runs.run(), run.place < buckets.count {
            for step in 0..<min(run.length, buckets.count - run.place)
            where buckets[run.place + step] != 0 {
                let index = run.index + step
                guard first...indexLimit ~= index else { continue }
                sparse.append((index, buckets[run.place + step]))
                first = index + 1
            }
        }
        return sparse
    }

    var positive: SparseBuckets {
        get { Self.sparse(positiveSpans, positiveBuckets) }
        set { (positiveSpans, positiveBuckets) = Self.dense(newValue) }
    }

    var negative: SparseBuckets {
        get { Self.sparse(negativeSpans, negativeBuckets) }
        set { (negativeSpans, negativeBuckets) = Self.dense(newValue) }
    }

    /// Spans and counts of some buckets; empty ones are left out.
    static func dense(_ sparse: SparseBuckets) -> ([Span], [Double]) {
        var spans: [Span] = []
        var buckets: [Double] = []
        buckets.reserveCapacity(sparse.count)
        var next: Int?
        for (index, count) in sparse where count != 0 {
            if index == next, let last = spans.indices.last {
                spans[last].length += 1
            } else {
                let gap = index - (next ?? 0)
                spans.append(Span(offset: Int32(clamping: gap), length: 1))
            }
            buckets.append(count)
            next = index + 1
        }
        return (spans, buckets)
    }

    /// The same histogram without empty buckets.
    public func compacted() -> FloatHistogram {
        if Self.isCompact(positiveSpans, positiveBuckets),
            Self.isCompact(negativeSpans, negativeBuckets)
        {
            return self
        }
        var compact = self
        compact.positive = positive
        compact.negative = negative
        return compact
    }

    private static func isCompact(_ spans: [Span], _ buckets: [Double]) -> Bool {
        for place in spans.indices
        where spans[place].length == 0 || place > 0 && spans[place].offset <= 0 {
            return false
        }
        return fits(spans, buckets.count) && !buckets.contains(0)
    }

    // MARK: All buckets

    /// The buckets that are not empty, ascending: the negative ones, that of zero, the positive ones.
    ///
    /// Where the zero bucket reaches into a neighbour, that one begins at its end.
    public var buckets: [Bucket] {
        var all = allBuckets(withZero: zeroCount > 0)
        guard zeroThreshold > 0, !usesCustomBounds else { return all }
        for place in all.indices {
            let (lower, upper) = (all[place].lower, all[place].upper)
            if lower > 0 { all[place].lower = min(max(lower, zeroThreshold), upper) }
            if upper < 0 { all[place].upper = max(min(upper, -zeroThreshold), lower) }
        }
        return all
    }

    /// The same with the bounds that the schema gives them.
    var schemaBuckets: [Bucket] { allBuckets(withZero: zeroCount != 0) }

    private func allBuckets(withZero hasZero: Bool) -> [Bucket] {
        var all: [Bucket] = []
        for (index, count) in negative.reversed() {
            let (lower, upper) = bounds(index)
            all.append(
                Bucket(
                    lower: -upper, upper: -lower, includesLower: true, includesUpper: false,
                    count: count))
        }
        if hasZero {
            all.append(
                Bucket(
                    lower: -zeroThreshold, upper: zeroThreshold, includesLower: true,
                    includesUpper: true, count: zeroCount))
        }
        for (index, count) in positive {
            let (lower, upper) = bounds(index)
            all.append(
                Bucket(
                    lower: lower, upper: upper, includesLower: usesCustomBounds && index == 0,
                    includesUpper: true, count: count))
        }
        return all
    }

    // MARK: Resolution

    /// Buckets of a schema in a coarser one.
    static func reduced(
        _ buckets: SparseBuckets, from schema: Int32, to target: Int32
    ) -> SparseBuckets {
        guard target < schema else { return buckets }
        let shift = Int(schema) - Int(target)
        var reduced = SparseBuckets()
        for (index, count) in buckets {
            let coarse = ((index - 1) >> shift) + 1
            if let last = reduced.indices.last, reduced[last].index == coarse {
                reduced[last].count += count
            } else {
                reduced.append((coarse, count))
            }
        }
        return reduced
    }

    /// The histogram in a coarser schema; the same where the schema is not coarser.
    public func reduced(toSchema target: Int32) -> FloatHistogram {
        guard !usesCustomBounds, target < schema, target >= -4 else { return self }
        var coarse = self
        coarse.positive = Self.reduced(positive, from: schema, to: target)
        coarse.negative = Self.reduced(negative, from: schema, to: target)
        coarse.schema = target
        return coarse
    }

    /// Buckets with bounds of their own in fewer bounds, all of which are among those.
    static func remapped(
        _ buckets: SparseBuckets, from bounds: [Double], to target: [Double]
    ) -> SparseBuckets {
        var remapped = SparseBuckets()
        var place = 0
        for (index, count) in buckets {
            let upper = bounds.indices.contains(index) ? bounds[index] : .infinity
            while place < target.count, target[place] < upper { place += 1 }
            if let last = remapped.indices.last, remapped[last].index == place {
                remapped[last].count += count
            } else {
                remapped.append((place, count))
            }
        }
        return remapped
    }

    /// The bounds that both have.
    static func common(_ left: [Double], _ right: [Double]) -> [Double] {
        var common: [Double] = []
        var place = 0
        for bound in left {
            while place < right.count, right[place] < bound { place += 1 }
            if place < right.count, right[place] == bound { common.append(bound) }
        }
        return common
    }

    // MARK: Zero

    /// The zero bucket's count if it reached to `threshold`; where that lies within a bucket that is not
    /// empty, the threshold moves to the bucket's end.
    func zeroCount(upTo threshold: Double) -> (count: Double, threshold: Double) {
        guard threshold > zeroThreshold else { return (zeroCount, zeroThreshold) }
        var threshold = threshold
        let (positive, negative) = (positive, negative)
        while true {
            var count = zeroCount
            for bucket in positive {
                let (lower, upper) = bounds(bucket.index)
                if lower >= threshold { break }
                count += bucket.count
                if upper > threshold { threshold = upper }
            }
            var hasMoved = false
            for bucket in negative {
                let (lower, upper) = bounds(bucket.index)
                if lower >= threshold { break }
                count += bucket.count
                if upper > threshold {
                    threshold = upper
                    hasMoved = true
                    break
                }
            }
            if !hasMoved { return (count, threshold) }
        }
    }

    /// Widens the zero bucket, and takes the buckets away that it swallows.
    mutating func widenZero(to threshold: Double) {
        (zeroCount, zeroThreshold) = zeroCount(upTo: threshold)
        positive = positive.filter { bounds($0.index).lower >= zeroThreshold }
        negative = negative.filter { bounds($0.index).lower >= zeroThreshold }
    }
}

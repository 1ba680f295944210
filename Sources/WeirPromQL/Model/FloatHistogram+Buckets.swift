import Glibc

/// Buckets of one side of a histogram as index and count, ascending by index, none of them empty.
typealias SparseBuckets = ContiguousArray<(index: Int, count: Double)>

extension FloatHistogram {
    /// Most buckets of one side of a histogram that comes from outside.
    public static let bucketLimit = 16_384

    /// One bucket with its bounds.
    public struct Bucket: Sendable {
        /// Its lower bound.
        public var lower: Double
        /// Its upper bound.
        public var upper: Double
        /// Whether the lower bound lies in it.
        public var includesLower: Bool
        /// Whether the upper bound does.
        public var includesUpper: Bool
        /// The observations in it.
        public var count: Double
    }

    /// Whether spans and buckets belong together, and schema and bounds are ones that there are.
    public var isValid: Bool {
        guard usesCustomBounds || -4...8 ~= schema else { return false }
        if usesCustomBounds {
            guard negativeBuckets.isEmpty, negativeSpans.isEmpty, zeroCount == 0 else {
                return false
            }
            for (first, second) in zip(customBounds, customBounds.dropFirst())
            where !(first < second) {
                return false
            }
        }
        return Self.fits(positiveSpans, positiveBuckets.count)
            && Self.fits(negativeSpans, negativeBuckets.count)
    }

    private static func fits(_ spans: [Span], _ count: Int) -> Bool {
        guard count <= bucketLimit, spans.count <= bucketLimit else { return false }
        var total = 0
        for (place, span) in spans.enumerated() {
            if place > 0, span.offset < 0 { return false }
            total += Int(span.length)
            guard total <= count else { return false }
        }
        return total == count
    }

    // MARK: Bounds

    /// The upper bound of a bucket of an exponential schema.
    static func bound(_ index: Int, schema: Int32) -> Double {
        if schema <= 0 { return scalbn(1, Int32(clamping: index << Int(min(-schema, 10)))) }
        let scale = min(Int(schema), 8)
        let whole = index >> scale
        let part = index & ((1 << scale) - 1)
        return scalbn(exp2(Double(part) / Double(1 << scale)), Int32(clamping: whole))
    }

    /// The bounds of a positive bucket.
    func bounds(_ index: Int) -> (lower: Double, upper: Double) {
        guard usesCustomBounds else {
            return (Self.bound(index - 1, schema: schema), Self.bound(index, schema: schema))
        }
        let lower = index > 0 && index <= customBounds.count ? customBounds[index - 1] : -.infinity
        let upper = index >= 0 && index < customBounds.count ? customBounds[index] : .infinity
        return (index > customBounds.count ? .infinity : lower, upper)
    }

    // MARK: Sparse form

    /// The buckets of a side that are not empty.
    static func sparse(_ spans: [Span], _ buckets: [Double]) -> SparseBuckets {
        var sparse = SparseBuckets()
        sparse.reserveCapacity(buckets.count)
        var index = 0
        var next = 0
        for span in spans {
            index += Int(span.offset)
            for _ in 0..<span.length {
                guard next < buckets.count else { return sparse }
                if buckets[next] != 0 { sparse.append((index, buckets[next])) }
                next += 1
                index += 1
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
        var compact = self
        compact.positive = positive
        compact.negative = negative
        return compact
    }

    // MARK: All buckets

    /// The buckets that are not empty, ascending: the negative ones, that of zero, the positive ones.
    public var buckets: [Bucket] {
        var all: [Bucket] = []
        for (index, count) in negative.reversed() {
            let (lower, upper) = bounds(index)
            all.append(
                Bucket(
                    lower: -upper, upper: -lower, includesLower: true, includesUpper: false,
                    count: count))
        }
        if zeroCount != 0 { all.append(zeroBucket) }
        for (index, count) in positive {
            let (lower, upper) = bounds(index)
            all.append(
                Bucket(
                    lower: lower, upper: upper, includesLower: false, includesUpper: true,
                    count: count))
        }
        // The zero bucket may reach over its neighbours.
        return all
    }

    /// The bucket around zero.
    var zeroBucket: Bucket {
        Bucket(
            lower: -zeroThreshold, upper: zeroThreshold, includesLower: true, includesUpper: true,
            count: zeroCount)
    }

    // MARK: Resolution

    /// Buckets of a schema in a coarser one.
    static func reduced(
        _ buckets: SparseBuckets, from schema: Int32, to target: Int32
    ) -> SparseBuckets {
        guard target < schema else { return buckets }
        let shift = Int(schema - target)
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
            let upper = index < bounds.count ? bounds[index] : .infinity
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

/// Why a histogram from outside is refused.
public enum HistogramProblem: Error, Hashable, Sendable, CustomStringConvertible {
    /// The schema is neither in −4...8 nor −53.
    case unknownSchema(Int32)
    /// More buckets, spans or bounds than `bucketLimit`.
    case tooManyBuckets
    /// A span behind the first begins before the former one ends.
    case spansOverlap
    /// The spans are of another number of buckets than there are.
    case spansDoNotFit
    /// A bucket lies where no schema has one.
    case bucketOutOfRange
    /// Bounds that do not ascend, are not numbers, or hold +Inf.
    case boundsDoNotAscend
    /// A schema with bounds of its own has neither a zero bucket nor negative buckets.
    case bucketsBesideBounds
    /// The zero threshold is negative or not a number.
    case badZeroThreshold
    /// A count is negative.
    case negativeCount

    /// The reason for whoever sent it.
    public var description: String {
        switch self {
        case .unknownSchema(let schema): "schema \(schema) is neither in -4...8 nor -53"
        case .tooManyBuckets: "more than \(FloatHistogram.bucketLimit) buckets, spans or bounds"
        case .spansOverlap: "a span has a negative offset"
        case .spansDoNotFit: "the spans' lengths are not the number of buckets"
        case .bucketOutOfRange: "a bucket's index is out of range"
        case .boundsDoNotAscend: "custom bounds are to ascend, without +Inf and NaN"
        case .bucketsBesideBounds:
            "a histogram of custom bounds has no zero bucket and no negative buckets"
        case .badZeroThreshold: "the zero threshold is negative or not a number"
        case .negativeCount: "a count is negative"
        }
    }
}

extension FloatHistogram {
    /// Most buckets of one side of a histogram that comes from outside.
    public static let bucketLimit = 16_384
    /// How far from 0 a bucket's index may lie; a double's range ends at 2^19.
    static let indexLimit = 1 << 24

    /// Whether spans and buckets belong together, and schema and bounds are ones that there are.
    public var isValid: Bool {
        do throws(HistogramProblem) {
            try checkLayout()
            return true
        } catch {
            return false
        }
    }

    /// Checks what comes from outside: the layout, and that no count is negative.
    public func validate() throws(HistogramProblem) {
        try checkLayout()
        if count < 0 || zeroCount < 0 || positiveBuckets.contains(where: { $0 < 0 })
            || negativeBuckets.contains(where: { $0 < 0 })
        {
            throw .negativeCount
        }
    }

    /// Checks all but the counts.
    func checkLayout() throws(HistogramProblem) {
        guard usesCustomBounds || -4...8 ~= schema else { throw .unknownSchema(schema) }
        guard zeroThreshold >= 0 else { throw .badZeroThreshold }
        if usesCustomBounds {
            guard negativeBuckets.isEmpty, negativeSpans.isEmpty, zeroCount == 0,
                zeroThreshold == 0
            else { throw .bucketsBesideBounds }
            try checkBounds()
        }
        try check(positiveSpans, positiveBuckets.count)
        try check(negativeSpans, negativeBuckets.count)
    }

    private func checkBounds() throws(HistogramProblem) {
        guard customBounds.count <= Self.bucketLimit else { throw .tooManyBuckets }
        for place in customBounds.indices {
            let bound = customBounds[place]
            guard bound < .infinity, place == 0 || customBounds[place - 1] < bound else {
                throw .boundsDoNotAscend
            }
        }
    }

    private func check(_ spans: [Span], _ count: Int) throws(HistogramProblem) {
        guard spans.count <= Self.bucketLimit, count <= Self.bucketLimit else {
            throw .tooManyBuckets
        }
        let range =
            usesCustomBounds ? 0...customBounds.count : -Self.indexLimit...Self.indexLimit
        var index = 0
        var total = 0
        for place in spans.indices {
            if place > 0, spans[place].offset < 0 { throw .spansOverlap }
            index += Int(spans[place].offset)
            if spans[place].length == 0 { continue }
            guard range.contains(index) else { throw .bucketOutOfRange }
            total += Int(spans[place].length)
            guard total <= count else { throw .spansDoNotFit }
            index += Int(spans[place].length)
            guard range.contains(index - 1) else { throw .bucketOutOfRange }
        }
        guard total == count else { throw .spansDoNotFit }
    }
}

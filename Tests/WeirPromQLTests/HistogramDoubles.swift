import Testing
import WeirTesting

@testable import WeirPromQL

extension FloatHistogram {
    /// A histogram as scripts write it, without the braces.
    init(written text: String) throws {
        self = try HistogramNotation.parse(text[...]).histogram
    }

    /// A histogram of one side's spans and counts, as nobody checked them.
    init(schema: Int32 = 0, _ spans: [(Int32, UInt32)], _ buckets: [Double]) {
        self.init()
        self.schema = schema
        positiveSpans = spans.map { Span(offset: $0.0, length: $0.1) }
        positiveBuckets = buckets
    }

    /// What scripts would write for it, without empty buckets.
    var written: String { compacted().notation ?? "too wide" }

    /// A histogram that is sound: ascending spans, counts of one each, whole counts.
    static func sound(schema: Int32, _ random: inout SeededGenerator) -> FloatHistogram {
        var histogram = FloatHistogram()
        histogram.schema = schema
        (histogram.positiveSpans, histogram.positiveBuckets) = side(&random)
        if schema == customSchema {
            let bounds = Set((0..<40).map { _ in Double(random.number(-20...60)) / 4 })
            histogram.customBounds = bounds.sorted()
            histogram.positiveSpans = [Span(offset: 0, length: UInt32(bounds.count + 1))]
            histogram.positiveBuckets = (0...bounds.count).map { _ in Double(random.number(0...9)) }
        } else {
            (histogram.negativeSpans, histogram.negativeBuckets) = side(&random)
            // The zero bucket may reach into its neighbours, not over them.
            let first = [histogram.positiveSpans, histogram.negativeSpans].compactMap { spans in
                var runs = BucketRuns(spans)
                return runs.run()?.index
            }
            let least = first.map { BucketBounds.upper(of: $0, schema: schema) }.min() ?? .infinity
            histogram.zeroThreshold = random.pick(
                [0, 0x1p-128, 0.001, 0.25, 0.3, 1, 7].filter { $0 < least } + [0])
            histogram.zeroCount = Double(random.number(0...9))
        }
        histogram.count = histogram.total
        histogram.sum = Double(random.number(-1_000...1_000))
        histogram.counterResetHint = random.pick([.unknown, .reset, .notReset, .gauge])
        return histogram
    }

    private static func side(_ random: inout SeededGenerator) -> ([Span], [Double]) {
        var spans: [Span] = []
        for place in 0..<random.number(0...4) {
            let offset = place == 0 ? random.number(-9...9) : random.number(0...6)
            spans.append(Span(offset: Int32(offset), length: UInt32(random.number(0...6))))
        }
        let count = spans.reduce(0) { $0 + Int($1.length) }
        return (spans, (0..<count).map { _ in Double(random.number(0...9)) })
    }

    /// All that its buckets hold.
    var total: Double {
        zeroCount + positiveBuckets.reduce(0, +) + negativeBuckets.reduce(0, +)
    }
}

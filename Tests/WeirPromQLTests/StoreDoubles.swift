import WeirTesting

@testable import WeirPromQL

extension SampleStore {
    /// A matcher, or nothing when its pattern is refused.
    static func matcher(
        _ name: String, _ operation: LabelMatcher.Operation, _ value: String
    ) throws -> CompiledMatcher {
        try CompiledMatcher(LabelMatcher(name: name, operation: operation, value: value))
    }

    /// The samples of one series, which its label `id` tells.
    func samples(
        id: String, from first: Int64 = .min, through last: Int64 = .max
    ) throws -> SampleBuffer {
        var buffer = SampleBuffer()
        let series = select([try Self.matcher("id", .equal, id)], from: first, through: last)
        for series in series { series.read(from: first, through: last, into: &buffer) }
        return buffer
    }
}

/// Values as they come, and as they do not.
enum SampleKind: CaseIterable {
    case counter
    case gauge
    case decimal
    case noise
    case constant
    case rare
    case wild

    /// Bits that mean something to an encoder.
    static let odd: [UInt64] = [
        0, 1 << 63, Double.infinity.bitPattern, (-Double.infinity).bitPattern,
        SampleMark.stale.bitPattern, SampleMark.ordinaryNaN.bitPattern, 0xfff8_dead_beef_0001,
        Double.leastNonzeroMagnitude.bitPattern, Double.greatestFiniteMagnitude.bitPattern,
        0x1p53.bitPattern, (0x1p53 - 1).bitPattern, (-0x1p53).bitPattern, (0.1).bitPattern,
        UInt64.max,
    ]

    func next(after former: Double, _ random: inout SeededGenerator) -> Double {
        switch self {
        case .counter:
            random.once(in: 40)
                ? 0 : (former.isFinite ? former.rounded() : 0) + Double(random.number(0...900))
        case .gauge: Double(random.number(-1_000_000...1_000_000))
        case .decimal: Double(random.number(-9_999...99_999)) / random.pick([10, 100, 1_000, 1e6])
        case .noise: Double.random(in: -1e9...1e9, using: &random)
        case .constant: 17.25
        case .rare: random.once(in: 10) ? Double.random(in: 0...1, using: &random) : former
        case .wild:
            Double(bitPattern: random.once(in: 2) ? random.pick(Self.odd) : random.next())
        }
    }
}

extension FloatHistogram {
    /// A histogram that follows another, mostly with the same buckets.
    static func random(
        after former: FloatHistogram?, _ random: inout SeededGenerator
    ) -> FloatHistogram {
        var histogram = former ?? FloatHistogram()
        if former == nil || random.once(in: 8) {
            histogram.schema = random.once(in: 6) ? customSchema : Int32(random.number(-4...8))
            if histogram.usesCustomBounds {
                histogram.customBounds = [0.1, 1, 5]
                histogram.positiveSpans = [Span(offset: 0, length: UInt32(random.number(0...4)))]
                histogram.negativeSpans = []
                (histogram.zeroThreshold, histogram.zeroCount) = (0, 0)
            } else {
                histogram.customBounds = []
                histogram.zeroThreshold = random.pick([0, 0x1p-128, 0.001])
                histogram.positiveSpans = spans(&random)
                histogram.negativeSpans = random.once(in: 2) ? spans(&random) : []
            }
            histogram.positiveBuckets = counts(histogram.positiveSpans)
            histogram.negativeBuckets = counts(histogram.negativeSpans)
        }
        let isWhole = !random.once(in: 5)
        func grown(_ value: Double, _ random: inout SeededGenerator) -> Double {
            if random.once(in: 60) { return Double(bitPattern: random.pick(SampleKind.odd)) }
            let step = Double(random.number(0...30))
            return isWhole ? value.rounded() + step : value + step / 7
        }
        histogram.count = grown(histogram.count, &random)
        if !histogram.usesCustomBounds {
            histogram.zeroCount = grown(histogram.zeroCount, &random)
        }
        histogram.sum = Double.random(in: -1e3...1e6, using: &random)
        for index in histogram.positiveBuckets.indices {
            histogram.positiveBuckets[index] = grown(histogram.positiveBuckets[index], &random)
        }
        for index in histogram.negativeBuckets.indices {
            histogram.negativeBuckets[index] = grown(histogram.negativeBuckets[index], &random)
        }
        histogram.counterResetHint = random.pick([.unknown, .reset, .notReset, .gauge])
        return histogram
    }

    private static func spans(_ random: inout SeededGenerator) -> [Span] {
        (0..<random.number(0...4)).map { place in
            Span(
                offset: Int32(random.number((place == 0 ? -9 : 0)...9)),
                length: UInt32(random.number(0...5)))
        }
    }

    private static func counts(_ spans: [Span]) -> [Double] {
        [Double](repeating: 0, count: spans.reduce(0) { $0 + Int($1.length) })
    }
}

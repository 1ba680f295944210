import Testing
import WeirTesting

@testable import WeirMetrics

@Suite("A native histogram") struct NativeHistogramTests {
    /// The bucket with these bounds holds the value: (2^((i-1)/2^s), 2^(i/2^s)].
    @Test(
        arguments: [
            (1, 0, 0), (1.5, 0, 1), (2, 0, 1), (2.1, 0, 2), (0.5, 0, -1), (1, 3, 0), (2, 3, 8),
            (1.09, 3, 1), (1.1, 3, 2), (1024, 3, 80), (3, -1, 1), (4, -1, 1), (5, -1, 2),
            (0.25, -1, -1), (0.3, -1, 0), (0.2, -1, -1),
        ] as [(Double, Int, Int)])
    func `finds the bucket`(_ value: Double, _ schema: Int, _ index: Int) {
        #expect(NativeHistogram.bucket(of: value, schema: schema) == index)
    }

    @Test func `counts what is near zero, below zero and no number apart`() {
        var histogram = NativeHistogram(schema: 3)
        for value in [0, 1e-300, -1e-300, 1, 2, -4, .nan, .infinity] {
            histogram.observe(value, bucketLimit: 160)
        }
        #expect(histogram.count == 8)
        #expect(histogram.zeroCount == 3)
        #expect(histogram.positive.counts.reduce(0, +) == 2)
        #expect(histogram.negative == NativeHistogram.Run(first: 16, counts: [1]))
    }

    @Test func `halves its resolution instead of growing beyond its limit`() {
        var random = SeededGenerator(announcing: "NativeHistogramTests")
        for _ in 0..<50 {
            var histogram = NativeHistogram(schema: 8)
            var values: [Double] = []
            for _ in 0..<300 {
                let value = Double.random(in: -12...12, using: &random)
                let observed = value < 0 ? -Double.pow10(value) : Double.pow10(value)
                values.append(observed)
                histogram.observe(observed, bucketLimit: 40)
            }
            #expect(histogram.positive.counts.count <= 40)
            #expect(histogram.negative.counts.count <= 40)
            for (run, sign) in [(histogram.positive, 1.0), (histogram.negative, -1.0)] {
                var counts: [Int: UInt64] = [:]
                for value in values where value * sign > 0 {
                    counts[
                        NativeHistogram.bucket(of: abs(value), schema: histogram.schema),
                        default: 0] += 1
                }
                for (place, count) in run.counts.enumerated() {
                    #expect(counts[run.first + place, default: 0] == count)
                }
                #expect(run.counts.reduce(0, +) == counts.values.reduce(0, +))
            }
        }
    }

    @Test func `is the same when two halves of the observations are merged`() {
        var random = SeededGenerator(announcing: "NativeHistogramTests.merge")
        for _ in 0..<50 {
            var whole = NativeHistogram(schema: 5)
            var left = NativeHistogram(schema: 5)
            var right = NativeHistogram(schema: 5)
            for _ in 0..<100 {
                let value = Double(random.number(1...100_000))
                whole.observe(value, bucketLimit: 50)
                if random.once(in: 2) {
                    left.observe(value, bucketLimit: 50)
                } else {
                    right.observe(value, bucketLimit: 50)
                }
            }
            left.merge(right, bucketLimit: 50)
            #expect(left == whole)
        }
    }
}

extension Double {
    /// Ten to some power.
    fileprivate static func pow10(_ power: Double) -> Double {
        var value = 1.0
        for _ in 0..<Int(power.magnitude) { value *= 10 }
        let scaled = value * (1 + power.magnitude.truncatingRemainder(dividingBy: 1))
        return power < 0 ? scaled : 1 / scaled
    }
}

import Testing
import WeirTesting

@testable import WeirPromQL

@Suite("Native histograms of any kind") struct HistogramFuzzTests {
    /// A histogram that nobody checked.
    private static func wild(_ random: inout SeededGenerator) -> FloatHistogram {
        var histogram = FloatHistogram.random(after: nil, &random)
        let odd = SampleKind.odd.map(Double.init(bitPattern:)) + [1, 0.5, -2, 1e300]
        if random.once(in: 3) {
            histogram.schema = random.pick([-53, -5, 9, 52, -9, .min, .max, -54])
        }
        if random.once(in: 3) { histogram.zeroThreshold = random.pick(odd) }
        if random.once(in: 3) { histogram.customBounds = odd.shuffled(using: &random) }
        if random.once(in: 3) { histogram.positiveBuckets.append(random.pick(odd)) }
        if random.once(in: 3) { histogram.negativeBuckets = [] }
        if random.once(in: 3) {
            histogram.positiveSpans.append(
                .init(
                    offset: random.pick([.min, .max, -1, 0, 1 << 24]),
                    length: random.pick([0, 1, 7, .max])))
        }
        for place in histogram.positiveBuckets.indices where random.once(in: 4) {
            histogram.positiveBuckets[place] = random.pick(odd)
        }
        return histogram
    }

    @Test func `neither trap nor hang whatever they hold`() throws {
        var random = SeededGenerator(announcing: "wild histograms")
        let time = FuzzTime(shared: 5)
        while time.isLeft {
            let (left, right) = (Self.wild(&random), Self.wild(&random))
            let number = Double(bitPattern: random.pick(SampleKind.odd))
            var results = [
                left.compacted(), left.reduced(toSchema: right.schema), left.scaled(by: number),
                left.divided(by: number), left.trimmed(upper: number),
                left.trimmed(lower: number),
            ]
            let fit = left.usesCustomBounds == right.usesCustomBounds
            do throws(HistogramMismatch) {
                var (added, taken) = (left, left)
                try added.add(right)
                try taken.subtract(right)
                var (sum, mean) = (HistogramSum(left), HistogramMean(left))
                for histogram in [right, left] {
                    try sum.add(histogram)
                    try mean.add(histogram)
                }
                results += [added, taken, sum.value, mean.value]
                #expect(fit)
            } catch {
                #expect(!fit)
            }
            _ = left.detectsReset(since: right)
            _ = left.isEqual(to: right)
            _ = HistogramQuantile.quantile(number, of: left)
            _ = HistogramQuantile.fraction(number, 1, of: left)
            for result in results {
                let compact = result.compacted()
                #expect(FloatHistogram.fits(compact.positiveSpans, compact.positiveBuckets.count))
                #expect(compact.buckets.count <= compact.text.utf8.count)
                _ = compact.notation
                _ = result.isValid
            }
        }
    }

    @Test func `add up the same in any order, and lose nothing`() throws {
        var random = SeededGenerator(announcing: "sums of histograms")
        let time = FuzzTime(shared: 5)
        while time.isLeft {
            let isCustom = random.once(in: 4)
            func next(_ random: inout SeededGenerator) -> FloatHistogram {
                let schema = isCustom ? FloatHistogram.customSchema : Int32(random.number(-4...8))
                return .sound(schema: schema, &random)
            }
            let (left, right) = (next(&random), next(&random))
            try left.validate()
            try right.validate()
            var (sum, reversed) = (left, right)
            try sum.add(right)
            try reversed.add(left)
            #expect(sum.isEqual(to: reversed), "\(left.written) and \(right.written)")
            #expect(sum.total == left.total + right.total)
            #expect(sum.isValid)

            var exact = HistogramSum(left)
            try exact.add(right)
            #expect(exact.value.isEqual(to: sum), "\(left.written) and \(right.written)")

            var rest = sum
            try rest.subtract(right)
            #expect(rest.total == left.total)
            var grown = sum
            grown.counterResetHint = .unknown
            #expect(!grown.detectsReset(since: left), "\(left.written) and \(right.written)")
        }
    }

    @Test func `get coarser before a sum as behind it`() throws {
        var random = SeededGenerator(announcing: "coarser histograms")
        let time = FuzzTime(shared: 5)
        while time.isLeft {
            let schema = Int32(random.number(-4...8))
            let target = Int32(random.number(-4...Int(schema)))
            var left = FloatHistogram.sound(schema: schema, &random)
            var right = FloatHistogram.sound(schema: Int32(random.number(-4...8)), &random)
            (left.zeroThreshold, right.zeroThreshold) = (0, 0)
            var sum = left
            try sum.add(right)
            var coarse = left.reduced(toSchema: target)
            try coarse.add(right.reduced(toSchema: target))
            #expect(
                coarse.isEqual(to: sum.reduced(toSchema: target)),
                "\(left.written) and \(right.written) in \(target)")
            #expect(coarse.total == sum.total)
        }
    }

    @Test func `are parted by a value without loss, and found again in their text`() throws {
        var random = SeededGenerator(announcing: "parted histograms")
        let time = FuzzTime(shared: 5)
        while time.isLeft {
            let schema =
                random.once(in: 4) ? FloatHistogram.customSchema : Int32(random.number(-4...8))
            let histogram = FloatHistogram.sound(schema: schema, &random)
            if let notation = histogram.notation {
                let read = try FloatHistogram(written: String(notation.dropFirst(2).dropLast(2)))
                #expect(read.isEqual(to: histogram), "\(notation)")
            }
            guard histogram.count > 0 else { continue }
            let bound = Double.random(in: -3...3, using: &random)
            let below = histogram.trimmed(upper: bound)
            let above = histogram.trimmed(lower: bound)
            let difference = below.count + above.count - histogram.count
            if !histogram.usesCustomBounds {
                #expect(abs(difference) < 1e-6, "\(histogram.written) at \(bound)")
            }
            var former = -Double.infinity
            for fraction in [0, 0.1, 0.3, 0.5, 0.7, 0.9, 1] {
                let value = HistogramQuantile.quantile(fraction, of: histogram).value
                #expect(value >= former - 1e-9, "\(histogram.written) at \(fraction)")
                former = value
            }
            let whole = HistogramQuantile.fraction(-.infinity, .infinity, of: histogram).value
            #expect(abs(whole - 1) < 1e-9, "\(histogram.written)")
        }
    }

    @Test func `are read from any text, or refused`() {
        var random = SeededGenerator(announcing: "histograms' notation")
        let pieces = [
            "schema:", "-53", "8", "count:", "sum:", "1", "-9223372036854775808", "1e999", "NaN",
            "buckets:", "[", "]", "1 2", " ", "offset:", "n_buckets:[1]", "z_bucket_w:", "0x1",
            "custom_values:[1 2]", "counter_reset_hint:gauge", "é", "{{", "}}", "x3", "+{{}}",
            "_x2",
        ]
        let time = FuzzTime(shared: 5)
        while time.isLeft {
            let text = random.soup(of: pieces, upTo: 12)
            if let written = try? HistogramNotation.parse(text[...]) {
                #expect(written.histogram.isValid, "\(text)")
            }
            if let items = try? ScriptItems.parse(text[...]) {
                #expect(items.count <= ScriptItems.limit, "\(text)")
            }
        }
    }
}

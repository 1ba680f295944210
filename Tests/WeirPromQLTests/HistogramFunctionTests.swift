import Testing

@testable import WeirPromQL

@Suite("Quantiles and fractions of histograms") struct HistogramFunctionTests {
    private static func near(_ left: Double, _ right: Double) -> Bool {
        if left.isNaN || right.isNaN { return left.isNaN && right.isNaN }
        return left == right || abs(left - right) <= 1e-9 * max(abs(left), abs(right))
    }

    @Test(arguments: [
        // From native_histograms.test: one observation in (0.5, 1], two in (1, 2], one in (2, 4].
        ("sum:5 count:4 buckets:[1 2 1]", 0.5, 1.414213562373095),
        ("sum:5 count:4 buckets:[1 2 1]", 0, 0.5), ("sum:5 count:4 buckets:[1 2 1]", 1, 4),
        // The zero bucket is even, and one-sided where all others lie on one side.
        ("count:12 sum:1 z_bucket:2 z_bucket_w:0.001 buckets:[2 3 0 1 4]", 0.1, 0.0006),
        ("count:12 sum:1 z_bucket:2 z_bucket_w:0.001 n_buckets:[2 3 0 1 4]", 0.9, -0.0006),
        // Bounds of their own: even, from 0, and nothing beyond the last one.
        ("schema:-53 count:4 sum:5 custom_values:[5 10] buckets:[2 1 1]", 0.25, 2.5),
        ("schema:-53 count:4 sum:5 custom_values:[5 10] buckets:[2 1 1]", 0.9, 10),
        ("schema:-53 count:4 sum:5 custom_values:[-5 10] buckets:[2 2]", 0.1, -5),
        // More observations than the buckets hold.
        ("count:9 buckets:[4]", 0.45, 1), ("count:9 buckets:[4]", 0.4, 0.9330329915368074),
        ("count:4 sum:5", 0.5, 0), ("count:4 sum:NaN", 0.5, .nan),
        ("count:4 buckets:[4]", -1, -.infinity), ("count:4 buckets:[4]", 2, .infinity),
        ("count:4 buckets:[4]", .nan, .nan), ("", 0.5, .nan),
    ])
    func `finds the quantile of a native histogram`(
        written: String, fraction: Double, value: Double
    ) throws {
        let histogram = try FloatHistogram(written: written)
        #expect(Self.near(HistogramQuantile.quantile(fraction, of: histogram).value, value))
    }

    @Test(arguments: [
        ("count:4 buckets:[1 2 1]", 1, 2, 0.5), ("count:4 buckets:[1 2 1]", -.infinity, 1, 0.25),
        ("count:4 buckets:[1 2 1]", 1.414213562373095, .infinity, 0.5),
        ("count:4 buckets:[1 2 1]", 2, 1, 0), ("count:4 buckets:[1 2 1]", .nan, 1, .nan),
        ("", 1, 2, .nan), ("count:2 z_bucket:2 z_bucket_w:1", -0.5, 0.5, 0.5),
        ("schema:-53 count:4 custom_values:[5 10] buckets:[2 1 1]", 2.5, 7.5, 0.375),
    ])
    func `finds the part of a native histogram between two values`(
        written: String, lower: Double, upper: Double, part: Double
    ) throws {
        let histogram = try FloatHistogram(written: written)
        #expect(Self.near(HistogramQuantile.fraction(lower, upper, of: histogram).value, part))
    }

    @Test(arguments: [
        ("count:4 sum:NaN buckets:[1 2 1]", 0.5, HistogramQuantile.NaNObservations.none),
        ("count:5 sum:NaN buckets:[1 2 1]", 0.5, .skewResult),
        ("count:5 sum:NaN buckets:[1 2 1]", 0.9, .decideResult),
        ("count:5 sum:1 buckets:[1 2 1]", 0.5, .none),
    ])
    func `tells of observations that are no numbers`(
        written: String, fraction: Double, kind: HistogramQuantile.NaNObservations
    ) throws {
        let histogram = try FloatHistogram(written: written)
        #expect(HistogramQuantile.quantile(fraction, of: histogram).1 == kind)
    }

    private static func classic(
        _ buckets: [(Double, Double)]
    ) -> [HistogramQuantile.ClassicBucket] {
        buckets.map { HistogramQuantile.ClassicBucket(upper: $0.0, count: $0.1) }
    }

    @Test(arguments: [
        (0.5, 8.5), (0.01, 0.0045), (0.99, 979.75), (-0.1, -.infinity), (1.1, .infinity),
        (.nan, .nan),
    ])
    func `finds the quantile of a classic histogram whose counts fall`(
        fraction: Double, value: Double
    ) throws {
        // From histograms.test.
        let buckets = Self.classic([
            (.infinity, 80), (1_000, 90), (100, 40), (10, 50), (1, 10), (0.1, 20),
        ])
        let (ordered, mending) = try #require(HistogramQuantile.ordered(buckets))
        #expect(Self.near(HistogramQuantile.quantile(fraction, of: ordered), value))
        #expect(mending?.least == 1)
        #expect(mending?.greatest == .infinity)
        #expect(mending?.difference == 10)
    }

    @Test func `does not speak of counts that fall by a rounding error`() throws {
        let buckets = Self.classic([(1, 1), (2, 1 - 1e-13), (.infinity, 2)])
        let (ordered, mending) = try #require(HistogramQuantile.ordered(buckets))
        #expect(mending == nil)
        #expect(ordered.map(\.count) == [1, 1, 2])
    }

    @Test func `joins buckets of the same bound, and wants one of +Inf`() throws {
        let buckets = Self.classic([(1, 1), (1, 2), (.infinity, 4)])
        #expect(HistogramQuantile.ordered(buckets)?.buckets.map(\.count) == [3, 4])
        #expect(HistogramQuantile.ordered(Self.classic([(1, 1), (2, 2)])) == nil)
        #expect(HistogramQuantile.ordered([]) == nil)
        let single = Self.classic([(.infinity, 4)])
        #expect(HistogramQuantile.quantile(0.5, of: single).isNaN)
    }

    @Test func `finds the part of a classic histogram between two values`() {
        let buckets = Self.classic([(1, 4), (2, 6), (.infinity, 8)])
        #expect(HistogramQuantile.fraction(0.5, 1.5, of: buckets) == 0.375)
        #expect(HistogramQuantile.fraction(-.infinity, .infinity, of: buckets) == 1)
        #expect(HistogramQuantile.fraction(2, 1, of: buckets) == 0)
        #expect(HistogramQuantile.fraction(.nan, 1, of: buckets).isNaN)
        let falling = Self.classic([(1, 4), (2, 2), (.infinity, 8)])
        #expect(HistogramQuantile.fraction(1, 2, of: falling) == -0.25)
    }

    @Test func `says of all steps at once how much had to be mended`() {
        var annotations = Annotations()
        let range = TextRange(start: 19, end: 22)
        annotations.inform(
            "mended",
            of: MonotonicityMending(
                least: 2.5, greatest: 75, difference: 7.5, first: 1_733_011_200_000,
                last: 1_733_011_200_000), at: range)
        annotations.inform(
            "mended",
            of: MonotonicityMending(
                least: 5, greatest: 100, difference: 123.4, first: 1_703_462_400_999,
                last: 1_703_462_400_999), at: range)
        #expect(
            annotations.infoTexts(in: "histogram_quantile(9, b)") == [
                "PromQL info: mended, from buckets 2.5 to 100, with a max diff of 1.2e+02, over 2 "
                    + "samples from 2023-12-25T00:00:00Z to 2024-12-01T00:00:00Z (1:20)"
            ])
    }

    private static let trims: [(String, Double, String, String)] = [
        // In the middle of a bucket: exponential ones part at the mean of their bounds' logarithms.
        (
            "count:4 sum:5 buckets:[1 2 1]", 1.414213562373095,
            "{{count:2 sum:1.8963140 buckets:[1 1]}}",
            "{{count:2 sum:4.5102200 offset:1 buckets:[1 1]}}"
        ),
        // Custom ones in their middle; a bucket without an end goes, or stays, whole.
        (
            "schema:-53 count:4 sum:5 custom_values:[5 10] buckets:[2 1 1]", 7.5,
            "{{schema:-53 count:2.5 sum:8.125 custom_values:[5 10] buckets:[2 0.5]}}",
            "{{schema:-53 count:1.5 sum:14.375 custom_values:[5 10] offset:1 buckets:[0.5 1]}}"
        ),
        (
            "schema:-53 count:4 sum:5 custom_values:[5 10] buckets:[2 1 1]", 20,
            "{{schema:-53 count:3 sum:12.5 custom_values:[5 10] buckets:[2 1]}}",
            "{{schema:-53 count:1 sum:20 custom_values:[5 10] offset:2 buckets:[1]}}"
        ),
        // Nothing to take away: the sum is left alone.
        ("count:4 sum:5 buckets:[1 2 1]", 4, "{{count:4 sum:5 buckets:[1 2 1]}}", "{{}}"),
        ("count:1 z_bucket:1", 0, "{{}}", "{{count:1 z_bucket:1}}"),
        (
            "count:4 z_bucket:4 z_bucket_w:1", 0.5, "{{count:3 sum:-0.75 z_bucket:3 z_bucket_w:1}}",
            "{{count:1 sum:0.75 z_bucket:1 z_bucket_w:1}}"
        ),
        (
            "count:3 buckets:[1] n_buckets:[2]", 0, "{{count:2 sum:-1.4142136 n_buckets:[2]}}",
            "{{count:1 sum:0.7071068 buckets:[1]}}"
        ),
    ]

    @Test(arguments: trims)
    func `keeps what lies below or above a value`(
        written: String, bound: Double, below: String, above: String
    ) throws {
        let histogram = try FloatHistogram(written: written)
        for (trimmed, text) in [
            (histogram.trimmed(upper: bound), below), (histogram.trimmed(lower: bound), above),
        ] {
            let wanted = try FloatHistogram(written: text.filter { $0 != "{" && $0 != "}" })
            #expect(abs(wanted.sum - trimmed.sum) < 1e-6, "\(trimmed.text) of \(text)")
            #expect(abs(wanted.count - trimmed.count) < 1e-9, "\(trimmed.text) of \(text)")
            #expect(trimmed.buckets.map(\.upper) == wanted.buckets.map(\.upper))
            for (found, bucket) in zip(trimmed.buckets, wanted.buckets) {
                #expect(Self.near(found.count, bucket.count), "\(trimmed.text) of \(text)")
            }
        }
    }
}

import Testing

@testable import WeirPromQL

@Suite("The arithmetic of native histograms") struct HistogramArithmeticTests {
    private static let sums: [(String, String, String)] = [
        // The same buckets.
        (
            "count:4 sum:5 buckets:[1 2 1]", "count:4 sum:5 buckets:[1 2 1]",
            "{{count:8 sum:10 buckets:[2 4 2]}}"
        ),
        // Buckets of one lie within those of the other.
        (
            "count:4 sum:5 buckets:[1 2 1]", "count:3 sum:1 offset:1 buckets:[3]",
            "{{count:7 sum:6 buckets:[1 5 1]}}"
        ),
        // Buckets before, behind, and in a gap.
        (
            "count:2 buckets:[1 0 1]", "count:3 offset:-2 buckets:[1 0 0 1 0 0 1]",
            "{{count:5 offset:-2 buckets:[1 0 1 1 1 0 1]}}"
        ),
        // The finer schema becomes the coarser one.
        (
            "schema:1 count:6 buckets:[1 2 3]", "count:2 buckets:[1 1]",
            "{{count:8 buckets:[2 6]}}"
        ),
        // The wider zero bucket swallows what lies in it, and reaches to the end of a bucket.
        (
            "count:3 z_bucket:1 z_bucket_w:0.5 offset:1 buckets:[2]",
            "count:6 z_bucket:1 z_bucket_w:0.25 offset:-1 buckets:[2 1 2]",
            "{{count:9 z_bucket:4 z_bucket_w:0.5 buckets:[1 4]}}"
        ),
        (
            "count:1 z_bucket:1 z_bucket_w:0.3", "count:2 offset:-1 buckets:[2]",
            "{{count:3 z_bucket:3 z_bucket_w:0.5}}"
        ),
        // Of bounds of their own, those that both have are kept.
        (
            "schema:-53 count:6 custom_values:[5 10] buckets:[1 2 3]",
            "schema:-53 count:6 custom_values:[5 8 10] buckets:[1 2 2 1]",
            "{{schema:-53 count:12 custom_values:[5 10] buckets:[2 6 4]}}"
        ),
        (
            "schema:-53 count:3 custom_values:[2] buckets:[1 2]",
            "schema:-53 count:3 custom_values:[5] buckets:[1 2]",
            "{{schema:-53 count:6 custom_values:[] buckets:[6]}}"
        ),
    ]

    @Test(arguments: sums)
    func `adds buckets that mean the same`(left: String, right: String, sum: String) throws {
        var histogram = try FloatHistogram(written: left)
        try histogram.add(try FloatHistogram(written: right))
        #expect(histogram.written == sum)
        var reversed = try FloatHistogram(written: right)
        try reversed.add(try FloatHistogram(written: left))
        #expect(reversed.written == sum)
    }

    @Test(arguments: sums)
    func `takes away what was added`(left: String, right: String, sum: String) throws {
        let other = try FloatHistogram(written: right)
        var histogram = try FloatHistogram(written: sum.filter { $0 != "{" && $0 != "}" })
        try histogram.subtract(other)
        try histogram.add(other)
        #expect(histogram.written == sum)
    }

    @Test func `swallows the zero bucket before it gets coarser`() throws {
        // In schema 0, the bucket (1/2, 1] would have gone whole.
        var histogram = try FloatHistogram(
            written: "schema:1 count:5 z_bucket_w:0.5 offset:-1 buckets:[2 3]")
        let wide = "count:1 z_bucket:1 z_bucket_w:0.7071067811865475"
        try histogram.add(try FloatHistogram(written: wide))
        #expect(
            histogram.written
                == "{{count:6 z_bucket:3 z_bucket_w:0.7071067811865475 buckets:[3]}}")
    }

    @Test func `does not add histograms of exponential schemas and of bounds of their own`() throws
    {
        let custom = try FloatHistogram(written: "schema:-53 custom_values:[1] buckets:[1]")
        var histogram = try FloatHistogram(written: "buckets:[1]")
        #expect(throws: HistogramMismatch.self) { try histogram.add(custom) }
        #expect(throws: HistogramMismatch.self) { try histogram.subtract(custom) }
        #expect(histogram.written == "{{buckets:[1]}}")
    }

    @Test(arguments: [
        ("unknown", "unknown", "unknown", false), ("reset", "reset", "reset", false),
        ("gauge", "reset", "gauge", false), ("not_reset", "gauge", "gauge", false),
        ("unknown", "reset", "unknown", false), ("not_reset", "unknown", "unknown", false),
        ("reset", "not_reset", "unknown", true), ("not_reset", "reset", "unknown", true),
    ])
    func `joins what is known of resets`(
        left: String, right: String, joined: String, collides: Bool
    ) throws {
        var histogram = try FloatHistogram(written: "buckets:[1] counter_reset_hint:\(left)")
        let merge = try histogram.add(
            try FloatHistogram(written: "buckets:[1] counter_reset_hint:\(right)"))
        #expect(histogram.counterResetHint.rawValue == joined)
        #expect(merge.hintsCollide == collides)
        #expect(!merge.boundsWereReconciled)
    }

    @Test func `says that bounds were given up`() throws {
        var histogram = try FloatHistogram(written: "schema:-53 custom_values:[1 2] buckets:[1]")
        let other = try FloatHistogram(written: "schema:-53 custom_values:[2] buckets:[1]")
        #expect(try histogram.add(other).boundsWereReconciled)
        #expect(try !histogram.add(other).boundsWereReconciled)
    }

    @Test func `scales, and calls it a gauge when it is turned over`() throws {
        let histogram = try FloatHistogram(written: "count:4 sum:5 z_bucket:1 buckets:[1 2]")
        #expect(
            histogram.scaled(by: 2).written == "{{count:8 sum:10 z_bucket:2 buckets:[2 4]}}")
        #expect(
            histogram.scaled(by: -1).written
                == "{{count:-4 sum:-5 z_bucket:-1 counter_reset_hint:gauge buckets:[-1 -2]}}")
        #expect(
            histogram.divided(by: 2).written == "{{count:2 sum:2.5 z_bucket:0.5 buckets:[0.5 1]}}")
        #expect(histogram.divided(by: 0).written == "{{count:+Inf sum:+Inf z_bucket:+Inf}}")
    }

    @Test func `takes a thousand small numbers from a big one without losing them`() throws {
        var sum = HistogramSum(try FloatHistogram(written: "count:1e16 buckets:[1e16]"))
        let one = try FloatHistogram(written: "count:1 buckets:[1 1]")
        for _ in 0..<1_000 { try sum.add(one) }
        try sum.add(try FloatHistogram(written: "count:-1e16 buckets:[-1e16]"))
        #expect(sum.value.written == "{{count:1000 buckets:[1000 1000]}}")
    }

    @Test func `averages beyond the range of numbers`() throws {
        let big = try FloatHistogram(written: "count:1.5e308 buckets:[1.5e308]")
        var mean = HistogramMean(big)
        for _ in 0..<3 { try mean.add(big) }
        #expect(mean.value.written == "{{count:1.5e+308 buckets:[1.5e+308]}}")
    }

    private static let resets: [(String, String, Bool)] = [
        ("count:4 buckets:[1 2 1]", "count:5 buckets:[1 3 1]", false),
        ("count:4 buckets:[1 2 1]", "count:3 buckets:[1 1 1]", true),
        ("count:4 buckets:[1 2 1]", "count:9 buckets:[1 1 7]", true),
        ("count:4 buckets:[1 2 1]", "count:9 buckets:[1 8]", true),
        ("count:4 buckets:[1 2 1]", "count:9 counter_reset_hint:not_reset", false),
        ("count:4 buckets:[1]", "count:9 buckets:[1] counter_reset_hint:reset", true),
        ("count:4 n_buckets:[1 2]", "count:4 n_buckets:[2 1]", true),
        // Finer buckets come with a reset only; coarser ones are compared.
        ("count:4 buckets:[1 1]", "schema:1 count:4 buckets:[1 1]", true),
        ("schema:1 count:3 buckets:[1 1 1]", "count:3 buckets:[1 2]", false),
        ("schema:1 count:3 buckets:[1 1 1]", "count:3 buckets:[2 1]", true),
        // So with zero buckets.
        ("count:2 z_bucket:2 z_bucket_w:1", "count:2 z_bucket:2 z_bucket_w:0.5", true),
        ("count:2 z_bucket:1 buckets:[1]", "count:2 z_bucket:2 z_bucket_w:1", false),
        ("count:2 z_bucket:1 buckets:[1]", "count:2 z_bucket:1 z_bucket_w:1 buckets:[1]", true),
        ("count:2 z_bucket:1 buckets:[1]", "count:9 z_bucket:9 z_bucket_w:0.8", true),
        ("count:1 buckets:[1]", "schema:-53 count:1 custom_values:[1] buckets:[1]", true),
        (
            "schema:-53 count:3 custom_values:[1 2] buckets:[1 1 1]",
            "schema:-53 count:3 custom_values:[2] buckets:[2 1]", false
        ),
        (
            "schema:-53 count:3 custom_values:[1 2] buckets:[1 1 1]",
            "schema:-53 count:3 custom_values:[2] buckets:[1 2]", true
        ),
    ]

    @Test(arguments: resets)
    func `tells when a counter began anew`(former: String, latter: String, isReset: Bool) throws {
        let latter = try FloatHistogram(written: latter)
        #expect(latter.detectsReset(since: try FloatHistogram(written: former)) == isReset)
    }

    @Test func `is equal by what its buckets hold, not by how they are written`() throws {
        let histogram = try FloatHistogram(written: "count:2 offset:1 buckets:[1 0 1]")
        #expect(histogram.isEqual(to: FloatHistogram([(0, 2), (1, 2)], [0, 1, 1, 0]).counted(2)))
        #expect(!histogram.isEqual(to: FloatHistogram([(0, 2), (1, 2)], [0, 1, 2, 0]).counted(2)))
        let nan = try FloatHistogram(written: "sum:NaN")
        #expect(nan.isEqual(to: nan))
    }

    @Test func `is compact without empty buckets and spans`() {
        let loose = FloatHistogram([(-1, 2), (0, 0), (2, 3), (0, 1)], [0, 1, 0, 2, 0, 3])
        let compact = loose.compacted()
        #expect(compact.positiveBuckets == [1, 2, 3])
        #expect(
            compact.positiveSpans == [
                .init(offset: 0, length: 1), .init(offset: 3, length: 1),
                .init(offset: 1, length: 1),
            ])
        #expect(compact.compacted().positiveSpans == compact.positiveSpans)
    }
}

extension FloatHistogram {
    fileprivate func counted(_ count: Double) -> FloatHistogram {
        var counted = self
        counted.count = count
        return counted
    }
}

import Testing

@testable import WeirPromQL

@Suite("Native histograms as text") struct HistogramTextTests {
    @Test(arguments: [
        "{{}}", "{{count:4 sum:5 buckets:[1 2 1]}}",
        "{{schema:-53 count:4 sum:NaN custom_values:[0.5 5 10] offset:1 buckets:[1 0 3]}}",
        "{{schema:8 count:9 sum:-1e+06 z_bucket:2 z_bucket_w:0.001 counter_reset_hint:not_reset "
            + "offset:-3 buckets:[1 2] n_offset:4 n_buckets:[1.5 0 0.5]}}",
        "{{schema:-4 counter_reset_hint:gauge n_buckets:[1]}}",
    ])
    func `are written as they are read`(text: String) throws {
        let histogram = try FloatHistogram(written: String(text.dropFirst(2).dropLast(2)))
        #expect(histogram.notation == text)
    }

    @Test(arguments: [
        ("schema:9", "schema 9"), ("schema:-5", "schema -5"), ("schema:x", "not a whole number"),
        ("schema:-9223372036854775808", "not a whole number"), ("count:one", "not a number"),
        ("count:0x10", "not a number"), ("buckets:[1 2", "no end"), ("buckets", "key:value"),
        ("bucket:[1]", "no key"), ("counter_reset_hint:maybe", "counter_reset_hint"),
        ("offset:16777217 buckets:[1]", "not a whole number"),
        ("schema:-53 custom_values:[1 1] buckets:[1]", "ascend"),
        ("schema:-53 custom_values:[1 Inf] buckets:[1]", "ascend"),
        ("schema:-53 custom_values:[1 NaN] buckets:[1]", "ascend"),
        ("schema:-53 custom_values:[1] buckets:[1 2 3]", "out of range"),
        ("schema:-53 custom_values:[1] offset:-1 buckets:[1]", "out of range"),
        ("schema:-53 custom_values:[1] n_buckets:[1]", "negative buckets"),
        ("schema:-53 custom_values:[1] z_bucket:1", "zero bucket"),
        ("z_bucket_w:-1", "zero threshold"), ("z_bucket_w:NaN", "zero threshold"),
        ("buckets:[\(String(repeating: "1 ", count: 16_385))]", "more than 16384"),
    ])
    func `are refused with the reason`(text: String, reason: String) {
        do throws(HistogramNotation.Problem) {
            _ = try HistogramNotation.parse(text[...])
            Issue.record("\(text.prefix(60)) was read")
        } catch {
            #expect(error.message.contains(reason), "\(error.message)")
        }
    }

    @Test func `have no notation where buckets lie far apart`() {
        let histogram = FloatHistogram([(0, 1), (1_000_000, 1)], [1, 1])
        #expect(histogram.notation == nil)
    }

    @Test(arguments: [
        ("", "{count:0, sum:0}"),
        (
            "count:6 sum:1.5 z_bucket:1 z_bucket_w:0.001 buckets:[1 0 2] n_buckets:[1 1]",
            "{count:6, sum:1.5, [-2,-1):1, [-1,-0.5):1, [-0.001,0.001]:1, (0.5,1]:1, (2,4]:2}"
        ),
        (
            "schema:-53 count:3 custom_values:[5 10] buckets:[1 1 1]",
            "{count:3, sum:0, [-Inf,5]:1, (5,10]:1, (10,+Inf]:1}"
        ),
        ("schema:1 buckets:[1]", "{count:0, sum:0, (0.7071067811865475,1]:1}"),
    ])
    func `are printed with their bounds`(written: String, text: String) throws {
        #expect(try FloatHistogram(written: written).text == text)
    }

    @Test func `tell the HTTP API which bounds lie in a bucket`() throws {
        let histogram = try FloatHistogram(
            written: "z_bucket:1 z_bucket_w:0.1 buckets:[1] n_buckets:[1]")
        #expect(histogram.buckets.map(\.boundaries) == [1, 3, 0])
        var open = histogram.buckets[0]
        open.includesLower = false
        #expect(open.boundaries == 2)
    }

    @Test func `begin a bucket where the zero bucket ends`() throws {
        let histogram = try FloatHistogram(
            written: "z_bucket:1 z_bucket_w:0.6 buckets:[1] n_buckets:[1]")
        #expect(histogram.buckets.map(\.lower) == [-1, -0.6, 0.6])
        #expect(histogram.buckets.map(\.upper) == [-0.6, 0.6, 1])
        #expect(histogram.text == "{count:0, sum:0, [-1,-0.5):1, [-0.6,0.6]:1, (0.5,1]:1}")
    }
}

@Suite("Bucket bounds") struct BucketBoundsTests {
    @Test(arguments: [
        (0, 0, 1.0), (0, -1, 0.5), (0, 10, 1_024), (-4, 1, 65_536), (-1, -2, 0.0625),
        (1, -1, 0.7071067811865475), (1, 1, 1.414213562373095), (3, 5, 1.5422108254079407),
        (8, -1, 0.9972960560854698), (8, 256, 2), (8, 255, 1.9945921121709396),
    ])
    func `are powers of two as clients have them`(schema: Int32, index: Int, bound: Double) {
        #expect(BucketBounds.upper(of: index, schema: schema) == bound)
    }

    @Test(arguments: -4...8)
    func `end with the greatest number, then infinity`(schema: Int32) {
        let last = schema < 0 ? 1_024 >> -schema : 1_024 << schema
        let greatest = Double.greatestFiniteMagnitude
        #expect(BucketBounds.upper(of: Int(last), schema: schema) == greatest)
        #expect(BucketBounds.upper(of: Int(last) - 1, schema: schema) < greatest)
        #expect(BucketBounds.upper(of: Int(last) + 1, schema: schema) == .infinity)
    }

    @Test(arguments: [Int.min, -1 << 40, 1 << 40, Int.max], [Int32.min, -53, 0, 9, Int32.max])
    func `are bounds still where nothing is`(index: Int, schema: Int32) {
        let bound = BucketBounds.upper(of: index, schema: schema)
        #expect(bound == (index < 0 ? 0 : .infinity))
    }
}

@Suite("A histogram from outside") struct HistogramValidationTests {
    private static let cases: [(FloatHistogram, HistogramProblem)] = [
        (FloatHistogram([(0, 2)], [1]), .spansDoNotFit),
        (FloatHistogram([(0, 1)], [1, 2]), .spansDoNotFit),
        (FloatHistogram([(0, .max)], [1]), .spansDoNotFit),
        (FloatHistogram([(0, 1), (-1, 1)], [1, 2]), .spansOverlap),
        (FloatHistogram([(.max, 1)], [1]), .bucketOutOfRange),
        (FloatHistogram([(.min, 1)], [1]), .bucketOutOfRange),
        (FloatHistogram([(1 << 24, 2)], [1, 1]), .bucketOutOfRange),
        (FloatHistogram(schema: 9, [], []), .unknownSchema(9)),
        (FloatHistogram(schema: .min, [], []), .unknownSchema(.min)),
        (FloatHistogram(schema: -53, [(1, 1)], [1]), .bucketOutOfRange),
        (FloatHistogram([(0, 2)], [1, -1]), .negativeCount),
        (
            FloatHistogram([(0, 16_385)], Array(repeating: 1, count: 16_385)),
            .tooManyBuckets
        ),
        (
            FloatHistogram(Array(repeating: (0, 0), count: 16_385), []), .tooManyBuckets
        ),
    ]

    @Test(arguments: cases)
    func `is refused with the reason`(histogram: FloatHistogram, problem: HistogramProblem) {
        #expect(throws: problem) { try histogram.validate() }
        #expect(histogram.isValid == (problem == .negativeCount))
    }

    @Test(arguments: [
        "", "count:4 sum:5 buckets:[1 2 1]", "schema:-53 custom_values:[1 2] buckets:[1 1 1]",
        "schema:-53 buckets:[1]", "offset:-5 buckets:[1] n_offset:7 n_buckets:[2]",
    ])
    func `is taken when it is sound`(written: String) throws {
        let histogram = try FloatHistogram(written: written)
        #expect(histogram.isValid)
        try histogram.validate()
    }
}

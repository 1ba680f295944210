import Testing
import WeirTesting

@testable import WeirPromQL

@Suite("A target's scrapes") struct ScrapeFeedTests {
    private let store = SampleStore()

    private func feed(_ change: (inout ScrapeFeed.Options) -> Void = { _ in }) -> ScrapeFeed {
        var options = ScrapeFeed.Options()
        options.labels = ["job": "envoy", "instance": "a:1"]
        change(&options)
        return ScrapeFeed(store, options)
    }

    @discardableResult
    private func take(
        _ text: String, by feed: ScrapeFeed, at second: Int64, isOpenMetrics: Bool = false
    ) throws -> SampleFeed.Report {
        try Array(text.utf8).withUnsafeBytes {
            try feed.take($0, isOpenMetrics: isOpenMetrics, at: second * 1_000, seconds: 0.25)
        }
    }

    /// The series that a query finds, as texts.
    private func query(_ query: String, at second: Int64) throws -> [String] {
        let result = try QueryEngine().instant(
            try QueryParser.parse(query), at: second * 1_000, over: store.view())
        guard case .vector(let series) = result.value else { return [] }
        return series.map { one in
            one.labels.map { "\($0.name)=\($0.value)" }.joined(separator: ",")
                + " \(one.points.first?.value ?? .nan)"
        }.sorted()
    }

    @Test func `get the target's labels, and say how they went`() throws {
        let report = try take("a{b=\"c\"} 1\na{b=\"d\"} 2\n", by: feed(), at: 10)
        #expect(report.taken == 2 + 5 && report.refused.isEmpty)
        #expect(
            try query("a", at: 10) == [
                "__name__=a,b=c,instance=a:1,job=envoy 1.0",
                "__name__=a,b=d,instance=a:1,job=envoy 2.0",
            ])
        #expect(try query("up", at: 10) == ["__name__=up,instance=a:1,job=envoy 1.0"])
        #expect(try query("sum(scrape_samples_scraped)", at: 10) == [" 2.0"])
        #expect(try query("sum(scrape_series_added)", at: 10) == [" 2.0"])
        #expect(try query("sum(scrape_duration_seconds)", at: 10) == [" 0.25"])
    }

    @Test func `keep a label of the target's own under another name, or instead`() throws {
        let text = "a{job=\"x\",exported_job=\"y\",instance=\"\"} 1\n"
        try take(text, by: feed(), at: 10)
        #expect(
            try query("a", at: 10) == [
                "__name__=a,exported_exported_job=x,exported_job=y,instance=a:1,job=envoy 1.0"
            ])
        try take(text, by: feed { $0.honorsLabels = true }, at: 20)
        #expect(try query(#"a{job="x"}"#, at: 20) == ["__name__=a,exported_job=y,job=x 1.0"])
    }

    @Test func `end the series that are no longer shown`() throws {
        let feed = feed()
        try take("a 1\nb 2\n", by: feed, at: 10)
        try take("a 1\n", by: feed, at: 20)
        #expect(try query("b", at: 19).count == 1)
        #expect(try query("b", at: 20).isEmpty)
        #expect(try query("a", at: 20).count == 1)
        #expect(feed.fail(at: 30_000, seconds: 1).refused.isEmpty)
        #expect(try query("a", at: 30).isEmpty)
        #expect(try query("up", at: 30) == ["__name__=up,instance=a:1,job=envoy 0.0"])
        try take("a 3\n", by: feed, at: 40)
        #expect(try query("a", at: 40) == ["__name__=a,instance=a:1,job=envoy 3.0"])
        _ = feed.end(at: 50_000)
        #expect(try query(#"{job="envoy"}"#, at: 50).isEmpty)
    }

    @Test func `keep times of the target's own, and no end of such series`() throws {
        let feed = feed()
        try take("a 1 5000\nb 2\n", by: feed, at: 10)
        #expect(try query("timestamp(a)", at: 10) == ["instance=a:1,job=envoy 5.0"])
        try take("b 2\n", by: feed, at: 20)
        #expect(try query("a", at: 20).count == 1)
    }

    @Test func `write bounds in one way`() throws {
        let text = """
            # TYPE h histogram
            h_bucket{le="1"} 1
            h_bucket{le="0.5"} 1
            h_bucket{le="+Inf"} 1
            # TYPE s summary
            s{quantile="1"} 1
            other{le="1"} 1

            """
        try take(text, by: feed(), at: 10)
        let bounds = try query("count by (le) (h_bucket)", at: 10)
        #expect(bounds == ["le=+Inf 1.0", "le=0.5 1.0", "le=1.0 1.0"])
        #expect(try query("count by (quantile) (s)", at: 10) == ["quantile=1.0 1.0"])
        #expect(try query("count by (le) (other)", at: 10) == ["le=1 1.0"])
    }

    @Test func `bring types, help and exemplars`() throws {
        let text = """
            # TYPE a counter
            # HELP a Some help.
            # UNIT a seconds
            a_total 7 # {trace_id="t"} 1 9.5
            # EOF

            """
        try take(text, by: feed(), at: 10, isOpenMetrics: true)
        #expect(
            store.metadata["a"]
                == MetricMetadata(kind: .counter, help: "Some help.", unit: "seconds"))
        let matcher = LabelMatcher(name: "__name__", operation: .equal, value: "a_total")
        let exemplars = store.exemplars([[try CompiledMatcher(matcher)]])
        #expect(exemplars.first?.exemplars.first?.time == 9_500)
        #expect(exemplars.first?.exemplars.first?.labels.first?.value == "t")
    }

    @Test func `are taken as a whole, or not at all`() throws {
        let feed = feed { $0.sampleLimit = 3 }
        #expect(
            throws: ScrapeFeed.Refusal.text(
                ExpositionError(line: 2, message: "the label `x` has no value in quotes"))
        ) {
            try take("a 1\nb{x=y} 2\n", by: feed, at: 10)
        }
        #expect(throws: ScrapeFeed.Refusal.sampleLimit) {
            try take("a 1\nb 1\nc 1\nd 1\n", by: feed, at: 20)
        }
        #expect(try query("{__name__=~\"a|b|c|d\"}", at: 20).isEmpty)
        try take("a 1\nb 1\nc 1\n", by: feed, at: 30)
        #expect(try query("sum(scrape_series_added)", at: 30) == [" 3.0"])
    }
}

import Testing
import WeirTesting

@testable import WeirPromQL

@Suite("The text of a scrape") struct ExpositionReaderTests {
    /// What a text says, line by line, as texts; or why it is refused.
    private func read(_ text: String, isOpenMetrics: Bool = false) throws -> [String] {
        try Array(text.utf8).withUnsafeBytes { bytes in
            var reader = ExpositionReader(bytes, isOpenMetrics: isOpenMetrics)
            var said: [String] = []
            while let entry = try reader.next() {
                switch entry {
                case .type(let metric, let kind): said.append("\(metric) is a \(kind.rawValue)")
                case .help(let metric, let help): said.append("\(metric): \(help)")
                case .unit(let metric, let unit): said.append("\(metric) in \(unit)")
                case .end: said.append("end")
                case .sample(let sample):
                    var text = try labels(bytes, sample.series) + " \(sample.value)"
                    if let time = sample.time { text += " @\(time)" }
                    if let exemplar = sample.exemplar {
                        text += try " # \(labels(bytes, exemplar.labels)) \(exemplar.value)"
                        if let time = exemplar.time { text += " @\(time)" }
                    }
                    said.append(text)
                }
            }
            return said
        }
    }

    private func labels(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) throws -> String {
        try ExpositionLabels.read(bytes, range).get().map { "\($0.name)=\($0.value)" }
            .joined(separator: ",")
    }

    @Test(
        "of Prometheus' format is read",
        arguments: [
            ("a 1", ["__name__=a 1.0"]), ("a{} 1", ["__name__=a 1.0"]),
            ("  a{b=\"c\"} 1.5 \r\n", ["__name__=a,b=c 1.5"]),
            ("a {b=\"c\",} -2 1700000000123", ["__name__=a,b=c -2.0 @1700000000123"]),
            ("a{ b = \"c\" , d=\"\"}\t3", ["__name__=a,b=c,d= 3.0"]),
            (#"a{b="x\\y\"z\nä}"} 1"#, ["__name__=a,b=x\\y\"z\nä} 1.0"]),
            (#"{"my.metric",b="c"} 1"#, ["__name__=my.metric,b=c 1.0"]),
            (#"a{"my.label"="c"} 1"#, ["__name__=a,my.label=c 1.0"]),
            (
                "a +Inf\na -Inf\na 1e-3\na 0x10",
                ["inf", "-inf", "0.001", "16.0"].map { "__name__=a \($0)" }
            ),
            (
                "a 12345678901234567890\na 0.1",
                ["__name__=a 1.2345678901234567e+19", "__name__=a 0.1"]
            ),
            (
                "# a comment\n\n#\n# TYPE a counter\n#HELP a Some \\\\ help\\nin two lines.",
                ["a is a counter", "a: Some \\ help\nin two lines."]
            ),
            ("# TYPE a untyped", ["a is a unknown"]), ("# UNIT a seconds", []),
            ("# TYPE \"my.metric\" gauge", ["my.metric is a gauge"]), ("", []),
        ])
    func text(_ text: String, _ said: [String]) throws {
        #expect(try read(text) == said)
    }

    @Test(
        "of OpenMetrics is read",
        arguments: [
            (
                "# TYPE a counter\n# UNIT a seconds\na_total 1 1700000000.123\n# EOF",
                ["a is a counter", "a in seconds", "__name__=a_total 1.0 @1700000000123", "end"]
            ),
            (
                #"a_bucket{le="1.0"} 3 # {trace_id="t"} 0.5 1700000000.5"# + "\n# EOF\n",
                ["__name__=a_bucket,le=1.0 3.0 # trace_id=t 0.5 @1700000000500", "end"]
            ),
            ("a 1 # {} 2\n# EOF", ["__name__=a 1.0 #  2.0", "end"]),
        ])
    func openMetrics(_ text: String, _ said: [String]) throws {
        #expect(try read(text, isOpenMetrics: true) == said)
    }

    @Test(
        "with a mistake is refused with its line and the reason",
        arguments: [
            ("a 1\nb", 2, "a number is missing", false),
            ("a 1\n\nb x", 3, "`x` is no number", false), ("a 1 2 3", 1, "more behind", false),
            ("a 1 1.5", 1, "no time", false), ("a 1 # {} 2", 1, "more behind", false),
            ("9a 1", 1, "cannot have `9`", false), ("a{b=\"c\" 1", 1, "no `}`", false),
            ("a{b=\"c} 1", 1, "no end", false), ("a{b=\"c\\", 1, "no end", false),
            ("# TYPE a car", 1, "no type `car`", false), ("# HELP", 1, "name is missing", false),
            ("a 1", 2, "was cut", true), ("a 1\n# EOF\nb 1", 3, "behind `# EOF`", true),
            ("a 1 # x\n# EOF", 1, "expected `{`", true),
            ("a 1 # {} 2 3 4\n# EOF", 1, "behind the exemplar", true),
        ])
    func refusal(_ text: String, _ line: Int, _ reason: String, _ isOpenMetrics: Bool) {
        let error = #expect(throws: ExpositionError.self) {
            try read(text, isOpenMetrics: isOpenMetrics)
        }
        #expect(error?.line == line)
        #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
    }

    @Test(
        "with labels that are none is refused",
        arguments: [
            ("a{b} 1", "has no `=`"), ("a{=\"c\"} 1", "no name"),
            ("a{b=c} 1", "no value in quotes"),
            ("a{b=\"c\" d=\"e\"} 1", "expected `,` or `}`"), ("a{1=\"c\"} 1", "no name"),
        ])
    func labelRefusal(_ text: String, _ reason: String) {
        let problem = #expect(throws: ExpositionLabels.Problem.self) { try read(text) }
        #expect(problem?.message.contains(reason) == true)
    }

    @Test func `does no harm, whatever it is`() {
        var random = SeededGenerator(announcing: "ExpositionReaderTests")
        let whole = Array(
            """
            # HELP a Some help.
            # TYPE a histogram
            a_bucket{le="0.5",x="y\\"z"} 3 # {trace_id="t"} 0.5 1700000000.5
            a_bucket{le="+Inf"} 5
            {"my.metric","b"="c"} 1e5 1700000000
            # EOF
            """.utf8)
        let time = FuzzTime()
        while time.isLeft {
            let bytes = random.mutated(whole, with: Array("{}\"\\\n=,# 19.e+-".utf8))
            for isOpenMetrics in [false, true] {
                let feed = ScrapeFeed(SampleStore(), ScrapeFeed.Options())
                let report = bytes.withUnsafeBytes { text in
                    try? feed.take(text, isOpenMetrics: isOpenMetrics, at: 1_000, seconds: 0)
                }
                if let report { #expect(report.taken <= bytes.count + 5) }
            }
        }
    }
}

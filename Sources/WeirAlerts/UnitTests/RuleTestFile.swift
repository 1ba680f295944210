import WeirConfig
import WeirPromQL

/// A file of unit tests for rules, as `promtool test rules` has them
/// (prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules).
public struct RuleTestFile: Sendable {
    /// A series that a test feeds.
    struct InputSeries: Sendable {
        var labels: [(name: String, value: String)]
        var samples: SeriesNotation
    }

    /// Which alerts are to fire at a time.
    struct AlertTest: Sendable {
        var time: Int64
        var name: String
        /// Labels and annotations of each.
        var alerts: [(labels: [String: String], annotations: [String: String])]
        var location: SourceLocation
    }

    /// What a query is to find at a time.
    struct QueryTest: Sendable {
        var time: Int64
        var query: String
        var samples:
            [(labels: [(name: String, value: String)], value: Double, histogram: FloatHistogram?)]
        var location: SourceLocation
    }

    /// Tests over the same series.
    struct Group: Sendable {
        var name: String
        var interval: Int64
        var series: [InputSeries] = []
        var alerts: [AlertTest] = []
        var queries: [QueryTest] = []
        var externalLabels: [String: String] = [:]
        var externalURL = ""
        var start: Int64 = 0
        var location: SourceLocation
    }

    /// The paths and patterns of rule files, as they are written.
    public private(set) var ruleFiles: [(pattern: String, location: SourceLocation)] = []
    /// The step of the simulated clock, in milliseconds.
    private(set) var interval: Int64 = 60_000
    private(set) var groupOrder: [String] = []
    /// Whether neighbouring numbers are equal.
    private(set) var comparesLoosely = false
    private(set) var groups: [Group] = []
    /// What is wrong with the file.
    public private(set) var diagnostics: [Diagnostic] = []

    /// The alerts that the tests are about.
    public var testedAlerts: Set<String> { Set(groups.flatMap(\.alerts).map(\.name)) }

    /// What the tests expect of alerts: a name, and how many of it are to fire at some time.
    public var expectations: [(alert: String, count: Int)] {
        groups.flatMap(\.alerts).map { ($0.name, $0.alerts.count) }
    }

    /// Reads a file.
    public init(_ bytes: [UInt8], file: String) {
        do throws(ConfigurationError) {
            for document in try YAMLReader.documents(bytes, file: file) { read(document) }
        } catch {
            diagnostics += error.diagnostics
        }
    }

    /// Whether a file looks like one of tests for rules.
    public static func isTest(_ bytes: [UInt8]) -> Bool {
        guard let document = (try? YAMLReader.documents(bytes, file: ""))?.first else {
            return false
        }
        return document["tests"] != nil && document["groups"] == nil && document["kind"] == nil
    }

    private mutating func note(_ node: YAMLNode, _ message: String, _ help: String) {
        diagnostics.append(Diagnostic(at: node.location, message, help: help))
    }

    private mutating func check(_ node: YAMLNode, knows names: Set<String>, _ what: String) {
        for (key, _) in node.fields ?? [] {
            guard let name = key.text, !names.contains(name) else { continue }
            let near = nearest(to: name, in: names.sorted())
            note(
                key, "\(what) has no field `\(name)`",
                near.map { "did you mean `\($0)`?" }
                    ?? "there are \(names.sorted().joined(separator: ", "))")
        }
    }

    private mutating func duration(_ node: YAMLNode?, default fallback: Int64) -> Int64 {
        guard let node, !node.isNull else { return fallback }
        guard let text = node.text, let span = DurationNotation.milliseconds(text[...]) else {
            note(
                node, "`\(node.text ?? "")` is not a duration", "write one such as 30s, 5m or 1h30m"
            )
            return fallback
        }
        return span
    }

    private mutating func read(_ document: YAMLNode) {
        check(
            document,
            knows: [
                "rule_files", "evaluation_interval", "group_eval_order", "fuzzy_compare", "tests",
            ],
            "a file of tests")
        ruleFiles = (document["rule_files"]?.elements ?? []).map { ($0.text ?? "", $0.location) }
        interval = max(duration(document["evaluation_interval"], default: 60_000), 1)
        groupOrder = (document["group_eval_order"]?.elements ?? []).compactMap(\.text)
        comparesLoosely = document["fuzzy_compare"]?.text == "true"
        for test in document["tests"]?.elements ?? [] { groups.append(group(test)) }
        if groups.isEmpty { note(document, "there are no tests", "add `tests:`") }
    }

    private mutating func group(_ node: YAMLNode) -> Group {
        check(
            node,
            knows: [
                "name", "interval", "input_series", "alert_rule_test", "promql_expr_test",
                "external_labels", "external_url", "start_timestamp",
            ], "a test")
        var group = Group(
            name: node["name"]?.text ?? "",
            interval: max(duration(node["interval"], default: interval), 1),
            location: node.location)
        group.externalLabels = texts(node["external_labels"])
        group.externalURL = node["external_url"]?.text ?? ""
        if let start = node["start_timestamp"]?.text, let seconds = Double(start),
            abs(seconds) < 9e12
        {
            group.start = Int64(seconds * 1_000)
        }
        for series in node["input_series"]?.elements ?? [] {
            if let input = input(series) { group.series.append(input) }
        }
        for test in node["alert_rule_test"]?.elements ?? [] { group.alerts.append(alertTest(test)) }
        for test in node["promql_expr_test"]?.elements ?? [] {
            group.queries.append(queryTest(test))
        }
        return group
    }

    private mutating func texts(_ node: YAMLNode?) -> [String: String] {
        var texts: [String: String] = [:]
        for (key, value) in node?.fields ?? [] {
            if let name = key.text { texts[name] = value.isNull ? "" : value.text ?? "" }
        }
        return texts
    }

    private mutating func input(_ node: YAMLNode) -> InputSeries? {
        check(node, knows: ["series", "values"], "an input series")
        guard let series = node["series"], let values = node["values"] else {
            note(node, "an input series has `series` and `values`", "write both")
            return nil
        }
        guard let labels = labels(series) else { return nil }
        do throws(SeriesNotation.Problem) {
            return InputSeries(labels: labels, samples: try SeriesNotation(values.text ?? ""))
        } catch {
            note(values, error.message, "write samples such as `0+10x5 _ stale`")
            return nil
        }
    }

    private mutating func labels(_ node: YAMLNode) -> [(name: String, value: String)]? {
        let text = (node.text ?? "").filter { $0 != "\n" }
        do throws(ParseError) {
            let series = try SeriesDescription(text)
            guard text.utf8.dropFirst(series.byteCount).allSatisfy({ $0 == 0x20 }) else {
                throw ParseError(
                    "there is more behind the series",
                    at: TextRange(start: series.byteCount, end: text.utf8.count))
            }
            return series.labels
        } catch {
            let (line, column) = TextRange.position(of: error.range.start, in: text)
            diagnostics.append(
                Diagnostic(
                    at: node.location(line: line, column: column), error.message,
                    help: "write a series such as `name{label=\"value\"}`"))
            return nil
        }
    }

    private mutating func alertTest(_ node: YAMLNode) -> AlertTest {
        check(node, knows: ["eval_time", "alertname", "exp_alerts"], "a test of an alert")
        let name = node["alertname"]?.text ?? ""
        if name.isEmpty { note(node, "the test has no `alertname`", "add the name of the alert") }
        var test = AlertTest(
            time: duration(node["eval_time"], default: 0), name: name, alerts: [],
            location: node.location)
        for alert in node["exp_alerts"]?.elements ?? [] {
            check(alert, knows: ["exp_labels", "exp_annotations"], "an expected alert")
            var labels = texts(alert["exp_labels"])
            labels["alertname"] = name
            test.alerts.append((labels, texts(alert["exp_annotations"])))
        }
        return test
    }

    private mutating func queryTest(_ node: YAMLNode) -> QueryTest {
        check(node, knows: ["expr", "eval_time", "exp_samples"], "a test of a query")
        var test = QueryTest(
            time: duration(node["eval_time"], default: 0), query: node["expr"]?.text ?? "",
            samples: [], location: node.location)
        for sample in node["exp_samples"]?.elements ?? [] {
            check(sample, knows: ["labels", "value", "histogram"], "an expected sample")
            let labels = sample["labels"].flatMap { self.labels($0) } ?? []
            var histogram: FloatHistogram?
            if let node = sample["histogram"], let text = node.text, !text.isEmpty {
                histogram = (try? SeriesNotation(text))?.histogram
                if histogram == nil { note(node, "this is no histogram", "write `{{schema:0 …}}`") }
            }
            let value = sample["value"]?.text ?? "0"
            guard let number = Self.number(value) else {
                note(sample["value"] ?? sample, "`\(value)` is no number", "write a number")
                continue
            }
            test.samples.append((labels, number, histogram))
        }
        return test
    }

    /// A number of YAML.
    private static func number(_ text: String) -> Double? {
        switch text.lowercased() {
        case ".inf", "+.inf", "inf", "+inf": .infinity
        case "-.inf", "-inf": -.infinity
        case ".nan", "nan": .nan
        default: Double(text.replacing("_", with: ""))
        }
    }
}

import WeirConfig
import WeirPromQL

/// Reads rules as users have them: plain rule files of Prometheus, and PrometheusRule resources
/// (monitoring.coreos.com/v1), several documents and lists of resources included.
public struct RuleFile: Sendable {
    /// A PrometheusRule, as the operator sees it.
    struct Resource: Sendable {
        var name: String
        /// The names of the labels by which the operator may select it.
        var labels: [String]
        var location: SourceLocation
    }

    /// The groups in the order of the file.
    public private(set) var groups: [RuleGroup] = []
    /// The PrometheusRules in the order of the file.
    private(set) var resources: [Resource] = []
    /// What is wrong, and what somebody should know.
    public private(set) var diagnostics: [Diagnostic] = []

    private let file: String
    private let options: ParserOptions

    /// Reads a file; its mistakes are in ``diagnostics``.
    public init(_ bytes: [UInt8], file: String, options: ParserOptions = .everything) {
        self.file = file
        self.options = options
        do throws(ConfigurationError) {
            let documents = try YAMLReader.documents(bytes, file: file)
            for document in documents where !document.isNull { read(document: document) }
        } catch {
            diagnostics += error.diagnostics
        }
    }

    /// Whether a file among others is meant to have rules; one that cannot be read is.
    public static func hasRules(_ bytes: [UInt8]) -> Bool {
        guard let documents = try? YAMLReader.documents(bytes, file: "") else { return true }
        return documents.contains { document in
            document["groups"] != nil
                || ([document] + (document["items"]?.elements ?? [])).contains {
                    $0["kind"]?.text?.hasPrefix("PrometheusRule") ?? false
                }
        }
    }

    private mutating func note(_ location: SourceLocation, _ message: String, _ help: String) {
        diagnostics.append(Diagnostic(at: location, message, help: help))
    }

    // MARK: Documents

    private mutating func read(document: YAMLNode) {
        guard let fields = document.fields else {
            return note(
                document.location, "a rule file is a mapping, not \(document.kind)",
                "begin with `groups:`, or with `apiVersion: monitoring.coreos.com/v1`")
        }
        guard fields.contains(where: { $0.key.text == "kind" || $0.key.text == "apiVersion" })
        else {
            check(document, knows: ["groups"], "a rule file")
            return read(groups: document["groups"], of: document)
        }
        switch document["kind"]?.text {
        case "PrometheusRule":
            check(
                document, knows: ["apiVersion", "kind", "metadata", "spec", "status"],
                "a PrometheusRule")
            if let version = document["apiVersion"], version.text != "monitoring.coreos.com/v1" {
                note(
                    version.location,
                    "there is no PrometheusRule of version `\(version.text ?? "")`",
                    "write `apiVersion: monitoring.coreos.com/v1`")
            }
            let metadata = document["metadata"]
            resources.append(
                Resource(
                    name: metadata?["name"]?.text ?? "",
                    labels: (metadata?["labels"]?.fields ?? []).compactMap(\.key.text),
                    location: metadata?.location ?? document.location))
            guard let spec = document["spec"], spec.fields != nil else {
                return note(
                    document.location, "the PrometheusRule has no `spec`",
                    "add `spec:` with `groups:`")
            }
            check(spec, knows: ["groups"], "`spec`")
            read(groups: spec["groups"], of: spec)
        case "List", "PrometheusRuleList":
            for item in document["items"]?.elements ?? [] { read(document: item) }
        case let kind:
            note(
                document["kind"]?.location ?? document.location,
                "`\(kind ?? "")` is no kind of resource that has rules",
                "write `kind: PrometheusRule`")
        }
    }

    /// Notes fields that nothing knows.
    private mutating func check(_ node: YAMLNode, knows names: Set<String>, _ what: String) {
        for (key, _) in node.fields ?? [] {
            guard let name = key.text, !names.contains(name) else { continue }
            let near = nearest(to: name, in: names.sorted())
            note(
                key.location, "\(what) has no field `\(name)`",
                near.map { "did you mean `\($0)`?" }
                    ?? "there are \(names.sorted().joined(separator: ", "))")
        }
    }

    // MARK: Groups

    private mutating func read(groups: YAMLNode?, of parent: YAMLNode) {
        guard let groups, !groups.isNull else { return }
        guard let elements = groups.elements else {
            return note(
                groups.location, "`groups` is a list, not \(groups.kind)",
                "begin each group with `- name:`")
        }
        for element in elements { read(group: element) }
    }

    private mutating func read(group node: YAMLNode) {
        guard node.fields != nil else {
            return note(
                node.location, "a group is a mapping, not \(node.kind)", "begin it with `name:`")
        }
        check(
            node,
            knows: [
                "name", "interval", "limit", "query_offset", "labels", "rules",
                "partial_response_strategy",
            ], "a group")
        let name = node["name"]?.text ?? ""
        if name.isEmpty {
            note(node.location, "the group has no name", "add `name:`")
        } else if groups.contains(where: { $0.name == name }) {
            note(
                node["name"]?.location ?? node.location,
                "the group `\(name)` is there twice in this file",
                "give it another name, or put its rules into the first one")
        }
        var group = RuleGroup(name: name, file: file, rules: [], location: node.location)
        group.interval = duration(node["interval"])
        group.queryOffset = duration(node["query_offset"], allowsSign: true)
        if let limit = node["limit"] {
            if let number = limit.text.flatMap({ Int($0) }), number >= 0 {
                group.limit = number
            } else {
                note(limit.location, "`limit` is a whole number", "write `limit: 100`")
            }
        }
        let labels = labels(node["labels"], isTemplate: false)
        guard let rules = node["rules"], !rules.isNull else { return groups.append(group) }
        guard let elements = rules.elements else {
            return note(
                rules.location, "`rules` is a list, not \(rules.kind)",
                "begin each rule with `- alert:` or `- record:`")
        }
        for element in elements {
            guard let rule = rule(element, labels) else { continue }
            let isThere = group.rules.contains {
                $0.name == rule.name && $0.isRecord == rule.isRecord
                    && $0.expression.description == rule.expression.description
                    && $0.labels.map(\.name) == rule.labels.map(\.name)
                    && $0.labels.map(\.value.text) == rule.labels.map(\.value.text)
            }
            if isThere {
                note(
                    rule.location, "the rule `\(rule.name)` is there twice in its group",
                    "remove one of them, or give it other labels")
            }
            group.rules.append(rule)
        }
        groups.append(group)
    }

    // MARK: Rules

    private mutating func rule(
        _ node: YAMLNode, _ groupLabels: [(name: String, value: TemplateText)]
    ) -> Rule? {
        guard node.fields != nil else {
            note(
                node.location, "a rule is a mapping, not \(node.kind)",
                "begin it with `alert:` or `record:`")
            return nil
        }
        check(
            node,
            knows: [
                "record", "alert", "expr", "for", "keep_firing_for", "labels", "annotations",
            ], "a rule")
        let (record, alert) = (node["record"], node["alert"])
        guard (record == nil) != (alert == nil), let name = (record ?? alert)?.text, !name.isEmpty
        else {
            note(
                node.location, "a rule has either `record` or `alert`",
                "write one of them, with a name")
            return nil
        }
        if record != nil {
            for field in ["for", "keep_firing_for", "annotations"] {
                guard let node = node[field] else { continue }
                note(
                    node.location, "a recording rule has no `\(field)`",
                    "remove it, or write `alert:`")
            }
            if let record, name.contains(where: { "{}\"".contains($0) }) {
                note(
                    record.location, "`\(name)` is not the name of a metric",
                    "write a name such as `service:errors:rate5m`")
            }
        }
        let isAlert = alert != nil
        var labels = groupLabels
        for label in self.labels(node["labels"], isTemplate: isAlert) {
            labels.removeAll { $0.name == label.name }
            labels.append(label)
        }
        guard let expr = node["expr"], let query = expr.text, !query.isEmpty else {
            note(node.location, "the rule `\(name)` has no `expr`", "add `expr:` with a query")
            return nil
        }
        guard let expression = expression(query, at: expr) else { return nil }
        var kind = Rule.Kind.record
        if isAlert {
            var options = Rule.AlertOptions()
            options.holdDuration = duration(node["for"]) ?? 0
            options.keepFiring = duration(node["keep_firing_for"]) ?? 0
            options.annotations = self.labels(node["annotations"], isTemplate: true)
            kind = .alert(options)
        }
        return Rule(
            kind: kind, name: name, expression: expression, query: query, labels: labels,
            location: node.location, source: expr, holdLocation: node["for"]?.location)
    }

    private mutating func expression(_ query: String, at node: YAMLNode) -> Expression? {
        do throws(ParseError) {
            return try QueryParser.parse(query, options: options)
        } catch {
            let (line, column) = TextRange.position(of: error.range.start, in: query)
            note(
                node.location(line: line, column: column), error.message,
                error.help.isEmpty ? "mend the query there" : error.help)
            return nil
        }
    }

    private mutating func labels(
        _ node: YAMLNode?, isTemplate: Bool
    ) -> [(name: String, value: TemplateText)] {
        guard let node, !node.isNull else { return [] }
        guard let fields = node.fields else {
            note(
                node.location, "labels are a mapping, not \(node.kind)",
                "write `name: value` on lines of their own")
            return []
        }
        var all: [(name: String, value: TemplateText)] = []
        for (key, value) in fields {
            guard let name = key.text, let text = value.isNull ? "" : value.text else {
                note(value.location, "the value is a text, not \(value.kind)", "put it into quotes")
                continue
            }
            guard !name.isEmpty, name != "__name__" else {
                note(key.location, "`\(name)` cannot be set here", "choose another name")
                continue
            }
            do throws(TemplateError) {
                let template = isTemplate ? try Template(text) : Template(plain: text)
                all.append(
                    (
                        name,
                        TemplateText(
                            text: text, template: template, location: value.location, source: value)
                    ))
            } catch {
                note(
                    value.location(line: error.line, column: error.column), error.message,
                    "mend the template there")
            }
        }
        return all
    }

    private mutating func duration(_ node: YAMLNode?, allowsSign: Bool = false) -> Int64? {
        guard let node, !node.isNull else { return nil }
        let text = node.text ?? ""
        let digits = allowsSign && text.hasPrefix("-") ? text.dropFirst() : text[...]
        guard let milliseconds = DurationNotation.milliseconds(digits) else {
            note(node.location, "`\(text)` is not a duration", "write one such as 30s, 5m or 1h30m")
            return nil
        }
        return text.hasPrefix("-") ? -milliseconds : milliseconds
    }
}

import WeirPromQL

/// A value in a template.
indirect enum TemplateValue: Sendable {
    case null
    case bool(Bool)
    case integer(Int)
    case number(Double)
    case string(String)
    /// Texts by names, such as labels: what is not there is empty.
    case labels([String: String])
    /// The same with the fields that Alertmanager's have: `SortedPairs`, `Names`, `Values`.
    case pairs([String: String])
    case list([TemplateValue])
    case map([String: TemplateValue])
    /// A sample of a query.
    case sample(labels: [String: String], value: Double)
    /// A time in nanoseconds since 1970.
    case time(Double)
    /// A span in seconds.
    case span(Double)

    /// Whether `if` and `with` take it for something.
    var isTrue: Bool {
        switch self {
        case .null: false
        case .bool(let flag): flag
        case .integer(let number): number != 0
        case .number(let number): number != 0
        case .string(let text): !text.isEmpty
        case .labels(let labels), .pairs(let labels): !labels.isEmpty
        case .list(let values): !values.isEmpty
        case .map(let values): !values.isEmpty
        case .sample, .time: true
        case .span(let seconds): seconds != 0
        }
    }

    /// The value of a field, as `.Name` has it; `nil` where there can be none.
    func field(_ name: String) -> TemplateValue? {
        switch self {
        case .labels(let labels): .string(labels[name] ?? "")
        case .pairs(let labels): Self.field(name, of: labels)
        case .list(let values): Self.field(name, of: values)
        case .map(let values): values[name] ?? (values.isEmpty ? .null : nil)
        case .sample(let labels, let value):
            name == "Labels" ? .labels(labels) : name == "Value" ? .number(value) : nil
        default: nil
        }
    }

    private static func field(_ name: String, of labels: [String: String]) -> TemplateValue {
        let names = NotificationTemplate.ordered(labels.keys)
        switch name {
        case "SortedPairs":
            return .list(
                names.map { .map(["Name": .string($0), "Value": .string(labels[$0] ?? "")]) })
        case "Names": return .list(names.map { .string($0) })
        case "Values": return .list(names.map { .string(labels[$0] ?? "") })
        default: return .string(labels[name] ?? "")
        }
    }

    /// The alerts of a list that fire, or that have ended.
    private static func field(_ name: String, of values: [TemplateValue]) -> TemplateValue? {
        guard name == "Firing" || name == "Resolved" else { return nil }
        return .list(
            values.filter { $0.field("Status")?.text == name.lowercased() })
    }

    /// As Go's `fmt` prints it (`%v`).
    var text: String {
        switch self {
        case .null: "<no value>"
        case .bool(let flag): flag ? "true" : "false"
        case .integer(let number): "\(number)"
        case .number(let number): GoFormat.shortest(number)
        case .string(let text): text
        case .labels(let labels), .pairs(let labels):
            "map["
                + labels.sorted { $0.key < $1.key }.map { "\($0.key):\($0.value)" }
                .joined(separator: " ") + "]"
        case .list(let values): "[" + values.map(\.text).joined(separator: " ") + "]"
        case .map(let values):
            "map["
                + values.sorted { $0.key < $1.key }.map { "\($0.key):\($0.value.text)" }
                .joined(separator: " ") + "]"
        case .sample(let labels, let value):
            "{\(TemplateValue.labels(labels).text) \(GoFormat.shortest(value))}"
        case .time(let nanoseconds): TemplateTime.text(nanoseconds: nanoseconds)
        case .span(let seconds): TemplateTime.text(seconds: seconds)
        }
    }

    /// Its type in Go's words, for messages.
    var typeName: String {
        switch self {
        case .null: "<nil>"
        case .bool: "bool"
        case .integer: "int"
        case .number: "float64"
        case .string: "string"
        case .labels: "map[string]string"
        case .pairs: "template.KV"
        case .list: "[]interface {}"
        case .map: "map[string]interface {}"
        case .sample: "*template.sample"
        case .time: "*time.Time"
        case .span: "time.Duration"
        }
    }
}

/// What the text of an alert is computed of.
public struct TemplateData: Sendable {
    /// The alert's labels: `$labels`.
    public var labels: [String: String]
    /// The value of its expression: `$value`.
    public var value: Double
    /// The labels that are added to every alert: `$externalLabels`.
    public var externalLabels: [String: String]
    /// The address under which the agent is reached: `$externalURL`.
    public var externalURL: String

    /// What an alert's texts are computed of.
    public init(
        labels: [String: String], value: Double, externalLabels: [String: String] = [:],
        externalURL: String = ""
    ) {
        self.labels = labels
        self.value = value
        self.externalLabels = externalLabels
        self.externalURL = externalURL
    }
}

/// What a template may ask while it is expanded.
public struct TemplateSurroundings {
    /// Evaluates a query at the time of the evaluation.
    var query: (String) throws(TemplateFailure) -> [ResultSeries]
    /// The time of the evaluation in milliseconds.
    var now: Int64
    /// The address under which the agent is reached, if it has one; `nil` makes `externalURL` fail.
    var externalURL: String?

    /// What a template may ask.
    public init(
        now: Int64, externalURL: String?,
        query: @escaping (String) throws(TemplateFailure) -> [ResultSeries]
    ) {
        self.now = now
        self.externalURL = externalURL
        self.query = query
    }
}

/// Why a function cannot compute.
public struct TemplateFailure: Error, Sendable {
    /// The reason.
    public var message: String

    /// A failure for a reason.
    public init(_ message: String) { self.message = message }
}

import WeirConfig
import WeirCore
import WeirPromQL

/// A text that is computed for each alert, as it is written, with its place.
public struct TemplateText: Sendable {
    /// The text with its `{{ … }}`.
    public var text: String
    /// The same, parsed.
    public var template: Template
    /// Where it stands.
    public var location: SourceLocation
    /// The part of the file that it is read from.
    var source: YAMLNode

    /// Where a place of the text stands in the file.
    func location(of place: Template.Place) -> SourceLocation {
        source.location(line: place.line, column: place.column)
    }
}

/// One rule of a group.
public struct Rule: Sendable {
    /// What a rule makes.
    public enum Kind: Sendable {
        /// Series of this name.
        case record
        case alert(AlertOptions)
    }

    /// What an alert has besides.
    public struct AlertOptions: Sendable {
        /// How long the expression must hold, in milliseconds.
        public var holdDuration: Int64 = 0
        /// How long an alert goes on firing after it, in milliseconds.
        public var keepFiring: Int64 = 0
        /// Texts for people.
        public var annotations: [(name: String, value: TemplateText)] = []
    }

    /// What it makes.
    public var kind: Kind
    /// The name of the series or of the alert.
    public var name: String
    /// What is evaluated.
    public var expression: Expression
    /// The same as it is written.
    public var query: String
    /// Labels that it sets; those of a recording rule are texts without templates.
    public var labels: [(name: String, value: TemplateText)]
    /// Where it begins.
    public var location: SourceLocation
    /// The part of the file that its expression is read from.
    var source: YAMLNode
    /// Where `for` is written, if it is.
    var holdLocation: SourceLocation?

    /// Where a part of the expression stands in the file.
    func location(of range: TextRange) -> SourceLocation {
        let (line, column) = TextRange.position(of: range.start, in: query)
        return source.location(line: line, column: column)
    }

    /// How long an alert's expression must hold, in milliseconds.
    var holdDuration: Int64 {
        if case .alert(let options) = kind { options.holdDuration } else { 0 }
    }

    /// Whether it makes series.
    public var isRecord: Bool { if case .record = kind { true } else { false } }
}

/// Rules that are evaluated one after the other, at the same times.
public struct RuleGroup: Sendable {
    /// Its name, of which there is one in a file.
    public var name: String
    /// The file that it stands in.
    public var file: String
    /// How often it is evaluated, in milliseconds; `nil` for the usual.
    public var interval: Int64?
    /// How far back its queries look, in milliseconds.
    public var queryOffset: Int64?
    /// Most series or alerts of a rule; 0 for any number.
    public var limit = 0
    /// Its rules.
    public var rules: [Rule]
    /// Where it begins.
    public var location: SourceLocation

    /// All that it says: two groups of the same are one.
    public var identity: String {
        var text = "\(file)|\(name)|\(interval ?? -1)|\(queryOffset ?? 0)|\(limit)"
        for rule in rules {
            text += "\n\(rule.name)|\(rule.isRecord)|\(rule.query)"
            for label in rule.labels { text += "|\(label.name)=\(label.value.text)" }
            guard case .alert(let options) = rule.kind else { continue }
            text += "|\(options.holdDuration)|\(options.keepFiring)"
            for note in options.annotations { text += "|\(note.name)=\(note.value.text)" }
        }
        return text
    }

    /// A number that follows from the file and the name alone (FNV-1a), to spread groups over time.
    public var spread: UInt64 {
        var hash = FNV1a()
        hash.add("\(file);\(name)")
        return hash.value
    }
}

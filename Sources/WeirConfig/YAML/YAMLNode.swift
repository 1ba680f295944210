/// A part of a YAML document with the place where it stands.
public struct YAMLNode: Sendable {
    /// What a part is.
    public enum Content: Sendable {
        case scalar(String, ScalarStyle)
        case sequence([YAMLNode])
        /// Keys and values in the order of the file; no key is there twice.
        case mapping([(key: YAMLNode, value: YAMLNode)])
    }

    /// How a scalar is written.
    public enum ScalarStyle: Sendable {
        case plain
        case quoted
        /// `|`: lines as they stand.
        case literal
        /// `>`: lines that are joined.
        case folded
    }

    /// What it is.
    public var content: Content
    /// Where it begins.
    public var location: SourceLocation
    /// How far a literal scalar's lines are indented.
    var indentation = 0

    /// A part.
    init(_ content: Content, at location: SourceLocation) {
        self.content = content
        self.location = location
    }

    /// The text of a scalar.
    public var text: String? {
        if case .scalar(let text, _) = content { text } else { nil }
    }

    /// Whether nothing is written, or `null`.
    public var isNull: Bool {
        if case .scalar(let text, .plain) = content {
            ["", "~", "null", "Null", "NULL"].contains(text)
        } else {
            false
        }
    }

    /// The elements of a sequence.
    public var elements: [YAMLNode]? {
        if case .sequence(let elements) = content { elements } else { nil }
    }

    /// The fields of a mapping.
    public var fields: [(key: YAMLNode, value: YAMLNode)]? {
        if case .mapping(let fields) = content { fields } else { nil }
    }

    /// A mapping's value for a key.
    public subscript(key: String) -> YAMLNode? {
        fields?.first { $0.key.text == key }?.value
    }

    /// What it is, for a message.
    public var kind: String {
        switch content {
        case .scalar: isNull ? "nothing" : "a text"
        case .sequence: "a list"
        case .mapping: "a mapping"
        }
    }

    /// Where a place of a scalar's text stands in the file, as far as its style lets it be told.
    public func location(line: Int, column: Int) -> SourceLocation {
        guard case .scalar(_, let style) = content else { return location }
        var place = location
        switch style {
        case .plain where line == 1: place.column += column - 1
        case .quoted where line == 1: place.column += column
        case .literal:
            place.line += line
            place.column = indentation + column
        default: break
        }
        return place
    }
}

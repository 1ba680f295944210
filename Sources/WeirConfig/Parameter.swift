import WeirCore

/// One parameter that a user can write: its name, type, default and meaning, declared once.
public struct Parameter<Value: Sendable>: Sendable {
    /// The name as written.
    public let name: String
    /// One sentence: what it does, with its unit.
    public let summary: String
    /// What it is when it is not written; `nil` when it must be.
    public let defaultValue: Value?
    /// Whether its value is never shown.
    public let isSecret: Bool
    /// The type, as shown in the manual.
    public let typeName: String
    let read: @Sendable (String) throws(ValueError) -> Value

    /// A parameter by its parts.
    public init(
        _ name: String, type typeName: String, default defaultValue: Value?, isSecret: Bool = false,
        _ summary: String, read: @escaping @Sendable (String) throws(ValueError) -> Value
    ) {
        self.name = name
        self.summary = summary
        self.defaultValue = defaultValue
        self.isSecret = isSecret
        self.typeName = typeName
        self.read = read
    }

    /// The same parameter, which may be left out without having a default.
    public var optional: Parameter<Value?> {
        let read = read
        return Parameter<Value?>(
            name, type: typeName, default: .some(defaultValue), isSecret: isSecret, summary,
            read: { (text) throws(ValueError) in try read(text) })
    }

    /// The same parameter, whose value is never shown.
    public var secret: Parameter<Value> {
        Parameter(
            name, type: typeName, default: defaultValue, isSecret: true, summary, read: read)
    }
}

extension Parameter where Value == String {
    /// A text.
    public static func text(
        _ name: String, default defaultValue: String? = nil, _ summary: String
    ) -> Parameter {
        Parameter(name, type: "text", default: defaultValue, summary) { (text) throws(ValueError) in
            text
        }
    }
}

extension Parameter where Value == Int {
    /// A whole number within a range.
    public static func integer(
        _ name: String, default defaultValue: Int? = nil, in range: ClosedRange<Int> = 0...Int.max,
        _ summary: String
    ) -> Parameter {
        Parameter(name, type: "integer", default: defaultValue, summary) {
            (text) throws(ValueError) in
            let value = try ValueText.integer(text)
            guard range.contains(value) else {
                throw ValueError(
                    message: "`\(text)` is out of range",
                    help: "write a number from \(range.lowerBound) to \(range.upperBound)")
            }
            return value
        }
    }

    /// A number of bytes.
    public static func size(
        _ name: String, default defaultValue: Int? = nil, _ summary: String
    ) -> Parameter {
        Parameter(name, type: "size", default: defaultValue, summary) { (text) throws(ValueError) in
            try ValueText.size(text)
        }
    }
}

extension Parameter where Value == Double {
    /// A number.
    public static func float(
        _ name: String, default defaultValue: Double? = nil, _ summary: String
    ) -> Parameter {
        Parameter(name, type: "number", default: defaultValue, summary) {
            (text) throws(ValueError) in try ValueText.float(text)
        }
    }
}

extension Parameter where Value == Bool {
    /// A yes or no.
    public static func flag(
        _ name: String, default defaultValue: Bool? = nil, _ summary: String
    ) -> Parameter {
        Parameter(name, type: "bool", default: defaultValue, summary) { (text) throws(ValueError) in
            try ValueText.bool(text)
        }
    }
}

extension Parameter where Value == Duration {
    /// A duration that is not negative.
    public static func duration(
        _ name: String, default defaultValue: Duration? = nil, _ summary: String
    ) -> Parameter {
        Parameter(name, type: "duration", default: defaultValue, summary) {
            (text) throws(ValueError) in
            let value = try ValueText.duration(text)
            guard value >= .zero else {
                throw ValueError(
                    message: "`\(text)` is negative", help: "write a duration of 0 or more")
            }
            return value
        }
    }
}

extension Parameter where Value == [String] {
    /// A list of texts.
    public static func list(
        _ name: String, default defaultValue: [String]? = nil, _ summary: String
    ) -> Parameter {
        Parameter(name, type: "list", default: defaultValue, summary) { (text) throws(ValueError) in
            var texts: [String] = []
            for value in try ValueText.array(text) {
                if case .string(let text) = value {
                    texts.append(text)
                } else {
                    texts.append(JSONValueWriter.text(value))
                }
            }
            return texts
        }
    }
}

extension Parameter where Value == [String: String] {
    /// A list of named texts.
    public static func map(
        _ name: String, default defaultValue: [String: String]? = nil, _ summary: String
    ) -> Parameter {
        Parameter(name, type: "map", default: defaultValue, summary) { (text) throws(ValueError) in
            var map: [String: String] = [:]
            for (key, value) in try ValueText.hash(text).fields {
                if case .string(let text) = value {
                    map[key] = text
                } else {
                    map[key] = JSONValueWriter.text(value)
                }
            }
            return map
        }
    }
}

extension Parameter where Value == RegexLiteral {
    /// A pattern.
    public static func regex(
        _ name: String, default defaultValue: RegexLiteral? = nil, _ summary: String
    ) -> Parameter {
        Parameter(name, type: "regexp", default: defaultValue, summary) {
            (text) throws(ValueError) in try ValueText.regex(text)
        }
    }
}

extension Parameter where Value == RecordAccessor {
    /// A way to a field.
    public static func accessor(
        _ name: String, default defaultValue: RecordAccessor? = nil, _ summary: String
    ) -> Parameter {
        Parameter(name, type: "field", default: defaultValue, summary) {
            (text) throws(ValueError) in
            try ValueText.accessor(text)
        }
    }
}

extension Parameter where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
    /// One of the words of an enumeration.
    public static func choice(
        _ name: String, default defaultValue: Value? = nil, _ summary: String
    ) -> Parameter {
        let words = Value.allCases.map(\.rawValue)
        return Parameter(
            name, type: words.joined(separator: " or "), default: defaultValue, summary
        ) { (text) throws(ValueError) in
            let word = try ValueText.word(text, of: words)
            guard let value = Value(rawValue: word) else {
                throw ValueError(message: "`\(text)` is none of its values", help: "see the manual")
            }
            return value
        }
    }
}

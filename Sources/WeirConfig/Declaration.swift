/// A parameter of any type, as declarations list it.
public struct AnyParameter: Sendable {
    /// The name as written.
    public let name: String
    /// One sentence.
    public let summary: String
    /// The type, as shown in the manual.
    public let typeName: String
    /// The default, as shown in the manual; `nil` when the parameter must be written.
    public let defaultText: String?
    /// Whether its value is never shown.
    public let isSecret: Bool
    let read: @Sendable (String) throws(ValueError) -> any Sendable
    let defaultValue: (any Sendable)?

    /// Any parameter, its type forgotten.
    public init<Value>(_ parameter: Parameter<Value>) {
        name = parameter.name
        summary = parameter.summary
        typeName = parameter.typeName
        isSecret = parameter.isSecret
        defaultValue = parameter.defaultValue
        let read = parameter.read
        self.read = { (text) throws(ValueError) in try read(text) }
        defaultText = parameter.defaultValue.map { value in
            switch value {
            case let duration as Duration: "\(duration)"
            case let word as any RawRepresentable: "\(word.rawValue)"
            case let optional as any OptionalValue: optional.shownText
            default: "\(value)"
            }
        }
    }
}

/// An optional of any type, for showing a default.
private protocol OptionalValue {
    var shownText: String { get }
}

extension Optional: OptionalValue {
    var shownText: String { map { "\($0)" } ?? "none" }
}

/// A parameter of Fluentd's that Weir accepts and does not need.
public struct IgnoredParameter: Sendable {
    /// The name as written.
    public let name: String
    /// Why Weir does not need it.
    public let reason: String

    /// An ignored parameter and the reason.
    public init(_ name: String, because reason: String) {
        self.name = name
        self.reason = reason
    }
}

/// What kind of component an `@type` names.
public enum ComponentFamily: String, Sendable, CaseIterable {
    case source
    case filter
    case output
    case parser
    case formatter
    case buffer
    /// Whoever is told of alerts.
    case notifier
}

/// A section within a component: `<parse>`, `<buffer>`, `<record>` …
public struct SectionDeclaration: Sendable {
    /// How often a section may be written.
    public enum Count: Sendable {
        case optional
        case required
        case many
    }

    /// The section's name.
    public let name: String
    /// One sentence.
    public let summary: String
    /// How often it may be written.
    public let count: Count
    /// Its parameters.
    public let parameters: [AnyParameter]
    /// Parameters that are accepted and not needed.
    public let ignored: [IgnoredParameter]
    /// Sections within it.
    public let sections: [SectionDeclaration]
    /// Whether any name is a parameter, as in `<record>`.
    public let takesAnyName: Bool
    /// The family that its `@type` chooses from; its parameters are then those of that component.
    public let family: ComponentFamily?

    /// A section by its parts.
    public init(
        _ name: String, _ count: Count = .optional, family: ComponentFamily? = nil,
        parameters: [AnyParameter] = [], ignored: [IgnoredParameter] = [],
        sections: [SectionDeclaration] = [], takesAnyName: Bool = false, _ summary: String
    ) {
        self.name = name
        self.summary = summary
        self.count = count
        self.parameters = parameters
        self.ignored = ignored
        self.sections = sections
        self.takesAnyName = takesAnyName
        self.family = family
    }
}

/// A component that a user can name by `@type`, declared once: decoding, checking and the manual
/// are made from it.
public struct ComponentDeclaration: Sendable {
    /// What kind it is.
    public let family: ComponentFamily
    /// The name behind `@type`.
    public let type: String
    /// One sentence.
    public let summary: String
    /// Its parameters.
    public let parameters: [AnyParameter]
    /// Parameters that are accepted and not needed.
    public let ignored: [IgnoredParameter]
    /// Its sections.
    public let sections: [SectionDeclaration]
    /// Configurations that show it, each runnable as it stands.
    public let examples: [String]

    /// A component by its parts.
    public init(
        _ family: ComponentFamily, type: String, _ summary: String,
        parameters: [AnyParameter] = [], ignored: [IgnoredParameter] = [],
        sections: [SectionDeclaration] = [], examples: [String] = []
    ) {
        self.family = family
        self.type = type
        self.summary = summary
        self.parameters = parameters
        self.ignored = ignored
        self.sections = sections
        self.examples = examples
    }
}

/// All components that a configuration can name.
public struct ComponentCatalog: Sendable {
    private let declarations: [ComponentFamily: [String: ComponentDeclaration]]

    /// A catalogue of these components.
    public init(_ declarations: [ComponentDeclaration]) {
        var byFamily: [ComponentFamily: [String: ComponentDeclaration]] = [:]
        for declaration in declarations {
            byFamily[declaration.family, default: [:]][declaration.type] = declaration
        }
        self.declarations = byFamily
    }

    /// The component of a family and type.
    public func declaration(_ family: ComponentFamily, _ type: String) -> ComponentDeclaration? {
        declarations[family]?[type]
    }

    /// The types of a family, sorted.
    public func types(of family: ComponentFamily) -> [String] {
        (declarations[family] ?? [:]).keys.sorted()
    }

    /// All components, by family and type.
    public var all: [ComponentDeclaration] {
        ComponentFamily.allCases.flatMap { family in
            types(of: family).compactMap { declaration(family, $0) }
        }
    }
}

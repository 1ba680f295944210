/// A parameter's value as it was written, after quotes and escapes and embedded Ruby.
public enum ConfigValue: Sendable, Equatable {
    /// A text.
    case text(String)
    /// `use_nil`: the parameter has no value.
    case none
    /// `use_default`: the parameter takes its default.
    case useDefault

    /// The text, or an empty one.
    public var string: String { if case .text(let text) = self { text } else { "" } }
}

/// One parameter of an element.
public struct ConfigAttribute: Sendable, Equatable {
    /// The parameter's name.
    public var name: String
    /// Its value.
    public var value: ConfigValue
    /// Where the name stands.
    public var location: SourceLocation
    /// Where the value stands.
    public var valueLocation: SourceLocation
}

/// `<name argument>` with its parameters and the elements inside: what was typed, with places.
public struct ConfigElement: Sendable, Equatable {
    /// The name: `source`, `match`, `buffer` …
    public var name: String
    /// What stands between the name and `>`.
    public var argument: String
    /// Where the element begins.
    public var location: SourceLocation
    /// The parameters in order; of a name that was written twice the last value, at the first place.
    public var attributes: [ConfigAttribute] = []
    /// The elements inside, in order.
    public var elements: [ConfigElement] = []
    /// Names that were written more than once, with the place of the later one.
    public var repeated: [ConfigAttribute] = []

    /// An element without content.
    public init(name: String, argument: String = "", location: SourceLocation) {
        self.name = name
        self.argument = argument
        self.location = location
    }

    /// The attribute of a name.
    public subscript(name: String) -> ConfigAttribute? { attributes.first { $0.name == name } }

    /// What the element says, without its places: equal for elements that mean the same.
    public var content: String {
        let own = attributes.map { "\($0.name.debugDescription) \($0.value)\n" }.joined()
        let inner = elements.map(\.content).joined()
        return "<\(name) \(argument.debugDescription)>\n\(own)\(inner)</\(name)>\n"
    }

    mutating func add(_ attribute: ConfigAttribute) {
        if let index = attributes.firstIndex(where: { $0.name == attribute.name }) {
            attributes[index].value = attribute.value
            repeated.append(attribute)
        } else {
            attributes.append(attribute)
        }
    }
}

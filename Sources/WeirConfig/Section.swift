/// What an element means under its declaration: typed values, checked as a whole.
public struct Section: Sendable {
    /// The element as it was typed.
    public let element: ConfigElement
    /// The component that its `@type` names, if it has one.
    public let type: String
    private var values: [String: any Sendable] = [:]
    private var defaults: [String: any Sendable] = [:]
    private var inner: [(name: String, section: Section)] = []

    /// Reads a component's element; every mistake goes to `diagnostics`.
    public init(
        _ element: ConfigElement, as declaration: ComponentDeclaration, catalog: ComponentCatalog,
        into diagnostics: inout [Diagnostic]
    ) {
        self.init(
            element,
            as: SectionDeclaration(
                element.name, parameters: declaration.parameters, ignored: declaration.ignored,
                sections: declaration.sections, declaration.summary),
            owner: "`@type \(declaration.type)`", type: declaration.type, catalog: catalog,
            into: &diagnostics)
    }

    init(
        _ element: ConfigElement, as declaration: SectionDeclaration, owner: String, type: String,
        catalog: ComponentCatalog, into diagnostics: inout [Diagnostic]
    ) {
        self.element = element
        self.type = type
        for parameter in declaration.parameters {
            if let value = parameter.defaultValue { defaults[parameter.name] = value }
        }
        for attribute in element.repeated where !declaration.takesAnyName {
            diagnostics.append(
                Diagnostic(
                    .warning, at: attribute.location, "`\(attribute.name)` is written again",
                    help: "the last one counts; remove the others"))
        }
        for attribute in element.attributes {
            read(attribute, declaration, owner, catalog, &diagnostics)
        }
        for parameter in declaration.parameters
        where parameter.defaultValue == nil && values[parameter.name] == nil
            && element[parameter.name] == nil
        {
            diagnostics.append(
                Diagnostic(
                    at: element.location, "\(owner) needs `\(parameter.name)`",
                    help: "add `\(parameter.name) …`: \(parameter.summary)"))
        }
        readSections(declaration, owner, catalog, &diagnostics)
    }

    // MARK: Reading

    private mutating func read(
        _ attribute: ConfigAttribute, _ declaration: SectionDeclaration, _ owner: String,
        _ catalog: ComponentCatalog, _ diagnostics: inout [Diagnostic]
    ) {
        if ["@type", "@id", "@label", "@log_level"].contains(attribute.name) { return }
        if let parameter = declaration.parameters.first(where: { $0.name == attribute.name }) {
            read(attribute, as: parameter, owner, &diagnostics)
        } else if declaration.takesAnyName {
            return
        } else if let ignored = declaration.ignored.first(where: { $0.name == attribute.name }) {
            diagnostics.append(
                Diagnostic(
                    .note, at: attribute.location, "`\(attribute.name)` is accepted and not needed",
                    help: ignored.reason))
        } else {
            diagnostics.append(unknown(attribute, declaration, owner, catalog))
        }
    }

    private mutating func read(
        _ attribute: ConfigAttribute, as parameter: AnyParameter, _ owner: String,
        _ diagnostics: inout [Diagnostic]
    ) {
        switch attribute.value {
        case .useDefault, .none:
            if parameter.defaultValue == nil {
                diagnostics.append(
                    Diagnostic(
                        at: attribute.valueLocation, "`\(parameter.name)` has no default to use",
                        help: "give \(owner) a value: \(parameter.summary)"))
            }
        case .text(let text):
            do {
                values[parameter.name] = try parameter.read(text)
            } catch {
                let message =
                    parameter.isSecret ? "its value is not of its type" : error.message
                diagnostics.append(
                    Diagnostic(
                        at: attribute.valueLocation, "`\(parameter.name)`: \(message)",
                        help: error.help))
            }
        }
    }

    private func unknown(
        _ attribute: ConfigAttribute, _ declaration: SectionDeclaration, _ owner: String,
        _ catalog: ComponentCatalog
    ) -> Diagnostic {
        for section in declaration.sections
        where Self.parameterNames(of: section, catalog).contains(attribute.name) {
            return Diagnostic(
                at: attribute.location,
                "`\(attribute.name)` belongs into `<\(section.name)>`, not into \(owner)",
                help: "move it there: `<\(section.name)>` … `</\(section.name)>`")
        }
        let names = declaration.parameters.map(\.name) + declaration.ignored.map(\.name)
        let help: String
        if let near = nearest(to: attribute.name, in: names) {
            help = "did you mean `\(near)`?"
        } else if names.isEmpty {
            help = "remove it: there are no parameters here"
        } else if names.count > Self.shownNameLimit {
            help =
                "`weir docs\(type.isEmpty ? "" : " \(type)")` lists its \(names.count) parameters"
        } else {
            help = "it has \(names.sorted().map { "`\($0)`" }.joined(separator: ", "))"
        }
        return Diagnostic(
            at: attribute.location, "\(owner) has no parameter `\(attribute.name)`", help: help)
    }

    /// Most names that a remark lists.
    private static let shownNameLimit = 20

    /// The parameters of a section, those of the components that its `@type` may name included.
    private static func parameterNames(
        of section: SectionDeclaration, _ catalog: ComponentCatalog
    ) -> [String] {
        // Outputs within outputs have the same parameters as those around them.
        let components =
            section.family.map { family in
                family == .output
                    ? []
                    : catalog.types(of: family).compactMap { catalog.declaration(family, $0) }
            } ?? []
        return section.parameters.map(\.name)
            + components.flatMap { $0.parameters.map(\.name) + $0.ignored.map(\.name) }
    }

    private mutating func readSections(
        _ declaration: SectionDeclaration, _ owner: String, _ catalog: ComponentCatalog,
        _ diagnostics: inout [Diagnostic]
    ) {
        for child in element.elements {
            guard let known = declaration.sections.first(where: { $0.name == child.name }) else {
                let names = declaration.sections.map(\.name)
                let help =
                    nearest(to: child.name, in: names).map { "did you mean `<\($0)>`?" }
                    ?? (names.isEmpty
                        ? "remove it: there are no sections here"
                        : "it has \(names.map { "`<\($0)>`" }.joined(separator: ", "))")
                diagnostics.append(
                    Diagnostic(
                        at: child.location, "\(owner) has no section `<\(child.name)>`", help: help)
                )
                continue
            }
            if known.count != .many, inner.contains(where: { $0.name == child.name }) {
                diagnostics.append(
                    Diagnostic(
                        at: child.location, "`<\(child.name)>` is written again",
                        help: "\(owner) has one; join the two"))
            }
            inner.append(
                (child.name, Section(child, of: known, owner, catalog, &diagnostics)))
        }
        for known in declaration.sections
        where known.count == .required
            && !element.elements.contains(where: { $0.name == known.name })
        {
            diagnostics.append(
                Diagnostic(
                    at: element.location, "\(owner) needs a section `<\(known.name)>`",
                    help: "add `<\(known.name)>` … `</\(known.name)>`: \(known.summary)"))
        }
    }

    /// Reads a section, by the component that its `@type` names where it has a family.
    private init(
        _ element: ConfigElement, of declaration: SectionDeclaration, _ owner: String,
        _ catalog: ComponentCatalog, _ diagnostics: inout [Diagnostic]
    ) {
        let name = "`<\(declaration.name)>`"
        guard let family = declaration.family else {
            self.init(
                element, as: declaration, owner: name, type: "", catalog: catalog,
                into: &diagnostics)
            return
        }
        let fallback = declaration.parameters.first { $0.name == "@type" }?.defaultText
        let type = element["@type"]?.value.string ?? fallback ?? ""
        guard let component = catalog.declaration(family, type) else {
            diagnostics.append(
                Self.unknownType(type, family, at: element["@type"], in: element, catalog))
            self.init(element: element, type: type)
            return
        }
        let merged = SectionDeclaration(
            declaration.name,
            parameters: declaration.parameters.filter { $0.name != "@type" } + component.parameters,
            ignored: declaration.ignored + component.ignored,
            sections: declaration.sections + component.sections, component.summary)
        self.init(
            element, as: merged, owner: "`@type \(type)` of \(name)", type: type, catalog: catalog,
            into: &diagnostics)
    }

    private init(element: ConfigElement, type: String) {
        self.element = element
        self.type = type
    }

    /// The remark that a type is not known, with the nearest one.
    public static func unknownType(
        _ type: String, _ family: ComponentFamily, at attribute: ConfigAttribute?,
        in element: ConfigElement, _ catalog: ComponentCatalog
    ) -> Diagnostic {
        let types = catalog.types(of: family)
        let all = types.map { "`\($0)`" }.joined(separator: ", ")
        guard let attribute else {
            return Diagnostic(
                at: element.location, "`<\(element.name)>` has no `@type`",
                help: "add `@type` and one of \(all)")
        }
        let near = nearest(to: type, in: types).map { "did you mean `\($0)`?" }
        return Diagnostic(
            at: attribute.valueLocation, "there is no \(family.rawValue) `\(type)`",
            help: near ?? "there are \(all)")
    }

    // MARK: Values

    /// A parameter's value, or its default.
    ///
    /// For a section that was read without errors there always is one.
    public subscript<Value>(parameter: Parameter<Value>) -> Value {
        if let value = values[parameter.name] as? Value { return value }
        if let value = parameter.defaultValue { return value }
        preconditionFailure("`\(parameter.name)` is read from a section with errors")
    }

    /// Whether the user wrote the parameter.
    public func isSet<Value>(_ parameter: Parameter<Value>) -> Bool {
        values[parameter.name] != nil
    }

    /// Where a parameter's value stands, or the section itself.
    public func location<Value>(of parameter: Parameter<Value>) -> SourceLocation {
        element[parameter.name]?.valueLocation ?? element.location
    }

    /// The sections of a name, in order.
    public func sections(_ name: String) -> [Section] {
        inner.filter { $0.name == name }.map(\.section)
    }

    /// The first section of a name.
    public func section(_ name: String) -> Section? {
        inner.first { $0.name == name }?.section
    }

    /// `@id`, if the user gave one.
    public var id: String? { element["@id"]?.value.string }

    /// `@label`, if the user gave one.
    public var label: String? { element["@label"]?.value.string }

    /// The argument behind the element's name.
    public var argument: String { element.argument }
}

/// A mistake that only the reading of several parameters together shows.
public struct SectionError: Error, Sendable {
    /// The remark for the user.
    public var diagnostic: Diagnostic

    /// A mistake at a place, and how to mend it.
    public init(_ location: SourceLocation, _ message: String, help: String) {
        diagnostic = Diagnostic(at: location, message, help: help)
    }
}

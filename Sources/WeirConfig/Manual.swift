/// The reference of components, made from their declarations: `weir docs`.
public enum Manual {
    /// The page of one component.
    public static func page(_ declaration: ComponentDeclaration) -> String {
        var text =
            "# \(declaration.type) (\(declaration.family.rawValue))\n\n\(declaration.summary)\n"
        text += table(declaration.parameters, ignored: declaration.ignored)
        for section in declaration.sections { text += page(section, depth: 2) }
        for example in declaration.examples { text += "\n```\n\(example)\n```\n" }
        return text
    }

    /// One line per component, by family.
    public static func index(_ catalog: ComponentCatalog) -> String {
        var text = ""
        for family in ComponentFamily.allCases {
            let types = catalog.types(of: family)
            guard !types.isEmpty else { continue }
            text += "\(family.rawValue)s\n"
            let width = types.map(\.count).max() ?? 0
            for type in types {
                guard let declaration = catalog.declaration(family, type) else { continue }
                let gap = String(repeating: " ", count: width - type.count + 2)
                text += "  \(type)\(gap)\(declaration.summary)\n"
            }
        }
        return text
    }

    private static func page(_ section: SectionDeclaration, depth: Int) -> String {
        let mark = String(repeating: "#", count: depth)
        let count =
            switch section.count {
            case .optional: ""
            case .required: " (required)"
            case .many: " (any number)"
            }
        var text = "\n\(mark) <\(section.name)>\(count)\n\n\(section.summary)\n"
        if let family = section.family { text += "Its `@type` names a \(family.rawValue).\n" }
        text += table(section.parameters, ignored: section.ignored)
        for inner in section.sections { text += page(inner, depth: depth + 1) }
        return text
    }

    private static func table(_ parameters: [AnyParameter], ignored: [IgnoredParameter]) -> String {
        var text = ""
        if !parameters.isEmpty {
            text += "\n| parameter | type | default | meaning |\n| --- | --- | --- | --- |\n"
            for parameter in parameters {
                let fallback = parameter.defaultText.map { "`\($0)`" } ?? "required"
                text += "| `\(parameter.name)` | \(parameter.typeName) | \(fallback) "
                text += "| \(parameter.summary) |\n"
            }
        }
        for parameter in ignored {
            text += "\n`\(parameter.name)` is accepted and not needed: \(parameter.reason)\n"
        }
        return text
    }
}

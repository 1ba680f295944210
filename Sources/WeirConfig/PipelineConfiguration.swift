import WeirCore

/// A configuration as a whole: what runs, in which order, checked against the catalogue.
public struct PipelineConfiguration: Sendable {
    /// A component with its typed section.
    public struct Component: Sendable {
        /// What it is.
        public var declaration: ComponentDeclaration
        /// Its parameters.
        public var section: Section
        /// The name for logs and metrics: `@id`, or the type and a number.
        public var name: String
    }

    /// One `<filter>` or `<match>`, in the file's order.
    public struct Rule: Sendable {
        /// Whether it filters or matches.
        public enum Kind: Sendable {
            case filter
            case match
        }

        /// Whether it filters or matches.
        public var kind: Kind
        /// The pattern as it was written.
        public var pattern: String
        /// The component.
        public var component: Component
    }

    /// The file that was read.
    public var path: String
    /// `<system>`, if it is there.
    public var system: Section?
    /// Further sections of the top level, by their names.
    public var sections: [String: Section] = [:]
    /// The sources in order.
    public var sources: [Component] = []
    /// The rules of each label; the top level is `@ROOT`.
    public var labels: [String: [Rule]] = [:]
    /// Everything that was remarked, errors first found first.
    public var diagnostics: [Diagnostic] = []

    /// Reads and checks a file and all that it includes.
    public static func read(
        path: String, files: any ConfigFiles, catalog: ComponentCatalog,
        system: SectionDeclaration, sections: [SectionDeclaration] = []
    ) -> PipelineConfiguration {
        let (root, diagnostics) = ConfigReader.read(path: path, files: files)
        return PipelineConfiguration(
            root, path: path, catalog: catalog, system: system, sections: sections,
            diagnostics: diagnostics)
    }

    /// Checks a tree that was read.
    public init(
        _ root: ConfigElement, path: String, catalog: ComponentCatalog,
        system systemDeclaration: SectionDeclaration, sections: [SectionDeclaration] = [],
        diagnostics: [Diagnostic]
    ) {
        self.path = path
        self.diagnostics = diagnostics
        var checker = PipelineChecker(
            catalog: catalog, system: systemDeclaration, sections: sections)
        checker.check(root, into: &self)
        self.diagnostics += checker.diagnostics
        let order = { (place: SourceLocation) in (place.file == path ? "" : place.file, place.line)
        }
        self.diagnostics.sort { order($0.location) < order($1.location) }
    }
}

/// Walks a tree and fills a configuration from it.
private struct PipelineChecker {
    let catalog: ComponentCatalog
    let system: SectionDeclaration
    let sections: [SectionDeclaration]
    var diagnostics: [Diagnostic] = []
    private var counts: [String: Int] = [:]
    private var ids: [String: SourceLocation] = [:]
    private var namedLabels: [(name: String, location: SourceLocation)] = []

    init(
        catalog: ComponentCatalog, system: SectionDeclaration, sections: [SectionDeclaration]
    ) {
        self.catalog = catalog
        self.system = system
        self.sections = sections
    }

    mutating func check(_ root: ConfigElement, into configuration: inout PipelineConfiguration) {
        for attribute in root.attributes {
            report(
                attribute.location, "`\(attribute.name)` stands outside of every section",
                help: "put it into a `<source>`, `<filter>`, `<match>` or `<system>`")
        }
        configuration.labels["@ROOT"] = []
        for element in root.elements { check(top: element, into: &configuration) }
        for (name, location) in namedLabels where configuration.labels[name] == nil {
            let near = nearest(to: name, in: configuration.labels.keys)
            report(
                location, "there is no `<label \(name)>`",
                help: near.map { "did you mean `\($0)`?" } ?? "add `<label \(name)>` … `</label>`")
        }
        if configuration.sources.isEmpty, !diagnostics.hasErrors,
            !configuration.diagnostics.hasErrors
        {
            report(
                root.location, "there is no `<source>`",
                help: "add `<source>` with `@type tail` and the path of a log")
        }
    }

    private mutating func report(_ location: SourceLocation, _ message: String, help: String) {
        diagnostics.append(Diagnostic(at: location, message, help: help))
    }

    private mutating func check(
        top element: ConfigElement, into configuration: inout PipelineConfiguration
    ) {
        switch element.name {
        case "system":
            configuration.system = section(element, system, before: configuration.system)
        case "source":
            if let component = component(element, .source) {
                configuration.sources.append(component)
            }
        case "label": check(label: element, into: &configuration)
        case "filter", "match":
            if let rule = rule(element) { configuration.labels["@ROOT"]?.append(rule) }
        case "worker":
            // One process does the work of all workers.
            for child in element.elements { check(top: child, into: &configuration) }
        case let name where sections.contains { $0.name == name }:
            guard let declaration = sections.first(where: { $0.name == name }) else { return }
            configuration.sections[name] = section(
                element, declaration, before: configuration.sections[name])
        default:
            let names =
                ["source", "filter", "match", "label", "system", "worker"] + sections.map(\.name)
            report(
                element.location, "`<\(element.name)>` is not a section of a configuration",
                help: nearest(to: element.name, in: names).map { "did you mean `<\($0)>`?" }
                    ?? "there are \(names.map { "`<\($0)>`" }.joined(separator: ", "))")
        }
    }

    /// A section that stands there once.
    private mutating func section(
        _ element: ConfigElement, _ declaration: SectionDeclaration, before former: Section?
    ) -> Section {
        if former != nil {
            report(
                element.location, "`<\(element.name)>` is written again", help: "join the two")
        }
        return Section(
            element, as: declaration, owner: "`<\(element.name)>`", type: "", catalog: catalog,
            into: &diagnostics)
    }

    private mutating func check(
        label element: ConfigElement, into configuration: inout PipelineConfiguration
    ) {
        let name = element.argument
        guard name.hasPrefix("@"), name.count > 1 else {
            report(
                element.location, "a label's name begins with `@`",
                help: "write `<label @\(name.isEmpty ? "NAME" : name)>`")
            return
        }
        guard name != "@ROOT" else {
            report(
                element.location, "`@ROOT` is the top level itself",
                help: "write its filters and matches outside of any label")
            return
        }
        if configuration.labels[name] != nil {
            report(element.location, "`<label \(name)>` is written again", help: "join the two")
        }
        for attribute in element.attributes {
            report(
                attribute.location, "a label has no parameters",
                help: "put `\(attribute.name)` into one of its filters or matches")
        }
        var rules: [PipelineConfiguration.Rule] = []
        for child in element.elements {
            if child.name == "filter" || child.name == "match" {
                if let rule = rule(child) { rules.append(rule) }
            } else {
                report(
                    child.location, "`<\(child.name)>` does not stand in a label",
                    help: "a label holds `<filter>` and `<match>` only")
            }
        }
        configuration.labels[name] = rules
    }

    private mutating func rule(_ element: ConfigElement) -> PipelineConfiguration.Rule? {
        let isFilter = element.name == "filter"
        guard let component = component(element, isFilter ? .filter : .output) else { return nil }
        // Fluentd takes a missing pattern for `**`.
        let pattern = element.argument.isEmpty ? "**" : element.argument
        do {
            _ = try TagPattern(pattern)
        } catch {
            report(element.location, error.message, help: error.help)
        }
        return PipelineConfiguration.Rule(
            kind: isFilter ? .filter : .match, pattern: pattern, component: component)
    }

    private mutating func component(
        _ element: ConfigElement, _ family: ComponentFamily
    ) -> PipelineConfiguration.Component? {
        let type = element["@type"]
        guard let declaration = catalog.declaration(family, type?.value.string ?? "") else {
            diagnostics.append(
                Section.unknownType(
                    type?.value.string ?? "", family, at: type, in: element, catalog))
            return nil
        }
        let section = Section(element, as: declaration, catalog: catalog, into: &diagnostics)
        noteLabels(element)
        return PipelineConfiguration.Component(
            declaration: declaration, section: section, name: name(section, element))
    }

    /// Notes every `@label` of an element and its stores, to be checked when all labels are known.
    private mutating func noteLabels(_ element: ConfigElement) {
        if let label = element["@label"], label.value.string != "@ROOT" {
            namedLabels.append((label.value.string, label.valueLocation))
        } else if element["@type"]?.value.string == "relabel", element["@label"] == nil {
            report(
                element.location, "`@type relabel` needs `@label`",
                help: "add `@label @NAME` of a `<label @NAME>`")
        }
        for child in element.elements where child.name == "store" { noteLabels(child) }
    }

    private mutating func name(_ section: Section, _ element: ConfigElement) -> String {
        if let id = section.id {
            if let first = ids[id] {
                report(
                    element["@id"]?.valueLocation ?? element.location,
                    "`@id \(id)` is already the name of the component at \(first)",
                    help: "give each component an `@id` of its own")
            }
            ids[id] = element.location
            return id
        }
        counts[section.type, default: 0] += 1
        let count = counts[section.type] ?? 1
        return count == 1 ? section.type : "\(section.type)_\(count)"
    }
}

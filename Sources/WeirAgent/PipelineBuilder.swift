import WeirConfig
import WeirCore
import WeirHost
import WeirMetrics
import WeirPipeline
import WeirPlugins

/// Makes the running parts of a configuration that was read without mistakes.
struct PipelineBuilder {
    /// What a component is made from: two of the same key are interchangeable.
    struct Key: Hashable {
        var name: String
        var content: String
        var byteLimit = 0
    }

    /// A source with the door that it emits through.
    struct SourcePart {
        var key: Key
        var source: any Source
        var door: SourceDoor
        /// The label at which its events begin.
        var label: String
    }

    /// An output.
    struct OutputPart {
        var key: Key
        var output: any Output
        /// Whether it stands in `@ERROR`, and may be given events while others stop.
        var takesErrors: Bool
    }

    /// The parts of a configuration.
    struct Pipeline {
        var sources: [SourcePart]
        var outputs: [OutputPart]
        var router: Router
        /// Leads what outputs refuse to the router.
        var relay: RefusalRelay
    }

    private let configuration: PipelineConfiguration
    private let context: PluginContext
    private let relay: RefusalRelay
    /// The pipeline whose outputs are taken over where nothing has changed.
    private let former: Pipeline?
    private var outputs: [OutputPart] = []
    /// Makes what stands for an output, in tests of pipelines.
    var standIn: ((_ name: String) -> any Output)?
    private var diagnostics: [Diagnostic] = []
    /// Files and folders that one component alone may write, and where they are named.
    private var claims: [String: SourceLocation] = [:]

    init(
        _ configuration: PipelineConfiguration, context: PluginContext, former: Pipeline? = nil
    ) {
        self.configuration = configuration
        self.former = former
        relay = former?.relay ?? RefusalRelay()
        var context = context
        context.refusals = relay
        let matches = configuration.labels.values.joined().filter { $0.kind == .match }
        let count = matches.reduce(0) { $0 + Self.bufferCount($1.component.section) }
        context.outputByteLimit /= max(1, count)
        self.context = context
    }

    /// How many outputs of a `<match>` hold events in memory.
    private static func bufferCount(_ section: Section) -> Int {
        switch section.type {
        case "relabel", "null": 0
        case "copy": section.sections("store").reduce(0) { $0 + bufferCount($1) }
        default: 1 + (section.section("secondary").map { bufferCount($0) } ?? 0)
        }
    }

    /// Makes everything; mistakes that only that shows are thrown together.
    mutating func build(
        deadLetter: any RefusalSink, log: @escaping @Sendable (RouterReport) -> Void
    ) throws(ConfigurationError) -> Pipeline {
        var labels: [String: [Rule]] = [:]
        for (label, rules) in configuration.labels.sorted(by: { $0.key < $1.key }) {
            labels[label] = rules.compactMap { rule($0, of: label) }
        }
        let router = Router(
            labels: labels, deadLetter: deadLetter, registry: context.registry, log: log)
        var sources: [SourcePart] = []
        for component in configuration.sources where standIn == nil {
            let door = SourceDoor()
            claim(component.section.element["pos_file"], "position file")
            let context = context
            let source = noted { () throws(SectionError) in
                try PluginCatalog.source(
                    component.section, name: component.name, sink: door, context: context)
            }
            guard let source else { continue }
            sources.append(
                SourcePart(
                    key: Key(name: component.name, content: component.section.element.content),
                    source: source, door: door,
                    label: component.section.label ?? Router.rootLabel))
        }
        if standIn == nil { checkEvents() }
        if diagnostics.hasErrors { throw ConfigurationError(diagnostics) }
        return Pipeline(sources: sources, outputs: outputs, router: router, relay: relay)
    }

    /// Finds sources whose events would come to an output that takes none.
    private mutating func checkEvents() {
        for source in configuration.sources {
            guard let tag = source.section.element["tag"]?.value.string, !tag.isEmpty else {
                continue
            }
            // A `*` in a tag stands for the file's path.
            let shown = tag.replacing("*", with: "path.to.file")
            let rules = configuration.labels[source.section.label ?? Router.rootLabel] ?? []
            let first = rules.first { rule in
                rule.kind == .match
                    && (try? TagPattern(rule.pattern))?.matches(shown) ?? false
            }
            guard let section = first?.component.section, !PluginCatalog.takesEvents(section)
            else { continue }
            diagnostics.append(
                Diagnostic(
                    at: section.element.location,
                    "`@type \(section.type)` takes no events, but its pattern matches `\(tag)` of the "
                        + "source at \(source.section.element.location)",
                    help: "write a pattern that matches no tag, such as `<match prometheus.**>`"))
        }
    }

    /// Notes a path that nobody else may write.
    private mutating func claim(_ attribute: ConfigAttribute?, _ what: String) {
        guard let attribute, !attribute.value.string.isEmpty else { return }
        if let first = claims[attribute.value.string] {
            diagnostics.append(
                Diagnostic(
                    at: attribute.valueLocation,
                    "`\(attribute.value.string)` is already the \(what) of the component at \(first)",
                    help: "give each component a \(what) of its own"))
        }
        claims[attribute.value.string] = attribute.valueLocation
    }

    /// What was made, or nothing and the mistake noted.
    private mutating func noted<R>(_ make: () throws(SectionError) -> R) -> R? {
        do throws(SectionError) {
            return try make()
        } catch {
            diagnostics.append(error.diagnostic)
            return nil
        }
    }

    private mutating func rule(_ rule: PipelineConfiguration.Rule, of label: String) -> Rule? {
        guard let pattern = try? TagPattern(rule.pattern) else { return nil }
        let action: Rule.Action
        switch rule.kind {
        case .filter:
            let context = context
            let filter = noted { () throws(SectionError) in
                try PluginCatalog.filter(
                    rule.component.section, name: rule.component.name, context: context)
            }
            guard let filter else { return nil }
            action = .filter(
                FilterStage(
                    name: rule.component.name, filter: filter, registry: context.registry))
        case .match:
            let component = rule.component
            guard let node = node(component.section, name: component.name, label) else {
                return nil
            }
            action = .match(node)
        }
        return Rule(matches: { pattern.matches($0) }, action: action)
    }

    private mutating func node(
        _ section: Section, name: String, _ label: String
    ) -> OutputNode? {
        switch section.type {
        case "relabel": return .relabel(section.label ?? Router.rootLabel)
        case "copy":
            let stores = section.sections("store")
            for store in stores where !PluginCatalog.takesEvents(store) {
                diagnostics.append(
                    Diagnostic(
                        at: store.element.location,
                        "`@type \(store.type)` sends metrics and takes no events",
                        help: "put it into a `<match>` of its own, such as `<match prometheus.**>`")
                )
            }
            return .copy(
                stores.enumerated().compactMap { index, store in
                    node(store, name: store.id ?? "\(name).\(index + 1)", label)
                })
        default:
            if let standIn { return .output(standIn(name)) }
            if let buffer = section.section("buffer") {
                claim(buffer.element["path"], "folder of chunks")
            }
            let key = Key(
                name: name, content: section.element.content, byteLimit: context.outputByteLimit)
            let context = context
            // Metrics are shown by the configuration that declares them.
            let kept = section.type == "prometheus" ? nil : former?.outputs.first { $0.key == key }
            let output =
                kept?.output
                ?? noted { () throws(SectionError) in
                    try PluginCatalog.output(section, name: name, context: context)
                }
            guard let output else { return nil }
            context.components.note(output, name: name, type: section.type)
            outputs.append(
                OutputPart(key: key, output: output, takesErrors: label == Router.errorLabel))
            return .output(output)
        }
    }
}

import WeirConfig
import WeirCore
import WeirHost
import WeirMetrics
import WeirPipeline
import WeirPlugins

/// Makes the running parts of a configuration that was read without mistakes.
struct PipelineBuilder {
    /// The parts, in the order in which they stop.
    struct Pipeline {
        var sources: [any Source]
        var outputs: [any Output]
        var router: Router
    }

    private let configuration: PipelineConfiguration
    private let context: PluginContext
    private let relay = RefusalRelay()
    private var outputs: [any Output] = []
    /// Makes what stands for an output, in tests of pipelines.
    var standIn: ((_ name: String) -> any Output)?
    private var diagnostics: [Diagnostic] = []
    /// Files and folders that one component alone may write, and where they are named.
    private var claims: [String: SourceLocation] = [:]

    init(_ configuration: PipelineConfiguration, context: PluginContext) {
        self.configuration = configuration
        var context = context
        context.refusals = relay
        let count = configuration.labels.values.joined().count { $0.kind == .match }
        context.outputByteLimit /= max(1, count)
        self.context = context
    }

    /// Makes everything; mistakes that only that shows are thrown together.
    mutating func build(
        deadLetter: any RefusalSink, log: @escaping @Sendable (RouterReport) -> Void
    ) throws(ConfigurationError) -> Pipeline {
        var labels: [String: [Rule]] = [:]
        for (label, rules) in configuration.labels {
            labels[label] = rules.compactMap { rule($0) }
        }
        let router = Router(
            labels: labels, deadLetter: deadLetter, registry: context.registry, log: log)
        relay.point(to: router)
        var sources: [any Source] = []
        for component in configuration.sources where standIn == nil {
            let sink = router.entry(label: component.section.label ?? Router.rootLabel)
            claim(component.section.element["pos_file"], "position file")
            let context = context
            let source = noted { () throws(SectionError) in
                try PluginCatalog.source(
                    component.section, name: component.name, sink: sink, context: context)
            }
            if let source { sources.append(source) }
        }
        if diagnostics.hasErrors { throw ConfigurationError(diagnostics) }
        return Pipeline(sources: sources, outputs: outputs, router: router)
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

    private mutating func rule(_ rule: PipelineConfiguration.Rule) -> Rule? {
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
            action = .filter(FilterStage(name: rule.component.name, filter: filter))
        case .match:
            guard let node = node(rule.component.section, name: rule.component.name) else {
                return nil
            }
            action = .match(node)
        }
        return Rule(matches: { pattern.matches($0) }, action: action)
    }

    private mutating func node(_ section: Section, name: String) -> OutputNode? {
        switch section.type {
        case "relabel": return .relabel(section.label ?? Router.rootLabel)
        case "copy":
            let stores = section.sections("store")
            return .copy(
                stores.enumerated().compactMap { index, store in
                    node(store, name: store.id ?? "\(name).\(index + 1)")
                })
        default:
            if let standIn { return .output(standIn(name)) }
            if let buffer = section.section("buffer") {
                claim(buffer.element["path"], "folder of chunks")
            }
            let context = context
            let output = noted { () throws(SectionError) in
                try PluginCatalog.output(section, name: name, context: context)
            }
            guard let output else { return nil }
            outputs.append(output)
            return .output(output)
        }
    }
}

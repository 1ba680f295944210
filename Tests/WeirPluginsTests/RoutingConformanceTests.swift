import Synchronization
import Testing
import WeirConfig
import WeirCore
import WeirMetrics
import WeirPipeline
import WeirTesting

@testable import WeirPlugins

/// Where Weir routes otherwise than Fluentd 1.16.9, and why.
private let differences: [String: String] = [
    "route-023": "the stores of a copy do not see each other's changes",
    "route-025": "the stores of a copy do not see each other's changes",
    "route-030": "Ruby beyond ways into the record is refused",
    "route-031": "Ruby beyond ways into the record is refused",
    "route-039": "an unknown section is a mistake; Fluentd only warns",
    "route-040": "an unknown parameter is a mistake; Fluentd only warns",
    "route-045": "there is one process, which does the work of every `<worker>`",
]

/// Appends its name to the record's list `via`.
private final class MarkFilter: Filter {
    static let name = Parameter.text("name", "The mark.")
    static let declaration = ComponentDeclaration(
        .filter, type: "kit_mark", "Marks events.", parameters: [AnyParameter(name)])

    private let mark: Value

    init(_ section: Section) { mark = .string(section[Self.name]) }

    func apply(to batch: EventBatch, refused: (_ row: Int, _ reason: String) -> Void) {
        for row in batch.rows.indices where !batch.rows[row].isDropped {
            var record = batch.record(row: row)
            record["via"] = .array((record["via"]?.array ?? []) + [mark])
            batch.replace(row: row, with: record)
        }
    }
}

/// Where an event arrived, in the form of the captured cases.
private final class Arrivals: Sendable {
    private let values = Mutex<[Value]>([])

    func append(_ value: Value) { values.withLock { $0.append(value) } }

    func take() -> [Value] {
        values.withLock { values in
            defer { values = [] }
            return values
        }
    }
}

private final class CollectOutput: Output {
    static let name = Parameter.text("name", "The place.")
    static let declaration = ComponentDeclaration(
        .output, type: "kit_collect", "Notes events.", parameters: [AnyParameter(name)])

    private let name: String?
    private let arrivals: Arrivals

    /// An output that notes under a name, or nowhere.
    init(_ name: String?, _ arrivals: Arrivals) {
        self.name = name
        self.arrivals = arrivals
    }

    var admits: Bool { true }

    func write(_ batch: EventBatch, ticket: DeliveryTicket) {
        guard let name else { return }
        for row in batch.rows.indices where !batch.rows[row].isDropped {
            arrivals.append(
                .object([
                    "match": .string(name), "tag": .string(batch.tag),
                    "filters": batch.record(row: row)["via"] ?? .array([]),
                ]))
        }
    }

    func start() throws(ComponentError) {}
    func flush() {}
    func stop(deadline: UInt64) -> Bool { true }
}

@Suite("Routing, held against Fluentd's", .enabled(if: SharedCases.arePresent))
struct RoutingConformanceTests {
    private static let catalog: ComponentCatalog = {
        let store = SectionDeclaration("store", .many, family: .output, "Where events go.")
        let mode = Parameter.text("copy_mode", default: "no_copy", "How events are copied.")
        return ComponentCatalog([
            MarkFilter.declaration, CollectOutput.declaration, GrepFilter.declaration,
            RecordTransformerFilter.declaration,
            ComponentDeclaration(.source, type: "kit_source", "Nothing."),
            ComponentDeclaration(.output, type: "null", "Nowhere."),
            ComponentDeclaration(.output, type: "relabel", "To a label."),
            ComponentDeclaration(
                .output, type: "copy", "To several.", parameters: [AnyParameter(mode)],
                sections: [store]),
        ])
    }()

    @Test func `takes every captured event where Fluentd does, or differs for a reason`() {
        var compared = 0
        for record in SharedCases.records("conformance/fluentd/match/routing.jsonl") {
            guard let id = record["id"]?.string, let conf = record["conf"]?.string else { continue }
            compared += 1
            let difference = difference(conf, record)
            if differences[id] == nil {
                #expect(difference == nil, "\(id)")
            } else {
                #expect(difference != nil, "\(id) is the same as Fluentd's: strike it")
            }
        }
        #expect(compared >= 29)
    }

    private func difference(_ conf: String, _ record: Record) -> String? {
        let arrivals = Arrivals()
        let router: Router
        do {
            router = try self.router(conf, arrivals)
        } catch {
            return record["config_error"] == nil ? "refused: \(error)" : nil
        }
        if record["config_error"] != nil { return "Fluentd refuses it" }
        for result in record["results"]?.array ?? [] {
            guard let tag = result.object?["tag"]?.string else { continue }
            let batch = EventBatch()
            let line = Array(#"{"k":"v"}"#.utf8) + [0x0a]
            line.withUnsafeBytes { batch.fillBlock(copying: $0) }
            batch.tag = tag
            _ = batch.cutLines(position: 0)
            JSONLineScanner().scan(into: batch, time: .epoch)
            router.entry().emit(batch, ticket: DeliveryTicket(readAt: 0) {})
            let seen = Value.array(arrivals.take())
            let expected = result.object?["reached"] ?? .array([])
            if seen != expected {
                return
                    "\(tag): \(JSONValueWriter.text(seen)), not \(JSONValueWriter.text(expected))"
            }
        }
        return nil
    }

    private func router(_ conf: String, _ arrivals: Arrivals) throws -> Router {
        let text = conf + "<source>\n@type kit_source\n</source>\n"
        let (root, read) = ConfigReader.read(
            text: Array(text.utf8), name: "case.conf", files: NoFiles())
        let configuration = PipelineConfiguration(
            root, path: "case.conf", catalog: Self.catalog,
            system: SectionDeclaration("system", .optional, "Nothing."), diagnostics: read)
        guard !configuration.diagnostics.hasErrors else {
            throw ConfigurationError(configuration.diagnostics)
        }
        var labels: [String: [Rule]] = [:]
        for (label, rules) in configuration.labels {
            labels[label] = try rules.map { rule in
                let pattern = try TagPattern(rule.pattern)
                let section = rule.component.section
                let action: Rule.Action =
                    switch rule.kind {
                    case .filter:
                        .filter(FilterStage(name: section.type, filter: try filter(section)))
                    case .match: .match(node(section, arrivals))
                    }
                return Rule(matches: { pattern.matches($0) }, action: action)
            }
        }
        return Router(
            labels: labels, deadLetter: NoRefusals(), registry: Registry(), log: { _ in })
    }

    private func filter(_ section: Section) throws -> any Filter {
        switch section.type {
        case "grep": try GrepFilter(section)
        case "record_transformer": try RecordTransformerFilter(section, hostName: "h")
        default: MarkFilter(section)
        }
    }

    private func node(_ section: Section, _ arrivals: Arrivals) -> OutputNode {
        switch section.type {
        case "relabel": .relabel(section.label ?? Router.rootLabel)
        case "copy": .copy(section.sections("store").map { node($0, arrivals) })
        case "kit_collect": .output(CollectOutput(section[CollectOutput.name], arrivals))
        default: .output(CollectOutput(nil, arrivals))
        }
    }
}

import Synchronization
import WeirConfig
import WeirCore
import WeirMetrics
import WeirParse
import WeirPipeline
import WeirTesting

@testable import WeirPlugins

/// No files and no environment.
struct NoFiles: ConfigFiles {
    var hostName = "kit-host.example"

    func contents(of path: String) -> [UInt8]? { nil }
    func paths(matching pattern: String) -> [String] { [] }
    func environment(_ name: String) -> String? { nil }
}

/// One event as tests see it.
struct SeenEvent: Equatable {
    var tag: String
    var time: Timestamp
    var record: Record
}

/// An output that keeps the events it was given, read back from their JSON.
final class SeenEvents: Output {
    private let events = Mutex<[SeenEvent]>([])

    var admits: Bool { true }

    func write(_ batch: EventBatch, ticket: DeliveryTicket) {
        var encoder = BatchEncoder(batch)
        for row in batch.rows.indices where !batch.rows[row].isDropped {
            var buffer = ByteBuffer()
            encoder.append(row: row, to: &buffer)
            let record = JSONValueReader.value(of: buffer.bytes)?.object ?? ["broken": .bool(true)]
            let time = batch.rows[row].time
            events.withLock { $0.append(SeenEvent(tag: batch.tag, time: time, record: record)) }
        }
    }

    func start() throws(ComponentError) {}
    func flush() {}
    func stop(deadline: UInt64) -> Bool { true }

    /// What came since the last call.
    func take() -> [SeenEvent] {
        events.withLock { events in
            defer { events = [] }
            return events
        }
    }
}

/// Fails a test when something lands there.
final class NoRefusals: RefusalSink {
    func refuse(_ events: [RefusedEvent], ticket: DeliveryTicket) {
        preconditionFailure("everything refused goes to @ERROR in these tests")
    }
}

/// A filter in a router, with outputs behind it and behind `@ERROR`.
final class FilterRig {
    /// The time that the filter takes for now.
    static let now = Timestamp(seconds: 1_800_000_000, nanoseconds: 5)

    static let catalog = ComponentCatalog(
        [RecordTransformerFilter.declaration, GrepFilter.declaration, ParserFilter.declaration]
            + ParserCatalog.declarations)

    private let router: Router
    private let good = SeenEvents()
    private let bad = SeenEvents()

    /// A rig of the `<filter>` elements of a configuration.
    init(_ text: String, zone: TimeZone = .utc) throws {
        let (root, read) = ConfigReader.read(
            text: Array(text.utf8), name: "case.conf", files: NoFiles())
        guard !read.hasErrors else { throw ConfigurationError(read) }
        let stages = try root.elements.map { element in
            FilterStage(name: "filter", filter: try Self.filter(element, zone: zone))
        }
        router = Router(
            labels: [
                Router.rootLabel: stages.map {
                    Rule(matches: { _ in true }, action: .filter($0))
                } + [Rule(matches: { _ in true }, action: .match(.output(good)))],
                Router.errorLabel: [Rule(matches: { _ in true }, action: .match(.output(bad)))],
            ], deadLetter: NoRefusals(), registry: Registry(),
            log: { _ in })
    }

    private static func filter(_ element: ConfigElement, zone: TimeZone) throws -> any Filter {
        var diagnostics: [Diagnostic] = []
        let type = element["@type"]?.value.string ?? ""
        guard let declaration = catalog.declaration(.filter, type) else {
            throw ConfigurationError([
                Section.unknownType(type, .filter, at: element["@type"], in: element, catalog)
            ])
        }
        let section = Section(element, as: declaration, catalog: catalog, into: &diagnostics)
        guard !diagnostics.hasErrors else { throw ConfigurationError(diagnostics) }
        do {
            switch type {
            case "grep": return try GrepFilter(section)
            case "parser": return try ParserFilter(section, clock: { now })
            default:
                return try RecordTransformerFilter(
                    section, hostName: "kit-host.example", zone: zone)
            }
        } catch {
            throw ConfigurationError([error.diagnostic])
        }
    }

    /// Sends JSON lines through as one batch.
    /// - Returns: What came out behind the filter, and what came to `@ERROR`.
    func run(
        _ lines: [[UInt8]], tag: String = "t", time: Timestamp = Timestamp(seconds: 1_700_000_000)
    ) -> (out: [SeenEvent], failed: [SeenEvent]) {
        let batch = EventBatch()
        let text = Array(lines.map { $0 + [0x0a] }.joined())
        text.withUnsafeBytes { batch.fillBlock(copying: $0) }
        batch.tag = tag
        _ = batch.cutLines(position: 0)
        JSONLineScanner().scan(into: batch, time: time)
        precondition(batch.failures.isEmpty, "tests send JSON objects")
        router.entry().emit(batch, ticket: DeliveryTicket(readAt: 0) {})
        return (good.take(), bad.take())
    }

    /// Sends JSON lines through as one batch.
    func run(_ lines: String..., tag: String = "t") -> (out: [SeenEvent], failed: [SeenEvent]) {
        run(lines.map { Array($0.utf8) }, tag: tag)
    }
}

import Glibc
import Synchronization
import WeirConfig
import WeirCore
import WeirHost
import WeirMetrics
import WeirParse
import WeirPipeline
import WeirTesting

@testable import WeirPlugins

/// An event as it reached the sink.
struct ArrivedEvent: Equatable {
    var tag: String
    var record: Record
    var time: Timestamp
    var identity: EventIdentity?

    /// The text of its `message`.
    var message: String { record["message"]?.string ?? JSONValueWriter.text(.object(record)) }
}

/// Takes events, keeps or frees their tickets, and can be full.
final class CollectingSink: EventSink {
    private struct State {
        var events: [ArrivedEvent] = []
        var held: [(ticket: DeliveryTicket, events: [ArrivedEvent])] = []
        var delivered: [ArrivedEvent] = []
        var isHolding = false
        var isFull = false
    }

    private let state = Mutex(State())

    var events: [ArrivedEvent] { state.withLock { $0.events } }
    var messages: [String] { events.map(\.message) }
    var heldCount: Int { state.withLock { $0.held.count } }

    func admits(tag: String) -> Bool { state.withLock { !$0.isFull } }

    func emit(_ batch: EventBatch, ticket: DeliveryTicket) {
        var arrived: [ArrivedEvent] = []
        for row in batch.rows.indices where !batch.rows[row].isDropped {
            arrived.append(
                ArrivedEvent(
                    tag: batch.tag, record: batch.record(row: row), time: batch.rows[row].time,
                    identity: EventIdentity(row: row, in: batch)))
        }
        state.withLock { state in
            state.events += arrived
            guard state.isHolding else {
                state.delivered += arrived
                return
            }
            ticket.retain()
            state.held.append((ticket, arrived))
        }
    }

    func setFull(_ isFull: Bool) { state.withLock { $0.isFull = isFull } }

    func setHolding(_ isHolding: Bool) { state.withLock { $0.isHolding = isHolding } }

    /// Delivers one of the held blocks.
    func deliver(at index: Int) {
        let ticket = state.withLock { state in
            let (ticket, events) = state.held.remove(at: index)
            state.delivered += events
            return ticket
        }
        ticket.release()
    }

    func deliverAll() { while heldCount > 0 { deliver(at: 0) } }

    /// The events whose blocks were delivered.
    var delivered: [ArrivedEvent] { state.withLock { $0.delivered } }

    /// The process is gone: nothing held is ever delivered.
    func abandon() { state.withLock { $0.held = [] } }

    func takeEvents() -> [ArrivedEvent] {
        state.withLock { state in
            defer { state.events = [] }
            return state.events
        }
    }

    func takeMessages() -> [String] { takeEvents().map(\.message) }
}

/// A tail in a folder of its own, whose time the test moves.
final class TailRig {
    struct Broken: Error {
        var text: String
    }

    /// The unit of time that passes between two steps.
    private static let tick: UInt64 = 100_000_000

    let folder: TemporaryFolder
    let sink = CollectingSink()
    private(set) var metrics = Registry()
    private(set) var options: TailOptions
    private let parse: Section
    private var engine: TailEngine?
    private var monotonic: UInt64 = 1_000_000_000_000
    private let notes = Notes()

    /// What the engine tells, and which files it may not open.
    private final class Notes: Sendable {
        let reports = Mutex<[TailReport]>([])
        let forgotten = Mutex<[Origin]>([])
        let unreadable = Mutex<Set<String>>([])
    }

    /// A tail of `a.log`, from its head, with a position file.
    convenience init(_ extra: String = "", in place: TemporaryFolder.Place = .disk) throws {
        try self.init(
            source: """
                <source>
                  @type tail
                  path DIR/a.log
                  pos_file DIR/pos
                  tag t
                  read_from_head true
                  rotate_wait 1s
                  \(extra)
                  <parse>
                    @type none
                  </parse>
                </source>
                """, in: place)
    }

    init(source: String, in place: TemporaryFolder.Place = .disk) throws {
        folder = TemporaryFolder(place)
        let text = source.replacing("DIR", with: folder.path)
        let (source, problems) = try Self.section(text)
        if let problem = problems.first(where: { $0.severity == .error }) {
            throw Broken(text: problem.description)
        }
        options = try TailOptions(source)
        guard let parse = source.section("parse") else { throw Broken(text: "no parse") }
        self.parse = parse
    }

    /// The first source of a configuration, read under the tail's declaration.
    static func section(_ text: String) throws -> (Section, [Diagnostic]) {
        let catalog = ComponentCatalog([TailSource.declaration] + ParserCatalog.declarations)
        let result = ConfigReader.read(text: Array(text.utf8), name: "weir.conf", files: NoFiles())
        var problems = result.diagnostics
        guard let element = result.root.elements.first(where: { $0.name == "source" }) else {
            throw Broken(text: "no source")
        }
        let section = Section(
            element, as: TailSource.declaration, catalog: catalog, into: &problems)
        return (section, problems)
    }

    var reports: [TailReport] { notes.reports.withLock { $0 } }
    /// The origins that will not come again.
    var forgotten: [Origin] { notes.forgotten.withLock { $0 } }
    var isRunning: Bool { engine != nil }

    func setOptions(_ change: (inout TailOptions) -> Void) { change(&options) }

    func setUnreadable(_ name: String, _ isUnreadable: Bool) {
        notes.unreadable.withLock { paths in
            if isUnreadable {
                paths.insert(folder.place(name))
            } else {
                paths.remove(folder.place(name))
            }
        }
    }

    // MARK: Running

    func start(parser given: (any LineParser)? = nil) throws {
        let parser = try given ?? ParserCatalog.parser(parse)
        engine = TailEngine(
            TailEngine.Surroundings(
                options: options, node: "node", parser: parser, sink: sink,
                metrics: TailMetrics(metrics, source: "tail"),
                log: { [notes] report in notes.reports.withLock { $0.append(report) } },
                watch: { _ in },
                forget: { [notes] origins in notes.forgotten.withLock { $0 += origins } },
                open: { [notes] (path) throws(SystemError) in
                    if notes.unreadable.withLock({ $0.contains(path) }) {
                        throw SystemError(number: EACCES)
                    }
                    return try OpenFile(path)
                }))
    }

    /// Ends as by `kill -9`: what was held is not delivered, nothing is written down.
    func kill() {
        engine = nil
        sink.abandon()
    }

    /// Ends in order, with all delivered.
    func stop() {
        sink.deliverAll()
        engine?.savePositions()
        engine = nil
    }

    @discardableResult
    func step() -> TailEngine.StepResult {
        monotonic += Self.tick
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let wall = Timestamp(seconds: Int64(now.tv_sec), nanoseconds: UInt32(now.tv_nsec))
        let moment = TailEngine.Moment(monotonic: monotonic, wall: wall)
        return engine?.step(moment) ?? TailEngine.StepResult()
    }

    /// Lets time pass, with a step every tenth of a second.
    func pass(seconds: Double) {
        for _ in 0..<Int(seconds * 10) { step() }
    }

    /// Steps until there is nothing to read any more, one second at least.
    func settle() {
        for _ in 0..<10 { step() }
        for _ in 0..<10_000 {
            guard step().hasRead else { return }
        }
    }

    /// The value of a counter.
    func count(_ name: String, _ labels: [Label] = []) -> UInt64 {
        metrics.counter(
            MetricDescription(name, ""),
            (labels + [Label("source", "tail")])
        ).value
    }

    /// The value of a gauge of a file.
    func gauge(_ name: String, _ file: String) -> Int {
        let labels = [Label("path", folder.place(file)), Label("source", "tail")]
        return metrics.gauge(MetricDescription(name, ""), labels).value
    }

    /// The position that is written down for a file, as `name position`.
    var positions: [String] {
        PositionFile.parse(folder.bytes("pos") ?? []).entries.map { entry in
            let name = entry.path.split(separator: "/").last ?? ""
            return "\(name) \(entry.position)"
        }
    }
}

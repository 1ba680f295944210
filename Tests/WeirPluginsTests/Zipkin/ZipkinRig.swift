import Synchronization
import Testing
import WeirConfig
import WeirCore
import WeirHost
import WeirMetrics
import WeirPipeline
import WeirTesting

@testable import WeirPlugins

/// A pipeline that keeps the records that it is given, and their tickets as long as it likes.
final class HeldEvents: EventSink {
    private struct State {
        var records: [Record] = []
        var tags: [String] = []
        var tickets: [DeliveryTicket] = []
        var isFull = false
        var holds = false
    }

    private let state = Monitor(State())

    var records: [Record] { state.withLock { $0.records } }
    var tags: [String] { state.withLock { $0.tags } }
    var isFull: Bool {
        get { state.withLock { $0.isFull } }
        set { state.change { $0.isFull = newValue } }
    }
    /// Whether tickets are kept until ``release()``.
    var holds: Bool {
        get { state.withLock { $0.holds } }
        set { state.change { $0.holds = newValue } }
    }

    func admits(tag: String) -> Bool { !isFull }

    func emit(_ batch: EventBatch, ticket: DeliveryTicket) {
        state.change { state in
            for row in batch.rows.indices {
                state.records.append(batch.record(row: row))
                state.tags.append(batch.tag)
            }
            guard state.holds else { return }
            ticket.retain()
            state.tickets.append(ticket)
        }
    }

    /// Waits until tickets are held, and gives them back.
    func release() {
        let tickets = state.wait { state -> WaitAnswer<[DeliveryTicket]> in
            guard !state.tickets.isEmpty else { return .waitForChange }
            defer { state.tickets = [] }
            return .done(state.tickets)
        }
        for ticket in tickets { ticket.release() }
    }
}

/// A `@type zipkin` at work.
final class ZipkinRig {
    let events = HeldEvents()
    let registry = Registry()
    let source: ZipkinSource
    let context: PluginContext
    private let client = HTTPClient()

    init(_ parameters: String = "") throws {
        let read = ComponentSection.read(
            "<source>\n@type zipkin\nport 0\n\(parameters)\n</source>", as: .source)
        let section = try #require(read.section, "\(read.diagnostics)")
        context = .forTests(registry: registry)
        source = try ZipkinSource(section, name: "spans", sink: events, context: context)
        try source.start()
    }

    deinit { source.stop() }

    /// What Envoy posted, by the names of the files.
    static let envoyBodies = SharedCases.archive("corpus/envoy/zipkin/bodies.tar.gz")

    struct Answer: Equatable {
        var status: Int
        var body: String
    }

    func post(
        _ body: some Collection<UInt8>, to path: String = "/api/v2/spans",
        headers: [String] = ["Content-Type: application/json"]
    ) throws -> Answer {
        try ask("POST", path, body, headers: headers)
    }

    func ask(
        _ method: String, _ path: String, _ body: some Collection<UInt8> = [UInt8](),
        headers: [String] = []
    ) throws -> Answer {
        let answer = try Array(body).withUnsafeBytes {
            try client.send(
                method, "http://127.0.0.1:\(source.port)\(path)", headers: headers, body: $0)
        }
        return Answer(
            status: answer.status, body: String(decoding: client.body.bytes, as: UTF8.self))
    }

    /// The sum of a counter's series whose labels hold a text.
    func count(_ name: String, _ label: String = "") -> Int {
        registry.textExposition().split(separator: "\n").filter {
            $0.hasPrefix(name) && $0.contains(label)
        }
        .compactMap { $0.split(separator: " ").last.flatMap { Double($0) } }
        .reduce(0) { $0 + Int($1) }
    }
}

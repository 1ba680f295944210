import Testing
import WeirConfig
import WeirCore
import WeirMetrics
import WeirParse
import WeirPipeline

@testable import WeirPlugins

/// Hands messages to whoever waits for them.
private final class StreamingSink: EventSink {
    let messages: AsyncStream<String>
    private let continuation: AsyncStream<String>.Continuation

    init() { (messages, continuation) = AsyncStream.makeStream() }

    func admits(tag: String) -> Bool { true }

    func emit(_ batch: EventBatch, ticket: DeliveryTicket) {
        for row in batch.rows.indices {
            guard case .string(let text)? = batch.record(row: row)["message"] else { continue }
            continuation.yield(text)
        }
    }
}

@Suite("A tail on its thread") struct TailSourceTests {
    @Test func `reads what is written, and writes down what was delivered when it closes`()
        async throws
    {
        let folder = TemporaryFolder()
        folder.write("a.log", "l1\n")
        let (section, _) = try TailRig.section(
            """
            <source>
              @type tail
              path \(folder.place("a.log"))
              pos_file \(folder.place("positions/pos"))
              tag t
              read_from_head true
              <parse>
                @type none
              </parse>
            </source>
            """)
        let parse = try #require(section.section("parse"))
        let sink = StreamingSink()
        let source = TailSource(
            TailSource.Parts(
                name: "tail", options: try TailOptions(section), node: "node",
                makeParser: { (try? ParserCatalog.parser(parse)) ?? NothingParser() }, sink: sink,
                registry: Registry(), log: { _ in }))
        try source.start()
        var messages = sink.messages.makeAsyncIterator()
        #expect(await messages.next() == "l1")
        folder.append("a.log", "l2\n")
        #expect(await messages.next() == "l2")
        source.stop()
        source.close()
        source.close()
        let entries = PositionFile.parse(folder.bytes("positions/pos") ?? []).entries
        #expect(entries.map(\.position) == [6])
    }

    @Test func `may be stopped before it was started`() {
        let source = TailSource(
            TailSource.Parts(
                name: "tail", options: TailOptions(), node: "node",
                makeParser: { NothingParser() }, sink: StreamingSink(), registry: Registry(),
                log: { _ in }))
        source.stop()
        source.close()
    }
}

private final class NothingParser: LineParser {
    func parse(into batch: EventBatch, now: Timestamp) {}
}

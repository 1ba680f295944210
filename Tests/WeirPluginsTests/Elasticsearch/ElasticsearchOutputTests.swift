import Synchronization
import Testing
import WeirCore
import WeirHost
import WeirMetrics
import WeirTesting

@testable import WeirPipeline
@testable import WeirPlugins

/// What an output reported of its retries.
private final class Reports: Sendable {
    private let waits = Monitor<[Duration]>([])

    var all: [Duration] { waits.withLock { $0 } }

    func add(_ report: OutputReport) {
        if case .retrying(_, _, _, let after) = report { waits.change { $0.append(after) } }
    }

    /// Waits for so many retries.
    func wait(_ count: Int) { waits.wait { $0.count >= count ? .done(()) : .waitForChange } }
}

/// What an output refused, and whether it told its source.
private final class Refusals: RefusalSink {
    private let events = Mutex<[RefusedEvent]>([])

    var records: [String] {
        events.withLock { $0.map { String(decoding: $0.recordText, as: UTF8.self) } }
    }
    var reasons: [String] { events.withLock { $0.map(\.reason) } }

    func refuse(_ events: [RefusedEvent], ticket: DeliveryTicket) {
        self.events.withLock { $0 += events }
    }
}

@Suite("An output to Elasticsearch", .timeLimit(.minutes(2))) struct ElasticsearchOutputTests {
    private let rig: ElasticsearchRig
    private let reports = Reports()
    private let refusals = Refusals()
    private let deliveryCount = Counter()
    private let registry = Registry()

    init() throws {
        rig = try ElasticsearchRig()
    }

    private func output(
        _ rig: ElasticsearchRig? = nil, clock: any PipelineClock = SystemClock(),
        _ change: (inout BufferOptions) -> Void = { _ in }
    ) -> BufferedOutput {
        var options = BufferOptions()
        options.flushMode = .immediate
        options.retry.wait = .zero
        options.retry.isRandomized = false
        change(&options)
        return BufferedOutput(
            BufferedOutput.Parts(
                name: "es", destination: (rig ?? self.rig).destination(registry), options: options,
                refusals: refusals, secondary: nil, metrics: OutputMetrics(registry, output: "es"),
                clock: clock, log: { [reports] in reports.add($0) }))
    }

    private func write(_ lines: [String], to output: BufferedOutput) {
        let ticket = DeliveryTicket(readAt: 0) { [deliveryCount] in deliveryCount.add() }
        output.write(ElasticsearchRig.batch(lines), ticket: ticket)
        ticket.release()
    }

    private func stop(_ output: BufferedOutput) -> Bool { output.stop(deadline: .max) }

    @Test func `stores what it was given, and then tells the source`() throws {
        let output = output()
        try output.start()
        write(ElasticsearchRig.lines(1...3), to: output)
        write(ElasticsearchRig.lines(4...5), to: output)
        #expect(stop(output))
        #expect(rig.storedNumbers == [1, 2, 3, 4, 5])
        #expect(deliveryCount.value == 2)
        #expect(refusals.records.isEmpty)
    }

    @Test(arguments: [429, 503])
    func `sends again the items alone that were too much, until they are stored`(status: Int) throws
    {
        let output = output()
        write(ElasticsearchRig.lines(1...4), to: output)
        rig.standIn.follow([
            .refusesItems(status: status, every: 2), .refusesItems(status: status, every: 2),
        ])
        try output.start()
        #expect(stop(output))
        #expect(rig.bulkSizes == [4, 2, 1])
        #expect(rig.storedNumbers == [1, 3, 2, 4])
        #expect(deliveryCount.value == 1)
        #expect(rig.standIn.duplicateCount == 0)
    }

    @Test func `sends again the items alone that were too much from a file buffer, too`() throws {
        let folder = try ScratchFolder()
        let output = output { $0.directory = folder.path }
        rig.standIn.follow([.refusesItems(status: 429, every: 2)])
        try output.start()
        write(ElasticsearchRig.lines(1...4), to: output)
        #expect(stop(output))
        #expect(rig.bulkSizes == [4, 2])
        #expect(rig.standIn.duplicateCount == 0)
        #expect(registry.textExposition().contains("weir_output_buffered_bytes{output=\"es\"} 0"))
    }

    @Test func `hands refused items on once, with the reason, and is not held up`() throws {
        let output = output()
        write(ElasticsearchRig.lines(1...4), to: output)
        rig.standIn.follow([.refusesItems(status: 400, every: 2)])
        try output.start()
        #expect(stop(output))
        #expect(rig.storedNumbers == [1, 3])
        #expect(refusals.records == ["{\"n\":2}", "{\"n\":4}"])
        #expect(
            refusals.reasons
                == Array(repeating: "400 stand_in_exception refused with 400", count: 2))
        #expect(deliveryCount.value == 1)
        #expect(reports.all.isEmpty)
    }

    @Test func `waits as long as Elasticsearch asks, and then delivers`() throws {
        let output = output(clock: rig.clock)
        write(ElasticsearchRig.lines(1...2), to: output)
        rig.standIn.follow([.refuses(status: 503, retryAfter: 7)])
        try output.start()
        reports.wait(1)
        #expect(reports.all == [.seconds(7)])
        rig.clock.advance(.milliseconds(6999))
        // Another chunk does not overtake the pause.
        write(ElasticsearchRig.lines(3...3), to: output)
        #expect(rig.bulks.count == 1)
        #expect(deliveryCount.value == 0)
        rig.clock.advance(.milliseconds(1))
        #expect(rig.standIn.waitForDocuments(3))
        #expect(stop(output))
        #expect(rig.storedNumbers == [1, 2, 3])
    }

    @Test func `survives an answer that is none, or ends too early`() throws {
        let output = output()
        write(ElasticsearchRig.lines(1...3), to: output)
        rig.standIn.follow([
            .says("<html>"), .forgetsLastItem, .says("{\"errors\":false,\"items\":[]}"),
            .refuses(status: 502, retryAfter: nil),
        ])
        try output.start()
        #expect(stop(output))
        #expect(rig.storedNumbers == [1, 2, 3])
        #expect(deliveryCount.value == 1)
        #expect(reports.all.count == 4)
    }

    @Test func `goes to the living host when the connection ends within an answer`() throws {
        let peer = try CutOffPeer(answering: ["HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{\"er"])
        var rig = rig
        rig.connection.hosts = [
            ElasticsearchRig.host(peer.port), ElasticsearchRig.host(rig.standIn.port),
        ]
        let output = output(rig)
        write(ElasticsearchRig.lines(1...3), to: output)
        try output.start()
        #expect(stop(output))
        #expect(peer.requestCount == 1)
        #expect(rig.storedNumbers == [1, 2, 3])
        #expect(deliveryCount.value == 1)
    }

    @Test func `tells nobody of a delivery that did not happen before its end`() throws {
        rig.standIn.setMood(.refuses(status: 503, retryAfter: nil))
        let output = output(clock: rig.clock) { $0.retry.wait = .seconds(3600) }
        write(ElasticsearchRig.lines(1...3), to: output)
        try output.start()
        reports.wait(1)
        #expect(!output.stop(deadline: rig.clock.monotonicNanoseconds))
        #expect(deliveryCount.value == 0)
        #expect(refusals.records.isEmpty)
    }
}

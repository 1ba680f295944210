import Testing
import WeirCore
import WeirMetrics
import WeirTesting

@testable import WeirPipeline

@Suite("A secondary output", .timeLimit(.minutes(1))) struct SecondaryOutputTests {
    private let refusals = CollectedRefusals()
    private let clock = ManualClock()
    private let registry = Registry()

    private func output(
        _ name: String, _ destination: ScriptedDestination, secondary: (any Output)? = nil,
        _ change: (inout BufferOptions) -> Void = { _ in }
    ) -> BufferedOutput {
        var options = BufferOptions()
        options.flushMode = .immediate
        options.retry.hasSecondary = secondary != nil
        change(&options)
        return BufferedOutput(
            BufferedOutput.Parts(
                name: name, destination: destination, options: options, refusals: refusals,
                secondary: secondary, metrics: OutputMetrics(registry, output: name), clock: clock,
                log: { _ in }))
    }

    private static let failure = DeliveryOutcome.retry(
        reason: "down", after: nil, progressed: false)

    @Test(arguments: [false, true])
    func `takes what the first one gives up, and only then is the source told`(
        isOnDisk: Bool
    )
        throws
    {
        let folder = try ScratchFolder()
        let first = ScriptedDestination([Self.failure])
        let second = ScriptedDestination()
        let secondary = output("second", second)
        let output = output("first", first, secondary: secondary) {
            $0.retry.maximumCount = 0
            if isOnDisk { $0.directory = folder.file("buffer") }
        }
        let deliveries = Deliveries()
        try output.start()
        let ticket = deliveries.ticket()
        output.write(makeBatch([#"{"a":1}"#, #"{"a":2}"#]), ticket: ticket)
        ticket.release()
        second.waitForTaken(1)
        #expect(output.stop(deadline: .max))
        #expect(first.taken.isEmpty)
        #expect(second.taken == [[#"{"a":1}"#, #"{"a":2}"#]])
        #expect(deliveries.count == 1)
        #expect(refusals.all.isEmpty)
    }

    @Test func `is stopped after the first one, with all that came last`() throws {
        let second = ScriptedDestination()
        let secondary = output("second", second) { $0.flushMode = .interval }
        let output = output(
            "first", ScriptedDestination([.refused(reason: "never")]), secondary: secondary)
        try output.start()
        let deliveries = Deliveries()
        let ticket = deliveries.ticket()
        output.write(makeBatch([#"{"a":1}"#]), ticket: ticket)
        ticket.release()
        #expect(output.stop(deadline: .max))
        #expect(second.taken == [[#"{"a":1}"#]])
        #expect(deliveries.count == 1)
    }

    @Test func `that does not take it either leaves the source where it was`() throws {
        let second = ScriptedDestination(Array(repeating: Self.failure, count: 100))
        let output = output(
            "first", ScriptedDestination([.refused(reason: "never")]),
            secondary: output("second", second))
        try output.start()
        let deliveries = Deliveries()
        let ticket = deliveries.ticket()
        output.write(makeBatch([#"{"a":1}"#]), ticket: ticket)
        ticket.release()
        second.waitForSends(1)
        #expect(!output.stop(deadline: clock.monotonicNanoseconds))
        #expect(deliveries.count == 0)
    }

    @Test func `that is full keeps the source waiting`() {
        let secondary = output("second", ScriptedDestination()) { $0.totalByteLimit = 10 }
        let output = output("first", ScriptedDestination(), secondary: secondary)
        #expect(output.admits)
        secondary.write(makeBatch([#"{"a":11111111}"#]), ticket: Deliveries().ticket())
        #expect(!output.admits)
    }
}

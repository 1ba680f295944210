import Glibc
import Testing
import WeirCore
import WeirMetrics
import WeirTesting

@testable import WeirPipeline

@Suite("A file buffer", .timeLimit(.minutes(1))) struct FileBufferTests {
    private let folder: ScratchFolder
    private let refusals = CollectedRefusals()
    private let clock = ManualClock()
    private let registry = Registry()
    private let reports = CollectedReports()

    private static let failure = DeliveryOutcome.retry(
        reason: "down", after: nil, progressed: false)

    init() throws {
        folder = try ScratchFolder()
    }

    private func output(
        _ destination: ScriptedDestination, _ change: (inout BufferOptions) -> Void = { _ in }
    ) -> BufferedOutput {
        var options = BufferOptions()
        options.flushMode = .immediate
        options.directory = folder.file("buffer")
        change(&options)
        return BufferedOutput(
            BufferedOutput.Parts(
                name: "out", destination: destination, options: options, refusals: refusals,
                secondary: nil, metrics: OutputMetrics(registry, output: "out"), clock: clock,
                log: { [reports] in reports.add($0) }))
    }

    /// Leaves chunks of these lines in the folder, as an agent does whose destination is down.
    private func leaveChunks(_ chunks: [[String]], tag: String = "t") throws {
        let output = output(
            ScriptedDestination(Array(repeating: Self.failure, count: 100)))
        try output.start()
        let deliveries = Deliveries()
        for lines in chunks {
            let ticket = deliveries.ticket()
            output.write(makeBatch(lines, tag: tag), ticket: ticket)
            ticket.release()
            output.flush()
        }
        deliveries.wait(chunks.count)
        #expect(output.stop(deadline: clock.monotonicNanoseconds), "what is on disk is safe")
        #expect(files("chunk").count == chunks.count)
    }

    /// The files of the folder whose names end so.
    private func files(_ suffix: String) -> [String] {
        var found: [String] = []
        guard let opened = opendir(folder.file("buffer")) else { return [] }
        defer { closedir(opened) }
        while let entry = readdir(opened) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasSuffix(".\(suffix)") { found.append("buffer/\(name)") }
        }
        return found.sorted()
    }

    /// Runs an output on what is in the folder until that is done.
    private func run(_ destination: ScriptedDestination) throws {
        let output = output(destination)
        try output.start()
        #expect(output.stop(deadline: .max))
    }

    private func metric(_ name: String) -> Int? {
        registry.textExposition().split(separator: "\n")
            .first { $0.hasPrefix("\(name){") }?.split(separator: " ").last.flatMap { Int($0) }
    }

    @Test func `lets the source go on when a chunk is in its file, and sends it in a later life`()
        throws
    {
        try leaveChunks([[#"{"a":1}"#, #"{"a":2}"#], [#"{"a":3}"#]])
        #expect(metric("weir_output_buffered_file_bytes") ?? 0 > 0)
        let destination = ScriptedDestination()
        try run(destination)
        #expect(destination.taken == [[#"{"a":1}"#, #"{"a":2}"#], [#"{"a":3}"#]])
        #expect(files("chunk").isEmpty)
        #expect(metric("weir_output_buffered_file_bytes") == 0)
        #expect(metric("weir_output_buffered_bytes") == 0)
    }

    @Test func `sets a damaged file aside, counts it and sends what is whole of it`() throws {
        try leaveChunks([[#"{"a":1}"#, #"{"a":2}"#, #"{"a":3}"#]])
        let file = try #require(files("chunk").first)
        var bytes = try #require(folder.contents(of: file))
        let place = try #require(bytes.firstRange(of: Array(#""a":2"#.utf8)))
        bytes[place.lowerBound] = UInt8(ascii: "x")
        folder.write(bytes, to: file)
        let destination = ScriptedDestination()
        try run(destination)
        #expect(destination.taken == [[#"{"a":1}"#, #"{"a":3}"#]])
        #expect(metric("weir_output_damaged_records_total") == 1)
        #expect(metric("weir_output_damaged_chunks_total") == 1)
        #expect(files("damaged").count == 1)
        #expect(files("chunk").isEmpty)
    }

    @Test(arguments: ["", "WEIRCH", "no chunk at all", "WEIRCHK1\u{1}", "WEIRCHK1zzzzyyyyx"])
    func `sets a file aside that is no chunk, once`(text: String) throws {
        try leaveChunks([[#"{"a":1}"#]])
        let file = try #require(files("chunk").first)
        folder.write(Array(text.utf8), to: file)
        let destination = ScriptedDestination()
        try run(destination)
        try run(destination)
        #expect(destination.taken.isEmpty)
        #expect(metric("weir_output_damaged_chunks_total") == 1)
        #expect(files("damaged").count == 1)
        #expect(files("chunk").isEmpty)
    }

    @Test func `forgets a file that was not finished: its source still has the events`() throws {
        folder.makeFolder("buffer")
        folder.write("WEIRCHK1", to: "buffer/1-x.chunk.part")
        try run(ScriptedDestination())
        #expect(files("part").isEmpty)
        #expect(metric("weir_output_damaged_chunks_total") == 0)
    }

    @Test func `keeps a chunk's file until what was refused of it is safe elsewhere`() throws {
        refusals.hold()
        let output = output(ScriptedDestination(rejecting: [1]))
        try output.start()
        output.write(makeBatch([#"{"a":1}"#, #"{"a":2}"#]), ticket: Deliveries().ticket())
        #expect(output.stop(deadline: .max))
        #expect(refusals.all.count == 1)
        #expect(files("chunk").count == 1)
        refusals.release()
        #expect(files("chunk").isEmpty)
    }

    @Test func `tells the tag of what is refused in a later life, if the chunk has one`() throws {
        try leaveChunks([[#"{"a":1}"#]], tag: "istio.access")
        try run(ScriptedDestination(rejecting: [0]))
        #expect(refusals.all.map(\.tag) == ["istio.access"])
    }

    @Test func `has no room beyond its limit on disk, though its memory is free`() throws {
        let output = output(
            ScriptedDestination(Array(repeating: Self.failure, count: 100))
        ) { $0.totalByteLimit = 50 }
        try output.start()
        let deliveries = Deliveries()
        let ticket = deliveries.ticket()
        output.write(makeBatch([#"{"a":111111111111}"#]), ticket: ticket)
        ticket.release()
        deliveries.wait(1)
        #expect(metric("weir_output_buffered_bytes") == 0)
        #expect(!output.admits)
        #expect(output.stop(deadline: clock.monotonicNanoseconds))
    }

    @Test func `drops its oldest file when told to, and counts its events`() throws {
        try leaveChunks([[#"{"a":1}"#, #"{"a":2}"#], [#"{"a":3}"#]])
        let formerReports = reports.total
        let output = output(
            ScriptedDestination(Array(repeating: Self.failure, count: 100))
        ) {
            $0.overflowAction = .dropOldestChunk
            $0.queuedChunkLimit = 2
        }
        try output.start()
        // Each chunk was tried once: a chunk that is being sent cannot be dropped.
        reports.wait(formerReports + 2)
        let deliveries = Deliveries()
        let ticket = deliveries.ticket()
        output.write(makeBatch([#"{"a":4}"#]), ticket: ticket)
        ticket.release()
        deliveries.wait(1)
        #expect(output.stop(deadline: clock.monotonicNanoseconds))
        #expect(metric("weir_output_dropped_events_total") == 2)
        let destination = ScriptedDestination()
        try run(destination)
        #expect(destination.taken == [[#"{"a":3}"#], [#"{"a":4}"#]])
    }

    @Test func `sends from memory while its folder takes no files`() throws {
        let destination = ScriptedDestination()
        let output = output(destination)
        try output.start()
        rmdir(folder.file("buffer"))
        let deliveries = Deliveries()
        let ticket = deliveries.ticket()
        output.write(makeBatch([#"{"a":1}"#]), ticket: ticket)
        ticket.release()
        deliveries.wait(1)
        #expect(output.stop(deadline: .max))
        #expect(destination.taken == [[#"{"a":1}"#]])
    }

    @Test func `refuses a folder that cannot be made, with what to do`() throws {
        folder.write("a file", to: "buffer")
        let output = output(ScriptedDestination())
        let error = #expect(throws: ComponentError.self) { try output.start() }
        #expect(error?.message.contains("cannot be") == true)
        #expect(error?.help.contains("`path`") == true)
    }
}

import Testing
import WeirConfig
import WeirCore
import WeirMetrics
import WeirTesting

@testable import WeirPipeline
@testable import WeirPlugins

/// One writing of a chunk: what was in it, when, and whether it failed.
private struct Attempt: Equatable {
    var records: [String]
    var at: Double
    var hasFailed: Bool
}

@Suite("Buffers, held against Fluentd's", .enabled(if: SharedCases.arePresent))
struct BufferConformanceTests {
    /// Where Weir means to differ, and why.
    static let differences: [String: String] = [
        "buffer-interval-1s": exactly,
        "buffer-flush-interval-0.5": exactly,
        "buffer-key-field":
            "chunk keys of several types are told apart; Fluentd cannot order them and fails",
        "buffer-key-nested":
            "an event without the field is in a chunk of its own; Fluentd fails for the whole batch",
        "buffer-limit-size-too-big": tooBig,
        "buffer-limit-size-one-too-big-in-array": tooBig,
    ]
    private static let exactly =
        "a chunk is sent `flush_interval` after its first event; Fluentd's thread looks once a second"
    private static let tooBig =
        "an event larger than a chunk is sent in a chunk of its own; Fluentd refuses it"

    /// How far the clock moves at a time.
    private static let tick = 0.01

    @Test func `gather the same events into chunks, and try them again after the same waits`()
        throws
    {
        var report = ConformanceReport(differences: Self.differences)
        for test in SharedCases.records("conformance/fluentd/buffer/cases.jsonl") {
            report.note(test["id"]?.string ?? "", problem: try problem(test))
        }
        #expect(report.unexpected.isEmpty, "\(report.unexpected.joined(separator: "\n"))")
        #expect(report.stale.isEmpty)
    }

    // MARK: Running a case

    private func problem(_ test: Record) throws -> String? {
        let isRefused = test["config_error"] != nil
        let (section, diagnostics) = ComponentSection.read(
            Self.configuration(test["conf"]?.string ?? ""), as: .output)
        guard let section else { return isRefused ? nil : "refused: \(diagnostics.map(\.message))" }
        let secondary = section.section("secondary") == nil ? nil : CollectedEvents()
        let options: BufferOptions
        do throws(SectionError) {
            options = try BufferSection.options(
                section.section("buffer"), defaultKeys: [], hasSecondary: secondary != nil)
        } catch {
            return isRefused ? nil : "refused: \(error.diagnostic.message)"
        }
        if isRefused { return "accepted" }
        let clock = ManualClock()
        // Later than the times that the cases' events have.
        clock.advance(.seconds(1_799_999_999))
        let destination = KitDestination(test, clock)
        let output = BufferedOutput(
            BufferedOutput.Parts(
                name: "kit", destination: destination, options: options,
                refusals: CollectedEvents(), secondary: secondary,
                metrics: OutputMetrics(Registry(), output: "kit"), clock: clock, log: { _ in }))
        try output.start()
        run(test, output, clock)
        guard output.stop(deadline: .max) || !options.flushesAtShutdown else { return "not sent" }
        return Self.difference(test, destination.attempts, secondary?.all ?? [])
    }

    /// The case's configuration with an output of Weir's that has a buffer in the kit's place.
    private static func configuration(_ text: String) -> String {
        let own = [
            "name ", "fail_times ", "unrecoverable ", "slow ", "endpoint ", "json_array ",
            "retryable_response_codes ",
        ]
        var lines: [String] = []
        var isInFormat = false
        for line in text.split(separator: "\n") {
            let word = line.drop { $0 == " " }
            if word == "<format>" { isInFormat = true }
            if !isInFormat, !own.contains(where: { word.hasPrefix($0) }) {
                lines.append(
                    word == "@type kit_buf" || word == "@type http" ? "@type store" : String(line))
            }
            if word == "</format>" { isInFormat = false }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Feeds the events at their times, until the case stops.
    private func run(_ test: Record, _ output: BufferedOutput, _ clock: ManualClock) {
        var feed = (test["feed"]?.array ?? []).compactMap(\.object)[...]
        var due = feed.first.map(Self.wait) ?? 0
        var elapsed = 0.0
        let stop = test["stopped_at"].map(Self.seconds) ?? 0
        while true {
            while let next = feed.first, due <= elapsed + 1e-9 {
                write(next, to: output, now: clock.now)
                feed.removeFirst()
                due += feed.first.map(Self.wait) ?? 0
            }
            settle(output, clock)
            if elapsed + Self.tick > stop { return }
            elapsed += Self.tick
            clock.advance(.milliseconds(10))
        }
    }

    private static func wait(_ entry: Record) -> Double { entry["wait_before"].map(seconds) ?? 0 }

    private static func seconds(_ value: Value) -> Double {
        switch value {
        case .float(let number): number
        default: Double(value.integer ?? 0)
        }
    }

    private func write(_ entry: Record, to output: BufferedOutput, now: Timestamp) {
        let events = (entry["events"]?.array ?? []).compactMap { event -> Record? in
            guard let parts = event.array, parts.count == 2 else { return nil }
            return ["tag": entry["tag"] ?? .string("t"), "time": parts[0], "record": parts[1]]
        }
        guard let batch = BatchOfRecords.make(events) else { return }
        for row in batch.rows.indices {
            batch.setTime(ConformanceCases.time(events[row]["time"]) ?? now, row: row)
        }
        let ticket = DeliveryTicket(readAt: 0) {}
        output.write(batch, ticket: ticket)
        ticket.release()
    }

    /// Waits until the sending threads have done all that is due at the clock's time.
    private func settle(_ output: BufferedOutput, _ clock: ManualClock) {
        output.monitor.change { _ in }
        output.monitor.wait { state -> WaitAnswer<Void> in
            let now = clock.monotonicNanoseconds
            let isBusy =
                state.queue.sendingCount > 0
                || state.queue.queue.contains { $0.readyAt <= now }
                || !state.queue.dueKeys(now: now, wallSeconds: clock.now.seconds).isEmpty
            return isBusy ? .waitForChange : .done(())
        }
    }

    // MARK: Comparing

    private static func difference(
        _ test: Record, _ found: [Attempt], _ handedOn: [CollectedEvents.Event]
    ) -> String? {
        let isRandom = test["note"]?.string?.contains("random") ?? false
        var wanted: [Attempt] = []
        var wantedElsewhere: [String] = []
        for chunk in (test["chunks"]?.array ?? test["requests"]?.array ?? []).compactMap(\.object) {
            let attempt = Attempt(
                records: records(of: chunk), at: chunk["at"].map(seconds) ?? 0,
                hasFailed: chunk["failed"] != nil || (chunk["status"]?.integer ?? 200) != 200)
            if chunk["sink"]?.string == "second" {
                wantedElsewhere += attempt.records
            } else {
                wanted.append(attempt)
            }
        }
        if wantedElsewhere != handedOn.map({ JSONValueWriter.text(.object($0.record)) }) {
            return "the secondary got \(handedOn.count) events for \(wantedElsewhere.count)"
        }
        let wantedByChunk = Dictionary(grouping: wanted) { $0.records }
        let foundByChunk = Dictionary(grouping: found) { $0.records }
        guard Set(wantedByChunk.keys) == Set(foundByChunk.keys) else {
            return "chunks \(foundByChunk.keys) for \(wantedByChunk.keys)"
        }
        for (records, attempts) in wantedByChunk {
            let mine = foundByChunk[records] ?? []
            guard mine.map(\.hasFailed) == attempts.map(\.hasFailed) else {
                return "\(mine.count) attempts for \(attempts.count) of \(records)"
            }
            for (place, attempt) in attempts.enumerated() {
                let isRetry = place > 0 && attempts[place - 1].hasFailed
                let problem =
                    isRetry
                    ? waiting(
                        mine[place].at - mine[place - 1].at, attempt.at - attempts[place - 1].at,
                        isRandom: isRandom)
                    : lateness(mine[place].at, attempt.at)
                if let problem { return "\(records): \(problem)" }
            }
        }
        return nil
    }

    /// The records of a chunk as JSON, from its events or from the body that was posted.
    private static func records(of chunk: Record) -> [String] {
        if let events = chunk["events"]?.array {
            return events.compactMap { event in
                event.array?.last.map { JSONValueWriter.text(ConformanceCases.value($0)) }
            }
        }
        let body = chunk["body"]?.string ?? ""
        if case .array(let values)? = JSONValueReader.value(of: body) {
            return values.map { JSONValueWriter.text($0) }
        }
        return body.split(separator: "\n").compactMap { line in
            JSONValueReader.value(of: String(line)).map { JSONValueWriter.text($0) }
        }
    }

    /// Fluentd's threads look about once a second, and what waits in its queue goes one by one.
    private static func lateness(_ mine: Double, _ wanted: Double) -> String? {
        mine <= wanted + 0.15 && mine >= wanted - 4.2
            ? nil : "first sent at \(mine) for \(wanted)"
    }

    private static func waiting(_ mine: Double, _ wanted: Double, isRandom: Bool) -> String? {
        let tolerance = isRandom ? 0.15 + 0.3 * wanted : 0.15
        return abs(mine - wanted) <= tolerance ? nil : "waited \(mine) s for \(wanted) s"
    }
}

/// The kit's output: fails as the case says, and keeps what it was given.
private final class KitDestination: ChunkDestination {
    private struct State {
        var attempts: [Attempt] = []
        var failuresLeft: Int
    }

    private let state: Monitor<State>
    private let clock: ManualClock
    private let startedAt: UInt64
    private let isFinal: Bool

    init(_ test: Record, _ clock: ManualClock) {
        self.clock = clock
        startedAt = clock.monotonicNanoseconds
        let configuration = test["conf"]?.string ?? ""
        func number(_ name: String) -> Int? {
            configuration.split(separator: "\n").first { $0.contains("\(name) ") }
                .flatMap { Int($0.split(separator: " ").last ?? "") }
        }
        let status = test["answers"]?.object?["every"]?.integer
        let fails = status.map { $0 >= 400 } ?? false
        let isRetryable =
            status == 503 || status == 500 && configuration.contains("retryable_response_codes 500")
        isFinal = configuration.contains("unrecoverable true") || fails && !isRetryable
        state = Monitor(State(failuresLeft: fails ? .max : number("fail_times") ?? 0))
    }

    var attempts: [Attempt] { state.withLock { $0.attempts } }

    func makeEncoder() -> any ChunkEncoder { KitEncoder() }
    func makeSender() -> any ChunkSender { Sender(self) }
    func recordText(of event: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer { event }

    private func take(_ records: [String]) -> DeliveryOutcome {
        let at = Double(clock.monotonicNanoseconds - startedAt) / 1e9
        return state.change { state in
            let fails = state.failuresLeft > 0
            if fails { state.failuresLeft -= 1 }
            state.attempts.append(Attempt(records: records, at: at, hasFailed: fails))
            if !fails { return .delivered }
            return isFinal
                ? .refused(reason: "kit") : .retry(reason: "kit", after: nil, progressed: false)
        }
    }

    private final class Sender: ChunkSender {
        private let destination: KitDestination

        init(_ destination: KitDestination) { self.destination = destination }

        func send(_ chunk: Chunk, rejected: ([Rejection]) -> Void) -> DeliveryOutcome {
            let records = (0..<chunk.eventCount).map { index in
                chunk.withEvent(index) { bytes in
                    JSONValueReader.value(of: bytes).map { JSONValueWriter.text($0) } ?? "?"
                }
            }
            return destination.take(records)
        }

        func abort() {}
    }
}

/// Writes an event as JSON, with blanks up to the size that it has as Fluentd's msgpack.
private final class KitEncoder: ChunkEncoder {
    private var encoder: BatchEncoder?

    func begin(_ batch: EventBatch) { encoder = BatchEncoder(batch) }

    func append(row: Int, of batch: EventBatch, to buffer: inout ByteBuffer) -> String? {
        let start = buffer.count
        encoder?.append(row: row, to: &buffer)
        // An array's head and the time: 11 bytes.
        let size = 11 + Self.byteCount(.object(batch.record(row: row)))
        while buffer.count - start < size { buffer.append(byte: 0x20) }
        return nil
    }

    /// The bytes of a value of the kit in msgpack.
    private static func byteCount(_ value: Value) -> Int {
        switch value {
        case .object(let record):
            1 + record.fields.reduce(0) { $0 + byteCount(.string($1.key)) + byteCount($1.value) }
        case .string(let text):
            text.utf8.count + (text.utf8.count < 32 ? 1 : text.utf8.count < 256 ? 2 : 3)
        default: 1
        }
    }
}

import Glibc
import WeirConfig
import WeirCore
import WeirHost
import WeirPipeline
import WeirPlugins
import WeirTesting
import WeirTraces

/// What spans cost on their whole road: a POST of Zipkin's JSON, the documents of Zipkin's storage,
/// Elasticsearch's bulk API; and how long a client waits for its answer.
struct SpanRows {
    private static let bodyByteCount = 20_000
    private static let postCount = 20_000

    private let folder: ScratchFolder
    private let sink = BulkSink()
    private let bodies: [[UInt8]]
    private let spanCount: Int

    /// Why there is no figure.
    struct Problem: Error, CustomStringConvertible {
        var description: String
    }

    init() throws {
        folder = try ScratchFolder()
        var generator = SeededGenerator(seed: 7)
        let made = (0..<50).map { _ in Self.body(&generator) }
        bodies = made.map(\.bytes)
        spanCount = made[0].spanCount
    }

    /// Prints the rows.
    static func run(_ row: (String, String) -> Void) throws {
        let rows = try SpanRows()
        let size = rows.bodies[0].count / rows.spanCount
        try rows.stages(row)
        for (name, parameters, output) in [
            (
                "to Elasticsearch", "",
                "elasticsearch_zipkin\n  host 127.0.0.1\n  port \(rows.sink.port)"
            ),
            ("to nothing", "", "null"),
            (
                "to nothing, held for a decision",
                "<sampling>\nwindow 2s\nmemory_limit 512m\n<policy errors>\nwhen error\n</policy>\n"
                    + "</sampling>", "null"
            ),
        ] {
            let cost = try rows.cost(parameters, output, counts: output != "null")
            row(
                "Zipkin spans of \(size) bytes, \(name), per core and second",
                "\(Int(1 / cost / 1_000)) thousand")
        }
        let (median, late) = try rows.latency()
        row(
            "answer to a POST of \(rows.spanCount) spans at 15,000 spans a second, p50 and p99",
            "\(median) µs, \(late) µs")
    }

    /// A body of spans as Envoy writes them.
    private static func body(_ generator: inout SeededGenerator) -> (bytes: [UInt8], spanCount: Int)
    {
        let batch = SpanBatch()
        var text = ByteBuffer()
        text.append("[")
        var count = 0
        while text.count < bodyByteCount - 500 {
            var span = SpanRecord()
            span.traceID = TraceID(high: generator.next(), low: generator.next())
            span.id = generator.next()
            span.parentID = generator.next()
            span.kind = generator.once(in: 2) ? .client : .server
            span.name = "reviews.default.svc.cluster.local:9080/*"
            span.timestamp = 1_795_467_479_000_000 + generator.next() % 1_000_000
            span.duration = generator.next() % 100_000
            span.local = SpanRecord.Endpoint(service: "reviews.default")
            span.local.ipv4 = 0xc000_0202
            span.annotations = [.init(timestamp: span.timestamp + 100, value: "ss")]
            span.tags = tags(&generator)
            batch.reset()
            try? batch.append(span)
            if count > 0 { text.append(",") }
            for span in batch.spans { batch.appendJSON(of: span, to: &text) }
            count += 1
        }
        text.append("]")
        return (Array(text.bytes), count)
    }

    private static func tags(_ generator: inout SeededGenerator) -> [SpanRecord.Tag] {
        let number = generator.number(1_000...9_999)
        return [
            ("istio.canonical_service", "reviews"), ("peer.address", "127.0.0.1:\(number)"),
            ("http.status_code", "200"), ("istio.namespace", "default"), ("response_flags", "-"),
            ("node_id", "sidecar~127.0.0.1~reviews-v1-5b5d6494f4-8hqzn.default~default.svc.local"),
            ("istio.cluster_id", "Kubernetes"), ("http.url", "http://reviews/reviews/\(number)"),
            ("istio.canonical_revision", "v1"), ("component", "proxy"),
            ("guid:x-request-id", "71fdad31-545b-94c2-\(number)-9bbe408ab462"),
            ("upstream_cluster", "inbound|9080||"), ("upstream_cluster.name", "inbound|9080||;"),
            ("request_size", "0"), ("response_size", "\(number)"), ("http.method", "GET"),
            ("http.protocol", "HTTP/1.1"), ("istio.mesh_id", "cluster.local"),
            ("user_agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101"),
        ].map { SpanRecord.Tag($0.0, $0.1) }
    }

    // MARK: Stages

    /// Gives events to an encoder, or to nobody.
    private final class EncodingSink: EventSink {
        // Safe because one thread alone emits.
        private final class State: @unchecked Sendable {
            var encoding: DocumentEncoding?
            var body = ByteBuffer(capacity: 1 << 20)
        }

        private let state = State()

        init(_ encoding: DocumentEncoding?) { state.encoding = encoding }

        func admits(tag: String) -> Bool { true }

        func emit(_ batch: EventBatch, ticket: DeliveryTicket) {
            state.body.truncate(to: 0)
            state.encoding?.append(batch, to: &state.body)
        }
    }

    /// What a span takes on one thread, without the network.
    private func stages(_ row: (String, String) -> Void) throws {
        let spans = SpanBatch()
        let events = SpanEvents(tag: "zipkin.span")
        let section = Stages.section(
            "<match **>\n@type elasticsearch_zipkin\n</match>", .output)
        guard let section else { throw Problem(description: "no encoder") }
        let encoding = try DocumentEncoding(section)
        let inputs = bodies.map { body in
            let copy = SharedBody()
            copy.bytes.append(body)
            return copy
        }
        let ticket = DeliveryTicket(readAt: 0) {}
        func cost(_ sink: EncodingSink?) -> Double {
            var best = Double.infinity
            for _ in 0..<10 {
                let start = Stages.cpuSeconds
                for _ in 0..<4 {
                    for input in inputs {
                        spans.reset()
                        try? spans.decode(input.bytes.bytes, as: .jsonV2)
                        guard let sink else { continue }
                        events.emit(
                            spans.spans, of: spans, now: .epoch, to: sink, ticket: ticket)
                    }
                }
                best = min(best, Stages.cpuSeconds - start)
            }
            return best / Double(4 * bodies.count * spanCount)
        }
        for (name, sink) in [
            ("decoded", nil), ("decoded, as events", EncodingSink(nil)),
            ("decoded, as events, as documents of Zipkin's", EncodingSink(encoding)),
        ] {
            let cost = cost(sink)
            row(
                "Zipkin spans of \(bodies[0].count / spanCount) bytes, \(name)",
                "\(Int(cost * 1e9)) ns, \(Int(1 / cost / 1_000)) thousand a second")
        }
        ticket.release()
    }

    /// A body where it can be read beyond its end.
    private final class SharedBody {
        var bytes = ByteBuffer()
    }

    // MARK: Runs

    private func start(_ parameters: String, _ output: String) throws -> (ChildProcess, port: Int) {
        folder.write(
            """
            <system>
              admin_port 0
            </system>
            <source>
              @type zipkin
              port 0
              \(parameters)
            </source>
            <match zipkin.**>
              @type \(output)
            </match>
            """, to: "weir.conf")
        folder.write("", to: "weir.out")
        let process = try ChildProcess(
            TestPrograms.weir, ["run", "-c", folder.file("weir.conf")],
            log: folder.file("weir.out"))
        let mark = "source listens address=\"127.0.0.1:"
        for _ in 0..<1_000 {
            usleep(10_000)
            let log = String(decoding: folder.contents(of: "weir.out") ?? [], as: UTF8.self)
            guard let range = log.firstRange(of: mark) else { continue }
            return (process, Int(log[range.upperBound...].prefix { $0.isNumber }) ?? 0)
        }
        throw Problem(description: "weir does not listen")
    }

    /// CPU seconds of the agent per span.
    private func cost(_ parameters: String, _ output: String, counts: Bool) throws -> Double {
        let (process, port) = try start(parameters, output)
        let before = sink.documentCount
        try send(port)
        if counts {
            for _ in 0..<3_000 where sink.documentCount - before < Self.postCount * spanCount {
                usleep(10_000)
            }
        }
        process.signal(SIGTERM)
        let seconds = Road.waitForUsage(process.pid)
        guard !counts || sink.documentCount - before == Self.postCount * spanCount else {
            throw Problem(description: "not every span came")
        }
        return seconds / Double(Self.postCount * spanCount)
    }

    /// Sends all bodies.
    private func send(_ port: Int) throws {
        let client = HTTPClient()
        for number in 0..<Self.postCount {
            _ = try post(bodies[number % bodies.count], port, client)
        }
    }

    /// Sends a body until it is taken.
    /// - Returns: How long the answer took, in microseconds.
    private func post(_ body: [UInt8], _ port: Int, _ client: HTTPClient) throws -> Int {
        let clock = SystemClock()
        while true {
            let start = clock.monotonicNanoseconds
            let status = try body.withUnsafeBytes {
                try client.send(
                    "POST", "http://127.0.0.1:\(port)/api/v2/spans",
                    headers: ["Content-Type: application/json"], body: $0)
            }.status
            if status == 202 { return Int((clock.monotonicNanoseconds - start) / 1_000) }
            guard status == 503 else { throw Problem(description: "answered \(status)") }
            usleep(1_000)
        }
    }

    /// The median and the 99th percentile of the answers, in microseconds, at a tenth of the load
    /// that a core must bear.
    private func latency() throws -> (Int, Int) {
        let output = "elasticsearch_zipkin\n  host 127.0.0.1\n  port \(sink.port)"
        let (process, port) = try start("", output)
        let client = HTTPClient()
        let clock = SystemClock()
        let pause = UInt64(1_000_000_000 * spanCount / 15_000)
        var times: [Int] = []
        var next = clock.monotonicNanoseconds
        for number in 0..<4_000 {
            times.append(try post(bodies[number % bodies.count], port, client))
            next += pause
            let now = clock.monotonicNanoseconds
            if next > now { usleep(UInt32((next - now) / 1_000)) }
        }
        process.signal(SIGTERM)
        process.wait()
        times.sort()
        return (times[times.count / 2], times[times.count * 99 / 100])
    }
}

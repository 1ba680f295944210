import ArgumentParser
import WeirCore
import WeirHost
import WeirTraces

/// `weir trace`
struct TraceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace",
        abstract: "Look at a trace, or find some.",
        discussion: """
            `weir trace ID` draws the trace's spans over time; `weir trace --last --errors` lists the \
            latest traces that failed. The agent needs a `@type trace_store`, and its file named as \
            `trace_store` in `@type zipkin`. Exit codes: 0 found, 1 there is none, 2 nobody answers.
            """)

    @Argument(help: "The trace's id.")
    var id: String?

    @Option(help: "Who is asked: a `@type zipkin`, or a Zipkin server.")
    var url = "http://127.0.0.1:9411"

    @Flag(help: "List the latest traces.")
    var last = false

    @Flag(help: "List those with an error only.")
    var errors = false

    @Option(help: "List those that this service took part in.")
    var service: String?

    @Option(help: "List those with a span that took so many milliseconds at least.")
    var slowerThan: Int?

    @Option(help: "Most traces of a list.")
    var limit = 20

    @Flag(help: "Print the answer as it comes.")
    var json = false

    func validate() throws {
        guard id != nil || last || errors || service != nil || slowerThan != nil else {
            throw ValidationError("name a trace, or ask for a list by --last")
        }
        guard limit > 0 else { throw ValidationError("--limit is at least 1") }
    }

    func run() throws {
        guard let id else { return try list() }
        let body = try ask("/api/v2/trace/\(id.asQueryPart)")
        if json { return print(body) }
        print(TraceText.waterfall(Self.spans(of: body)), terminator: "")
    }

    private func list() throws {
        var query = "limit=\(limit)"
        if errors { query += "&annotationQuery=error" }
        if let service { query += "&serviceName=\(service.asQueryPart)" }
        if let slowerThan {
            let (microseconds, overflow) = slowerThan.multipliedReportingOverflow(by: 1_000)
            query += "&minDuration=\(overflow ? Int.max : max(microseconds, 1))"
        }
        let body = try ask("/api/v2/traces?\(query)")
        if json { return print(body) }
        guard case .array(let traces)? = JSONValueReader.value(of: body), !traces.isEmpty else {
            print("no traces")
            throw ExitCode(1)
        }
        for trace in traces {
            print(TraceText.summary(Self.spans(of: JSONValueWriter.text(trace))))
        }
    }

    private func ask(_ path: String) throws -> String {
        let client = HTTPClient()
        do {
            let answer = try client.send(
                "GET", url + path, headers: [], body: UnsafeRawBufferPointer(start: nil, count: 0))
            let body = String(decoding: client.body.bytes, as: UTF8.self)
            if answer.status == 200 { return body }
            print(body)
            throw ExitCode(answer.status < 500 ? 1 : 2)
        } catch let error as HTTPError {
            print(
                "\(url): \(error)\n  help: run a `@type zipkin`, or name another address by --url")
            throw ExitCode(2)
        }
    }

    private static func spans(of list: String) -> [SpanRecord] {
        let batch = SpanBatch()
        var bytes = ByteBuffer()
        bytes.append(list)
        // A list that is none shows as no spans.
        try? batch.decode(bytes.bytes, as: .jsonV2)
        return batch.records
    }
}

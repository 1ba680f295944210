import Synchronization
import WeirCore
import WeirHost
import WeirPipeline

/// Speaks Elasticsearch's bulk API strictly, and keeps the documents in memory.
///
/// What it refuses, a real cluster refuses: another content type, a body that does not end with a
/// line feed, an action without its source, `create` of an id that is there (409).
public final class ElasticsearchStandIn: Sendable {
    /// What a test may make of the next requests.
    public enum Mood: Sendable {
        /// All is well.
        case well
        /// Every request is answered with this status.
        case refuses(status: Int, retryAfter: Int?)
        /// Every n-th item is answered with this status.
        case refusesItems(status: Int, every: Int)
        /// Requests above a size are answered with 413.
        case limited(byteCount: Int)
        /// Every request is answered with 200 and this text, and nothing is stored.
        case says(String)
        /// Documents are stored, but the answer leaves out the last of them.
        case forgetsLastItem
    }

    /// A request as it came.
    public struct Request: Sendable {
        /// The method.
        public var method: String
        /// The path with its query.
        public var path: String
        /// The headers, names in lower case.
        public var headers: [(name: String, value: String)]
        /// The body, inflated.
        public var body: String
    }

    /// A stored document.
    public struct Document: Sendable {
        /// The index.
        public var index: String
        /// The id, if the client gave one.
        public var id: String?
        /// The source line.
        public var source: String
    }

    private struct State {
        var mood = Mood.well
        var script: [Mood] = []
        var requests: [Request] = []
        var documents: [Document] = []
        var places: [String: Int] = [:]
        var duplicateCount = 0
        var violations: [String] = []
        var itemCount = 0
        var keepsRequests = true
    }

    private let state = Monitor(State())
    private let server: Mutex<HTTPServer>
    /// The port that it listens on.
    public let port: Int

    /// What was stored, in order.
    public var documents: [Document] { state.withLock { $0.documents } }
    /// What was asked, in order.
    public var requests: [Request] { state.withLock { $0.requests } }
    /// How many creations were of documents that were there.
    public var duplicateCount: Int { state.withLock { $0.duplicateCount } }
    /// What a client did that the API does not allow.
    public var violations: [String] { state.withLock { $0.violations } }

    /// A stand-in on a free port.
    public init() throws {
        let first = try Self.serve(port: 0, state)
        port = first.port
        server = Mutex(first)
    }

    private static func serve(port: Int, _ state: Monitor<State>) throws -> HTTPServer {
        try HTTPServer(
            host: "127.0.0.1", port: port, limits: HTTPServer.Limits(bodyBytes: 256 << 20)
        ) { request in
            state.change { answer(request, &$0) }
        }
    }

    /// Changes how the next requests are answered.
    public func setMood(_ mood: Mood) { state.withLock { $0.mood = mood } }

    /// Answers the next bulk requests in these ways, one after the other, and then as before.
    public func follow(_ script: [Mood]) { state.withLock { $0.script = script } }

    /// Whether requests are kept for ``requests``; documents always are.
    public func keepRequests(_ keeps: Bool) { state.withLock { $0.keepsRequests = keeps } }

    /// Closes the port and every connection, also those with a request under way.
    public func stop() { server.withLock { $0.stop() } }

    /// Opens the port again, with the documents that were there.
    public func restart() throws {
        let again = try Self.serve(port: port, state)
        server.withLock { $0 = again }
    }

    /// Waits until so many documents are stored.
    /// - Returns: Whether they came before the time was over.
    public func waitForDocuments(_ count: Int, seconds: UInt64 = 120) -> Bool {
        let clock = SystemClock()
        let deadline = clock.monotonicNanoseconds + seconds * 1_000_000_000
        return state.wait { state -> WaitAnswer<Bool> in
            if state.documents.count >= count { return .done(true) }
            if clock.monotonicNanoseconds >= deadline { return .done(false) }
            return .waitUntil(deadline)
        }
    }

    private static func answer(
        _ request: HTTPServer.Request, _ state: inout State
    ) -> HTTPServer.Response {
        guard let body = text(request) else { return response(400, "body is not gzip") }
        let path = request.query.isEmpty ? request.path : "\(request.path)?\(request.query)"
        if state.keepsRequests {
            state.requests.append(
                Request(method: request.method, path: path, headers: request.headers, body: body))
        }
        guard request.path.hasSuffix("/_bulk") else { return other(request) }
        let type = request.header("content-type") ?? ""
        if !type.hasPrefix("application/x-ndjson") && !type.hasPrefix("application/json") {
            state.violations.append("content type \(type)")
            return response(406, "content type")
        }
        let before = state.mood
        defer { state.mood = before }
        if !state.script.isEmpty { state.mood = state.script.removeFirst() }
        switch state.mood {
        case .refuses(let status, let retryAfter):
            return HTTPServer.Response(
                status: status, contentType: "application/json",
                headers: retryAfter.map { [("Retry-After", "\($0)")] } ?? [], body: "{}")
        case .limited(let limit) where body.utf8.count > limit: return response(413, "too large")
        case .says(let text):
            return HTTPServer.Response(status: 200, contentType: "application/json", body: text)
        case .limited, .well, .refusesItems, .forgetsLastItem: break
        }
        return bulk(body, &state)
    }

    private static func text(_ request: HTTPServer.Request) -> String? {
        guard request.header("content-encoding") == "gzip" else {
            return String(decoding: request.body, as: UTF8.self)
        }
        var inflated = ByteBuffer()
        let isWhole = request.body.withUnsafeBytes {
            Gzip.restore($0, limit: 256 << 20, into: &inflated)
        }
        return isWhole ? String(decoding: inflated.bytes, as: UTF8.self) : nil
    }

    private static func response(_ status: Int, _ reason: String) -> HTTPServer.Response {
        HTTPServer.Response(
            status: status, contentType: "application/json",
            body:
                "{\"error\":{\"type\":\"stand_in\",\"reason\":\"\(reason)\"},\"status\":\(status)}")
    }

    /// Everything but `_bulk`: nothing exists, everything can be made.
    private static func other(_ request: HTTPServer.Request) -> HTTPServer.Response {
        switch request.method {
        case "PUT" where request.path.hasPrefix("/_data_stream/") && request.path.contains("%"):
            return response(400, "invalid_index_name_exception")
        case "PUT", "POST":
            return HTTPServer.Response(
                status: 200, contentType: "application/json", body: "{\"acknowledged\":true}")
        case "GET" where request.path == "/":
            return HTTPServer.Response(
                status: 200, contentType: "application/json",
                headers: [("X-Elastic-Product", "Elasticsearch")],
                body: "{\"version\":{\"number\":\"8.11.0\"}}")
        default: return response(404, "not found")
        }
    }

    private static func bulk(_ body: String, _ state: inout State) -> HTTPServer.Response {
        guard body.utf8.last == 0x0a else {
            state.violations.append("the body does not end with a line feed")
            return response(400, "must be terminated by a newline")
        }
        var lines = body.split(separator: "\n", omittingEmptySubsequences: false)[...]
        lines.removeLast()
        var items: [String] = []
        var hasErrors = false
        while let line = lines.popFirst() {
            guard case .object(let action)? = JSONValueReader.value(of: String(line)),
                let (operation, value) = action.fields.first, case .object(let meta) = value
            else {
                state.violations.append("no action: \(line)")
                return response(400, "malformed action")
            }
            let source = operation == "delete" ? nil : lines.popFirst()
            if operation != "delete" {
                guard let source, case .object? = JSONValueReader.value(of: String(source)) else {
                    state.violations.append("no source: \(source ?? "")")
                    return response(400, "malformed source")
                }
            }
            let status = store(operation, meta, String(source ?? ""), &state)
            if status >= 300 { hasErrors = true }
            items.append(item(operation, meta, status))
        }
        if case .forgetsLastItem = state.mood { items.removeLast() }
        return HTTPServer.Response(
            status: 200, contentType: "application/json",
            body: "{\"took\":1,\"errors\":\(hasErrors),\"items\":[\(items.joined(separator: ","))]}"
        )
    }

    private static func store(
        _ operation: String, _ meta: Record, _ source: String, _ state: inout State
    ) -> Int {
        state.itemCount += 1
        if case .refusesItems(let status, let every) = state.mood, state.itemCount % every == 0 {
            return status
        }
        let index = meta["_index"]?.string ?? ""
        let id = meta["_id"].map { JSONValueWriter.text($0) }
        let document = Document(index: index, id: meta["_id"]?.string, source: source)
        guard let id else {
            state.documents.append(document)
            return 201
        }
        let place = "\(index)/\(id)"
        if let known = state.places[place] {
            if operation == "create" {
                state.duplicateCount += 1
                return 409
            }
            state.documents[known] = document
            return 200
        }
        state.places[place] = state.documents.count
        state.documents.append(document)
        return 201
    }

    private static func item(_ operation: String, _ meta: Record, _ status: Int) -> String {
        var result: Record = [
            "_index": meta["_index"] ?? .null, "_id": meta["_id"] ?? .string("made"),
            "status": .integer(Int64(status)),
        ]
        if status >= 300 {
            result["error"] = .object([
                "type": .string("stand_in_exception"), "reason": .string("refused with \(status)"),
            ])
        }
        return JSONValueWriter.text(.object([operation: .object(result)]))
    }
}

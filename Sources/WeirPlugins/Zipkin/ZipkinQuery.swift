import Glibc
import WeirCore
import WeirHost
import WeirPipeline
import WeirStore
import WeirTraces

/// Answers Zipkin's questions from the store of traces (`zipkin2.server.internal.ZipkinQueryApiV2`),
/// so that Zipkin's UI and Grafana's data source can ask Weir.
struct ZipkinQuery: Sendable {
    /// Why a question is not answered.
    private struct Refusal: Error {
        var status: Int
        var text: String
    }

    /// How far a question reaches that does not say so, in milliseconds.
    private static let standardLookback: Int64 = 86_400_000
    /// Most traces of an answer.
    private static let limit = 1_000
    /// Most traces that are looked into for what their tags say.
    private static let candidateLimit = 5_000

    /// The store's file.
    let path: String
    /// The tags whose values are offered to be completed.
    let autocompleteKeys: [String]
    let clock: any PipelineClock

    /// The answer to a `GET`; `nil` where the path is none of Zipkin's.
    func answer(_ request: HTTPServer.Request) -> HTTPServer.Response? {
        let prefix = request.path.hasPrefix("/zipkin/api/v2/") ? "/zipkin/api/v2/" : "/api/v2/"
        guard request.path.hasPrefix(prefix) else { return nil }
        let parts = request.path.dropFirst(prefix.count).split(separator: "/").map(String.init)
        let fields = FormText.fields(of: request.query[...])
        func field(_ name: String) -> String? {
            fields.first { $0.name == name && !$0.value.isEmpty }?.value
        }
        do {
            switch (parts.first, parts.count) {
            case ("services", 1):
                let names = try reader()?.services() ?? []
                // Few services are new ones: what they are called must not be kept for long.
                let headers =
                    names.count > 3 ? [("Cache-Control", "max-age=300, must-revalidate")] : []
                return Self.list(names, headers: headers)
            case ("spans", 1):
                return Self.list(try reader()?.spanNames(of: try service(field)) ?? [])
            case ("remoteServices", 1):
                return Self.list(try reader()?.remoteServices(of: try service(field)) ?? [])
            case ("traces", 1): return try traces(field)
            case ("trace", 2): return try trace(parts[1])
            case ("traceMany", 1): return try traceMany(field("traceIds"))
            case ("dependencies", 1): return try dependencies(field)
            case ("autocompleteKeys", 1): return Self.list(autocompleteKeys)
            case ("autocompleteValues", 1): return try values(ofKey: field("key"))
            default: return nil
            }
        } catch let refusal as Refusal {
            return HTTPServer.Response(status: refusal.status, body: refusal.text)
        } catch {
            return HTTPServer.Response(status: 500, body: "\(error)")
        }
    }

    /// A reader of the store; `nil` as long as nothing was stored.
    private func reader() throws(DatabaseError) -> TraceReader? {
        guard access(path, F_OK) == 0 else { return nil }
        return try TraceReader(path)
    }

    private func service(_ field: (String) -> String?) throws(Refusal) -> String {
        guard let name = field("serviceName") else {
            throw Refusal(status: 400, text: "serviceName is required")
        }
        return name.lowercased()
    }

    // MARK: Traces

    private func trace(_ text: String) throws -> HTTPServer.Response {
        let id = try traceID(text)
        let spans = try reader()?.trace(id) ?? []
        guard !spans.isEmpty else { throw Refusal(status: 404, text: "\(id.hex) not found") }
        return Self.json("[" + spans.joined(separator: ",") + "]")
    }

    private func traceMany(_ text: String?) throws -> HTTPServer.Response {
        guard let text else { throw Refusal(status: 400, text: "traceIds parameter is empty") }
        var ids: [TraceID] = []
        for part in text.split(separator: ",") {
            let id = try traceID(String(part))
            guard !ids.contains(id) else {
                throw Refusal(status: 400, text: "redundant traceId: \(id.hex)")
            }
            ids.append(id)
        }
        guard ids.count > 1 else {
            throw Refusal(
                status: 400,
                text: "Use /api/v2/trace/{traceId} endpoint to retrieve a single trace")
        }
        guard ids.count <= Self.limit else {
            throw Refusal(status: 400, text: "at most \(Self.limit) traceIds")
        }
        let reader = try reader()
        let found = try ids.map { try reader?.trace($0) ?? [] }.filter { !$0.isEmpty }
        return Self.json(Self.lists(found))
    }

    private func traceID(_ text: String) throws(Refusal) -> TraceID {
        let trimmed = text.split(separator: " ").first.map { $0.lowercased() } ?? ""
        guard let id = TraceID(hex: trimmed.utf8), id != .none else {
            throw Refusal(
                status: 400,
                text: "\(text) should be a 1 to 32 character lower-hex string with no prefix")
        }
        return id
    }

    private func traces(_ field: (String) -> String?) throws -> HTTPServer.Response {
        var query = TraceQuery()
        query.service = field("serviceName")?.lowercased()
        query.remoteService = field("remoteServiceName")?.lowercased()
        query.name = field("spanName")?.lowercased()
        if query.name == "all" { query.name = nil }
        query.minDuration = try number("minDuration", field)
        query.maxDuration = try number("maxDuration", field)
        guard query.maxDuration == nil || query.minDuration != nil else {
            throw Refusal(status: 400, text: "maxDuration is only valid with minDuration")
        }
        (query.since, query.until) = try period(field)
        let limit = Int(clamping: try number("limit", field) ?? 10)
        guard limit > 0 else { throw Refusal(status: 400, text: "limit <= 0") }
        let wanted = AnnotationQuery(field("annotationQuery") ?? "")
        query.limit = wanted.isEmpty ? min(limit, Self.limit) : Self.candidateLimit
        guard let reader = try reader() else { return Self.json("[]") }
        var found: [[String]] = []
        for low in try reader.traces(query) where found.count < min(limit, Self.limit) {
            let spans = try reader.trace(high: 0, low: low)
            if wanted.isEmpty || wanted.fits(Self.records(spans), service: query.service) {
                found.append(spans)
            }
        }
        return Self.json(Self.lists(found))
    }

    /// The time that a question is about, in microseconds.
    private func period(
        _ field: (String) -> String?
    ) throws(Refusal) -> (since: Int64, until: Int64) {
        let end = try number("endTs", field) ?? clock.now.millisecondsSince1970
        let lookback = try number("lookback", field) ?? Self.standardLookback
        guard end > 0, lookback > 0 else {
            throw Refusal(status: 400, text: end > 0 ? "lookback <= 0" : "endTs <= 0")
        }
        let until = end.multipliedReportingOverflow(by: 1_000)
        let since = max(0, end &- lookback).multipliedReportingOverflow(by: 1_000)
        // The whole of the last millisecond.
        return (
            since.overflow ? .max : since.partialValue,
            until.overflow ? .max : until.partialValue + 999
        )
    }

    private func number(
        _ name: String, _ field: (String) -> String?
    ) throws(Refusal) -> Int64? {
        guard let text = field(name) else { return nil }
        guard let number = Int64(text) else {
            throw Refusal(status: 400, text: "\(name) is not a whole number: \(text)")
        }
        return number
    }

    // MARK: What is made of traces

    private func dependencies(_ field: (String) -> String?) throws -> HTTPServer.Response {
        guard field("endTs") != nil else { throw Refusal(status: 400, text: "endTs is required") }
        let (since, until) = try period(field)
        guard let reader = try reader() else { return Self.json("[]") }
        var linker = DependencyLinker()
        var trace: [SpanRecord] = []
        for span in Self.records(try reader.spans(since: since, until: until)) {
            if let last = trace.last, last.traceID.low != span.traceID.low {
                linker.add(trace: trace)
                trace = []
            }
            trace.append(span)
        }
        linker.add(trace: trace)
        let links = linker.links.map { link in
            var record: Record = [
                "parent": .string(link.parent), "child": .string(link.child),
                "callCount": .integer(Int64(link.callCount)),
            ]
            if link.errorCount > 0 { record["errorCount"] = .integer(Int64(link.errorCount)) }
            return Value.object(record)
        }
        return Self.json(JSONValueWriter.text(.array(links)))
    }

    private func values(ofKey key: String?) throws -> HTTPServer.Response {
        guard let key else { throw Refusal(status: 400, text: "key is required") }
        guard autocompleteKeys.contains(key), let reader = try reader() else {
            return Self.list([])
        }
        let now = clock.now.millisecondsSince1970
        let spans = try reader.spans(
            since: (now - Self.standardLookback) * 1_000, until: .max)
        return Self.list(Set(Self.records(spans).compactMap { $0[tag: key] }).sorted())
    }

    private static func records(_ spans: [String]) -> [SpanRecord] {
        let batch = SpanBatch()
        var json = ByteBuffer()
        for span in spans {
            json.truncate(to: 0)
            json.append(span)
            // What a filter made of a span before it was stored need not be one any more.
            try? batch.decodeJSON(json.bytes)
        }
        return batch.records
    }

    // MARK: Answers

    private static func lists(_ traces: [[String]]) -> String {
        "[" + traces.map { "[" + $0.joined(separator: ",") + "]" }.joined(separator: ",") + "]"
    }

    private static func list(
        _ names: [String], headers: [(name: String, value: String)] = []
    ) -> HTTPServer.Response {
        var response = json(JSONValueWriter.text(.array(names.map { .string($0) })))
        response.headers = headers
        return response
    }

    private static func json(_ text: String) -> HTTPServer.Response {
        HTTPServer.Response(status: 200, contentType: "application/json", body: text)
    }
}

extension TraceReader {
    /// The spans of a trace as JSON.
    fileprivate func trace(_ id: TraceID) throws(DatabaseError) -> [String] {
        try trace(high: Int64(bitPattern: id.high), low: Int64(bitPattern: id.low))
    }
}

/// What the tags and annotations of a trace must say: `http.path=/foo and error`
/// (`zipkin2.storage.QueryRequest`).
struct AnnotationQuery {
    private var parts: [(key: String, value: String?)] = []

    init(_ text: String) {
        for part in text.components(separatedBy: " and ") where !part.isEmpty {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            parts.append((String(pair[0]), pair.count > 1 ? String(pair[1]) : nil))
        }
    }

    /// Whether everything is asked for.
    var isEmpty: Bool { parts.isEmpty }

    /// Whether each part is found in some span of the service.
    func fits(_ spans: [SpanRecord], service: String?) -> Bool {
        let spans = spans.filter { service == nil || $0.local.service == service }
        return parts.allSatisfy { key, value in
            spans.contains { span in
                if let value { return span[tag: key] == value }
                return span[tag: key] != nil || span.annotations.contains { $0.value == key }
            }
        }
    }
}

extension String {
    /// The parts between occurrences of a separator, without white space around them.
    fileprivate func components(separatedBy separator: String) -> [String] {
        var parts: [String] = []
        var rest = self[...]
        while let range = rest.firstRange(of: separator) {
            parts.append(String(rest[..<range.lowerBound]))
            rest = rest[range.upperBound...]
        }
        parts.append(String(rest))
        return parts.map { part in
            let trimmed = part.drop { $0 == " " }
            return String(trimmed.reversed().drop { $0 == " " }.reversed())
        }
    }
}

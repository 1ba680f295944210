import WeirCore
import WeirHost
import WeirMetrics
import WeirPipeline
import WeirPromQL

/// Prometheus' HTTP API over the node's own history, as far as clients such as Grafana ask for it
/// (prometheus.io/docs/prometheus/latest/querying/api).
struct QueryAPI: Sendable {
    /// Longest time that a query may take.
    private static let timeLimit: Int64 = 120_000

    let history: MetricsHistory
    let clock: any PipelineClock

    /// The answer, or `nil` where the path is not one of the API's.
    func answer(_ request: HTTPServer.Request) -> HTTPServer.Response? {
        guard request.path.hasPrefix("/api/v1/") else { return nil }
        let path = request.path.dropFirst("/api/v1/".count)
        let isRead = request.method == "GET" || request.method == "POST"
        guard isRead else {
            return HTTPServer.Response(status: 405, body: "send GET or POST\n")
        }
        let parameters = QueryParameters(request)
        do throws(QueryRefusal) {
            switch path {
            case "query": return try instant(parameters)
            case "query_range": return try range(parameters)
            case "series": return try series(parameters)
            case "labels": return try labels(parameters)
            case "metadata": return try metadata(parameters)
            case "format_query": return try format(parameters)
            case "status/buildinfo": return buildInfo()
            default: break
            }
            let parts = path.split(separator: "/", omittingEmptySubsequences: false)
            if parts.count == 3, parts[0] == "label", parts[2] == "values" {
                return try values(of: QueryParameters.decoded(parts[1]), parameters)
            }
            throw QueryRefusal(kind: "not_found", message: "there is no \(request.path)")
        } catch {
            return Self.refusal(error)
        }
    }

    // MARK: Queries

    private func parse(
        _ parameters: QueryParameters
    ) throws(QueryRefusal) -> (
        text: String, Expression
    ) {
        let text = parameters["query"] ?? ""
        do throws(ParseError) {
            return (text, try QueryParser.parse(text, options: history.parserOptions))
        } catch {
            let (line, column) = TextRange.position(of: error.range.start, in: text)
            throw .badData(
                "invalid parameter \"query\": \(line):\(column): parse error: \(error.message)")
        }
    }

    private func instant(_ parameters: QueryParameters) throws(QueryRefusal) -> HTTPServer.Response
    {
        let time = try parameters.time("time", default: now)
        let limit = try parameters.limit()
        let (text, expression) = try parse(parameters)
        let deadline = try deadline(parameters)
        return try evaluated(text, limit) { engine, store throws(QueryError) in
            try engine.instant(expression, at: time, over: store, isCancelled: deadline)
        }
    }

    private func range(_ parameters: QueryParameters) throws(QueryRefusal) -> HTTPServer.Response {
        let start = try parameters.time("start", default: nil)
        let end = try parameters.time("end", default: nil)
        guard end >= start else {
            throw .badData("invalid parameter \"end\": end timestamp must not be before start time")
        }
        guard let step = try parameters.span("step"), step > 0 else {
            throw .badData(
                "invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a positive integer"
            )
        }
        guard
            let steps = Steps(
                from: start, through: end, every: step, limit: history.options.stepLimit)
        else {
            throw .badData(
                "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)"
            )
        }
        let limit = try parameters.limit()
        let (text, expression) = try parse(parameters)
        let type = QueryParser.type(of: expression)
        guard type == .scalar || type == .instantVector else {
            throw .badData(
                "invalid parameter \"query\": invalid expression type \"\(type.rawValue)\" for range query, must be Scalar or instant Vector"
            )
        }
        let deadline = try deadline(parameters)
        return try evaluated(text, limit) { engine, store throws(QueryError) in
            try engine.range(expression, steps, over: store, isCancelled: deadline)
        }
    }

    private var now: Int64 { clock.now.millisecondsSince1970 }

    /// Says when the query has taken too long.
    private func deadline(
        _ parameters: QueryParameters
    ) throws(QueryRefusal) -> () -> QueryError? {
        let span = min(try parameters.span("timeout") ?? Self.timeLimit, Self.timeLimit)
        let clock = clock
        let end = clock.monotonicNanoseconds &+ UInt64(max(span, 0)) &* 1_000_000
        return {
            clock.monotonicNanoseconds < end
                ? nil : QueryError("query timed out in expression evaluation", kind: .timeout)
        }
    }

    private func evaluated(
        _ text: String, _ limit: Int?,
        _ body: (QueryEngine, StoreView) throws(QueryError) -> QueryResult
    ) throws(QueryRefusal) -> HTTPServer.Response {
        do throws(QueryError) {
            var result = try body(QueryEngine(options: history.options), history.store.view())
            var warnings = result.annotations.warningTexts(in: text)
            if let limit, Self.cut(&result.value, limit) {
                warnings.append("results truncated due to limit")
            }
            return Self.success(
                warnings: warnings, infos: result.annotations.infoTexts(in: text)
            ) { ResultWriter.append(result.value, to: &$0) }
        } catch {
            let kind: String
            switch error.kind {
            case .execution, .limit: kind = "execution"
            case .timeout: kind = "timeout"
            case .cancelled: kind = "canceled"
            }
            throw QueryRefusal(kind: kind, message: error.message)
        }
    }

    private static func cut(_ value: inout QueryResult.Value, _ limit: Int) -> Bool {
        switch value {
        case .vector(let series) where series.count > limit:
            value = .vector(Array(series.prefix(limit)))
        case .matrix(let series) where series.count > limit:
            value = .matrix(Array(series.prefix(limit)))
        default: return false
        }
        return true
    }

    private func format(_ parameters: QueryParameters) throws(QueryRefusal) -> HTTPServer.Response {
        let (_, expression) = try parse(parameters)
        return Self.success { ResultWriter.append(expression.description, to: &$0) }
    }

    // MARK: Series

    private func times(
        _ parameters: QueryParameters
    ) throws(QueryRefusal) -> (first: Int64, last: Int64) {
        (
            try parameters.time("start", default: .min), try parameters.time("end", default: .max)
        )
    }

    private func series(_ parameters: QueryParameters) throws(QueryRefusal) -> HTTPServer.Response {
        let selectors = try parameters.selectors(isRequired: true)
        let (first, last) = try times(parameters)
        let found = history.store.series(selectors, from: first, through: last)
        return Self.list(found, try parameters.limit()) { ResultWriter.append(labels: $0, to: &$1) }
    }

    private func labels(_ parameters: QueryParameters) throws(QueryRefusal) -> HTTPServer.Response {
        let selectors = try parameters.selectors(isRequired: false)
        let (first, last) = try times(parameters)
        let names = history.store.labelNames(selectors, from: first, through: last)
        return Self.list(names, try parameters.limit()) { ResultWriter.append($0, to: &$1) }
    }

    private func values(
        of name: String, _ parameters: QueryParameters
    ) throws(QueryRefusal) -> HTTPServer.Response {
        let selectors = try parameters.selectors(isRequired: false)
        let (first, last) = try times(parameters)
        let values = history.store.labelValues(of: name, selectors, from: first, through: last)
        return Self.list(values, try parameters.limit()) { ResultWriter.append($0, to: &$1) }
    }

    private func metadata(
        _ parameters: QueryParameters
    ) throws(QueryRefusal) -> HTTPServer.Response {
        let limit = try parameters.limit()
        var entries = history.store.metadata.sorted { $0.key < $1.key }
        if let metric = parameters["metric"] { entries = entries.filter { $0.key == metric } }
        if let limit { entries = Array(entries.prefix(limit)) }
        return Self.success { buffer in
            buffer.append("{")
            for (place, entry) in entries.enumerated() {
                if place > 0 { buffer.append(",") }
                ResultWriter.append(entry.key, to: &buffer)
                buffer.append(#":[{"type":"\#(entry.value.kind.rawValue)","unit":"#)
                ResultWriter.append(entry.value.unit, to: &buffer)
                buffer.append(#","help":"#)
                ResultWriter.append(entry.value.help, to: &buffer)
                buffer.append("}]")
            }
            buffer.append("}")
        }
    }

    /// Clients ask for it to know which functions they may use.
    private func buildInfo() -> HTTPServer.Response {
        Self.success { buffer in
            buffer.append(
                #"{"version":"3.14.0","revision":"weir","branch":"","buildUser":"","buildDate":"","goVersion":""}"#
            )
        }
    }

    // MARK: Answers

    private static func list<T>(
        _ all: [T], _ limit: Int?, _ append: (T, inout ByteBuffer) -> Void
    ) -> HTTPServer.Response {
        let shown = limit.map { all.prefix($0) } ?? all[...]
        let warnings = shown.count < all.count ? ["results truncated due to limit"] : []
        return success(warnings: warnings) { buffer in
            buffer.append("[")
            for (place, one) in shown.enumerated() {
                if place > 0 { buffer.append(",") }
                append(one, &buffer)
            }
            buffer.append("]")
        }
    }

    private static func success(
        warnings: [String] = [], infos: [String] = [], _ data: (inout ByteBuffer) -> Void
    ) -> HTTPServer.Response {
        var buffer = ByteBuffer(capacity: 1024)
        buffer.append(#"{"status":"success","data":"#)
        data(&buffer)
        for (name, texts) in [("warnings", warnings), ("infos", infos)] where !texts.isEmpty {
            buffer.append(",\"\(name)\":[")
            for (place, text) in texts.enumerated() {
                if place > 0 { buffer.append(",") }
                ResultWriter.append(text, to: &buffer)
            }
            buffer.append("]")
        }
        buffer.append("}")
        return HTTPServer.Response(
            status: 200, contentType: "application/json",
            bytes: Array(buffer.bytes))
    }

    private static func refusal(_ refusal: QueryRefusal) -> HTTPServer.Response {
        var buffer = ByteBuffer(capacity: 256)
        buffer.append(#"{"status":"error","errorType":"\#(refusal.kind)","error":"#)
        ResultWriter.append(refusal.message, to: &buffer)
        buffer.append("}")
        return HTTPServer.Response(
            status: refusal.status, contentType: "application/json",
            bytes: Array(buffer.bytes))
    }
}

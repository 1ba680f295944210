import WeirCore
import WeirHost
import WeirMetrics
import WeirPipeline
import WeirPromQL

/// Prometheus' HTTP API over the node's own history, as far as clients such as Grafana ask for it
/// (prometheus.io/docs/prometheus/latest/querying/api).
struct QueryAPI: Sendable {
    let history: MetricsHistory
    let clock: any PipelineClock
    let rules: RuleEvaluation?
    private let counters: QueryCounters

    init(
        history: MetricsHistory, rules: RuleEvaluation? = nil, clock: any PipelineClock
    ) {
        self.history = history
        self.rules = rules
        self.clock = clock
        counters = QueryCounters(history.registry)
    }

    /// The answer, or `nil` where the path is not one of the API's.
    func answer(_ request: HTTPServer.Request) -> HTTPServer.Response? {
        guard request.path.hasPrefix("/api/v1/") else { return nil }
        let path = request.path.dropFirst("/api/v1/".count)
        let isRead = request.method == "GET" || request.method == "POST"
        guard isRead else {
            return HTTPServer.Response(status: 405, body: "send GET or POST\n")
        }
        do throws(QueryRefusal) {
            return QueryAnswer.compressed(try answer(request, path), for: request)
        } catch {
            counters.note(error)
            return QueryAnswer.refusal(error)
        }
    }

    private func answer(
        _ request: HTTPServer.Request, _ path: Substring
    ) throws(QueryRefusal) -> HTTPServer.Response {
        let parameters = QueryParameters(request)
        switch path {
        case "query": return try instant(parameters)
        case "query_range": return try range(parameters)
        case "series": return try series(parameters)
        case "labels": return try labels(parameters)
        case "metadata": return try metadata(parameters)
        case "query_exemplars": return try exemplars(parameters)
        case "format_query": return try format(parameters)
        case "parse_query": return try tree(parameters)
        case "status/buildinfo": return buildInfo()
        case "rules": return try ruleGroups(parameters)
        case "alerts": return activeAlerts()
        default: break
        }
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        if parts.count == 3, parts[0] == "label", parts[2] == "values" {
            return try values(of: FormText.decoded(parts[1]), parameters)
        }
        throw QueryRefusal(kind: "not_found", message: "there is no \(request.path)")
    }

    // MARK: Queries

    /// The parameter `query`, parsed.
    func parse(
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
        let limit = history.limits.time.milliseconds
        let span = min(try parameters.span("timeout") ?? limit, limit)
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
        let begin = clock.monotonicNanoseconds
        defer { counters.noteQuery(nanoseconds: clock.monotonicNanoseconds &- begin) }
        do throws(QueryError) {
            var result = try body(QueryEngine(options: history.options), history.store.view())
            var warnings = result.annotations.warningTexts(in: text)
            if let limit, Self.cut(&result.value, limit) {
                warnings.append("results truncated due to limit")
            }
            return QueryAnswer.success(
                warnings: warnings, infos: result.annotations.infoTexts(in: text)
            ) { ResultWriter.append(result.value, to: &$0) }
        } catch {
            let kind: String
            switch error.kind {
            case .execution: kind = "execution"
            case .limit:
                counters.noteLimit()
                kind = "execution"
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

    /// A query's tree, as Prometheus' page draws it.
    private func tree(_ parameters: QueryParameters) throws(QueryRefusal) -> HTTPServer.Response {
        let (_, expression) = try parse(parameters)
        return QueryAnswer.success { TreeWriter.append(expression, to: &$0) }
    }

    private func format(_ parameters: QueryParameters) throws(QueryRefusal) -> HTTPServer.Response {
        let (_, expression) = try parse(parameters)
        return QueryAnswer.success { ResultWriter.append(expression.formatted, to: &$0) }
    }
}

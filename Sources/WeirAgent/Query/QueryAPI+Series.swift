import WeirCore
import WeirHost
import WeirPromQL

/// What the API tells of the store beside queries.
extension QueryAPI {
    private func times(
        _ parameters: QueryParameters
    ) throws(QueryRefusal) -> (first: Int64, last: Int64) {
        (
            try parameters.time("start", default: .min), try parameters.time("end", default: .max)
        )
    }

    /// Series by their labels.
    func series(_ parameters: QueryParameters) throws(QueryRefusal) -> HTTPServer.Response {
        let selectors = try parameters.selectors(isRequired: true)
        let (first, last) = try times(parameters)
        let found = history.store.series(selectors, from: first, through: last)
        return QueryAnswer.list(found, try parameters.limit()) {
            ResultWriter.append(labels: $0, to: &$1)
        }
    }

    /// The names of labels.
    func labels(_ parameters: QueryParameters) throws(QueryRefusal) -> HTTPServer.Response {
        let selectors = try parameters.selectors(isRequired: false)
        let (first, last) = try times(parameters)
        let names = history.store.labelNames(selectors, from: first, through: last)
        return QueryAnswer.list(names, try parameters.limit()) { ResultWriter.append($0, to: &$1) }
    }

    /// The values of a label.
    func values(
        of name: String, _ parameters: QueryParameters
    ) throws(QueryRefusal) -> HTTPServer.Response {
        let selectors = try parameters.selectors(isRequired: false)
        let (first, last) = try times(parameters)
        let values = history.store.labelValues(of: name, selectors, from: first, through: last)
        return QueryAnswer.list(values, try parameters.limit()) { ResultWriter.append($0, to: &$1) }
    }

    /// What is known of metrics.
    func metadata(
        _ parameters: QueryParameters
    ) throws(QueryRefusal) -> HTTPServer.Response {
        let limit = try parameters.limit()
        var entries = history.store.metadata.sorted { $0.key < $1.key }
        if let metric = parameters["metric"] { entries = entries.filter { $0.key == metric } }
        if let limit { entries = Array(entries.prefix(limit)) }
        return QueryAnswer.success { buffer in
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
    func buildInfo() -> HTTPServer.Response {
        QueryAnswer.success { buffer in
            buffer.append(
                #"{"version":"3.14.0","revision":"weir","branch":"","buildUser":"","buildDate":"","goVersion":""}"#
            )
        }
    }

    /// Observations that stand for others, of the series that a query names.
    func exemplars(_ parameters: QueryParameters) throws(QueryRefusal) -> HTTPServer.Response {
        let (first, last) = try times(parameters)
        guard last >= first else {
            throw .badData("invalid parameter \"end\": end timestamp must not be before start time")
        }
        let (_, expression) = try parse(parameters)
        let found = history.store.exemplars(
            expression.selectors.map { $0.compactMap { try? CompiledMatcher($0) } }, from: first,
            through: last)
        return QueryAnswer.list(found, nil) { series, buffer in
            buffer.append(#"{"seriesLabels":"#)
            ResultWriter.append(labels: series.series, to: &buffer)
            buffer.append(#","exemplars":["#)
            for (place, exemplar) in series.exemplars.enumerated() {
                if place > 0 { buffer.append(",") }
                buffer.append(#"{"labels":"#)
                ResultWriter.append(labels: exemplar.labels, to: &buffer)
                buffer.append(
                    ",\"value\":\"\(ResultWriter.text(of: exemplar.value))\",\"timestamp\":")
                ResultWriter.append(time: exemplar.time, to: &buffer)
                buffer.append("}")
            }
            buffer.append("]}")
        }
    }
}

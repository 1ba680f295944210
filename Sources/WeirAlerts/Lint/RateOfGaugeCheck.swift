import WeirPromQL

/// `rate` of what rises and falls, or `delta` of what only rises.
struct RateOfGaugeCheck: RuleCheck {
    let id = "R204"

    private static let ofCounters = ["rate": "deriv", "increase": "delta", "irate": "idelta"]
    private static let ofGauges = ["deriv": "rate", "delta": "increase", "idelta": "irate"]

    func findings(in rule: LintedRule) -> [Finding] {
        rule.rule.expression.all.compactMap { part in
            guard case .call(let call) = part.kind, let argument = call.arguments.first,
                case .matrixSelector(let matrix) = argument.core.kind,
                let metric = matrix.selector.metric
            else { return nil }
            let name = call.function.name
            let (reason, other): (String, String)
            if let gauges = Self.ofCounters[name], Self.isGauge(metric) {
                reason = "`\(metric)` is a gauge, and `\(name)` takes each fall of it for a restart"
                other = gauges
            } else if let counters = Self.ofGauges[name], Self.isCounter(metric) {
                reason = "`\(metric)` is a counter, and `\(name)` does not know of its restarts"
                other = counters
            } else {
                return nil
            }
            let mended = rule.mended { found in
                guard found.range == part.range, case .call(var call) = found.kind,
                    let function = FunctionCatalogue.signature(named: other)
                else { return nil }
                call.function = function
                return Expression(.call(call), at: found.range)
            }
            return Finding(
                location: rule.rule.location(of: part.range), message: reason,
                help: mended.map { "write `\($0)`" } ?? "use `\(other)`")
        }
    }

    static func isCounter(_ metric: String) -> Bool {
        !metric.contains(":") && (metric.hasSuffix("_total") || metric.hasSuffix("_bucket"))
    }

    /// Whether it is one by what everybody calls it, or by the ending of its name.
    static func isGauge(_ metric: String) -> Bool {
        let known = [
            "up", "istio_build", "process_resident_memory_bytes", "process_open_fds",
            "go_goroutines", "node_load1", "node_load5", "node_load15",
        ]
        let endings = [
            "_ratio", "_percent", "_percentage", "_celsius", "_info", "_timestamp_seconds",
            "_in_progress", "_inprogress", "_in_flight", "_inflight", "_free_bytes", "_avail_bytes",
            "_available_bytes", "_usage_bytes", "_used_bytes", "_working_set_bytes", "_size_bytes",
            "_utilization",
        ]
        return known.contains(metric)
            || !metric.contains(":") && endings.contains { metric.hasSuffix($0) }
    }
}

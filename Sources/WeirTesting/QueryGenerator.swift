/// Makes well-typed PromQL of any shape up to a depth, over the series that its tests know.
public struct QueryGenerator {
    private var random: SeededGenerator
    /// Whether what is experimental, native histograms and times far away are used too.
    private let isWild: Bool

    /// A generator.
    public init(_ random: SeededGenerator, isWild: Bool = false) {
        self.random = random
        self.isWild = isWild
    }

    private mutating func one(of choices: [String]) -> String {
        choices.randomElement(using: &random) ?? ""
    }

    private mutating func chance(_ percent: Int) -> Bool {
        Int.random(in: 0..<100, using: &random) < percent
    }

    /// An instant vector, or now and then a scalar.
    public mutating func query() -> String {
        chance(8) ? scalar(2) : vector(Int.random(in: 1...3, using: &random))
    }

    private mutating func vector(_ depth: Int) -> String {
        if depth == 0 || chance(20) { return selector() + modifier() }
        if isWild, chance(30) { return wild(depth - 1) }
        switch Int.random(in: 0..<10, using: &random) {
        case 0, 1: return overTime(depth - 1)
        case 2: return mapped(depth - 1)
        case 3, 4: return aggregated(depth - 1)
        case 5, 6: return binary(depth - 1)
        case 7: return "-\(vector(depth - 1))"
        case 8: return histogram()
        default: return "(\(vector(depth - 1)))"
        }
    }

    private mutating func selector() -> String {
        if isWild, chance(30) { return one(of: ["native", "custom", "mixed", #"{job="a"}"#]) }
        let name = one(of: ["requests_total", "temperature", "latency_bucket", "sparse", "odd"])
        guard chance(50) else { return name }
        return name + "{"
            + one(of: [
                #"job="a""#, #"job!="a""#, #"job=~"a|b""#, #"job!~"b.*""#, #"instance=~"[12]""#,
                #"code=~"5..""#, #"code="""#, #"job="a",instance="1""#, #"nosuch="x""#,
                #"code=~".+""#,
            ]) + "}"
    }

    private mutating func modifier() -> String {
        if isWild, chance(10) {
            return one(of: [
                " offset 290y", " offset -290y", " @ 1e15", " @ -1e15", " offset (step() * 2)",
                " @ 0.001", " offset min_of(1m, range())",
            ])
        }
        switch Int.random(in: 0..<10, using: &random) {
        case 0: return " offset \(one(of: ["1m", "7m", "-90s", "30m"]))"
        case 1: return " @ \(one(of: ["start()", "end()"]))"
        default: return ""
        }
    }

    private mutating func range(_ depth: Int) -> String {
        if depth > 0, chance(20) {
            return "(\(vector(depth - 1)))[\(one(of: ["5m:1m", "10m:45s", "4m:"]))]"
        }
        return "\(selector())[\(one(of: ["1m", "5m", "40s", "17m", "31s"]))]\(modifier())"
    }

    private mutating func overTime(_ depth: Int) -> String {
        let function = one(of: [
            "rate", "increase", "delta", "irate", "idelta", "avg_over_time", "sum_over_time",
            "min_over_time", "max_over_time", "count_over_time", "stddev_over_time",
            "stdvar_over_time", "last_over_time", "present_over_time", "absent_over_time",
            "changes",
            "resets", "deriv", "quantile_over_time", "predict_linear",
        ])
        let range = range(depth)
        switch function {
        case "quantile_over_time":
            return "\(function)(\(one(of: ["0.5", "0.9", "0", "1", "2"])), \(range))"
        case "predict_linear": return "\(function)(\(range), \(one(of: ["60", "-30", "3600"])))"
        default: return "\(function)(\(range))"
        }
    }

    private mutating func mapped(_ depth: Int) -> String {
        let inner = vector(depth)
        switch Int.random(in: 0..<10, using: &random) {
        case 0: return "clamp(\(inner), \(scalar(0)), \(scalar(0)))"
        case 1: return "round(\(inner), \(one(of: ["0.1", "5", "-2", "0.3"])))"
        case 2: return #"label_replace(\#(inner), "new", "x$1", "instance", "(.)")"#
        case 3: return #"label_join(\#(inner), "new", "-", "job", "instance")"#
        case 4: return "timestamp(\(inner))"
        case 5: return "vector(\(scalar(1)))"
        case 6: return "absent(\(inner))"
        case 7: return "sort(\(inner))"
        default:
            return one(of: [
                "abs", "ceil", "floor", "exp", "ln", "log2", "log10", "sqrt", "sgn", "deg", "sin",
                "hour", "day_of_week", "month", "days_in_month", "minute",
            ]) + "(\(inner))"
        }
    }

    private mutating func aggregated(_ depth: Int) -> String {
        let grouping = one(of: [
            "", " by (job)", " by (job, code)", " without (instance)", " by ()", " by (nosuch)",
        ])
        let inner = vector(depth)
        switch Int.random(in: 0..<8, using: &random) {
        case 0: return "quantile\(grouping) (\(one(of: ["0.5", "0.99", "-1"])), \(inner))"
        case 1: return #"count_values\#(grouping) ("value", \#(selector()))"#
        case 2: return "sum(topk\(grouping) (\(one(of: ["1", "3", "0"])), \(inner)))"
        default:
            return one(of: ["sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"])
                + "\(grouping) (\(inner))"
        }
    }

    private mutating func binary(_ depth: Int) -> String {
        let sign = one(of: [
            "+", "-", "*", "/", "%", "^", "==", "!=", ">", "<", ">=", "<=", "> bool", "== bool",
            "and", "or", "unless", "atan2",
        ])
        if !["and", "or", "unless"].contains(sign), chance(30) {
            return chance(50)
                ? "\(vector(depth)) \(sign) \(scalar(1))" : "\(scalar(1)) \(sign) \(vector(depth))"
        }
        let matching = one(of: [
            "", "", " on (job, instance)", " ignoring (code)", " on (job)",
        ])
        var grouping = ""
        if !matching.isEmpty, !["and", "or", "unless"].contains(sign), chance(40) {
            grouping = one(of: [" group_left ()", " group_right ()", " group_left (code)"])
        }
        return "\(vector(depth)) \(sign)\(matching)\(grouping) \(vector(depth))"
    }

    private mutating func histogram() -> String {
        let by = one(of: ["", "job, "])
        return "histogram_quantile(\(one(of: ["0.5", "0.9", "0.99", "1.5"])), "
            + "sum by (\(by)le) (rate(latency_bucket[\(one(of: ["2m", "5m"]))])))"
    }

    private mutating func scalar(_ depth: Int) -> String {
        switch Int.random(in: 0..<(depth > 0 ? 7 : 4), using: &random) {
        case 0: return one(of: ["0", "1", "-2.5", "1e3", "NaN", "Inf", "0.1"])
        case 1: return "time()"
        case 2: return "pi()"
        case 3: return "5m"
        case 4: return "scalar(\(selector()))"
        case 5:
            return
                "(\(scalar(depth - 1)) \(one(of: ["+", "*", "/", "%", "> bool"])) \(scalar(depth - 1)))"
        default: return "-\(scalar(depth - 1))"
        }
    }

    // MARK: Wild ones

    private mutating func wild(_ depth: Int) -> String {
        let inner = vector(depth)
        switch Int.random(in: 0..<12, using: &random) {
        case 0:
            return one(of: [
                "histogram_count", "histogram_sum", "histogram_avg", "histogram_stddev",
                "histogram_stdvar",
            ]) + "(\(inner))"
        case 1: return "histogram_quantile(\(scalar(0)), \(inner))"
        case 2: return "histogram_fraction(\(scalar(0)), \(scalar(0)), \(inner))"
        case 3: return "limitk(\(one(of: ["2", "0", "-1", "1e300"])), \(inner))"
        case 4: return "limit_ratio(\(one(of: ["0.5", "-0.5", "0", "2"])), \(inner))"
        case 5: return #"sort_by_label(\#(inner), "job", "code")"#
        case 6: return "info(\(inner))"
        case 7: return "\(inner) \(one(of: ["</", ">/"])) \(scalar(0))"
        case 8: return "\(inner) + fill (\(one(of: ["0", "NaN", "-1"]))) \(vector(depth))"
        case 9:
            let function = one(of: ["rate", "increase", "delta", "resets", "changes"])
            let edge = one(of: ["anchored", "smoothed"])
            return "\(function)(\(selector())[\(one(of: ["1m", "5m"]))] \(edge))"
        case 10:
            let function = one(of: [
                "mad_over_time", "ts_of_max_over_time", "ts_of_min_over_time",
                "ts_of_last_over_time", "first_over_time", "double_exponential_smoothing",
            ])
            let range = range(depth)
            return function == "double_exponential_smoothing"
                ? "\(function)(\(range), \(scalar(0)), 0.3)" : "\(function)(\(range))"
        default: return #"histogram_quantiles(\#(inner), "q", 0.5, \#(scalar(0)))"#
        }
    }
}

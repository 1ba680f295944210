import WeirPromQL

/// Why there can be no such objective.
public struct ServiceLevelError: Error, Equatable, Sendable {
    /// What is wrong.
    public var message: String
    /// How to mend it.
    public var help: String

    /// An error by its parts.
    public init(message: String, help: String) {
        self.message = message
        self.help = help
    }
}

/// An objective of a service in the mesh, and the files that hold it: rules that tell when its error budget burns
/// too fast, their tests, and a dashboard.
///
/// The alerts are those of several windows and burn rates (Google, "The Site Reliability Workbook", chapter 5):
/// each needs a long window, so that it means something, and a short one, so that it ends soon.
public struct ServiceLevel: Sendable {
    /// What makes a request good.
    public enum Indicator: Sendable, Equatable {
        /// It is answered, and not with 5xx.
        case availability
        /// It takes at most so many milliseconds: a bound of Istio's histograms.
        case latency(milliseconds: Int)
    }

    /// An alert: what share of the budget is burnt within its long window when it fires.
    struct Burn: Sendable {
        var name: String
        var budgetPercent: Double
        var long: (text: String, hours: Double)
        var short: String
        var severity: String
    }

    static let burns = [
        Burn(
            name: "ErrorBudgetBurn1h", budgetPercent: 2, long: ("1h", 1), short: "5m",
            severity: "critical"),
        Burn(
            name: "ErrorBudgetBurn6h", budgetPercent: 5, long: ("6h", 6), short: "30m",
            severity: "critical"),
        Burn(
            name: "ErrorBudgetBurn1d", budgetPercent: 10, long: ("1d", 24), short: "2h",
            severity: "warning"),
        Burn(
            name: "ErrorBudgetBurn3d", budgetPercent: 10, long: ("3d", 72), short: "6h",
            severity: "warning"),
    ]
    static let windows = ["5m", "30m", "1h", "2h", "6h", "1d", "3d"]
    /// The bounds of Istio's histograms of durations.
    static let latencyBounds = [
        1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000,
        600_000, 1_800_000, 3_600_000,
    ]

    /// The share of good requests in percent, as it was written.
    public let objective: String
    /// The share of requests that may be bad, in the digits of the objective.
    let budget: String
    /// The service's name.
    public let service: String
    /// Its namespace, if it matters.
    public let namespace: String?
    /// The length of the window, in hours.
    let windowHours: Double
    /// The same as it was written.
    let window: String
    /// What makes a request good.
    public let indicator: Indicator

    /// An objective, checked.
    /// - Parameters:
    ///   - objective: Percent, such as `99.9`.
    ///   - window: A span of whole days or weeks, such as `30d`.
    public init(
        objective: String, service: String, namespace: String? = nil, window: String = "30d",
        indicator: Indicator = .availability
    ) throws(ServiceLevelError) {
        budget = try Self.budget(objective)
        self.objective = objective
        for name in [service] + (namespace.map { [$0] } ?? []) {
            let isName =
                !name.isEmpty && name.utf8.count <= 253
                && name.utf8.allSatisfy { byte in
                    (byte | 0x20) &- 0x61 < 26 || byte &- 0x30 < 10 || byte == 0x2d || byte == 0x2e
                }
            guard isName, name.first != ".", name.first != "-" else {
                throw ServiceLevelError(
                    message: "`\(name)` is no name of a service",
                    help: "write letters, digits, `-` and `.`, as in destination_service_name")
            }
        }
        self.service = service
        self.namespace = namespace
        guard let milliseconds = DurationNotation.milliseconds(window[...]),
            milliseconds >= 7 * 86_400_000, milliseconds <= 366 * 86_400_000
        else {
            throw ServiceLevelError(
                message: "`\(window)` is no window of an objective",
                help: "write a span from 7d to 366d, such as 30d or 4w")
        }
        self.window = window
        windowHours = Double(milliseconds) / 3_600_000
        if case .latency(let bound) = indicator, !Self.latencyBounds.contains(bound) {
            let known = Self.latencyBounds.map { "\($0)" }.joined(separator: ", ")
            throw ServiceLevelError(
                message: "Istio's histograms have no bound at \(bound) ms",
                help: "choose one of theirs, in milliseconds: \(known)")
        }
        self.indicator = indicator
    }

    /// 100 less the objective, in hundredths, to the digit.
    private static func budget(_ objective: String) throws(ServiceLevelError) -> String {
        let refusal = ServiceLevelError(
            message: "`\(objective)` is no objective",
            help: "write percent above 0 and below 100, such as 99.9")
        let parts = objective.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, let whole = Int(parts[0]), 0..<100 ~= whole,
            parts[0].allSatisfy(\.isNumber)
        else { throw refusal }
        let digits = parts.count == 2 ? String(parts[1]) : ""
        guard parts.count == 1 || !digits.isEmpty, digits.utf8.count <= 9,
            digits.utf8.allSatisfy({ 0x30...0x39 ~= $0 })
        else { throw refusal }
        var scale = 1
        for _ in digits.utf8 { scale *= 10 }
        let value = whole * scale + (Int(digits) ?? 0)
        guard value > 0 else { throw refusal }
        var rest = "\(100 * scale - value)"
        let places = digits.utf8.count + 2
        rest = String(repeating: "0", count: max(0, places + 1 - rest.count)) + rest
        var text = "\(rest.dropLast(places)).\(rest.suffix(places))"
        while text.hasSuffix("0") { text.removeLast() }
        return text
    }

    // MARK: Names and parts

    /// The name of the objective, which all of its series bear: `shop-availability`.
    public var name: String {
        switch indicator {
        case .availability: "\(service)-availability"
        case .latency: "\(service)-latency"
        }
    }

    /// How often faster than even the budget burns when an alert fires.
    func factor(_ burn: Burn) -> Double {
        burn.budgetPercent * windowHours / (100 * burn.long.hours)
    }

    /// The alerts that can fire: where the objective is small, even all requests burn no faster.
    var burns: [Burn] { Self.burns.filter { factor($0) * (Double(budget) ?? 0) < 1 } }

    private var labels: String {
        var labels = #"reporter="source", destination_service_name="\#(service)""#
        if let namespace { labels += #", destination_service_namespace="\#(namespace)""# }
        return labels
    }

    /// The share of bad requests over a window.
    func errorRatio(_ window: String) -> String {
        switch indicator {
        case .availability:
            """
            sum(rate(istio_requests_total{\(labels), response_code=~"5..|0"}[\(window)]))
              / sum(rate(istio_requests_total{\(labels)}[\(window)]))
            """
        case .latency(let bound):
            """
            1 - sum(rate(istio_request_duration_milliseconds_bucket{\(labels), le="\(bound)"}[\(window)]))
              / sum(rate(istio_request_duration_milliseconds_count{\(labels)}[\(window)]))
            """
        }
    }

    /// The recorded share over a window.
    func recorded(_ window: String) -> String {
        #"slo:error_ratio:rate\#(window){slo="\#(name)"}"#
    }
}

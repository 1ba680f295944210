import WeirPromQL

/// Why a rule could not be evaluated.
public struct RuleFailure: Error, Sendable {
    /// The rule's name.
    public var rule: String
    /// The reason.
    public var message: String
}

/// Evaluates a group's rules, one after the other, into the store that they read; keeps its alerts from one
/// evaluation to the next (Prometheus: rules/group.go, alerting.go, recording.go).
///
/// Reads no clock: the time of an evaluation is given. Belongs to one thread at a time.
public final class GroupEvaluator {
    /// How far back a former process's alerts are looked for
    /// (Prometheus: `--rules.alert.for-outage-tolerance`).
    static let outageTolerance: Int64 = 3_600 * 1_000
    /// How long a resolved alert is remembered, so that whoever is told of it can be told again.
    public static let resolvedRetention: Int64 = 15 * 60 * 1_000

    /// What rules are evaluated with.
    public struct Surroundings: Sendable {
        /// How queries are evaluated.
        public var options = QueryOptions()
        /// Labels for `$externalLabels`.
        public var externalLabels: [String: String] = [:]
        /// The address for `$externalURL`.
        public var externalURL = ""
        /// Whether the functions `externalURL` and `pathPrefix` have an address to tell.
        public var hasOwnAddress = true

        /// Defaults, and no external labels.
        public init() {}
    }

    /// The group.
    public let group: RuleGroup
    let store: SampleStore
    private let surroundings: Surroundings
    private let engine: QueryEngine
    /// The alerts of each rule by their labels.
    var alerts: [[LabelKey: Alert]]
    /// The series that each rule made at the former evaluation.
    private var series: [[LabelKey: SeriesReference]]
    /// Whether nothing was evaluated yet: what a former process has written then counts.
    private var isFirst = true
    /// When a former process last evaluated, if it wrote its alerts down.
    var formerTime: Int64?
    /// Whether any alert is another, or elsewhere, since ``savedAlerts(at:)`` was last called.
    public internal(set) var hasChanged = false

    /// Labels in ascending order, as a key.
    struct LabelKey: Hashable {
        var pairs: [String]

        init(_ labels: [(name: String, value: String)]) {
            pairs = labels.flatMap { [$0.name, $0.value] }
        }
    }

    /// An evaluator whose alerts are all inactive.
    public init(_ group: RuleGroup, _ store: SampleStore, _ surroundings: Surroundings) {
        self.group = group
        self.store = store
        self.surroundings = surroundings
        engine = QueryEngine(options: surroundings.options)
        alerts = Array(repeating: [:], count: group.rules.count)
        series = Array(repeating: [:], count: group.rules.count)
    }

    /// The alerts of a rule, by its place in the group.
    public func alerts(ofRule place: Int) -> [Alert] { Array(alerts[place].values) }

    /// Evaluates all rules at a time, in milliseconds.
    /// - Returns: The rules that failed, by their places; the others were evaluated.
    public func evaluate(at time: Int64) -> [(place: Int, failure: RuleFailure)] {
        var failures: [(place: Int, failure: RuleFailure)] = []
        if isFirst { takeUp(at: time) }
        for place in group.rules.indices {
            do throws(RuleFailure) {
                try evaluate(place, at: time)
            } catch {
                failures.append((place, error))
            }
        }
        isFirst = false
        return failures
    }

    private func evaluate(_ place: Int, at time: Int64) throws(RuleFailure) {
        let rule = group.rules[place]
        let samples = try samples(of: rule, at: time)
        var made: [(labels: [(name: String, value: String)], value: SeriesValue)] = []
        switch rule.kind {
        case .record:
            for sample in samples {
                let labels = Self.labels(
                    sample.labels, set: rule.labels.map { ($0.name, $0.value.text) })
                made.append((Self.sorted(labels + [("__name__", rule.name)]), sample.value))
            }
            try checkLimit(made.count, rule)
        case .alert(let options):
            try update(place, rule, options, samples, at: time)
            try checkLimit(alerts[place].values.count { $0.state != .inactive }, rule)
            for alert in alerts[place].values where alert.state != .inactive {
                made += alertSeries(of: alert, rule)
            }
        }
        try write(made, place, rule, at: time)
    }

    private func checkLimit(_ count: Int, _ rule: Rule) throws(RuleFailure) {
        guard group.limit > 0, count > group.limit else { return }
        throw RuleFailure(
            rule: rule.name,
            message:
                "exceeded limit of \(group.limit) with \(count) \(rule.isRecord ? "series" : "alerts")"
        )
    }

    // MARK: Notices

    /// What somebody is to be told after an evaluation, by the rule and in the order of the rules.
    /// - Parameters:
    ///   - resendDelay: After how many milliseconds an alert is told again.
    ///   - interval: Milliseconds between evaluations.
    public func notices(
        at time: Int64, resendDelay: Int64, interval: Int64
    ) -> [AlertNotice] {
        var notices: [AlertNotice] = []
        for (place, rule) in group.rules.enumerated() where !rule.isRecord {
            for (key, alert) in alerts[place] where alert.isDue(at: time, resendDelay: resendDelay)
            {
                alerts[place][key]?.lastSentAt = time
                notices.append(
                    notice(of: alert, rule, until: time &+ 4 &* max(interval, resendDelay)))
            }
        }
        return notices
    }

    /// What somebody would be told now of the alerts that fire.
    /// - Parameter lease: For how many milliseconds that holds.
    public func firingNotices(at time: Int64, lease: Int64) -> [AlertNotice] {
        zip(group.rules, alerts).flatMap { rule, alerts in
            alerts.values.filter { $0.state == .firing }.map {
                notice(of: $0, rule, until: time &+ lease)
            }
        }
    }

    private func notice(of alert: Alert, _ rule: Rule, until end: Int64) -> AlertNotice {
        var labels = alert.labels
        for (name, value) in surroundings.externalLabels
        where !value.isEmpty && !labels.contains(where: { $0.name == name }) {
            labels.append((name, value))
        }
        let query = TemplateFunctions.queryPart(rule.expression.description)
        return AlertNotice(
            labels: Self.sorted(labels), annotations: alert.annotations,
            startsAt: alert.firedAt ?? alert.activeAt, endsAt: alert.resolvedAt ?? end,
            isResolved: alert.resolvedAt != nil,
            generatorURL: "\(surroundings.externalURL)/graph?g0.expr=\(query)&g0.tab=1")
    }

    // MARK: Queries

    enum SeriesValue {
        case float(Double)
        case histogram(FloatHistogram)

        var number: Double { if case .float(let value) = self { value } else { 0 } }
    }

    private func samples(
        of rule: Rule, at time: Int64
    ) throws(RuleFailure) -> [(labels: [(name: String, value: String)], value: SeriesValue)] {
        do throws(QueryError) {
            let result = try engine.instant(
                rule.expression, at: time &- (group.queryOffset ?? 0), over: store.view())
            switch result.value {
            case .scalar(_, let value): return [([], .float(value))]
            case .vector(let series):
                return series.compactMap { one in
                    guard let point = one.points.first else { return nil }
                    return (
                        one.labels, point.histogram.map { .histogram($0) } ?? .float(point.value)
                    )
                }
            default: throw QueryError("rule result is not a vector or scalar")
            }
        } catch {
            throw RuleFailure(rule: rule.name, message: error.message)
        }
    }

    /// Labels without the metric's name, some of them set; an empty value removes one.
    private static func labels(
        _ labels: [(name: String, value: String)], set changes: [(String, String)]
    ) -> [(name: String, value: String)] {
        var all = labels.filter { $0.name != "__name__" }
        for (name, value) in changes {
            all.removeAll { $0.name == name }
            if !value.isEmpty { all.append((name, value)) }
        }
        return all
    }

    private static func sorted(
        _ labels: [(name: String, value: String)]
    ) -> [(name: String, value: String)] {
        labels.sorted { QuerySymbols.isBefore($0.name, $1.name) }
    }

    // MARK: Alerts

    private func update(
        _ place: Int, _ rule: Rule, _ options: Rule.AlertOptions,
        _ samples: [(labels: [(name: String, value: String)], value: SeriesValue)], at time: Int64
    ) throws(RuleFailure) {
        var present: Set<LabelKey> = []
        var known = alerts[place]
        for sample in samples {
            let alert = expanded(rule, options, sample.labels, sample.value.number, at: time)
            let key = LabelKey(alert.labels)
            guard present.insert(key).inserted else {
                throw RuleFailure(
                    rule: rule.name,
                    message:
                        "vector contains metrics with the same labelset after applying alert labels"
                )
            }
            if var former = known[key], former.state != .inactive {
                former.value = alert.value
                former.annotations = alert.annotations
                former.keptFiringSince = nil
                former.graceUntil = nil
                known[key] = former
            } else {
                let isUnknown = isFirst && formerTime == nil
                known[key] = isUnknown ? restored(alert, rule, at: time) : alert
            }
        }
        for (key, alert) in known {
            known[key] = Self.moved(
                alert, isPresent: present.contains(key), options, at: time)
        }
        noteChange(from: alerts[place], to: known)
        alerts[place] = known
    }

    /// The alert of a sample as it begins.
    private func expanded(
        _ rule: Rule, _ options: Rule.AlertOptions, _ labels: [(name: String, value: String)],
        _ value: Double, at time: Int64
    ) -> Alert {
        var byName: [String: String] = [:]
        for (name, value) in labels { byName[name] = value }
        let data = TemplateData(
            labels: byName, value: value, externalLabels: surroundings.externalLabels,
            externalURL: surroundings.externalURL)
        let template = templateSurroundings(at: time)
        func text(_ entry: (name: String, value: TemplateText)) -> (name: String, value: String) {
            (entry.name, entry.value.template.text(for: data, template))
        }
        let own = rule.labels.map(text).map { ($0.name, $0.value) }
        let all = Self.labels(labels, set: own + [("alertname", rule.name)])
        return Alert(
            labels: Self.sorted(all), annotations: options.annotations.map(text), value: value,
            activeAt: time)
    }

    private func templateSurroundings(at time: Int64) -> TemplateSurroundings {
        let (engine, store, offset) = (engine, store, group.queryOffset ?? 0)
        return TemplateSurroundings(
            now: time, externalURL: surroundings.hasOwnAddress ? surroundings.externalURL : nil
        ) { text throws(TemplateFailure) in
            let expression: Expression
            do throws(ParseError) {
                expression = try QueryParser.parse(text)
            } catch {
                throw TemplateFailure(error.message)
            }
            do throws(QueryError) {
                let result = try engine.instant(expression, at: time &- offset, over: store.view())
                switch result.value {
                case .vector(let series): return series
                case .scalar(let time, let value):
                    return [
                        ResultSeries(labels: [], points: [ResultPoint(time: time, value: value)])
                    ]
                default: throw QueryError("query result is not a vector or scalar")
                }
            } catch {
                throw TemplateFailure(error.message)
            }
        }
    }

    /// An alert after an evaluation; `nil` when it is forgotten.
    private static func moved(
        _ alert: Alert, isPresent: Bool, _ options: Rule.AlertOptions, at time: Int64
    ) -> Alert? {
        var alert = alert
        guard isPresent else {
            if let until = alert.graceUntil, time < until { return alert }
            switch alert.state {
            case .pending: return nil
            case .inactive:
                return time &- (alert.resolvedAt ?? time) > resolvedRetention ? nil : alert
            case .firing:
                if options.keepFiring > 0 {
                    let since = alert.keptFiringSince ?? time
                    alert.keptFiringSince = since
                    if time &- since < options.keepFiring { return alert }
                }
                alert.state = .inactive
                alert.resolvedAt = time
                alert.keptFiringSince = nil
                return alert
            }
        }
        if alert.state == .pending, time &- alert.activeAt >= options.holdDuration {
            alert.state = .firing
            alert.firedAt = time
        }
        return alert
    }

    /// `ALERTS` and `ALERTS_FOR_STATE` of an alert: they begin with the rule's labels as they are written.
    func alertSeries(
        of alert: Alert, _ rule: Rule
    ) -> [(labels: [(name: String, value: String)], value: SeriesValue)] {
        var labels = rule.labels.map { (name: $0.name, value: $0.value.text) }
        for label in alert.labels {
            labels.removeAll { $0.name == label.name }
            labels.append(label)
        }
        let state = [("__name__", "ALERTS_FOR_STATE")] + labels
        let shown = [("__name__", "ALERTS"), ("alertstate", alert.state.rawValue)] + labels
        return [
            (Self.sorted(shown), .float(1)),
            (Self.sorted(state), .float(Double(alert.activeAt / 1_000))),
        ]
    }

    // MARK: Series

    /// Appends what a rule made, and ends what it does not make any more.
    private func write(
        _ made: [(labels: [(name: String, value: String)], value: SeriesValue)], _ place: Int,
        _ rule: Rule, at time: Int64
    ) throws(RuleFailure) {
        var present: [LabelKey: SeriesReference] = [:]
        for (labels, value) in made {
            let key = LabelKey(labels)
            guard present[key] == nil else {
                throw RuleFailure(
                    rule: rule.name,
                    message:
                        "vector contains metrics with the same labelset after applying rule labels")
            }
            guard let reference = try? store.reference(for: labels) else {
                throw RuleFailure(rule: rule.name, message: "there is no room for its series")
            }
            present[key] = reference
            switch value {
            case .float(let number): _ = store.append(reference, at: time, number)
            case .histogram(let histogram): _ = store.append(reference, at: time, histogram)
            }
        }
        for (key, reference) in series[place] where present[key] == nil {
            _ = store.append(reference, at: time, SampleMark.stale)
        }
        series[place] = present
    }
}

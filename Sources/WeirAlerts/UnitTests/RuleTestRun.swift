import WeirConfig
import WeirPromQL

/// Runs unit tests of rules on a simulated clock, with the verdicts of `promtool test rules`.
public struct RuleTestRun {
    /// What is otherwise than expected.
    public struct Problem: Sendable, CustomStringConvertible {
        /// Where the expectation stands.
        public var location: SourceLocation
        /// What was expected and what there was.
        public var message: String

        public var description: String { "\(location): \(message)" }
    }

    /// What became of one group of tests.
    public struct Outcome: Sendable {
        /// The group's name; its place where it has none.
        public var name: String
        /// Where it stands.
        public var location: SourceLocation
        /// Expectations that were looked at.
        public var checkCount = 0
        /// Those that were not met.
        public var problems: [Problem] = []
    }

    /// Most evaluations of a group of tests.
    private static let tickLimit: Int64 = 1_000_000

    private let file: RuleTestFile
    private let rules: [RuleGroup]

    /// Tests of these rules.
    public init(_ file: RuleTestFile, rules: [RuleGroup]) {
        self.file = file
        let order = file.groupOrder
        self.rules = rules.enumerated().sorted { left, right in
            let first = order.firstIndex(of: left.element.name) ?? 0
            let second = order.firstIndex(of: right.element.name) ?? 0
            return first == second ? left.offset < right.offset : first < second
        }.map(\.element)
    }

    /// Runs all groups.
    public func outcomes() -> [Outcome] {
        file.groups.enumerated().map { number, group in
            var outcome = Outcome(
                name: group.name.isEmpty ? "\(number + 1)" : group.name, location: group.location)
            _ = run(group, &outcome)
            return outcome
        }
    }

    /// The alerts that fire when the first group of tests has come to its end.
    public func firingAlerts() -> [Alert] {
        guard let group = file.groups.first else { return [] }
        var outcome = Outcome(name: "", location: group.location)
        let evaluators = run(group, &outcome)
        return evaluators.flatMap { evaluator in
            evaluator.group.rules.indices.flatMap { evaluator.alerts(ofRule: $0) }
        }.filter { $0.state == .firing }
    }

    // MARK: Clock

    private func run(
        _ group: RuleTestFile.Group, _ outcome: inout Outcome
    ) -> [GroupEvaluator] {
        var limits = StoreLimits()
        limits.retention = .seconds(100_000 * 86_400)
        let store = SampleStore(limits)
        var surroundings = GroupEvaluator.Surroundings()
        surroundings.options.subqueryInterval = file.interval
        surroundings.externalLabels = group.externalLabels
        surroundings.externalURL = group.externalURL
        surroundings.hasOwnAddress = false
        let evaluators = rules.map { GroupEvaluator($0, store, surroundings) }
        var feed = SeriesFeed(group, store)
        let last = (group.alerts.map(\.time) + group.queries.map(\.time)).max() ?? 0
        guard last / file.interval <= Self.tickLimit else {
            outcome.problems.append(
                Problem(location: group.location, message: "the test takes too many evaluations"))
            return evaluators
        }
        var time: Int64 = 0
        while time <= last {
            feed.append(through: time)
            for evaluator in evaluators {
                guard let failure = evaluator.evaluate(at: group.start + time).first?.failure else {
                    continue
                }
                outcome.problems.append(
                    Problem(
                        location: group.location,
                        message:
                            "the rule `\(failure.rule)` failed at \(Self.text(time)): \(failure.message)"
                    ))
                return evaluators
            }
            for test in group.alerts where test.time >= time && test.time < time + file.interval {
                check(test, evaluators, &outcome)
            }
            time += file.interval
        }
        feed.append(through: last)
        for test in group.queries { check(test, store, group, surroundings.options, &outcome) }
        return evaluators
    }

    /// Appends the input as the clock goes on.
    private struct SeriesFeed {
        private let group: RuleTestFile.Group
        private let store: SampleStore
        private var next = 0
        private var references: [SeriesReference?] = []

        init(_ group: RuleTestFile.Group, _ store: SampleStore) {
            self.group = group
            self.store = store
            references = group.series.map { try? store.reference(for: $0.labels) }
        }

        mutating func append(through time: Int64) {
            let longest = group.series.map(\.samples.count).max() ?? 0
            while next < longest, Int64(next) * group.interval <= time {
                for (place, series) in group.series.enumerated() where next < series.samples.count {
                    guard let reference = references[place] else { continue }
                    series.samples.append(
                        next, to: reference, of: store,
                        at: group.start + Int64(next) * group.interval)
                }
                next += 1
            }
        }
    }

    private static func text(_ milliseconds: Int64) -> String {
        let number = NumberLiteral(Double(milliseconds) / 1_000, isDuration: true)
        return Expression(.number(number), at: TextRange(start: 0, end: 0)).description
    }

    // MARK: Alerts

    private func check(
        _ test: RuleTestFile.AlertTest, _ evaluators: [GroupEvaluator], _ outcome: inout Outcome
    ) {
        outcome.checkCount += 1
        var found: [String] = []
        for evaluator in evaluators {
            for (place, rule) in evaluator.group.rules.enumerated()
            where !rule.isRecord && rule.name == test.name {
                for alert in evaluator.alerts(ofRule: place) where alert.state == .firing {
                    found.append(Self.text(alert.labels, alert.annotations))
                }
            }
        }
        let wanted = test.alerts.map { alert in
            Self.text(
                alert.labels.filter { !$0.value.isEmpty }.map { ($0.key, $0.value) },
                alert.annotations.map { ($0.key, $0.value) })
        }
        let difference = Difference(wanted: wanted, found: found)
        if difference.isNone { return }
        outcome.problems.append(
            Problem(
                location: test.location,
                message: "alerts `\(test.name)` at \(Self.text(test.time)):\n\(difference.text)"))
    }

    private static func text(
        _ labels: [(name: String, value: String)], _ annotations: [(name: String, value: String)]
    ) -> String {
        func text(_ pairs: [(name: String, value: String)]) -> String {
            pairs.sorted { $0.name < $1.name }.map { "\($0.name)=\(GoText.quoted($0.value))" }
                .joined(separator: ", ")
        }
        return "{\(text(labels))} annotations {\(text(annotations))}"
    }

    // MARK: Queries

    private func check(
        _ test: RuleTestFile.QueryTest, _ store: SampleStore, _ group: RuleTestFile.Group,
        _ options: QueryOptions, _ outcome: inout Outcome
    ) {
        outcome.checkCount += 1
        func problem(_ message: String) {
            outcome.problems.append(
                Problem(
                    location: test.location,
                    message: "`\(test.query)` at \(Self.text(test.time)): \(message)"))
        }
        let expression: Expression
        do throws(ParseError) {
            expression = try QueryParser.parse(test.query, options: .everything)
        } catch {
            return problem(error.text(in: test.query))
        }
        var found: [(labels: [(name: String, value: String)], point: ResultPoint)] = []
        do throws(QueryError) {
            let result = try QueryEngine(options: options).instant(
                expression, at: group.start + test.time, over: store.view())
            switch result.value {
            case .scalar(let time, let value):
                found = [([], ResultPoint(time: time, value: value))]
            case .vector(let series):
                found = series.compactMap { one in one.points.first.map { (one.labels, $0) } }
            default: return problem("the result is no vector and no scalar")
            }
        } catch {
            return problem(error.message)
        }
        compare(test, found, problem)
    }

    private func compare(
        _ test: RuleTestFile.QueryTest,
        _ found: [(labels: [(name: String, value: String)], point: ResultPoint)],
        _ problem: (String) -> Void
    ) {
        func name(_ labels: [(name: String, value: String)]) -> String {
            labels.filter { !$0.value.isEmpty }.sorted { $0.name < $1.name }
                .map { "\($0.name)=\(GoText.quoted($0.value))" }.joined(separator: ", ")
        }
        func text(
            _ labels: [(name: String, value: String)], _ value: Double, _ histogram: FloatHistogram?
        ) -> String {
            "{\(name(labels))} \(histogram?.text ?? GoText.shortest(value))"
        }
        let mine = found.map { (name($0.labels), $0) }.sorted { $0.0 < $1.0 }
        let others = test.samples.map { (name($0.labels), $0) }.sorted { $0.0 < $1.0 }
        let agree =
            mine.count == others.count
            && zip(mine, others).allSatisfy { mine, other in
                guard mine.0 == other.0 else { return false }
                let (point, wanted) = (mine.1.point, other.1)
                if let histogram = point.histogram {
                    return histogram.text == wanted.histogram?.text
                }
                return wanted.histogram == nil && isEqual(point.value, wanted.value)
            }
        if agree { return }
        let difference = Difference(
            wanted: test.samples.map { text($0.labels, $0.value, $0.histogram) },
            found: found.map { text($0.labels, $0.point.value, $0.point.histogram) })
        problem(
            difference.isNone
                ? "no number is equal to NaN: write `(expr) != bool (expr)`"
                : "\n\(difference.text)")
    }

    private func isEqual(_ left: Double, _ right: Double) -> Bool {
        if left == right { return true }
        return comparesLoosely && (left.nextUp == right || left.nextDown == right)
    }

    private var comparesLoosely: Bool { file.comparesLoosely }
}

/// What is missing, and what is there besides.
private struct Difference {
    private var missing: [String] = []
    private var extra: [String] = []

    init(wanted: [String], found: [String]) {
        var rest = found
        for text in wanted {
            if let place = rest.firstIndex(of: text) {
                rest.remove(at: place)
            } else {
                missing.append(text)
            }
        }
        extra = rest
    }

    var isNone: Bool { missing.isEmpty && extra.isEmpty }

    var text: String {
        (missing.sorted().map { "  - \($0)" } + extra.sorted().map { "  + \($0)" })
            .joined(separator: "\n")
    }
}

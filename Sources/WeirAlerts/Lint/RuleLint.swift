import WeirConfig
import WeirPromQL

/// Remarks about rules that are sound, and yet do not do what they are for.
public struct RuleLint: Sendable {
    /// What is known of where the rules run.
    public struct Surroundings: Sendable {
        /// How often rules are evaluated whose group does not say it, in milliseconds.
        public var evaluationInterval: Int64
        /// How often the series get samples, in milliseconds.
        public var scrapeInterval: Int64
        /// The metrics that there are, besides those that rules record; `nil` when nobody knows them.
        public var metrics: Set<String>?
        /// The alerts that unit tests are about; `nil` when no tests are at hand.
        public var testedAlerts: Set<String>?
        /// The metrics that rules record.
        var recorded: Set<String> = []

        /// What is known.
        public init(
            evaluationInterval: Int64 = 15_000, scrapeInterval: Int64 = 15_000,
            metrics: Set<String>? = nil, testedAlerts: Set<String>? = nil
        ) {
            self.evaluationInterval = evaluationInterval
            self.scrapeInterval = scrapeInterval
            self.metrics = metrics
            self.testedAlerts = testedAlerts
        }
    }

    /// Queries of more parts are not looked at: checks compare each part of one with the others.
    static let partLimit = 300

    /// All checks, in the order of the documentation.
    static let checks: [any RuleCheck] = [
        PerSeriesRatioCheck(), FractionAsPercentageCheck(), IstioRatioCheck(),
        RuleSelectorCheck(), RunbookCheck(), UnknownMetricCheck(), UnknownLabelCheck(),
        LostLabelCheck(), RateOfGaugeCheck(), ShortRangeCheck(), ShortHoldCheck(),
        LabelMismatchCheck(), MissingTestCheck(),
    ]

    private let files: [RuleFile]
    private let surroundings: Surroundings

    /// A look at these files, which know each other's recorded series.
    public init(_ files: [RuleFile], in surroundings: Surroundings = Surroundings()) {
        self.files = files
        self.surroundings = Self.adding(files, to: surroundings)
    }

    private static func adding(_ files: [RuleFile], to known: Surroundings) -> Surroundings {
        var surroundings = known
        for rule in files.flatMap(\.groups).flatMap(\.rules) where rule.isRecord {
            surroundings.recorded.insert(rule.name)
        }
        return surroundings
    }

    /// The remarks about each file, in its order.
    public func diagnostics() -> [[Diagnostic]] { files.map { remarks(on: $0) } }

    private func remarks(on file: RuleFile) -> [Diagnostic] {
        let rules = file.groups.flatMap { group in
            group.rules.filter { $0.expression.all.count <= Self.partLimit }.map {
                LintedRule(rule: $0, group: group, surroundings: surroundings)
            }
        }
        var remarks: [Diagnostic] = []
        for check in Self.checks {
            let findings =
                file.resources.flatMap { check.findings(in: $0) }
                + rules.flatMap { check.findings(in: $0) }
            remarks += findings.map {
                Diagnostic(
                    .warning, at: $0.location, "\(check.id): \($0.message)", help: $0.help)
            }
        }
        return remarks.enumerated().sorted {
            ($0.element.location.line, $0.offset) < ($1.element.location.line, $1.offset)
        }.map(\.element)
    }
}

import WeirAlerts
import WeirConfig

/// The rules that a configuration runs, for those who look at them without running it.
public struct CheckedRules: Sendable {
    private static let patterns = Parameter.list(
        "rule_files", default: [], "Paths or patterns of rule files.")
    private static let interval = Parameter.duration(
        "evaluation_interval", default: .seconds(15), "How often rules are evaluated.")

    /// The files, in the order in which the configuration names them.
    public let files: [RuleFile]
    /// Their paths.
    public let paths: [String]
    /// How often rules are evaluated and metrics sampled, in milliseconds.
    public let interval: Int64
    /// The metrics that the configuration makes; `nil` where others come from elsewhere.
    public let metrics: Set<String>?

    /// The rules of a sound configuration; none if it has no `<alerting>`.
    public init(of path: String, files: any ConfigFiles) {
        let configuration = Agent.read(path, files: files)
        guard !configuration.diagnostics.hasErrors,
            let section = configuration.sections["alerting"]
        else {
            self.files = []
            paths = []
            interval = 15_000
            metrics = nil
            return
        }
        paths = section[Self.patterns].flatMap { files.paths(matching: $0) }
        self.files = paths.map { RuleFile(files.contents(of: $0) ?? [], file: $0) }
        let seconds = max(section[Self.interval], .seconds(1)).components.seconds
        interval = Int64(min(seconds, 1_000_000_000)) * 1_000
        let isOpen = configuration.sources.contains {
            ["prometheus_scrape", "prometheus_remote_write"].contains($0.section.type)
        }
        metrics = isOpen ? nil : Agent.metricNames(of: configuration, files: files)
    }
}

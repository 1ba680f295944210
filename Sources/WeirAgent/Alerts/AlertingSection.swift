import WeirAlerts
import WeirConfig
import WeirHost
import WeirMetrics
import WeirPlugins

/// `<alerting>`: the rules that are evaluated over the node's history.
struct AlertingSection: Sendable {
    private enum P {
        static let ruleFiles = Parameter.list(
            "rule_files", default: [],
            "Rule files of Prometheus, or PrometheusRule resources: paths and patterns.")
        static let interval = Parameter.duration(
            "evaluation_interval", default: .seconds(15),
            "How often rules are evaluated whose group says nothing; metrics are sampled as often.")
        static let externalURL = Parameter.text(
            "external_url", default: "", "The address under which people reach this agent.")
        static let resendDelay = Parameter.duration(
            "resend_delay", default: .seconds(60),
            "After how long notifiers are told again of an alert that still fires.")
    }

    /// The section as configurations are checked against it.
    static let declaration = SectionDeclaration(
        "alerting", .optional,
        parameters: [
            AnyParameter(P.ruleFiles), AnyParameter(P.interval), AnyParameter(P.externalURL),
            AnyParameter(P.resendDelay),
        ],
        sections: [
            SectionDeclaration(
                "external_labels", takesAnyName: true,
                "Labels for `$externalLabels`, and of every notice that has none of the name."),
            SectionDeclaration(
                "notify", .many, family: .notifier, "Whoever is told of alerts."),
        ],
        "The rules that are evaluated over the node's history.")

    /// The groups of all files.
    var groups: [RuleGroup]
    /// How often a group is evaluated that says nothing.
    var interval: Duration
    /// Labels for `$externalLabels`.
    var externalLabels: [String: String]
    /// The address for `$externalURL`.
    var externalURL: String
    /// After how long an alert is told again.
    var resendDelay: Duration
    /// Whoever is told of alerts.
    var notifiers: [any Notifier]

    /// What a configuration says, if it says anything; rule files with mistakes are refused as a whole.
    static func read(
        _ configuration: PipelineConfiguration, files: any ConfigFiles, context: PluginContext
    ) throws(ConfigurationError) -> AlertingSection? {
        guard let section = configuration.sections["alerting"] else { return nil }
        var diagnostics: [Diagnostic] = []
        if !context.keepsSamples {
            diagnostics.append(
                Diagnostic(
                    at: section.element.location,
                    "`<alerting>` has nothing to read: `history_interval` is 0",
                    help: "set `history_interval` in `<system>` to 15s, or remove `<alerting>`"))
        }
        var groups: [RuleGroup] = []
        for pattern in section[P.ruleFiles] {
            let paths = files.paths(matching: pattern)
            if paths.isEmpty {
                diagnostics.append(
                    Diagnostic(
                        at: section.location(of: P.ruleFiles), "no file matches `\(pattern)`",
                        help: "write the path of a rule file, or a pattern such as alerts/*.yaml"))
            }
            for path in paths {
                let file = RuleFile(files.contents(of: path) ?? [], file: path)
                diagnostics += file.diagnostics
                groups += file.groups
            }
        }
        var labels: [String: String] = [:]
        do throws(SectionError) {
            for label in try FixedLabels.read(
                section.section("external_labels"), hostName: context.hostName)
            {
                labels[label.name] = label.value
            }
        } catch {
            diagnostics.append(error.diagnostic)
        }
        var notifiers: [any Notifier] = []
        var counts: [String: Int] = [:]
        for notify in section.sections("notify") {
            counts[notify.type, default: 0] += 1
            let count = counts[notify.type] ?? 1
            let name = notify.id ?? (count == 1 ? notify.type : "\(notify.type)_\(count)")
            do throws(SectionError) {
                notifiers.append(
                    try PluginCatalog.notifier(notify, name: name, context: context))
            } catch {
                diagnostics.append(error.diagnostic)
            }
        }
        if diagnostics.hasErrors { throw ConfigurationError(diagnostics) }
        return AlertingSection(
            groups: groups, interval: max(section[P.interval], .seconds(1)),
            externalLabels: labels, externalURL: section[P.externalURL],
            resendDelay: section[P.resendDelay], notifiers: notifiers)
    }
}

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
        static let statePath = Parameter.text(
            "state_path", default: "",
            "The folder that alerts, notifications and silences survive restarts in; "
                + "by default beside the first position file.")
    }

    /// The parameters of an `<inhibit>`.
    private enum I {
        static let sources = Parameter.text(
            "source_matchers", "The alerts that keep others silent, as Alertmanager's matchers.")
        static let targets = Parameter.text(
            "target_matchers", "The alerts that are kept silent.")
        static let equal = Parameter.list(
            "equal", default: [], "Labels that must be the same on both.")
    }

    /// The section as configurations are checked against it.
    static let declaration = SectionDeclaration(
        "alerting", .optional,
        parameters: [
            AnyParameter(P.ruleFiles), AnyParameter(P.interval), AnyParameter(P.externalURL),
            AnyParameter(P.resendDelay), AnyParameter(P.statePath),
        ],
        sections: [
            SectionDeclaration(
                "external_labels", takesAnyName: true,
                "Labels for `$externalLabels`, and of every notice that has none of the name."),
            SectionDeclaration(
                "inhibit", .many,
                parameters: [
                    AnyParameter(I.sources), AnyParameter(I.targets), AnyParameter(I.equal),
                ], "Alerts that keep others silent while they fire."),
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
    /// How they group alerts, those that do.
    var groupings: [NotificationGroups] { notifiers.compactMap(\.grouping) }
    /// The alerts that keep others silent.
    var inhibitions: [Inhibition]
    /// Their names.
    var receivers: [String]
    /// What notifiers have besides.
    var surroundings: NotifierSurroundings

    /// How often the group is evaluated that is evaluated most often.
    var shortestInterval: Duration {
        groups.compactMap(\.interval).map { .milliseconds(max($0, 1_000)) }.min().map {
            min($0, interval)
        } ?? interval
    }

    /// What a configuration says, if it says anything; rule files with mistakes are refused as a whole.
    /// - Parameter stateFolder: Where alerts survive restarts when the section says nothing.
    static func read(
        _ configuration: PipelineConfiguration, files: any ConfigFiles, context: PluginContext,
        stateFolder: String?
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
        let groups = groups(section, files, &diagnostics)
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
        var surroundings = NotifierSurroundings()
        surroundings.externalURL = section[P.externalURL]
        surroundings.stateFolder =
            section[P.statePath].isEmpty ? stateFolder : section[P.statePath]
        var inhibitions: [Inhibition] = []
        do throws(SectionError) {
            inhibitions = try Self.inhibitions(section)
            surroundings.mutes.inhibit(by: inhibitions)
        } catch {
            diagnostics.append(error.diagnostic)
        }
        var context = context
        context.alerting = surroundings
        let notifiers = notifiers(section, context, &diagnostics)
        if diagnostics.hasErrors { throw ConfigurationError(diagnostics) }
        return AlertingSection(
            groups: groups, interval: max(section[P.interval], .seconds(1)),
            externalLabels: labels, externalURL: section[P.externalURL],
            resendDelay: section[P.resendDelay], notifiers: notifiers.map(\.notifier),
            inhibitions: inhibitions,
            receivers: notifiers.map(\.name), surroundings: surroundings)
    }

    private static func groups(
        _ section: Section, _ files: any ConfigFiles, _ diagnostics: inout [Diagnostic]
    ) -> [RuleGroup] {
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
        return groups
    }

    private static func inhibitions(_ section: Section) throws(SectionError) -> [Inhibition] {
        var inhibitions: [Inhibition] = []
        for inhibit in section.sections("inhibit") {
            inhibitions.append(
                Inhibition(
                    sources: try AlertMatcher.read(
                        inhibit[I.sources], at: inhibit.location(of: I.sources)),
                    targets: try AlertMatcher.read(
                        inhibit[I.targets], at: inhibit.location(of: I.targets)),
                    equal: inhibit[I.equal]))
        }
        return inhibitions
    }

    private static func notifiers(
        _ section: Section, _ context: PluginContext, _ diagnostics: inout [Diagnostic]
    ) -> [(name: String, notifier: any Notifier)] {
        var notifiers: [(name: String, notifier: any Notifier)] = []
        var counts: [String: Int] = [:]
        var names: Set<String> = []
        for notify in section.sections("notify") {
            counts[notify.type, default: 0] += 1
            let count = counts[notify.type] ?? 1
            let name = notify.id ?? (count == 1 ? notify.type : "\(notify.type)_\(count)")
            guard names.insert(name).inserted, !name.contains("/") else {
                diagnostics.append(
                    Diagnostic(
                        at: notify.element.location,
                        "`\(name)` cannot be the name of this notifier",
                        help: "give each `<notify>` an `@id` of its own, without slashes"))
                continue
            }
            do throws(SectionError) {
                let notifier = try PluginCatalog.notifier(notify, name: name, context: context)
                notifiers.append((name, notifier))
            } catch {
                diagnostics.append(error.diagnostic)
            }
        }
        return notifiers
    }
}

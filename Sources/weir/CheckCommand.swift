import ArgumentParser
import Glibc
import WeirAgent
import WeirAlerts
import WeirConfig
import WeirHost

/// `weir check`
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check configurations and rules; all mistakes at once.",
        discussion: """
            A path is a configuration, a folder with a `weir.conf`, a YAML file of rules \
            (Prometheus' own, or PrometheusRule resources) or of their unit tests, or a folder of \
            such files. Rules that are sound are looked at for what they do otherwise than meant: \
            these remarks are warnings. \
            Exit codes: 0 sound, 1 mistakes (with --strict: or warnings), 2 unreadable.
            """)

    @Argument(help: "Configurations, folders with a weir.conf, or YAML files of rules.")
    var paths: [String]

    @Flag(help: "Take warnings for mistakes.")
    var strict = false

    @Option(help: "Seconds between two scrapes, and between two evaluations of rules.")
    var interval = 15

    func validate() throws {
        guard (1...86_400).contains(interval) else {
            throw ValidationError("--interval is a number of seconds from 1 to 86400")
        }
    }

    func run() throws { throw Self.check(paths, isStrict: strict, interval: interval) }

    /// Checks configurations and prints what there is to say.
    static func check(_ paths: [String], isStrict: Bool = false, interval: Int = 15) -> ExitCode {
        let inputs = paths.map { CheckedPath($0) }
        var surroundings = RuleLint.Surroundings(
            evaluationInterval: Int64(interval) * 1_000, scrapeInterval: Int64(interval) * 1_000)
        if inputs.contains(where: { $0.isFolderOfRules || !$0.tests.isEmpty }) {
            surroundings.testedAlerts = inputs.flatMap(\.tests).reduce(into: []) {
                $0.formUnion($1.tests.testedAlerts)
            }
        }
        // Files of one call know each other's recorded series.
        let rules = inputs.flatMap(\.rules)
        var remarks = Dictionary(
            zip(
                rules.map(\.path),
                RuleLint(rules.map(\.file), in: surroundings).diagnostics()),
            uniquingKeysWith: { first, _ in first })
        for (path, file) in rules {
            remarks[path, default: []].insert(contentsOf: file.diagnostics, at: 0)
        }
        var code: Int32 = 0
        for input in inputs {
            guard input.isReadable else {
                print("\(input.path): cannot be read\n  help: give the path of a configuration")
                code = 2
                continue
            }
            if let configuration = input.configuration {
                let diagnostics = Self.remarks(on: configuration, surroundings)
                code = max(code, report(configuration, diagnostics, isStrict))
            }
            for (path, _) in input.rules {
                code = max(code, report(path, remarks[path] ?? [], isStrict))
            }
            for (path, tests) in input.tests {
                code = max(code, report(path, tests.diagnostics, isStrict))
            }
        }
        return ExitCode(code)
    }

    /// What there is to remark about a configuration and the rules that it names.
    private static func remarks(
        on configuration: String, _ surroundings: RuleLint.Surroundings
    ) -> [Diagnostic] {
        let files = RealConfigFiles()
        let diagnostics = Agent.check(configuration, files: files)
        guard !diagnostics.hasErrors else { return diagnostics }
        let rules = CheckedRules(of: configuration, files: files)
        var surroundings = surroundings
        surroundings.evaluationInterval = rules.interval
        surroundings.scrapeInterval = rules.interval
        surroundings.metrics = rules.metrics
        return diagnostics + RuleLint(rules.files, in: surroundings).diagnostics().joined()
    }

    /// Prints remarks.
    /// - Returns: The exit code that they come to.
    private static func report(
        _ file: String, _ diagnostics: [Diagnostic], _ isStrict: Bool
    ) -> Int32 {
        for diagnostic in diagnostics { print(diagnostic) }
        let errors = diagnostics.count { $0.severity == .error }
        let warnings = diagnostics.count { $0.severity == .warning }
        let rest = warnings > 0 ? ", \(warnings) \(warnings == 1 ? "warning" : "warnings")" : ""
        guard errors == 0 else {
            print("\(file): \(errors) \(errors == 1 ? "mistake" : "mistakes")\(rest)")
            return 1
        }
        print("\(file): sound\(rest)")
        return isStrict && warnings > 0 ? 1 : 0
    }
}

/// What a path of the command line names.
private struct CheckedPath {
    let path: String
    private(set) var configuration: String?
    private(set) var rules: [(path: String, file: RuleFile)] = []
    private(set) var tests: [(path: String, tests: RuleTestFile)] = []
    private(set) var isFolderOfRules = false

    /// Whether there is something to check.
    var isReadable: Bool { configuration != nil || !rules.isEmpty || !tests.isEmpty }

    init(_ path: String) {
        self.path = path
        let files = RealConfigFiles()
        if let bytes = files.contents(of: path) {
            if Self.isYAML(path) { add(bytes, path) } else { configuration = path }
        } else if files.contents(of: "\(path)/weir.conf") != nil {
            configuration = "\(path)/weir.conf"
        } else {
            for name in FileNames.inFolder(path).filter(Self.isYAML).sorted() {
                let file = "\(path)/\(name)"
                guard let bytes = files.contents(of: file),
                    RuleTestFile.isTest(bytes) || RuleFile.hasRules(bytes)
                else { continue }
                add(bytes, file)
                isFolderOfRules = true
            }
        }
    }

    private mutating func add(_ bytes: [UInt8], _ file: String) {
        if RuleTestFile.isTest(bytes) {
            tests.append((file, RuleTestFile(bytes, file: file)))
        } else {
            rules.append((file, RuleFile(bytes, file: file)))
        }
    }

    private static func isYAML(_ name: String) -> Bool {
        name.hasSuffix(".yml") || name.hasSuffix(".yaml")
    }
}

import ArgumentParser
import Glibc
import WeirAgent
import WeirAlerts
import WeirConfig

/// `weir check`
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check configurations and rules; all mistakes at once.",
        discussion: """
            A path is a configuration, a folder with a `weir.conf`, or a YAML file of rules \
            (Prometheus' own, or PrometheusRule resources) or of their unit tests. \
            Exit codes: 0 sound, 1 mistakes, 2 unreadable.
            """)

    @Argument(help: "Configurations, folders with a weir.conf, or YAML files of rules.")
    var paths: [String]

    func run() throws { throw Self.check(paths) }

    /// Checks configurations and prints what there is to say.
    static func check(_ paths: [String]) -> ExitCode {
        let files = RealConfigFiles()
        var code: Int32 = 0
        for path in paths {
            let file = files.contents(of: path) == nil ? "\(path)/weir.conf" : path
            guard files.contents(of: file) != nil else {
                print("\(path): cannot be read\n  help: give the path of a configuration")
                code = 2
                continue
            }
            let isYAML = file.hasSuffix(".yml") || file.hasSuffix(".yaml")
            let diagnostics =
                isYAML
                ? checkRules(files.contents(of: file) ?? [], file)
                : Agent.check(file, files: files)
            for diagnostic in diagnostics { print(diagnostic) }
            let errors = diagnostics.count { $0.severity == .error }
            if errors > 0 {
                print("\(file): \(errors) \(errors == 1 ? "mistake" : "mistakes")")
                code = max(code, 1)
            } else {
                print("\(file): sound")
            }
        }
        return ExitCode(code)
    }

    /// What there is to remark about rules, or about their tests.
    private static func checkRules(_ bytes: [UInt8], _ file: String) -> [Diagnostic] {
        RuleTestFile.isTest(bytes)
            ? RuleTestFile(bytes, file: file).diagnostics
            : RuleFile(bytes, file: file).diagnostics
    }
}

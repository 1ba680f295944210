import ArgumentParser
import Glibc
import WeirAgent
import WeirConfig

/// `weir check`
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check configurations; all mistakes at once.",
        discussion: """
            A path is a configuration, or a folder with a `weir.conf`. \
            Exit codes: 0 sound, 1 mistakes, 2 unreadable.
            """)

    @Argument(help: "Configurations, or folders with a weir.conf.")
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
            let diagnostics = Agent.check(file, files: files)
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
}

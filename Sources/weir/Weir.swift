import ArgumentParser
import WeirAgent

/// The command line: one file per subcommand.
@main
struct Weir: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "weir",
        abstract: "The telemetry agent for service meshes.",
        version: "0.1.0",
        subcommands: [
            RunCommand.self, CheckCommand.self, TestCommand.self, DocsCommand.self,
            LogsCommand.self, QueryCommand.self, AlertsCommand.self, ReplayCommand.self,
            SLOCommand.self, TraceCommand.self,
            DemoCommand.self,
        ],
        defaultSubcommand: nil)
}

import ArgumentParser
import WeirAgent
import WeirConfig

/// `weir run`
struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run the agent in the foreground.",
        discussion: """
            SIGTERM flushes and stops, SIGHUP reloads the configuration, SIGUSR1 flushes. \
            Exit codes: 0 all was delivered, 1 the configuration or a component refused to start, \
            3 events were left undelivered and are read again at the next start.
            """)

    @Option(name: .shortAndLong, help: "The configuration, in Fluentd's language.")
    var config = "/etc/weir/weir.conf"

    @Flag(help: "Check the configuration, as `weir check` does, and stop.")
    var dryRun = false

    func run() throws {
        if dryRun {
            throw CheckCommand.check([config])
        }
        AgentProcess.prepare()
        throw ExitCode(AgentProcess(path: config).run().rawValue)
    }
}

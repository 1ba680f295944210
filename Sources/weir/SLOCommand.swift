import ArgumentParser
import WeirAlerts
import WeirHost
import WeirPromQL

/// `weir slo`
struct SLOCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "slo",
        abstract: "Write the rules, tests and dashboard of a service's objective.",
        discussion: """
            The rules tell when the error budget burns too fast, by several windows; the tests make each alert \
            fire, and keep it silent. Exit codes: 0 written, 1 there can be no such objective, 2 the files \
            cannot be written.
            """)

    @Option(help: "The share of good requests in percent, such as 99.9.")
    var objective: String

    @Option(help: "The service: destination_service_name.")
    var service: String

    @Option(help: "Its namespace.")
    var namespace: String?

    @Option(help: "The window of the objective.")
    var window = "30d"

    @Option(
        help:
            "Good is what takes at most this long, such as 250ms; else what is answered without 5xx."
    )
    var latency: String?

    @Option(name: .shortAndLong, help: "The folder that the files are written to.")
    var output: String

    func run() throws {
        let level: ServiceLevel
        do {
            level = try ServiceLevel(
                objective: objective, service: service, namespace: namespace, window: window,
                indicator: try indicator())
        } catch let error as ServiceLevelError {
            print("\(error.message)\n  help: \(error.help)")
            throw ExitCode(1)
        }
        let file = "slo-\(level.name).yaml"
        for (path, text) in [
            ("\(output)/\(file)", level.rules),
            ("\(output)/tests/\(file)", level.tests(of: "../\(file)")),
            ("\(output)/slo-\(level.name).dashboard.json", level.dashboard),
        ] {
            AtomicFile.makeFolder(of: path)
            do {
                try AtomicFile.write(Array(text.utf8), to: path)
                print(path)
            } catch {
                print("\(path): \(error)")
                throw ExitCode(2)
            }
        }
    }

    private func indicator() throws -> ServiceLevel.Indicator {
        guard let latency else { return .availability }
        guard let milliseconds = DurationNotation.milliseconds(latency[...]) else {
            throw ServiceLevelError(
                message: "`\(latency)` is no time", help: "write --latency as 250ms or 1s")
        }
        return .latency(milliseconds: Int(clamping: milliseconds))
    }
}

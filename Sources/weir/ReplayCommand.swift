import ArgumentParser
import Glibc
import WeirAgent
import WeirAlerts
import WeirConfig
import WeirCore
import WeirHost
import WeirPromQL

/// `weir replay`
struct ReplayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Ask of old logs when which alert would have fired.",
        discussion: """
            The logs, plain or compressed by gzip or zstd, go through the configuration's pipeline and its \
            rules at the time of their events; outputs take nothing. Printed are the changes of alerts, what \
            would have been told, and a chart; with --compare also what other rules would have done. \
            Exit codes: 0 done, 1 mistakes in configuration or rules, 2 a log cannot be read.
            """)

    @Option(name: .shortAndLong, help: "The configuration.")
    var config: String

    @Option(
        help: "A rule file in place of the configuration's, or a pattern of some; may be repeated.")
    var rules: [String] = []

    @Option(help: "Another version of the rules, to compare; may be repeated.")
    var compare: [String] = []

    @Option(help: "The time between evaluations, else the configuration's.")
    var step: String?

    @Option(help: "How much later than others an event may come.")
    var window = "10s"

    @Option(help: "The field of an event's time, where <parse> names none.")
    var timeKey: String?

    @Flag(help: "Print what came of it as JSON.")
    var json = false

    @Argument(help: "The logs.")
    var logs: [String]

    func run() throws {
        var options = Replay.Options(config: config)
        options.rules = rules
        options.compared = compare
        options.step = try step.map { try Self.duration($0, "--step") }
        options.window = try Self.duration(window, "--window")
        options.timeKey = timeKey
        let clock = SystemClock()
        let start = clock.monotonicNanoseconds
        let showsProgress = isatty(2) == 1
        var shown = start
        let report: Replay.Report
        do throws(Replay.Refusal) {
            report = try Replay(options, files: RealConfigFiles()).run(logs) { progress in
                let now = clock.monotonicNanoseconds
                guard showsProgress, now - shown > 200_000_000 else { return }
                shown = now
                Self.show(progress, seconds: Double(now - start) / 1e9)
            }
        } catch {
            switch error {
            case .mistakes(let diagnostics):
                for diagnostic in diagnostics { print(diagnostic) }
                throw ExitCode(1)
            case .unreadable(let reason):
                print(reason)
                throw ExitCode(2)
            }
        }
        if showsProgress { Self.tell("\r\u{1b}[K") }
        let seconds = Double(clock.monotonicNanoseconds - start) / 1e9
        let text = ReplayText(report: report, seconds: seconds)
        print(json ? text.json : text.lines.joined(separator: "\n"))
    }

    private static func duration(_ text: String, _ option: String) throws -> Duration {
        guard let milliseconds = DurationNotation.milliseconds(text[...]), milliseconds >= 0 else {
            throw ValidationError("\(option) is a span such as 15s or 1m")
        }
        return .milliseconds(milliseconds)
    }

    private static func show(_ progress: Replay.Progress, seconds: Double) {
        let share =
            progress.bytes.all == 0
            ? 0 : Int(100 * Double(progress.bytes.read) / Double(progress.bytes.all))
        let rate = Int(Double(progress.lineCount) / max(seconds, 0.001))
        let time = progress.time.map { ReplayText.time($0) } ?? ""
        tell("\r\u{1b}[K\(share) %, \(progress.lineCount) lines, \(rate) a second  \(time)")
    }

    /// Writes to standard error.
    private static func tell(_ text: String) {
        let bytes = Array(text.utf8)
        _ = bytes.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
    }
}

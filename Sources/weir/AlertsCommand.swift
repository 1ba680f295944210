import ArgumentParser
import Glibc
import WeirAlerts
import WeirCore
import WeirHost
import WeirPromQL

/// `weir alerts`
struct AlertsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "alerts",
        abstract: "See the alerts of a running agent, and keep silent about some.",
        subcommands: [List.self, SilencesList.self, Silencing.self, Unsilencing.self],
        defaultSubcommand: List.self)

    /// Who is asked, and how.
    struct Peer: ParsableArguments {
        @Option(help: "Who is asked: an agent's admin server.")
        var url = "http://127.0.0.1:9470"

        /// What the agent answers.
        func ask(_ method: String, _ path: String, _ body: Value? = nil) throws -> Value {
            let client = HTTPClient()
            let bytes = body.map { Array(JSONValueWriter.text($0).utf8) } ?? []
            do {
                let status = try bytes.withUnsafeBytes {
                    try client.send(
                        method, url + path, headers: ["Content-Type: application/json"], body: $0)
                }.status
                let value = JSONValueReader.value(of: client.body.bytes)
                if 200..<300 ~= status { return value ?? .null }
                print(value?.string ?? value?.object?["error"]?.string ?? "status \(status)")
                throw ExitCode(1)
            } catch let error as HTTPError {
                print(
                    "\(url): \(error)\n  help: start `weir run` with `<alerting>`, or name another address by --url"
                )
                throw ExitCode(2)
            }
        }
    }

    /// Alerts, the longest first.
    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "The alerts that are pending or fire.",
            discussion: "Exit codes: 0 there is an answer, 1 it is refused, 2 nobody answers.")

        @OptionGroup var peer: Peer

        @Flag(help: "Print the answer as it comes.")
        var json = false

        @Argument(help: "Matchers, as `severity=critical`.")
        var matchers: [String] = []

        func run() throws {
            let wanted = try AlertsCommand.matchers(matchers)
            let answer = try peer.ask("GET", "/api/v1/alerts")
            if json { return print(JSONValueWriter.text(answer)) }
            let told = try peer.ask("GET", "/api/v2/alerts").array ?? []
            let alerts = (answer.object?["data"]?.object?["alerts"]?.array ?? []).compactMap(
                \.object)
            let rows = alerts.filter { alert in
                let notice = AlertsCommand.notice(alert)
                return wanted.allSatisfy { $0.matches(notice) }
            }.sorted { ($0["activeAt"]?.string ?? "") < ($1["activeAt"]?.string ?? "") }
            guard !rows.isEmpty else { return print("no alert is pending or fires") }
            let now = SystemClock().now.seconds
            for alert in rows { show(alert, told, now: now) }
        }

        private func show(_ alert: Record, _ told: [Value], now: Int64) {
            let labels = alert["labels"]?.object ?? Record()
            let name = labels["alertname"]?.string ?? "?"
            let others = labels.fields.filter { $0.key != "alertname" }.map {
                "\($0.key)=\(GoText.quoted($0.value.string ?? ""))"
            }
            let since = AlertsCommand.seconds(alert["activeAt"]?.string ?? "") ?? now
            let age = Humanize.duration(Double(max(now - since, 0)))
            let state = alert["state"]?.string ?? "?"
            print("\(state)  \(name)  for \(age)  {\(others.joined(separator: ", "))}")
            print("  value \(alert["value"]?.string ?? "?")")
            for note in alert["annotations"]?.object?.fields ?? [] {
                print("  \(note.key): \(note.value.string ?? "")")
            }
            let status = told.first {
                let known = $0.object?["labels"]?.object ?? Record()
                return labels.fields.allSatisfy { known[$0.key] == $0.value }
            }?.object?["status"]?.object
            for id in status?["silencedBy"]?.array ?? [] {
                print("  silenced by \(id.string ?? "")")
            }
            for id in status?["inhibitedBy"]?.array ?? [] {
                print("  kept silent by the alert \(id.string ?? "")")
            }
        }
    }

    /// Silences.
    struct SilencesList: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "silences", abstract: "The silences that hold or will.")

        @OptionGroup var peer: Peer

        @Flag(help: "Show those that ended, too.")
        var all = false

        func run() throws {
            let now = SystemClock().now.millisecondsSince1970
            var count = 0
            for value in try peer.ask("GET", "/api/v2/silences").array ?? [] {
                guard let silence = try? SilenceJSON.silence(value),
                    all || silence.state(at: now) != .expired
                else { continue }
                count += 1
                let matchers = silence.matchers.map(\.description).joined(separator: ", ")
                let left = Humanize.duration(Double(max(silence.endsAt - now, 0) / 1_000))
                print("\(silence.id)  \(silence.state(at: now).rawValue)  {\(matchers)}")
                print("  ends in \(left), by \(silence.createdBy): \(silence.comment)")
            }
            if count == 0 { print("there are no silences") }
        }
    }

    /// A new silence.
    struct Silencing: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "silence", abstract: "Tell nobody of some alerts for a time.",
            discussion: "Prints the silence's name, by which `weir alerts unsilence` ends it.")

        @OptionGroup var peer: Peer

        @Argument(help: "Matchers, as `alertname=HighErrorRate` or `'team=~\"a|b\"'`.")
        var matchers: [String]

        @Option(help: "For how long.")
        var duration = "1h"

        @Option(help: "Who does it.")
        var author = getenv("USER").map { String(cString: $0) } ?? "weir"

        @Option(help: "Why.")
        var comment: String

        func run() throws {
            guard let length = DurationNotation.milliseconds(duration[...]), length > 0 else {
                throw ValidationError("--duration is a span such as 30m or 2h")
            }
            let now = SystemClock().now.millisecondsSince1970
            let (end, overflow) = now.addingReportingOverflow(length)
            guard !overflow else { throw ValidationError("--duration is too long") }
            let silence = Silence(
                id: "", matchers: try AlertsCommand.matchers(matchers), startsAt: now, endsAt: end,
                updatedAt: now, createdBy: author, comment: comment)
            let answer = try peer.ask(
                "POST", "/api/v2/silences", SilenceJSON.value(of: silence, at: now))
            print(answer.object?["silenceID"]?.string ?? "")
        }
    }

    /// The end of a silence.
    struct Unsilencing: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "unsilence", abstract: "End a silence.")

        @OptionGroup var peer: Peer

        @Argument(help: "The silence's name.")
        var id: String

        func run() throws {
            _ = try peer.ask("DELETE", "/api/v2/silence/\(id.asQueryPart)")
            print("\(id) has ended")
        }
    }

    private static func matchers(_ texts: [String]) throws -> [AlertMatcher] {
        try texts.flatMap { text in
            do {
                return try AlertMatcher.parse(text)
            } catch let error as AlertMatcherError {
                throw ValidationError("`\(text)`, character \(error.column): \(error.message)")
            }
        }
    }

    private static func notice(_ alert: Record) -> AlertNotice {
        let labels = (alert["labels"]?.object?.fields ?? []).map {
            (name: $0.key, value: $0.value.string ?? "")
        }
        return AlertNotice(
            labels: labels, annotations: [], startsAt: 0, endsAt: .max, isResolved: false,
            generatorURL: "")
    }

    private static func seconds(_ text: String) -> Int64? {
        var text = text
        return text.withUTF8 {
            TimeFormat.parseFreely(UnsafeRawBufferPointer($0), zone: .utc, now: .epoch)
        }?.time.seconds
    }
}

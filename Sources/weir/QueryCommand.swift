import ArgumentParser
import Glibc
import WeirCore
import WeirHost
import WeirPromQL

/// `weir query`
struct QueryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "query",
        abstract: "Ask a running agent, or a Prometheus, in PromQL.",
        discussion: """
            With --start, the query is evaluated at many times up to --end, --step apart. \
            Times are seconds since 1970 or 2026-11-26T12:00:00Z. \
            Exit codes: 0 an answer, 1 the query is refused, 2 nobody answers.
            """)

    @Argument(help: "The query.")
    var expression: String

    @Option(help: "Who is asked.")
    var url = "http://127.0.0.1:9470"

    @Option(help: "When; else now.")
    var time: String?

    @Option(help: "The first time.")
    var start: String?

    @Option(help: "The last time; else now.")
    var end: String?

    @Option(help: "The time between two.")
    var step = "15s"

    @Flag(help: "Print the answer as it comes.")
    var json = false

    @Flag(help: "Draw the answer; with --start.")
    var chart = false

    func validate() throws {
        if chart, start == nil { throw ValidationError("--chart draws a range: say --start") }
        if chart, json { throw ValidationError("--chart and --json exclude each other") }
    }

    func run() throws {
        do throws(ParseError) {
            _ = try QueryParser.parse(expression, options: .everything)
        } catch {
            print(error.text(in: expression))
            throw ExitCode(1)
        }
        let client = HTTPClient()
        let answer: Record
        do {
            let got = try client.send(
                "GET", address, headers: [], body: UnsafeRawBufferPointer(start: nil, count: 0))
            let text = String(decoding: client.body.bytes, as: UTF8.self)
            if json { print(text) }
            guard case .object(let record)? = JSONValueReader.value(of: text) else {
                print(
                    "\(url) answered \(got.status), and no JSON\n  help: name an agent or a Prometheus by --url"
                )
                throw ExitCode(2)
            }
            answer = record
        } catch let error as HTTPError {
            print("\(url): \(error)\n  help: start `weir run`, or name another address by --url")
            throw ExitCode(2)
        }
        if case .string(let message)? = answer["error"] {
            if !json { print(message) }
            throw ExitCode(1)
        }
        if !json { show(answer) }
    }

    private var address: String {
        var text = "\(url)/api/v1/\(start == nil ? "query" : "query_range")?query="
        text += expression.asQueryPart
        if let start {
            let last = end ?? "\(SystemClock().now.seconds)"
            text += "&start=\(start.asQueryPart)&end=\(last.asQueryPart)"
            text += "&step=\(step.asQueryPart)"
        } else if let time {
            text += "&time=\(time.asQueryPart)"
        }
        return text
    }

    // MARK: Table

    private func show(_ answer: Record) {
        for name in ["warnings", "infos"] {
            guard case .array(let texts)? = answer[name] else { continue }
            for case .string(let text) in texts { print("# \(text)") }
        }
        guard case .object(let data)? = answer["data"], case .array(let result)? = data["result"]
        else { return }
        if case .string(let type)? = data["resultType"], type == "scalar" || type == "string" {
            return print(Self.value(.array(result)))
        }
        if chart { return draw(result) }
        for case .object(let series) in result {
            let name = Self.name(series["metric"])
            if let value = series["value"] ?? series["histogram"] {
                print("\(name)  \(Self.value(value))")
                continue
            }
            print(name)
            for key in ["values", "histograms"] {
                guard case .array(let points)? = series[key] else { continue }
                for point in points { print("  \(Self.time(point))  \(Self.value(point))") }
            }
        }
    }

    /// Draws the series of a range; histograms are left out.
    private func draw(_ result: [Value]) {
        var lines: [TerminalChart.Line] = []
        for case .object(let series) in result {
            guard case .array(let points)? = series["values"] else { continue }
            lines.append(
                TerminalChart.Line(
                    name: Self.name(series["metric"]), points: points.compactMap(Self.point)))
        }
        var chart = TerminalChart()
        chart.hasColors = isatty(STDOUT_FILENO) == 1
        for line in chart.text(lines) { print(line) }
    }

    private static func point(_ value: Value) -> (time: Double, value: Double)? {
        guard let time = Double(time(value)),
            let number = Double(Self.value(value).replacing("Inf", with: "infinity"))
        else { return nil }
        return (time, number)
    }

    /// Labels as Prometheus writes a series.
    private static func name(_ metric: Value?) -> String {
        guard case .object(let labels)? = metric else { return "{}" }
        var name = ""
        var parts: [String] = []
        for (label, value) in labels.fields {
            let text = JSONValueWriter.text(value)
            if label == "__name__", case .string(let plain) = value {
                name = plain
            } else {
                parts.append("\(label)=\(text)")
            }
        }
        return parts.isEmpty && !name.isEmpty ? name : "\(name){\(parts.joined(separator: ", "))}"
    }

    private static func value(_ point: Value) -> String {
        guard case .array(let parts) = point, parts.count == 2 else { return "" }
        if case .string(let text) = parts[1] { return text }
        return JSONValueWriter.text(parts[1])
    }

    private static func time(_ point: Value) -> String {
        guard case .array(let parts) = point, let first = parts.first else { return "" }
        return JSONValueWriter.text(first)
    }
}

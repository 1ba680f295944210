/// Why a script is not understood.
public struct ScriptError: Error, Equatable, Sendable {
    /// The line, counted from 1.
    public var line: Int
    /// What is wrong.
    public var message: String
}

/// What a script says of a query.
struct Evaluation {
    /// When the query is evaluated.
    enum Times: Equatable {
        case instant(Int64)
        case range(start: Int64, end: Int64, interval: Int64)
    }

    /// What is expected of messages.
    struct Expected {
        enum Kind: String {
            case ordered, fail, warn, info
            case noWarn = "no_warn"
            case noInfo = "no_info"
        }

        enum Text {
            case any
            case exactly(String)
            case matching(String)
        }

        var kind: Kind
        var text: Text
    }

    /// A series of the result.
    struct Series {
        var line: Int
        var labels: [(name: String, value: String)]
        var items: [ScriptItem]
    }

    var line: Int
    var query: String
    var times: Times
    var expected: [Expected] = []
    var series: [Series] = []
    var scalar: Double?
    var text: String?
    /// Where an instant query's matrix has its points.
    var matrixTimes: (start: Int64, interval: Int64)?

    func has(_ kind: Expected.Kind) -> Bool { expected.contains { $0.kind == kind } }
}

/// One command of a script.
enum ScriptCommand {
    /// A series to load.
    struct Loaded {
        var line: Int
        var labels: [(name: String, value: String)]
        var items: [ScriptItem]
        var starts: [Int64?] = []
    }

    case clear
    case load(line: Int, interval: Int64, [Loaded], makesNative: Bool)
    case evaluate(Evaluation)
}

/// Reads Prometheus' test scripts.
struct ScriptReader {
    /// Longest script in bytes.
    static let byteLimit = 16 << 20

    private var lines: [Substring]
    private var place = 0

    static func read(_ text: String) throws(ScriptError) -> [ScriptCommand] {
        guard text.utf8.count <= byteLimit else {
            throw ScriptError(line: 1, message: "the script is longer than \(byteLimit) bytes")
        }
        var reader = ScriptReader(lines: [])
        reader.lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            let trimmed = trimmed(line)
            return trimmed.first == "#" ? "" : trimmed
        }
        var commands: [ScriptCommand] = []
        while reader.place < reader.lines.count {
            if reader.line.isEmpty {
                reader.place += 1
                continue
            }
            commands.append(try reader.command())
        }
        return commands
    }

    private init(lines: [Substring]) { self.lines = lines }

    private var line: Substring { lines[place] }
    private var number: Int { place + 1 }

    static func trimmed(_ text: Substring) -> Substring {
        let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0 == "\r" }
        var text = text.drop(while: isBlank)
        while let last = text.last, isBlank(last) { text.removeLast() }
        return text
    }

    private func error(_ message: String) -> ScriptError {
        ScriptError(line: number, message: message)
    }

    private mutating func command() throws(ScriptError) -> ScriptCommand {
        let word = line.prefix { $0 != " " && $0 != "\t" }.lowercased()
        if word == "clear" {
            place += 1
            return .clear
        }
        if word.hasPrefix("load") { return try load(word) }
        if word.hasPrefix("eval") { return .evaluate(try evaluation(word)) }
        throw error("`\(line.prefix(40))` is no command; there are load, eval and clear")
    }

    // MARK: Loading

    private mutating func load(_ word: String) throws(ScriptError) -> ScriptCommand {
        let start = number
        guard word == "load" || word == "load_with_nhcb" else {
            throw error("`\(word)` is no command; there are load and load_with_nhcb")
        }
        let span = Self.trimmed(line.dropFirst(word.count))
        guard let interval = DurationNotation.milliseconds(span) else {
            throw error("`\(span)` is not a duration")
        }
        place += 1
        var loaded: [ScriptCommand.Loaded] = []
        var starts: (labels: String, items: [Int64?])?
        while place < lines.count, !line.isEmpty {
            var (labels, rest, isStart) = try series()
            let key = labels.map { "\($0.name)=\($0.value)" }.joined(separator: ",")
            do throws(ScriptItems.Problem) {
                if isStart {
                    starts = (key, try ScriptItems.starts(rest))
                } else {
                    var one = ScriptCommand.Loaded(
                        line: number, labels: labels, items: try ScriptItems.parse(rest))
                    if let given = starts {
                        guard given.labels == key, given.items.count == one.items.count else {
                            throw ScriptItems.Problem(
                                message:
                                    "the start timestamps above belong to another series, or are not as many"
                            )
                        }
                        one.starts = given.items
                    }
                    starts = nil
                    loaded.append(one)
                }
            } catch {
                throw self.error(error.message)
            }
            labels = []
            place += 1
        }
        return .load(line: start, interval: interval, loaded, makesNative: word != "load")
    }

    /// The labels at a line's beginning, and what stands behind.
    private func series() throws(ScriptError) -> (
        labels: [(name: String, value: String)], rest: Substring, isStart: Bool
    ) {
        let description: SeriesDescription
        do throws(ParseError) {
            description = try SeriesDescription(String(line))
        } catch {
            throw self.error(error.message)
        }
        var rest = line[line.utf8.index(line.startIndex, offsetBy: description.byteCount)...]
        let isStart = rest.hasPrefix("@st")
        if isStart { rest = rest.dropFirst(3) }
        return (description.labels, rest, isStart)
    }

    // MARK: Evaluating

    private mutating func evaluation(_ word: String) throws(ScriptError) -> Evaluation {
        var rest = Self.trimmed(line.dropFirst(word.count))
        let kind = rest.prefix { $0 != " " && $0 != "\t" }
        rest = Self.trimmed(rest[kind.endIndex...])
        let times: Evaluation.Times
        switch kind {
        case "instant":
            guard take("at", from: &rest), let time = takeTime(&rest) else {
                throw error("`eval instant at TIME QUERY` is wanted")
            }
            times = .instant(time)
        case "range":
            guard take("from", from: &rest), let start = takeTime(&rest), take("to", from: &rest),
                let end = takeTime(&rest), take("step", from: &rest),
                let interval = takeTime(&rest)
            else { throw error("`eval range from START to END step STEP QUERY` is wanted") }
            guard end >= start, interval > 0 else {
                throw error("the range has no steps")
            }
            times = .range(start: start, end: end, interval: interval)
        default: throw error("`\(kind)` is neither `instant` nor `range`")
        }
        var evaluation = Evaluation(line: number, query: String(rest), times: times)
        switch word {
        case "eval": break
        case "eval_fail": evaluation.expected.append(.init(kind: .fail, text: .any))
        case "eval_warn": evaluation.expected.append(.init(kind: .warn, text: .any))
        case "eval_info": evaluation.expected.append(.init(kind: .info, text: .any))
        case "eval_ordered": evaluation.expected.append(.init(kind: .ordered, text: .any))
        default: throw error("`\(word)` is no command")
        }
        place += 1
        while place < lines.count, !line.isEmpty {
            let isLast = try readExpectation(into: &evaluation)
            place += 1
            if isLast { break }
        }
        return evaluation
    }

    private func take(_ word: String, from rest: inout Substring) -> Bool {
        guard rest.hasPrefix(word + " ") else { return false }
        rest = Self.trimmed(rest.dropFirst(word.count))
        return true
    }

    private func takeTime(_ rest: inout Substring) -> Int64? {
        let word = rest.prefix { $0 != " " && $0 != "\t" }
        guard let time = DurationNotation.milliseconds(word) else { return nil }
        rest = Self.trimmed(rest[word.endIndex...])
        return time
    }

    /// - Returns: Whether the block ends with this line.
    private func readExpectation(into evaluation: inout Evaluation) throws(ScriptError) -> Bool {
        for (prefix, isPattern) in [
            ("expected_fail_message ", false), ("expected_fail_regexp ", true),
        ] where line.hasPrefix(prefix) {
            let text = String(Self.trimmed(line.dropFirst(prefix.count)))
            evaluation.expected.append(
                .init(kind: .fail, text: isPattern ? .matching(text) : .exactly(text)))
            return true
        }
        let words = line.split(maxSplits: 1, whereSeparator: { $0 == " " || $0 == "\t" })
        if words[0] == "expect" {
            try readExpect(words.count > 1 ? Self.trimmed(words[1]) : "", into: &evaluation)
            return false
        }
        if words.count == 1, let number = Self.scalar(line) {
            evaluation.scalar = number
            return true
        }
        let (labels, rest, _) = try series()
        do throws(ScriptItems.Problem) {
            evaluation.series.append(
                Evaluation.Series(
                    line: number, labels: labels, items: try ScriptItems.parse(rest)))
        } catch {
            throw self.error(error.message)
        }
        return false
    }

    /// A number by itself; hexadecimal as well.
    private static func scalar(_ text: Substring) -> Double? {
        if let number = ScriptItems.number(text) { return number }
        let digits = text.lowercased()
        guard digits.hasPrefix("0x") else { return nil }
        return UInt64(digits.dropFirst(2), radix: 16).map { Double($0) }
    }

    private func readExpect(
        _ text: Substring, into evaluation: inout Evaluation
    ) throws(ScriptError) {
        if text.hasPrefix("range vector ") {
            var rest = Self.trimmed(text.dropFirst(13))
            guard take("from", from: &rest), let start = takeTime(&rest), take("to", from: &rest),
                let end = takeTime(&rest), take("step", from: &rest),
                let interval = DurationNotation.milliseconds(rest)
            else { throw error("`expect range vector from START to END step STEP` is wanted") }
            evaluation.matrixTimes = (start, interval)
            evaluation.times = .instant(end)
            return
        }
        if text.hasPrefix("string ") {
            var lexer = Lexer(String(text.dropFirst(7)))
            let token = lexer.next()
            guard token.kind == .string else { throw error("a string in quotes is wanted") }
            evaluation.text = token.text
            return
        }
        let word = text.prefix { $0 != " " && $0 != "\t" }
        guard let kind = Evaluation.Expected.Kind(rawValue: String(word)) else {
            throw error("`\(word)` cannot be expected")
        }
        let rest = Self.trimmed(text[word.endIndex...])
        let wanted: Evaluation.Expected.Text
        if rest.isEmpty {
            wanted = .any
        } else if rest.hasPrefix("msg:") {
            wanted = .exactly(String(Self.trimmed(rest.dropFirst(4))))
        } else if rest.hasPrefix("regex:") {
            wanted = .matching(String(Self.trimmed(rest.dropFirst(6))))
        } else {
            throw error("`msg:` or `regex:` is wanted")
        }
        evaluation.expected.append(.init(kind: kind, text: wanted))
    }
}

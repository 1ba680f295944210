import WeirCore

/// A literal `/source/options`, as Fluentd's `:regexp` reads it.
public struct RegexLiteral: Sendable, Equatable {
    /// The pattern.
    public var source: String
    /// Whether case is ignored (`i`).
    public var ignoresCase: Bool
    /// Whether `.` matches line ends (Ruby's `m`).
    public var dotMatchesLineEnds: Bool

    /// A literal by its parts.
    public init(_ source: String, ignoresCase: Bool = false, dotMatchesLineEnds: Bool = false) {
        self.source = source
        self.ignoresCase = ignoresCase
        self.dotMatchesLineEnds = dotMatchesLineEnds
    }
}

/// A way to a field: `key`, `$.a.b`, `$['a']['b'][0]`, as Fluentd's record accessor reads it.
public struct RecordAccessor: Sendable, Hashable {
    /// One step of the way.
    public enum Step: Sendable, Hashable {
        case key(String)
        case index(Int)
    }

    /// The steps from the record inwards; never empty.
    public var steps: [Step]
    /// The text it was read from.
    public var text: String

    init(steps: [Step], text: String) {
        self.steps = steps
        self.text = text
    }

    /// The way to a top-level field.
    public init(key: String) {
        self.init(steps: [.key(key)], text: key)
    }

    /// The top-level field when the way has one step.
    public var topLevelKey: String? {
        if steps.count == 1, case .key(let key) = steps[0] { key } else { nil }
    }

    /// The value there, or `nil`.
    public func value(in record: Record) -> Value? {
        var value: Value = .object(record)
        for step in steps {
            switch (step, value) {
            case (.key(let key), .object(let inner)):
                guard let found = inner[key] else { return nil }
                value = found
            case (.index(let index), .array(let values)):
                let place = index < 0 ? values.count + index : index
                guard values.indices.contains(place) else { return nil }
                value = values[place]
            default: return nil
            }
        }
        return value
    }

    /// Takes the value there out of the record.
    public func remove(from record: inout Record) { record = removing(steps[...], from: record) }

    private func removing(_ steps: ArraySlice<Step>, from record: Record) -> Record {
        guard case .key(let key)? = steps.first else { return record }
        var record = record
        if steps.count == 1 {
            record[key] = nil
        } else if let inner = record[key] {
            record[key] = removing(steps.dropFirst(), from: inner)
        }
        return record
    }

    private func removing(_ steps: ArraySlice<Step>, from value: Value) -> Value {
        switch (steps.first, value) {
        case (.key, .object(let record)): return .object(removing(steps, from: record))
        case (.index(let index), .array(var values)):
            let place = index < 0 ? values.count + index : index
            guard values.indices.contains(place) else { return value }
            if steps.count == 1 {
                values.remove(at: place)
            } else {
                values[place] = removing(steps.dropFirst(), from: values[place])
            }
            return .array(values)
        default: return value
        }
    }
}

/// Why a text is not a value of its type.
public struct ValueError: Error, Equatable, Sendable {
    /// What is wrong with it.
    public var message: String
    /// How to mend it.
    public var help: String

    /// An error by its parts.
    public init(message: String, help: String) {
        self.message = message
        self.help = help
    }
}

/// Readers of the texts of typed parameters (Fluentd: `lib/fluent/config/types.rb`), stricter where
/// Fluentd takes nonsense for a value.
public enum ValueText {
    /// A size in bytes: digits and one of `k m g t`, each 1,024 times the one before; `kb` and `kib`
    /// are the same.
    public static func size(_ text: String) throws(ValueError) -> Int {
        let trimmed = trimmed(text)
        let digits = trimmed.prefix { "+-".contains($0) || $0.isASCII && $0.isNumber || $0 == "_" }
        let number = digits.replacing("_", with: "")
        let unit = trimmed.dropFirst(digits.count).lowercased()
        let factors = ["": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40]
        var letter = unit
        for ending in ["b", "i"] where letter.hasSuffix(ending) { letter.removeLast() }
        guard let count = Int(number), let factor = factors[letter] else {
            throw ValueError(
                message: "`\(text)` is not a size",
                help: "write a number of bytes, or one with k, m, g or t: `8m`")
        }
        let (product, overflow) = count.multipliedReportingOverflow(by: factor)
        guard !overflow else {
            throw ValueError(
                message: "`\(text)` is larger than 8 EiB", help: "write a smaller size")
        }
        return product
    }

    /// The units of a duration by what Fluentd takes for them: a letter, and whatever follows it.
    private static let secondsByUnit: [String: Double] = [
        "s": 1, "S": 1, "sec": 1, "secs": 1, "second": 1, "seconds": 1,
        "m": 60, "min": 60, "mins": 60, "minute": 60, "minutes": 60,
        "h": 3600, "hr": 3600, "hrs": 3600, "hour": 3600, "hours": 3600,
        "d": 86_400, "day": 86_400, "days": 86_400,
    ]

    /// A duration: a number of seconds, or a number with one of `s m h d`.
    ///
    /// What Fluentd misreads is refused: `100ms` (100 minutes there), `1h30m` (30), `10M` (10 s).
    public static func duration(_ text: String) throws(ValueError) -> Duration {
        let trimmed = trimmed(text)
        let number = trimmed.prefix { !$0.isLetter }
        let unit = String(trimmed.dropFirst(number.count))
        if let seconds = secondsByUnit[unit], let value = plainDouble(String(number)) {
            return try checked(value * seconds, text)
        }
        guard let seconds = plainDouble(trimmed) else {
            throw ValueError(
                message: "`\(text)` is not a duration",
                help: "write seconds (`0.5`), or one number with s, m, h or d: `90m`")
        }
        return try checked(seconds, text)
    }

    private static func checked(_ seconds: Double, _ text: String) throws(ValueError) -> Duration {
        // 64 bits count 292 years of nanoseconds.
        guard seconds.isFinite, abs(seconds) < 9.2e9 else {
            throw ValueError(
                message: "`\(text)` is longer than 290 years", help: "write a shorter duration")
        }
        return .nanoseconds(Int64((seconds * 1e9).rounded()))
    }

    /// `true`, `yes` or nothing; `false` or `no`.
    public static func bool(_ text: String) throws(ValueError) -> Bool {
        switch text {
        case "true", "yes", "": return true
        case "false", "no": return false
        case _ where text.hasPrefix("#"): return true
        default:
            throw ValueError(
                message: "`\(text)` is neither true nor false", help: "write `true` or `false`")
        }
    }

    /// A whole number in decimal.
    public static func integer(_ text: String) throws(ValueError) -> Int {
        let number = trimmed(text).replacing("_", with: "")
        guard let value = Int(number) else {
            throw ValueError(
                message: "`\(text)` is not a whole number", help: "write digits, such as `10`")
        }
        return value
    }

    /// A number.
    public static func float(_ text: String) throws(ValueError) -> Double {
        guard let value = plainDouble(trimmed(text)) else {
            throw ValueError(
                message: "`\(text)` is not a number", help: "write a number such as `0.95`")
        }
        return value
    }

    private static func plainDouble(_ text: String) -> Double? {
        var number = trimmed(text).replacing("_", with: "")
        if number.hasSuffix(".") { number.removeLast() }
        guard number.utf8.allSatisfy({ "+-.eE0123456789".utf8.contains($0) }),
            let value = Double(number), value.isFinite
        else { return nil }
        return value
    }

    /// One of some words.
    public static func word(_ text: String, of words: [String]) throws(ValueError) -> String {
        if words.contains(text) { return text }
        let near = nearest(to: text, in: words).map { "did you mean `\($0)`? " } ?? ""
        throw ValueError(
            message: "`\(text)` is none of its values",
            help: "\(near)it takes \(words.map { "`\($0)`" }.joined(separator: ", "))")
    }

    /// A JSON array, or texts between commas.
    public static func array(_ text: String) throws(ValueError) -> [Value] {
        if text.hasPrefix("[") {
            guard case .array(let values)? = JSONValueReader.value(of: text) else {
                throw ValueError(
                    message: "`\(text)` is not a JSON array",
                    help: "write `[\"a\", \"b\"]` or `a,b`")
            }
            return values
        }
        return listed(text).map { .string($0) }
    }

    /// The texts between commas, without the white space around each and without empty ones at
    /// the end, as Ruby's `strip.split(/\s*,\s*/)` gives them.
    private static func listed(_ text: String) -> [String] {
        let stripped = trimmed(text)
        if stripped.isEmpty { return [] }
        var parts = stripped.split(separator: ",", omittingEmptySubsequences: false).map {
            trimmed(String($0))
        }
        while parts.last == "" { parts.removeLast() }
        return parts
    }

    /// A JSON object, or `key:value` pairs between commas.
    public static func hash(_ text: String) throws(ValueError) -> Record {
        if text.hasPrefix("{") {
            guard case .object(let record)? = JSONValueReader.value(of: text) else {
                throw ValueError(
                    message: "`\(text)` is not a JSON object",
                    help: "write `{\"a\": \"b\"}` or `a:b`")
            }
            return record
        }
        var record = Record()
        for part in listed(text) {
            let pieces = part.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard !part.isEmpty else {
                throw ValueError(
                    message: "`\(text)` has nothing between two commas", help: "write `a:b,c:d`")
            }
            record[String(pieces[0])] = pieces.count > 1 ? .string(String(pieces[1])) : .null
        }
        return record
    }

    /// `/source/options`, or a bare pattern.
    public static func regex(_ text: String) throws(ValueError) -> RegexLiteral {
        guard text.hasPrefix("/") else { return RegexLiteral(text) }
        guard let end = text.dropFirst().lastIndex(of: "/") else {
            throw ValueError(message: "`\(text)` has no closing slash", help: "write `/pattern/`")
        }
        let options = trimmed(String(text[text.index(after: end)...]))
        var literal = RegexLiteral(String(text[text.index(after: text.startIndex)..<end]))
        guard options.count <= 2 else {
            throw ValueError(
                message: "`\(text)` has more than two letters behind its closing slash",
                help: "only `i` and `m` mean something there")
        }
        for option in options {
            switch option {
            case "i": literal.ignoresCase = true
            case "m": literal.dotMatchesLineEnds = true
            case "x": break  // Fluentd drops it as well.
            default:
                throw ValueError(
                    message: "`\(option)` is not an option of a pattern",
                    help: "behind the closing slash stand `i` and `m` only")
            }
        }
        return literal
    }

    /// A record accessor.
    public static func accessor(_ text: String) throws(ValueError) -> RecordAccessor {
        guard text.hasPrefix("$.") || text.hasPrefix("$[") else {
            return RecordAccessor(steps: [.key(text)], text: text)
        }
        var steps: [RecordAccessor.Step] = []
        var rest = text.dropFirst()
        while let first = rest.first {
            if first == "[" {
                guard let end = rest.firstIndex(of: "]") else { throw brokenAccessor(text) }
                let inner = rest[rest.index(after: rest.startIndex)..<end]
                if let quote = inner.first, quote == "'" || quote == "\"", inner.last == quote,
                    inner.count >= 2
                {
                    steps.append(.key(String(inner.dropFirst().dropLast())))
                } else if let index = Int(inner) {
                    steps.append(.index(index))
                } else {
                    throw brokenAccessor(text)
                }
                rest = rest[rest.index(after: end)...]
            } else {
                // Behind a bracket only a dot or another bracket goes on.
                guard first == "." else { throw brokenAccessor(text) }
                rest = rest.dropFirst()
                let name = rest.prefix { $0 != "." && $0 != "[" }
                if name.contains("]") { throw brokenAccessor(text) }
                rest = rest.dropFirst(name.count)
                // A dot at the end names nothing.
                if !name.isEmpty || rest.first == "." { steps.append(.key(String(name))) }
            }
        }
        if steps.isEmpty { throw brokenAccessor(text) }
        return RecordAccessor(steps: steps, text: text)
    }

    private static func brokenAccessor(_ text: String) -> ValueError {
        ValueError(
            message: "`\(text)` is not a way to a field",
            help: "write `key`, `$.a.b` or `$['a']['b'][0]`")
    }

    static func trimmed(_ text: String) -> String {
        let blanks = " \t\n\r\u{b}\u{c}\0"
        let head = text.unicodeScalars.drop { blanks.unicodeScalars.contains($0) }
        let count = head.reversed().prefix { blanks.unicodeScalars.contains($0) }.count
        return String(head.dropLast(count))
    }
}

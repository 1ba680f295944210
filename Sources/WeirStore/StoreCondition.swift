import WeirCore

/// Which documents: `response_code >= 500 and not path =~ '^/health'`.
public indirect enum StoreCondition: Sendable {
    /// What a field is compared with.
    public enum Operand: Sendable, Equatable {
        case number(Double)
        case text(String)
    }

    /// How it is compared.
    public enum Comparison: String, Sendable {
        case equal = "="
        case unequal = "!="
        case less = "<"
        case atMost = "<="
        case greater = ">"
        case atLeast = ">="
        case contains
    }

    case comparison(field: [String], Comparison, Operand)
    case matches(field: [String], Regex, isNegated: Bool)
    case both(StoreCondition, StoreCondition)
    case either(StoreCondition, StoreCondition)
    case negation(StoreCondition)

    /// Why a text is not a condition.
    public struct SyntaxError: Error, Equatable, Sendable, CustomStringConvertible {
        /// The place in the text, counted from 1.
        public var column: Int
        /// What is wrong.
        public var message: String
        /// How to mend it.
        public var help: String

        public var description: String { "condition:\(column): \(message)\n  help: \(help)" }
    }

    /// Reads a condition.
    public init(_ text: String) throws(SyntaxError) {
        var reader = ConditionReader(text)
        self = try reader.readWhole()
    }

    /// The condition in SQL; values become parameters, patterns functions.
    func sql(
        parameter: (Operand) -> String, function: (Regex) -> String
    ) -> String {
        switch self {
        case .comparison(let field, .contains, let value):
            let text: Operand
            switch value {
            case .number(let number): text = .text("\(number)")
            case .text: text = value
            }
            return "instr(\(Self.path(field, parameter)), \(parameter(text))) > 0"
        case .comparison(let field, let comparison, let value):
            let path = Self.path(field, parameter)
            // A missing field is unequal to everything.
            if comparison == .unequal { return "\(path) IS NOT \(parameter(value))" }
            return "\(path) \(comparison.rawValue) \(parameter(value))"
        case .matches(let field, let regex, let isNegated):
            return "\(isNegated ? "NOT " : "")\(function(regex))(\(Self.path(field, parameter)))"
        case .both(let left, let right):
            return "(\(left.sql(parameter: parameter, function: function)) AND "
                + "\(right.sql(parameter: parameter, function: function)))"
        case .either(let left, let right):
            return "(\(left.sql(parameter: parameter, function: function)) OR "
                + "\(right.sql(parameter: parameter, function: function)))"
        case .negation(let inner):
            return "NOT coalesce(\(inner.sql(parameter: parameter, function: function)), 0)"
        }
    }

    private static func path(_ field: [String], _ parameter: (Operand) -> String) -> String {
        let path = "$" + field.map { ".\"\($0)\"" }.joined()
        return "json_extract(document, \(parameter(.text(path))))"
    }
}

/// Reads conditions by recursive descent.
private struct ConditionReader {
    /// Deepest nesting of parentheses and `not`.
    private static let depthLimit = 64

    private let bytes: [UInt8]
    private var place = 0
    private var depth = 0

    init(_ text: String) {
        bytes = Array(text.utf8)
    }

    private func error(_ message: String, _ help: String) -> StoreCondition.SyntaxError {
        StoreCondition.SyntaxError(column: place + 1, message: message, help: help)
    }

    mutating func readWhole() throws(StoreCondition.SyntaxError) -> StoreCondition {
        let condition = try readEither()
        skipBlanks()
        guard place == bytes.count else {
            throw error(
                "`\(rest)` is left over", "join conditions by `and` or `or`")
        }
        return condition
    }

    private var rest: String { String(decoding: bytes[place...].prefix(20), as: UTF8.self) }

    private mutating func skipBlanks() {
        while place < bytes.count, bytes[place] <= 0x20 { place += 1 }
    }

    private mutating func take(word: String) -> Bool {
        skipBlanks()
        let end = place + word.utf8.count
        guard end <= bytes.count,
            bytes[place..<end].elementsEqual(word.utf8, by: { $0 | 0x20 == $1 }),
            end == bytes.count || !Self.isNamePart(bytes[end])
        else { return false }
        place = end
        return true
    }

    private mutating func take(_ sign: String) -> Bool {
        skipBlanks()
        guard bytes[place...].starts(with: sign.utf8) else { return false }
        place += sign.utf8.count
        return true
    }

    private static func isNamePart(_ byte: UInt8) -> Bool {
        byte >= 0x80 || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-")
            || byte == UInt8(ascii: "@") || byte &- 0x30 < 10 || (byte | 0x20) &- 0x61 < 26
    }

    private mutating func readEither() throws(StoreCondition.SyntaxError) -> StoreCondition {
        var left = try readBoth()
        while take(word: "or") { left = .either(left, try readBoth()) }
        return left
    }

    private mutating func readBoth() throws(StoreCondition.SyntaxError) -> StoreCondition {
        var left = try readOne()
        while take(word: "and") { left = .both(left, try readOne()) }
        return left
    }

    private mutating func readOne() throws(StoreCondition.SyntaxError) -> StoreCondition {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthLimit else {
            throw error("conditions are nested too deep", "write a simpler condition")
        }
        if take(word: "not") { return .negation(try readOne()) }
        if take("(") {
            let inner = try readEither()
            guard take(")") else { throw error("`)` is missing", "close the parenthesis") }
            return inner
        }
        return try readComparison()
    }

    private mutating func readComparison() throws(StoreCondition.SyntaxError) -> StoreCondition {
        let field = try readField()
        let comparisons: [(String, StoreCondition.Comparison)] = [
            ("==", .equal), ("!=", .unequal), (">=", .atLeast), ("<=", .atMost),
        ]
        for sign in ["=~", "!~"] where take(sign) {
            let start = place
            guard case .text(let pattern) = try readOperand() else {
                throw error("a pattern is a text", "write it in quotes: `'^/api'`")
            }
            do throws(RegexError) {
                return .matches(field: field, try Regex(pattern), isNegated: sign == "!~")
            } catch {
                place = start
                throw self.error(error.message, error.help)
            }
        }
        for (sign, comparison) in comparisons where take(sign) {
            return .comparison(field: field, comparison, try readOperand())
        }
        for (sign, comparison) in [
            ("=", StoreCondition.Comparison.equal), (">", .greater), ("<", .less),
        ] where take(sign) {
            return .comparison(field: field, comparison, try readOperand())
        }
        if take(word: "contains") {
            return .comparison(field: field, .contains, try readOperand())
        }
        throw error(
            "a comparison is missing behind `\(field.joined(separator: "."))`",
            "write one of `= != < <= > >= =~ !~ contains`")
    }

    private mutating func readField() throws(StoreCondition.SyntaxError) -> [String] {
        skipBlanks()
        var path: [String] = []
        while true {
            let start = place
            while place < bytes.count, Self.isNamePart(bytes[place]) { place += 1 }
            guard place > start else {
                throw error(
                    rest.isEmpty ? "a field is missing" : "`\(rest)` is not a field",
                    "write a field's name, such as `response_code`, or `a.b`")
            }
            path.append(String(decoding: bytes[start..<place], as: UTF8.self))
            guard place < bytes.count, bytes[place] == UInt8(ascii: ".") else { return path }
            place += 1
        }
    }

    private mutating func readOperand() throws(StoreCondition.SyntaxError) -> StoreCondition.Operand
    {
        skipBlanks()
        guard place < bytes.count else {
            throw error("a value is missing", "write a number, or a text in quotes")
        }
        let quote = bytes[place]
        if quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"") {
            let start = place + 1
            guard let end = bytes[start...].firstIndex(of: quote) else {
                throw error("the text has no end", "close it with the quote that it began with")
            }
            place = end + 1
            return .text(String(decoding: bytes[start..<end], as: UTF8.self))
        }
        let start = place
        while place < bytes.count, bytes[place] > 0x20, bytes[place] != UInt8(ascii: ")") {
            place += 1
        }
        let word = String(decoding: bytes[start..<place], as: UTF8.self)
        if let number = Double(word), number.isFinite { return .number(number) }
        guard !word.isEmpty else {
            throw error("a value is missing", "write a number, or a text in quotes")
        }
        return .text(word)
    }
}

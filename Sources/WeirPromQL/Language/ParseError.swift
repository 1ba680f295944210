/// Why a query is not understood.
public struct ParseError: Error, Equatable, Sendable {
    /// The place in the query.
    public var range: TextRange
    /// What is wrong.
    public var message: String
    /// How to mend it, where there is more to say.
    public var help: String

    /// An error.
    public init(_ message: String, at range: TextRange, help: String = "") {
        self.range = range
        self.message = message
        self.help = help
    }

    /// The error as `line:column: what`, with help below.
    public func text(in query: String) -> String {
        let (line, column) = TextRange.position(of: range.start, in: query)
        let first = "\(line):\(column): \(message)"
        return help.isEmpty ? first : first + "\n  help: \(help)"
    }
}

extension TextRange {
    /// Line and column, both from 1, of a byte of a text.
    public static func position(of place: Int, in text: String) -> (line: Int, column: Int) {
        var line = 1
        var column = 1
        for byte in text.utf8.prefix(place) {
            column += 1
            if byte == UInt8(ascii: "\n") {
                line += 1
                column = 1
            }
        }
        return (line, column)
    }
}

/// What of the language is behind a feature flag of Prometheus, and on or off here.
public struct ParserOptions: Sendable {
    /// `promql-experimental-functions`.
    public var hasExperimentalFunctions = false
    /// `promql-duration-expr`.
    public var hasDurationExpressions = false
    /// `promql-extended-range-selectors`: `anchored` and `smoothed`.
    public var hasExtendedSelectors = false
    /// `promql-binop-fill-modifiers`: `fill`, `fill_left`, `fill_right`.
    public var hasFillModifiers = false

    /// Everything off, as in Prometheus without flags.
    public init() {}

    /// Everything on.
    public static var everything: ParserOptions {
        var options = ParserOptions()
        options.hasExperimentalFunctions = true
        options.hasDurationExpressions = true
        options.hasExtendedSelectors = true
        options.hasFillModifiers = true
        return options
    }
}

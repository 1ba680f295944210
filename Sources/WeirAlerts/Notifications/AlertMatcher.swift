import WeirPromQL

/// Why matchers are refused.
public struct AlertMatcherError: Error, Equatable, Sendable {
    /// The place in the text, in characters from 1.
    public var column: Int
    /// What is wrong.
    public var message: String
}

/// A condition on a label of an alert, as Alertmanager writes it: `severity="critical"`, `team=~"a|b"`
/// (prometheus.io/docs/alerting/latest/configuration/#matcher).
public struct AlertMatcher: Sendable, CustomStringConvertible {
    private let compiled: CompiledMatcher

    /// A condition.
    public init(_ matcher: LabelMatcher) throws(AlertMatcherError) {
        do throws(LabelPatternError) {
            compiled = try CompiledMatcher(matcher)
        } catch {
            throw AlertMatcherError(
                column: 1,
                message: "the pattern \(GoText.quoted(matcher.value)) is refused: \(error)")
        }
    }

    /// The condition as it was given.
    public var matcher: LabelMatcher { compiled.matcher }

    /// Whether an alert fulfils it; a label that it has not counts as empty.
    public func matches(_ notice: AlertNotice) -> Bool { compiled.passes(notice[matcher.name]) }

    /// Whether alerts without the label fulfil it.
    public var passesEmpty: Bool { compiled.passes("") }

    public var description: String {
        let isPlain = Self.isPlain(matcher.name)
        let name = isPlain ? matcher.name : GoText.quoted(matcher.name)
        return "\(name)\(matcher.operation.rawValue)\(GoText.quoted(matcher.value))"
    }

    private static func isPlain(_ name: String) -> Bool {
        guard let first = name.utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first)
        else { return false }
        return name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: ":"):
                true
            default: false
            }
        }
    }

    /// The conditions of a text: one, or several between commas, with or without braces.
    public static func parse(_ text: String) throws(AlertMatcherError) -> [AlertMatcher] {
        var reader = Reader(text)
        return try reader.matchers()
    }

    /// Reads a text of matchers.
    private struct Reader {
        private let characters: [Character]
        private var place = 0

        init(_ text: String) { characters = Array(text) }

        private var next: Character? { place < characters.count ? characters[place] : nil }

        private func failure(_ message: String) -> AlertMatcherError {
            AlertMatcherError(column: place + 1, message: message)
        }

        private mutating func skipBlanks() {
            while let next, next.isWhitespace { place += 1 }
        }

        mutating func matchers() throws(AlertMatcherError) -> [AlertMatcher] {
            skipBlanks()
            let hasBrace = next == "{"
            if hasBrace { place += 1 }
            var matchers: [AlertMatcher] = []
            while true {
                skipBlanks()
                if next == nil || (hasBrace && next == "}") { break }
                matchers.append(try matcher())
                skipBlanks()
                if next == "," {
                    place += 1
                } else if next != nil, !(hasBrace && next == "}") {
                    throw failure("a comma is missing between two matchers")
                }
            }
            if hasBrace {
                guard next == "}" else { throw failure("the closing `}` is missing") }
                place += 1
                skipBlanks()
                guard next == nil else { throw failure("nothing may follow the `}`") }
            }
            return matchers
        }

        private mutating func matcher() throws(AlertMatcherError) -> AlertMatcher {
            let start = place
            let name = next == "\"" ? try quoted() : word(endingAt: "=!~,{} \t\n\"")
            guard !name.isEmpty else { throw failure("the name of a label is missing") }
            skipBlanks()
            let operation = try operation()
            skipBlanks()
            let value = next == "\"" ? try quoted() : word(endingAt: ",{}\"\n").trimmed
            do throws(AlertMatcherError) {
                return try AlertMatcher(
                    LabelMatcher(name: name, operation: operation, value: value))
            } catch {
                throw AlertMatcherError(column: start + 1, message: error.message)
            }
        }

        private mutating func operation() throws(AlertMatcherError) -> LabelMatcher.Operation {
            let pair = String(characters[place..<min(place + 2, characters.count)])
            for text in [pair, String(pair.prefix(1))] {
                guard let operation = LabelMatcher.Operation(rawValue: text) else { continue }
                place += text.count
                return operation
            }
            throw failure("one of `=`, `!=`, `=~`, `!~` must stand between label and value")
        }

        private mutating func word(endingAt stops: String) -> String {
            let start = place
            while let next, !stops.contains(next) { place += 1 }
            return String(characters[start..<place])
        }

        private mutating func quoted() throws(AlertMatcherError) -> String {
            place += 1
            var text = ""
            while let character = next {
                place += 1
                switch character {
                case "\"": return text
                case "\\":
                    guard let escaped = next else { break }
                    place += 1
                    switch escaped {
                    case "n": text.append("\n")
                    case "\"", "\\": text.append(escaped)
                    default: text += "\\\(escaped)"
                    }
                default: text.append(character)
                }
            }
            throw failure("the closing quote is missing")
        }
    }
}

extension String {
    fileprivate var trimmed: String {
        var part = self[...]
        while part.last?.isWhitespace == true { part.removeLast() }
        return String(part)
    }
}

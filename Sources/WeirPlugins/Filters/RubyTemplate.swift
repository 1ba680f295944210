import WeirConfig
import WeirCore

/// The templates of `enable_ruby true` that Weir understands without Ruby.
enum RubyTemplate {
    /// What Weir offers, for messages.
    static let offer =
        "`${tag}`, `${tag_parts[N]}`, `${tag_prefix[N]}`, `${tag_suffix[N]}`, `${hostname}`,"
        + " `${time}` and `${record[\"key\"]}`, with `enable_ruby true` also"
        + " `${record[\"a\"][\"b\"]}` and `${record.dig(\"a\", \"b\")}`"

    /// The placeholder that is the whole text, or `nil` when there is more than one thing in it.
    static func whole(
        _ text: String, at location: SourceLocation
    ) throws(SectionError) -> Placeholder? {
        guard text.hasPrefix("${"), text.hasSuffix("}"), text.ranges(of: "${").count == 1 else {
            return nil
        }
        var scanner = RubyScanner(text.dropFirst(2).dropLast())
        guard let placeholder = scanner.expression(), scanner.isAtEnd else {
            throw refusal(text, location)
        }
        return placeholder
    }

    /// Takes a text apart as Ruby's `%Q[…]` would.
    static func pieces(
        of text: String, at location: SourceLocation
    ) throws(SectionError) -> [TemplatePiece] {
        var pieces: [TemplatePiece] = []
        var literal = ""
        var scanner = RubyScanner(text[...])
        while let c = scanner.next() {
            if c == "$", scanner.take("{") {
                guard let placeholder = scanner.expression(), scanner.take("}") else {
                    throw refusal(text, location)
                }
                if !literal.isEmpty { pieces.append(.text(literal)) }
                literal = ""
                pieces.append(.placeholder(placeholder))
            } else if c == "\\" {
                guard let escaped = scanner.next().flatMap(unescaped) else {
                    throw refusal(text, location)
                }
                literal.append(escaped)
            } else if c == "#", let next = scanner.peek, "{$@".contains(next) {
                throw refusal(text, location)
            } else {
                literal.append(c)
            }
        }
        if !literal.isEmpty { pieces.append(.text(literal)) }
        return pieces
    }

    private static func refusal(_ text: String, _ location: SourceLocation) -> SectionError {
        SectionError(
            location, "`\(text)` needs Ruby, which Weir does not run",
            help: "there are \(offer)")
    }

    /// The character behind a backslash in Ruby's double quotes; `nil` for codes.
    private static func unescaped(_ c: Character) -> Character? {
        switch c {
        case "n": "\n"
        case "t": "\t"
        case "s": " "
        case "r": "\r"
        case "a": "\u{7}"
        case "b": "\u{8}"
        case "v": "\u{b}"
        case "f": "\u{c}"
        case "e": "\u{1b}"
        case "u", "x", "c", "C", "M", "0"..."7": nil
        default: c
        }
    }
}

/// Reads the expressions that ``RubyTemplate`` understands.
private struct RubyScanner {
    private var rest: Substring

    init(_ text: Substring) {
        rest = text
    }

    var isAtEnd: Bool { rest.isEmpty }
    var peek: Character? { rest.first }

    mutating func next() -> Character? { rest.popFirst() }

    mutating func take(_ text: String) -> Bool {
        guard rest.hasPrefix(text) else { return false }
        rest = rest.dropFirst(text.count)
        return true
    }

    private mutating func skipSpace() { rest = rest.drop { $0 == " " || $0 == "\t" } }

    /// The placeholder that an expression comes to, with the blanks around it.
    mutating func expression() -> Placeholder? {
        skipSpace()
        defer { skipSpace() }
        let name = rest.prefix { $0 == "_" || $0.isASCII && $0.isLetter }
        rest = rest.dropFirst(name.count)
        switch name {
        case "tag": return .tag
        case "hostname": return .hostName
        case "time": return .time
        case "nil": return .nothing
        case "record": return recordExpression()
        case "tag_parts", "tag_prefix", "tag_suffix":
            guard take("["), case .index(let index)? = step(), take("]") else { return nil }
            return TemplateReader.tagPlaceholder("\(name)[\(index)]")
        default: return nil
        }
    }

    private mutating func recordExpression() -> Placeholder? {
        var steps: [RecordAccessor.Step] = []
        let digs = take(".dig(")
        if digs {
            repeat {
                guard let step = step() else { return nil }
                steps.append(step)
            } while take(",")
            guard take(")") else { return nil }
        } else {
            while take("[") {
                guard let step = step(), take("]") else { return nil }
                steps.append(step)
            }
        }
        guard case .key(let key)? = steps.first else { return nil }
        if steps.count == 1 { return .field(key) }
        let inner = Array(steps.dropFirst())
        return digs ? .dug(key, inner) : .subscripted(key, inner)
    }

    /// A text in quotes or a whole number.
    private mutating func step() -> RecordAccessor.Step? {
        skipSpace()
        defer { skipSpace() }
        guard let quote = rest.first, quote == "\"" || quote == "'" else {
            let digits = rest.prefix { $0 == "-" || $0.isASCII && $0.isNumber }
            guard let index = Int(digits) else { return nil }
            rest = rest.dropFirst(digits.count)
            return .index(index)
        }
        rest.removeFirst()
        var text = ""
        while let c = rest.popFirst(), c != quote {
            if c == "\\" {
                guard let escaped = rest.popFirst(), escaped == quote || escaped == "\\" else {
                    return nil
                }
                text.append(escaped)
            } else if c == "#", quote == "\"", let next = rest.first, "{$@".contains(next) {
                return nil
            } else {
                text.append(c)
            }
            if rest.isEmpty { return nil }
        }
        return .key(text)
    }
}

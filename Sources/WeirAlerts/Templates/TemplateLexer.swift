/// Cuts a template into texts and the words of its actions.
struct TemplateLexer {
    enum Token: Equatable {
        case text(String)
        /// The beginning and the end of an action.
        case open
        case close
        case word(String)
        case variable(String)
        /// `.Name`; the flag says whether a blank stands before it.
        case field(String, isDetached: Bool)
        case dot
        case string(String)
        case integer(Int)
        case number(Double)
        case character(Int)
        /// `|`, `(`, `)`, `,`, `:=`, `=`.
        case sign(String)
    }

    private let bytes: [UInt8]
    private var place = 0
    private var isInside = false
    private var trimsNext = false
    private(set) var tokens: [(token: Token, place: Int)] = []

    /// The tokens of a text.
    static func tokens(
        of text: String
    ) throws(TemplateError) -> [(token: Token, place: Int)] {
        var lexer = TemplateLexer(bytes: Array(text.utf8))
        while lexer.place < lexer.bytes.count {
            if lexer.isInside { try lexer.word() } else { try lexer.text() }
        }
        if lexer.isInside { throw lexer.error("an action has no `}}`", at: lexer.place) }
        return lexer.tokens
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    func error(_ message: String, at place: Int) -> TemplateError {
        let position = Self.position(of: place, in: bytes)
        return TemplateError(line: position.line, column: position.column, message: message)
    }

    /// The line and the column of a byte.
    static func position(of place: Int, in bytes: [UInt8]) -> Template.Place {
        var position = Template.Place(line: 1, column: 1)
        for byte in bytes.prefix(place) {
            position.column += 1
            if byte == 0x0a { position = Template.Place(line: position.line + 1, column: 1) }
        }
        return position
    }

    private func has(_ text: StaticString, at place: Int) -> Bool {
        let count = text.utf8CodeUnitCount
        guard place + count <= bytes.count else { return false }
        return (0..<count).allSatisfy { bytes[place + $0] == text.utf8Start[$0] }
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d
    }

    private mutating func add(_ token: Token, at place: Int) { tokens.append((token, place)) }

    // MARK: Outside

    private mutating func text() throws(TemplateError) {
        let start = place
        while place < bytes.count, !has("{{", at: place) { place += 1 }
        var range = start..<place
        let opens = place < bytes.count
        let trimsBefore = opens && has("{{- ", at: place)
        if trimsNext {
            while let first = range.first, Self.isBlank(bytes[first]) {
                range = (first + 1)..<range.upperBound
            }
        }
        trimsNext = false
        if trimsBefore {
            while let last = range.last, Self.isBlank(bytes[last]) {
                range = range.lowerBound..<last
            }
        }
        if !range.isEmpty { add(.text(String(decoding: bytes[range], as: UTF8.self)), at: start) }
        guard opens else { return }
        let open = place
        place += trimsBefore ? 4 : 2
        if has("/*", at: place) { return try comment(from: open) }
        add(.open, at: open)
        isInside = true
    }

    private mutating func comment(from open: Int) throws(TemplateError) {
        while place < bytes.count, !has("*/", at: place) { place += 1 }
        place += 2
        if has(" -}}", at: place) {
            trimsNext = true
            place += 4
        } else if has("}}", at: place) {
            place += 2
        } else {
            throw error("a comment has no `*/}}`", at: open)
        }
    }

    // MARK: Inside

    private mutating func word() throws(TemplateError) {
        let start = place
        let byte = bytes[place]
        if has(" -}}", at: place) {
            place += 4
            trimsNext = true
            isInside = false
            return add(.close, at: start)
        }
        if has("}}", at: place) {
            place += 2
            isInside = false
            return add(.close, at: start)
        }
        if Self.isBlank(byte) {
            place += 1
            return
        }
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "`"), UInt8(ascii: "'"): try quoted(byte)
        case UInt8(ascii: "."):
            if place + 1 < bytes.count, bytes[place + 1] &- 0x30 < 10 { return try number() }
            place += 1
            let name = identifier()
            let isDetached =
                start == 0 || Self.isBlank(bytes[start - 1])
                || bytes[start - 1] == UInt8(ascii: "{")
            add(name.isEmpty ? .dot : .field(name, isDetached: isDetached), at: start)
        case UInt8(ascii: "$"):
            place += 1
            add(.variable(identifier()), at: start)
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"):
            try number()
        case UInt8(ascii: ":") where has(":=", at: place):
            place += 2
            add(.sign(":="), at: start)
        case UInt8(ascii: "|"), UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: ","),
            UInt8(ascii: "="):
            place += 1
            add(.sign(String(UnicodeScalar(byte))), at: start)
        default:
            let name = identifier()
            if name.isEmpty {
                throw error("unexpected `\(UnicodeScalar(byte))` in an action", at: start)
            }
            add(.word(name), at: start)
        }
    }

    private mutating func identifier() -> String {
        let start = place
        while place < bytes.count {
            let byte = bytes[place]
            guard
                byte == UInt8(ascii: "_") || byte >= 0x80 || (byte | 0x20) &- 0x61 < 26
                    || byte &- 0x30 < 10
            else { break }
            place += 1
        }
        return String(decoding: bytes[start..<place], as: UTF8.self)
    }

    private mutating func quoted(_ quote: UInt8) throws(TemplateError) {
        let start = place
        place += 1
        while place < bytes.count, bytes[place] != quote {
            if bytes[place] == UInt8(ascii: "\\"), quote != UInt8(ascii: "`") { place += 1 }
            place += 1
        }
        guard place < bytes.count else { throw error("a quote has no end", at: start) }
        let inner = bytes[(start + 1)..<place]
        place += 1
        if quote == UInt8(ascii: "`") {
            return add(.string(String(decoding: inner, as: UTF8.self)), at: start)
        }
        guard let text = GoQuotes.restored(inner) else {
            throw error("there is an escape that Go does not know in a text", at: start)
        }
        guard quote == UInt8(ascii: "'") else { return add(.string(text), at: start) }
        guard let scalar = text.unicodeScalars.first, text.unicodeScalars.count == 1 else {
            throw error("one character stands in single quotes", at: start)
        }
        add(.character(Int(scalar.value)), at: start)
    }

    private mutating func number() throws(TemplateError) {
        let start = place
        place += 1
        while place < bytes.count {
            let byte = bytes[place]
            let isExponentSign =
                (byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-"))
                && bytes[place - 1] | 0x20 == UInt8(ascii: "e")
            guard
                byte == UInt8(ascii: ".") || byte == UInt8(ascii: "_")
                    || byte &- 0x30 < 10 || (byte | 0x20) &- 0x61 < 26 || isExponentSign
            else { break }
            place += 1
        }
        let text = String(decoding: bytes[start..<place], as: UTF8.self).replacing("_", with: "")
        if let integer = GoQuotes.integer(text) { return add(.integer(integer), at: start) }
        guard let number = Double(text) else { throw error("`\(text)` is no number", at: start) }
        add(.number(number), at: start)
    }
}

/// Go's ways of writing texts and whole numbers.
enum GoQuotes {
    /// A text whose escapes are restored; `nil` where there is one that Go does not know.
    static func restored(_ bytes: ArraySlice<UInt8>) -> String? {
        var out: [UInt8] = []
        var rest = bytes
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "\\") else {
                out.append(byte)
                continue
            }
            guard let kind = rest.popFirst() else { return nil }
            switch kind {
            case UInt8(ascii: "a"): out.append(7)
            case UInt8(ascii: "b"): out.append(8)
            case UInt8(ascii: "f"): out.append(12)
            case UInt8(ascii: "n"): out.append(10)
            case UInt8(ascii: "r"): out.append(13)
            case UInt8(ascii: "t"): out.append(9)
            case UInt8(ascii: "v"): out.append(11)
            case UInt8(ascii: "\\"), UInt8(ascii: "\""), UInt8(ascii: "'"): out.append(kind)
            case UInt8(ascii: "x"), UInt8(ascii: "u"), UInt8(ascii: "U"):
                let count = kind == UInt8(ascii: "x") ? 2 : kind == UInt8(ascii: "u") ? 4 : 8
                let digits = rest.prefix(count)
                rest = rest.dropFirst(count)
                guard digits.count == count,
                    let number = UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
                else { return nil }
                if count == 2 {
                    out.append(UInt8(truncatingIfNeeded: number))
                } else {
                    guard let scalar = UnicodeScalar(number) else { return nil }
                    out += Array(String(scalar).utf8)
                }
            case UInt8(ascii: "0")...UInt8(ascii: "7"):
                let digits = [kind] + rest.prefix(2)
                rest = rest.dropFirst(2)
                guard digits.count == 3,
                    let number = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
                else { return nil }
                out.append(number)
            default: return nil
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// A whole number, in any of Go's bases.
    static func integer(_ text: String) -> Int? {
        let sign = text.hasPrefix("-") ? "-" : ""
        let digits = text.drop { $0 == "-" || $0 == "+" }
        for (prefix, radix) in [("0x", 16), ("0X", 16), ("0b", 2), ("0B", 2), ("0o", 8), ("0O", 8)]
        where digits.hasPrefix(prefix) {
            return Int(sign + digits.dropFirst(2), radix: radix)
        }
        if digits.count > 1, digits.hasPrefix("0") { return Int(sign + digits, radix: 8) }
        return Int(sign + digits)
    }
}

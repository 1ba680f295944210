/// One token of a query.
struct Token: Equatable {
    /// What it is.
    enum Kind: Equatable {
        /// A name or a keyword; which of them, the parser knows.
        case identifier
        case number(Double)
        /// A time span in seconds.
        case duration(Double)
        case string
        /// An operator or a bracket, as it is written.
        case sign
        case end
        /// What no token begins with, or that does not end.
        case invalid(String)
    }

    var kind: Kind
    /// What is written; of a string, what it means.
    var text: String
    var range: TextRange
    /// A string's bytes where they are not UTF-8.
    var malformed: [UInt8] = []
}

/// Cuts a query into tokens.
struct Lexer {
    private let bytes: [UInt8]
    private var place: Int
    /// How many `[` are open: within, `:` stands between range and step, and belongs to no name.
    private var bracketDepth = 0
    private var braceDepth = 0

    init(_ text: String) {
        bytes = Array(text.utf8)
        place = 0
    }

    /// The next token; at the end of the text `end`, again and again.
    mutating func next() -> Token {
        skipBlanks()
        let start = place
        guard let byte = current else { return token(.end, from: start) }
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "`"): return string(byte)
        case UInt8(ascii: "0")...UInt8(ascii: "9"): return number()
        case UInt8(ascii: ".") where peek(1).map(Self.isDigit) ?? false: return number()
        case UInt8(ascii: ":") where bracketDepth == 0 && braceDepth == 0: return identifier()
        case _ where Self.isNameStart(byte): return identifier()
        default: return sign()
        }
    }

    private var current: UInt8? { place < bytes.count ? bytes[place] : nil }

    private func peek(_ distance: Int) -> UInt8? {
        place + distance < bytes.count ? bytes[place + distance] : nil
    }

    private func text(from start: Int) -> String {
        String(decoding: bytes[start..<place], as: UTF8.self)
    }

    private func token(_ kind: Token.Kind, from start: Int) -> Token {
        Token(kind: kind, text: text(from: start), range: TextRange(start: start, end: place))
    }

    private mutating func skipBlanks() {
        while let byte = current {
            if byte == UInt8(ascii: "#") {
                while let byte = current, byte != UInt8(ascii: "\n") { place += 1 }
            } else if byte == 0x20 || 0x09...0x0d ~= byte {
                place += 1
            } else {
                return
            }
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

    private static func isNameStart(_ byte: UInt8) -> Bool {
        (byte | 0x20) &- 0x61 < 26 || byte == UInt8(ascii: "_")
    }

    private mutating func identifier() -> Token {
        let start = place
        let takesColons = bracketDepth == 0 && braceDepth == 0
        while let byte = current,
            Self.isNameStart(byte) || Self.isDigit(byte)
                || takesColons && byte == UInt8(ascii: ":")
        {
            place += 1
        }
        return token(.identifier, from: start)
    }

    private mutating func sign() -> Token {
        let start = place
        for sign in Self.signs where bytes[place...].starts(with: sign.utf8) {
            place += sign.utf8.count
            switch sign {
            case "[": bracketDepth += 1
            case "]": bracketDepth = max(bracketDepth - 1, 0)
            case "{": braceDepth += 1
            case "}": braceDepth = max(braceDepth - 1, 0)
            default: break
            }
            return token(.sign, from: start)
        }
        // A whole character, so that the message can show it.
        place += 1
        while let byte = current, byte & 0xc0 == 0x80 { place += 1 }
        let shown = GoText.quoted(text(from: start)).dropFirst().dropLast()
        return token(.invalid("unexpected character: '\(shown)'"), from: start)
    }

    /// Longer ones first.
    private static let signs = [
        "==", "!=", "=~", "!~", "<=", ">=", "</", ">/", "=", "<", ">", "+", "-", "*", "/", "%", "^",
        "(", ")", "{", "}", "[", "]", ",", "@", ":",
    ]

    // MARK: Numbers

    private mutating func number() -> Token {
        let start = place
        if let seconds = duration() { return token(.duration(seconds), from: start) }
        place = start
        if current == UInt8(ascii: "0"), let sign = peek(1), sign | 0x20 == UInt8(ascii: "x") {
            place += 2
            return radixNumber(start)
        }
        skipDigits()
        if current == UInt8(ascii: ".") {
            place += 1
            skipDigits()
        }
        if let byte = current, byte | 0x20 == UInt8(ascii: "e") {
            let exponent = place
            place += 1
            if let sign = current, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") {
                place += 1
            }
            if current.map(Self.isDigit) ?? false { skipDigits() } else { place = exponent }
        }
        if let byte = current, Self.isNameStart(byte) || Self.isDigit(byte) {
            while let byte = current, Self.isNameStart(byte) || Self.isDigit(byte) { place += 1 }
            return token(
                .invalid("bad number or duration syntax: \(GoText.quoted(text(from: start)))"),
                from: start)
        }
        let written = text(from: start).filter { $0 != "_" }
        // A leading zero makes a whole number octal, as in Go.
        if written.count > 1, written.hasPrefix("0"), written.utf8.allSatisfy(Self.isDigit),
            let octal = Int64(written, radix: 8)
        {
            return token(.number(Double(octal)), from: start)
        }
        guard let value = Double(written.hasSuffix(".") ? written + "0" : written) else {
            return token(
                .invalid("bad number or duration syntax: \(GoText.quoted(written))"), from: start)
        }
        return token(.number(value), from: start)
    }

    private mutating func skipDigits() {
        while let byte = current,
            Self.isDigit(byte)
                || byte == UInt8(ascii: "_") && (peek(1).map(Self.isDigit) ?? false)
        {
            place += 1
        }
    }

    private mutating func radixNumber(_ start: Int) -> Token {
        let digits = place
        while let byte = current, Self.isNameStart(byte) || Self.isDigit(byte) { place += 1 }
        let written = String(decoding: bytes[digits..<place], as: UTF8.self).filter { $0 != "_" }
        guard let value = UInt64(written, radix: 16) else {
            return token(
                .invalid("bad number or duration syntax: \(GoText.quoted(text(from: start)))"),
                from: start)
        }
        return token(.number(Double(value)), from: start)
    }

    /// Units in descending order with their seconds; each may stand once.
    private static let units: [(name: String, seconds: Double)] = [
        ("y", 365 * 86_400), ("w", 7 * 86_400), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1),
        ("ms", 0.001),
    ]

    /// A time span such as `1h30m`, or `nil` when it is something else.
    private mutating func duration() -> Double? {
        var milliseconds = 0.0
        var allowed = Self.units[...]
        var hasUnit = false
        while current.map(Self.isDigit) ?? false {
            let start = place
            while current.map(Self.isDigit) ?? false { place += 1 }
            guard let count = Double(text(from: start)) else { return nil }
            let name = place
            while let byte = current, (byte | 0x20) &- 0x61 < 26 { place += 1 }
            let unit = text(from: name)
            guard let index = allowed.firstIndex(where: { $0.name == unit }) else { return nil }
            milliseconds += count * (allowed[index].seconds * 1_000)
            allowed = allowed[(index + 1)...]
            hasUnit = true
        }
        if let byte = current, Self.isNameStart(byte) { return nil }
        return hasUnit ? milliseconds / 1_000 : nil
    }

    // MARK: Strings

    private mutating func string(_ quote: UInt8) -> Token {
        let start = place
        place += 1
        var meaning: [UInt8] = []
        while let byte = current, byte != quote {
            if byte == UInt8(ascii: "\\"), quote != UInt8(ascii: "`") {
                guard unescape(quote, into: &meaning) else {
                    return token(.invalid("unknown escape sequence in string"), from: start)
                }
            } else if byte == UInt8(ascii: "\n"), quote != UInt8(ascii: "`") {
                return token(.invalid("unterminated quoted string"), from: start)
            } else {
                meaning.append(byte)
                place += 1
            }
        }
        guard current == quote else {
            return token(
                .invalid(
                    quote == UInt8(ascii: "`")
                        ? "unterminated raw string" : "unterminated quoted string"), from: start)
        }
        place += 1
        let text = String(decoding: meaning, as: UTF8.self)
        return Token(
            kind: .string, text: text, range: TextRange(start: start, end: place),
            malformed: text.utf8.elementsEqual(meaning) ? [] : meaning)
    }

    /// Reads an escape sequence as Go has it.
    private mutating func unescape(_ quote: UInt8, into meaning: inout [UInt8]) -> Bool {
        place += 1
        guard let byte = current else { return false }
        place += 1
        switch byte {
        case UInt8(ascii: "a"): meaning.append(7)
        case UInt8(ascii: "b"): meaning.append(8)
        case UInt8(ascii: "f"): meaning.append(12)
        case UInt8(ascii: "n"): meaning.append(10)
        case UInt8(ascii: "r"): meaning.append(13)
        case UInt8(ascii: "t"): meaning.append(9)
        case UInt8(ascii: "v"): meaning.append(11)
        case UInt8(ascii: "\\"), quote: meaning.append(byte)
        case UInt8(ascii: "x"):
            guard let value = digits(2, radix: 16) else { return false }
            meaning.append(UInt8(truncatingIfNeeded: value))
        case UInt8(ascii: "0")...UInt8(ascii: "7"):
            place -= 1
            guard let value = digits(3, radix: 8), value < 256 else { return false }
            meaning.append(UInt8(truncatingIfNeeded: value))
        case UInt8(ascii: "u"), UInt8(ascii: "U"):
            guard let value = digits(byte == UInt8(ascii: "u") ? 4 : 8, radix: 16),
                let scalar = UnicodeScalar(value)
            else { return false }
            meaning += Array(String(scalar).utf8)
        default: return false
        }
        return true
    }

    private mutating func digits(_ count: Int, radix: Int) -> UInt32? {
        guard place + count <= bytes.count else { return nil }
        let text = String(decoding: bytes[place..<(place + count)], as: UTF8.self)
        guard text.utf8.allSatisfy({ Self.isDigit($0) || ($0 | 0x20) &- 0x61 < 6 }),
            let value = UInt32(text, radix: radix)
        else { return nil }
        place += count
        return value
    }
}

import CPCRE2

/// RE2's dialect (Go's `regexp`) as PCRE2 understands it: nearly the same, but for what RE2 leaves out so
/// that no pattern takes long, and for what PCRE2 adds.
enum RE2Dialect {
    /// The highest count in `{…}` (RE2: `kMaxRepeat`).
    private static let repetitionLimit = 1_000

    /// Escapes that are letters in RE2 as well.
    private static let letters = Set("AbBzdDsSwWaftnrvxpPQEC0123456789".utf8)

    /// Checks that a pattern is one of RE2's.
    static func check(_ pattern: String) throws(RegexError) {
        let bytes = Array(pattern.utf8)
        guard bytes.count <= Regex.patternByteLimit else {
            throw RegexError(
                message: "the pattern is longer than \(Regex.patternByteLimit) bytes", offset: 0,
                help: "split it")
        }
        var place = 0
        var isInClass = false
        var classStart = 0
        while place < bytes.count {
            let byte = bytes[place]
            if byte == UInt8(ascii: "\\") {
                place += try checkEscape(bytes, place)
                continue
            }
            if isInClass {
                if byte == UInt8(ascii: "]"), place > classStart { isInClass = false }
                place += 1
                continue
            }
            switch byte {
            case UInt8(ascii: "["):
                isInClass = true
                classStart = place + 1
                if place + 1 < bytes.count, bytes[place + 1] == UInt8(ascii: "^") {
                    classStart += 1
                }
                place = classStart
            case UInt8(ascii: "("):
                try checkGroup(bytes, place)
                place += 1
            case UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "?"), UInt8(ascii: "{"):
                place += try checkRepetition(bytes, place)
            default: place += 1
            }
        }
    }

    private static func refuse(_ what: String, _ offset: Int, _ help: String) -> RegexError {
        RegexError(message: "error parsing regexp: \(what)", offset: offset, help: help)
    }

    /// - Returns: How many bytes the escape takes.
    private static func checkEscape(_ bytes: [UInt8], _ place: Int) throws(RegexError) -> Int {
        guard place + 1 < bytes.count else {
            throw refuse("trailing backslash at end of expression", place, "escape it: `\\\\`")
        }
        let letter = bytes[place + 1]
        let isAlphanumeric = letter &- 0x30 < 10 || (letter | 0x20) &- 0x61 < 26
        let shown = String(decoding: bytes[place...(place + 1)], as: UTF8.self)
        guard isAlphanumeric else { return 2 }
        guard letters.contains(letter), !(0x31...0x39 ~= letter) else {
            throw refuse(
                "invalid escape sequence: `\(shown)`", place,
                "RE2 has no back references and no such class")
        }
        if letter == UInt8(ascii: "Q") {
            // Literal up to `\E`.
            var end = place + 2
            while end < bytes.count,
                !(bytes[end] == UInt8(ascii: "\\") && end + 1 < bytes.count
                    && bytes[end + 1] == UInt8(ascii: "E"))
            {
                end += 1
            }
            return min(end + 2, bytes.count) - place
        }
        return 2
    }

    private static func checkGroup(_ bytes: [UInt8], _ place: Int) throws(RegexError) {
        guard place + 1 < bytes.count, bytes[place + 1] == UInt8(ascii: "?") else {
            if place + 1 < bytes.count, bytes[place + 1] == UInt8(ascii: "*") {
                throw refuse("missing argument to repetition operator: `*`", place + 1, "mend it")
            }
            return
        }
        let rest = bytes[(place + 2)...]
        if rest.starts(with: Array("P<".utf8)) { return }
        if let next = rest.first, next == UInt8(ascii: "<") {
            let after = rest.dropFirst().first
            if after != UInt8(ascii: "="), after != UInt8(ascii: "!") { return }
        }
        let flags = rest.prefix { "imsU-".utf8.contains($0) }
        if let end = rest.dropFirst(flags.count).first,
            end == UInt8(ascii: ":") || end == UInt8(ascii: ")") && !flags.isEmpty
        {
            return
        }
        let shown = String(decoding: bytes[place...].prefix(4), as: UTF8.self)
        throw refuse(
            "invalid or unsupported Perl syntax: `\(shown)`", place,
            "RE2 has no look-around; match the whole value in another way, or use another matcher")
    }

    /// - Returns: How many bytes the repetition takes.
    private static func checkRepetition(_ bytes: [UInt8], _ place: Int) throws(RegexError) -> Int {
        var end = place + 1
        if bytes[place] == UInt8(ascii: "{") {
            guard let close = bytes[place...].firstIndex(of: UInt8(ascii: "}")) else { return 1 }
            let counts = bytes[(place + 1)..<close].split(
                separator: UInt8(ascii: ","), maxSplits: 1, omittingEmptySubsequences: false)
            // What is no count is a text.
            guard counts[0].allSatisfy({ $0 &- 0x30 < 10 }), !counts[0].isEmpty,
                counts.last?.allSatisfy({ $0 &- 0x30 < 10 }) ?? false
            else { return 1 }
            for count in counts where !count.isEmpty {
                guard let number = Int(String(decoding: count, as: UTF8.self)),
                    number <= repetitionLimit
                else {
                    throw refuse(
                        "invalid repeat count: `\(String(decoding: bytes[place...close], as: UTF8.self))`",
                        place, "at most \(repetitionLimit) repetitions are allowed")
                }
            }
            end = close + 1
        }
        // Lazy, but neither possessive nor repeated again.
        if end < bytes.count, bytes[end] == UInt8(ascii: "?") { end += 1 }
        if end < bytes.count,
            [UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "?")].contains(bytes[end])
        {
            throw refuse(
                "invalid nested repetition operator: "
                    + "`\(String(decoding: bytes[place...end], as: UTF8.self))`", place,
                "put the inner repetition in parentheses")
        }
        return end - place
    }
}

extension Regex {
    /// Compiles a pattern in RE2's dialect that must match a whole text, as Prometheus' label matchers do:
    /// `^(?s:pattern)$`.
    public convenience init(wholly pattern: String) throws(RegexError) {
        try RE2Dialect.check(pattern)
        try self.init(
            pattern, bytes: Array("(?:\(pattern))".utf8),
            options: PCRE2_DOTALL | PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_DOLLAR_ENDONLY
                | PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DUPNAMES,
            groupNames: [:])
    }
    /// Compiles a pattern in RE2's dialect that is looked for anywhere in a text.
    public convenience init(re2 pattern: String) throws(RegexError) {
        try RE2Dialect.check(pattern)
        try self.init(
            pattern, bytes: Array("(?:\(pattern))".utf8),
            options: PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_DUPNAMES,
            groupNames: [:])
    }
}

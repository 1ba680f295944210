import WeirCore

/// Go's search and replacement of patterns (pkg.go.dev/regexp), for texts of alerts.
public enum TextReplacement {
    /// Whether a pattern is found in a text.
    public static func matches(
        _ pattern: String, _ text: String
    ) throws(LabelPatternError) -> Bool {
        try compiled(pattern).matches(text)
    }

    /// A text with each match replaced; `$1` and `${name}` stand for groups.
    public static func replaced(
        _ text: String, _ pattern: String, _ replacement: String
    ) throws(LabelPatternError) -> String {
        let regex = try compiled(pattern)
        let template = LabelTemplateText(replacement) { regex.groupNumber(named: $0) }
        let matcher = RegexMatcher(regex)
        var out: [UInt8] = []
        var isUnsure = false
        Array(text.utf8).withUnsafeBytes { bytes in
            var copied = 0
            var start = 0
            search: while start <= bytes.count {
                switch matcher.match(bytes, from: start) {
                case .matched: break
                case .unmatched: break search
                case .overLimit:
                    isUnsure = true
                    break search
                }
                guard let whole = matcher.whole else { break }
                out += bytes[copied..<max(copied, whole.lowerBound)]
                let captures = (0...matcher.groupCount).map { number in
                    matcher.group(number: number).map {
                        String(decoding: UnsafeRawBufferPointer(rebasing: bytes[$0]), as: UTF8.self)
                    } ?? ""
                }
                // Nothing that follows a match at once is no match of its own.
                if whole.upperBound > copied || whole.lowerBound == 0 {
                    out += Array(template.text(captures).utf8)
                }
                copied = whole.upperBound
                // It goes on by a letter at least.
                if whole.upperBound > start {
                    start = whole.upperBound
                } else {
                    start += 1
                    while start < bytes.count, bytes[start] & 0xc0 == 0x80 { start += 1 }
                }
            }
            out += bytes[min(copied, bytes.count)...]
        }
        if isUnsure {
            throw LabelPatternError(
                message: "the pattern takes too many steps", help: "write a simpler one")
        }
        return String(decoding: out, as: UTF8.self)
    }

    private static func compiled(_ pattern: String) throws(LabelPatternError) -> Regex {
        do throws(RegexError) {
            return try Regex(re2: pattern)
        } catch {
            throw LabelPatternError(message: error.message, help: error.help)
        }
    }
}

/// A replacement with `$1`, `${1}` and `${name}`, as Go expands it.
struct LabelTemplateText {
    private enum Part {
        case text(String)
        /// A group, or nothing where the pattern has none of that name.
        case group(Int?)
    }

    private var parts: [Part] = []

    /// - Parameter groupNumber: The number of a named group.
    init(_ text: String, groupNumber: (String) -> Int?) {
        var rest = text[...]
        var plain = ""
        while let dollar = rest.firstIndex(of: "$") {
            plain += rest[..<dollar]
            rest = rest[rest.index(after: dollar)...]
            if rest.first == "$" {
                plain += "$"
                rest = rest.dropFirst()
                continue
            }
            var name: Substring
            if rest.first == "{", let close = rest.firstIndex(of: "}") {
                name = rest[rest.index(after: rest.startIndex)..<close]
                guard !name.isEmpty, name.allSatisfy(Self.isNamePart) else {
                    plain += "$"
                    continue
                }
                rest = rest[rest.index(after: close)...]
            } else {
                name = rest.prefix(while: Self.isNamePart)
                guard !name.isEmpty else {
                    plain += "$"
                    continue
                }
                rest = rest[name.endIndex...]
            }
            if !plain.isEmpty { parts.append(.text(plain)) }
            plain = ""
            parts.append(.group(Int(name) ?? groupNumber(String(name))))
        }
        plain += rest
        if !plain.isEmpty { parts.append(.text(plain)) }
    }

    private static func isNamePart(_ character: Character) -> Bool {
        character == "_" || character.isASCII && (character.isLetter || character.isNumber)
    }

    /// The replacement for a match.
    func text(_ captures: [String]) -> String {
        var text = ""
        for part in parts {
            switch part {
            case .text(let plain): text += plain
            case .group(let number?) where number < captures.count: text += captures[number]
            case .group: break
            }
        }
        return text
    }
}

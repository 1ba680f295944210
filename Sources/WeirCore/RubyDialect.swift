/// Ruby's regular expressions (Onigmo) in PCRE2's terms.
///
/// The two agree on nearly everything; what differs: `(?m)` means in Ruby what PCRE2 calls `(?s)`,
/// `\h` is a hexadecimal digit, `\Z`, `\A` and `\z` are the same, `(?~…)` does not exist in PCRE2.
enum RubyDialect {
    struct Translation {
        var bytes: [UInt8]
        /// Whether the pattern names or counts characters, so that bytes are not enough.
        var needsUnicode: Bool
        /// The names of groups as they were written, by the names that PCRE2 takes for them.
        var groupNames: [String: String]
    }

    static func translate(_ pattern: String) throws(RegexError) -> Translation {
        let source = Array(pattern.utf8)
        guard source.count <= Regex.patternByteLimit else {
            throw RegexError(
                message: "the pattern is longer than \(Regex.patternByteLimit) bytes", offset: 0,
                help: "split it")
        }
        var bytes: [UInt8] = []
        var needsUnicode = source.contains { $0 >= 0x80 }
        var place = 0
        var isInClass = false
        var nestedClasses = 0
        var names = RubyGroupNames()
        func byte(_ index: Int) -> UInt8 { index < source.count ? source[index] : 0 }
        while place < source.count {
            let c = source[place]
            if c == UInt8(ascii: "\\") {
                let escape = appendEscape(source, place, isInClass: isInClass, &names, to: &bytes)
                needsUnicode = needsUnicode || escape.needsUnicode
                place += escape.taken
                continue
            }
            if isInClass, let (name, replacement) = bracket(source[place...]) {
                bytes += Array(replacement.utf8)
                place += name.utf8.count
                needsUnicode = true
                continue
            }
            if c == UInt8(ascii: "["), !isInClass {
                isInClass = true
                needsUnicode =
                    needsUnicode
                    || byte(place + 1) == UInt8(ascii: "^")
                        && !isRun(source, classEnd(source, place))
            } else if c == UInt8(ascii: "["), byte(place + 1) != UInt8(ascii: ":") {
                guard byte(place + 1) != UInt8(ascii: "^") else { throw setOperation(place) }
                // A class within a class is a union: its characters are the outer one's too.
                nestedClasses += 1
                place += 1
                continue
            } else if c == UInt8(ascii: "]"), nestedClasses > 0 {
                nestedClasses -= 1
                place += 1
                continue
            } else if c == UInt8(ascii: "]") {
                isInClass = false
            } else if c == UInt8(ascii: "&"), isInClass, byte(place + 1) == UInt8(ascii: "&") {
                throw setOperation(place)
            } else if c == UInt8(ascii: "."), !isInClass {
                needsUnicode = needsUnicode || !isRun(source, place + 1)
            } else if c == UInt8(ascii: "{"), !isInClass, byte(place + 1) == UInt8(ascii: ",") {
                bytes += Array("{0".utf8)
                place += 1
                continue
            } else if c == UInt8(ascii: "("), !isInClass, byte(place + 1) == UInt8(ascii: "?") {
                if let taken = names.appendGroup(source, place, to: &bytes) {
                    place += taken
                    continue
                }
                if byte(place + 2) == UInt8(ascii: "~") { throw absence(place) }
                place += appendOptions(source, place, to: &bytes)
                continue
            }
            bytes.append(c)
            place += 1
        }
        return Translation(bytes: bytes, needsUnicode: needsUnicode, groupNames: names.written)
    }

    /// Appends the escape at `place`.
    /// - Returns: How many bytes of the source were taken, and whether bytes are not enough for it.
    private static func appendEscape(
        _ source: [UInt8], _ place: Int, isInClass: Bool, _ names: inout RubyGroupNames,
        to bytes: inout [UInt8]
    ) -> (taken: Int, needsUnicode: Bool) {
        let next = place + 1 < source.count ? source[place + 1] : 0
        let plain = next == 0 ? [source[place]] : [source[place], next]
        switch next {
        case UInt8(ascii: "h"):
            bytes += Array(isInClass ? "0-9a-fA-F".utf8 : "[0-9a-fA-F]".utf8)
        case UInt8(ascii: "H") where !isInClass: bytes += Array("[^0-9a-fA-F]".utf8)
        case UInt8(ascii: "u"):
            return (2 + appendCodePoints(source, place, to: &bytes), true)
        case UInt8(ascii: "p"):
            return (2 + appendProperty(source, place, isInClass: isInClass, to: &bytes), true)
        case UInt8(ascii: "P"), UInt8(ascii: "X"):
            bytes += plain
            return (2, true)
        case UInt8(ascii: "k"), UInt8(ascii: "g"):
            bytes += plain
            return (2 + names.appendReference(source, place + 2, to: &bytes), false)
        case UInt8(ascii: "v"): bytes += Array("\\x0b".utf8)
        case UInt8(ascii: "Q"), UInt8(ascii: "E"): bytes.append(next)
        case UInt8(ascii: "S"), UInt8(ascii: "W"), UInt8(ascii: "D"), UInt8(ascii: "B"):
            bytes += plain
            return (2, !isInClass && !isRun(source, place + 2))
        default: bytes += plain
        }
        return (2, false)
    }

    private static func absence(_ place: Int) -> RegexError {
        RegexError(
            message: "`(?~…)` is an absence operator, which Weir does not have", offset: place,
            help: "write a negated class or a negative look-ahead")
    }

    private static func setOperation(_ place: Int) -> RegexError {
        RegexError(
            message: "an intersection or a negated class within a class is not supported",
            offset: place, help: "write `(?=[…])[…]` for what is in both classes")
    }

    /// Whether what stands before `place` is repeated without end and greedily: then bytes are as
    /// good as characters.
    private static func isRun(_ source: [UInt8], _ place: Int) -> Bool {
        guard place < source.count,
            source[place] == UInt8(ascii: "*") || source[place] == UInt8(ascii: "+")
        else { return false }
        let isLazy = place + 1 < source.count && source[place + 1] == UInt8(ascii: "?")
        return source[place] == UInt8(ascii: "*") || !isLazy
    }

    /// The place behind the class that begins at `place`.
    private static func classEnd(_ source: [UInt8], _ place: Int) -> Int {
        var end = place + 2
        if end < source.count, source[end] == UInt8(ascii: "]") { end += 1 }
        while end < source.count, source[end] != UInt8(ascii: "]") {
            end += source[end] == UInt8(ascii: "\\") ? 2 : 1
        }
        return end + 1
    }

    /// Appends `\u0041` or `\u{41 42}`.
    /// - Returns: How many bytes behind the `\u` were taken.
    private static func appendCodePoints(
        _ source: [UInt8], _ place: Int, to bytes: inout [UInt8]
    ) -> Int {
        let rest = source.dropFirst(place + 2)
        guard rest.first == UInt8(ascii: "{"), let end = rest.firstIndex(of: UInt8(ascii: "}"))
        else {
            bytes += Array("\\x{".utf8) + rest.prefix(4) + Array("}".utf8)
            return 4
        }
        for point in rest[rest.startIndex + 1..<end].split(separator: UInt8(ascii: " ")) {
            bytes += Array("\\x{".utf8) + point + Array("}".utf8)
        }
        return end - place - 1
    }

    /// The properties that Ruby has and PCRE2 does not, as the inside of a class.
    private static let properties = [
        "alnum": "\\p{L}\\p{M}\\p{N}", "digit": "\\p{Nd}", "word": "\\p{L}\\p{M}\\p{N}\\p{Pc}",
        "punct": "\\p{P}", "letter": "\\p{L}", "xdigit": "0-9A-Fa-f", "cntrl": "\\p{Cc}",
        "blank": " \\t\\p{Zs}", "print": "\\P{C}",
    ]

    /// Appends `\p{…}`.
    /// - Returns: How many bytes behind the `\p` were taken.
    private static func appendProperty(
        _ source: [UInt8], _ place: Int, isInClass: Bool, to bytes: inout [UInt8]
    ) -> Int {
        let rest = source.dropFirst(place + 2)
        guard rest.first == UInt8(ascii: "{"), let end = rest.firstIndex(of: UInt8(ascii: "}")),
            let content = properties[
                String(decoding: rest[rest.startIndex + 1..<end], as: UTF8.self).lowercased()]
        else {
            bytes += Array("\\p".utf8)
            return 0
        }
        bytes += Array(isInClass ? content.utf8 : "[\(content)]".utf8)
        return end - place - 1
    }

    /// Classes that know letters beyond ASCII in Ruby, but not in PCRE2.
    private static func bracket(_ rest: ArraySlice<UInt8>) -> (name: String, replacement: String)? {
        let classes = [
            ("[:alpha:]", "\\p{L}\\p{M}"), ("[:digit:]", "\\p{Nd}"), ("[:print:]", "\\P{C}"),
            ("[:punct:]", "[:punct:]\\p{P}"), ("[:alnum:]", "\\p{L}\\p{M}\\p{N}"),
            ("[:upper:]", "\\p{Lu}"), ("[:lower:]", "\\p{Ll}"),
            ("[:word:]", "\\p{L}\\p{M}\\p{N}\\p{Pc}"),
        ]
        return classes.first { rest.starts(with: $0.0.utf8) }
    }

    /// Copies `(?` and the option letters behind it, with Ruby's `m` as PCRE2's `s`.
    /// - Returns: How many bytes of the source were taken.
    private static func appendOptions(
        _ source: [UInt8], _ place: Int, to bytes: inout [UInt8]
    ) -> Int {
        var end = place + 2
        let letters = Array("imx-".utf8)
        while end < source.count, letters.contains(source[end]) { end += 1 }
        let closes =
            end < source.count
            && (source[end] == UInt8(ascii: ":") || source[end] == UInt8(ascii: ")"))
        guard closes, end > place + 2 else {
            bytes += Array("(?".utf8)
            return 2
        }
        bytes += Array("(?".utf8)
        for letter in source[place + 2..<end] {
            bytes.append(letter == UInt8(ascii: "m") ? UInt8(ascii: "s") : letter)
        }
        return end - place
    }
}

/// Ruby's regular expressions (Onigmo) in PCRE2's terms.
///
/// The two agree on nearly everything; what differs: `(?m)` means in Ruby what PCRE2 calls `(?s)`,
/// `\h` is a hexadecimal digit, `\Z`, `\A` and `\z` are the same, `(?~…)` does not exist in PCRE2.
enum RubyDialect {
    struct Translation {
        var bytes: [UInt8]
        /// Whether the pattern names characters beyond ASCII, so that bytes are not enough.
        var needsUnicode: Bool
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
        func byte(_ index: Int) -> UInt8 { index < source.count ? source[index] : 0 }
        while place < source.count {
            let c = source[place]
            if c == UInt8(ascii: "\\") {
                let next = byte(place + 1)
                switch next {
                case UInt8(ascii: "h"):
                    bytes += Array(isInClass ? "0-9a-fA-F".utf8 : "[0-9a-fA-F]".utf8)
                case UInt8(ascii: "H") where !isInClass: bytes += Array("[^0-9a-fA-F]".utf8)
                case UInt8(ascii: "p"), UInt8(ascii: "P"), UInt8(ascii: "X"), UInt8(ascii: "u"):
                    needsUnicode = true
                    if next == UInt8(ascii: "u") {
                        bytes +=
                            Array("\\x{".utf8) + source.dropFirst(place + 2).prefix(4)
                            + Array("}".utf8)
                        place += 4
                    } else {
                        bytes += [c, next]
                    }
                default: bytes += next == 0 ? [c] : [c, next]
                }
                place += 2
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
            } else if c == UInt8(ascii: "]") {
                isInClass = false
            } else if c == UInt8(ascii: "("), !isInClass, byte(place + 1) == UInt8(ascii: "?") {
                if byte(place + 2) == UInt8(ascii: "~") {
                    throw RegexError(
                        message: "`(?~…)` is an absence operator, which Weir does not have",
                        offset: place, help: "write a negated class or a negative look-ahead")
                }
                place += appendOptions(source, place, to: &bytes)
                continue
            }
            bytes.append(c)
            place += 1
        }
        return Translation(bytes: bytes, needsUnicode: needsUnicode)
    }

    /// Classes that know letters beyond ASCII in Ruby, but not in PCRE2.
    private static func bracket(_ rest: ArraySlice<UInt8>) -> (name: String, replacement: String)? {
        let classes = [
            ("[:alpha:]", "\\p{L}\\p{M}"), ("[:alnum:]", "\\p{L}\\p{M}\\p{N}"),
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

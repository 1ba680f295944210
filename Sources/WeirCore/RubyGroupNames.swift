/// The names of a pattern's groups: Ruby takes any, PCRE2 short ones of letters, digits and `_`.
struct RubyGroupNames {
    /// The names as they were written, by those that stand for them.
    private(set) var written: [String: String] = [:]
    private var replacements: [String: String] = [:]
    private static let nameByteLimit = 32

    /// Appends `(?<name>` or `(?'name'` at `place`.
    /// - Returns: How many bytes were taken; `nil` when this is no named group.
    mutating func appendGroup(_ source: [UInt8], _ place: Int, to bytes: inout [UInt8]) -> Int? {
        guard place + 3 < source.count else { return nil }
        let opening = source[place + 2]
        guard opening == UInt8(ascii: "<") || opening == UInt8(ascii: "'"),
            source[place + 3] != UInt8(ascii: "="), source[place + 3] != UInt8(ascii: "!")
        else { return nil }
        guard let (name, taken) = name(source, place + 2), !name.isEmpty else { return nil }
        bytes += Array("(?<\(replacement(for: name))>".utf8)
        return taken + 2
    }

    /// Appends the `<name>` of `\k<name>` or `\g<name>`.
    /// - Returns: How many bytes were taken.
    mutating func appendReference(_ source: [UInt8], _ place: Int, to bytes: inout [UInt8]) -> Int {
        guard let (name, taken) = name(source, place), !name.isEmpty else { return 0 }
        let isNumber = name.utf8.allSatisfy { "+-0123456789".utf8.contains($0) }
        bytes += Array("<\(isNumber ? name : replacement(for: name))>".utf8)
        return taken
    }

    /// The name between `<` and `>`, or between quotes, and how many bytes all of it has.
    private func name(_ source: [UInt8], _ place: Int) -> (name: String, taken: Int)? {
        guard place < source.count else { return nil }
        let closing: UInt8
        switch source[place] {
        case UInt8(ascii: "<"): closing = UInt8(ascii: ">")
        case UInt8(ascii: "'"): closing = UInt8(ascii: "'")
        default: return nil
        }
        guard let end = source[(place + 1)...].firstIndex(of: closing) else { return nil }
        return (String(decoding: source[place + 1..<end], as: UTF8.self), end - place + 1)
    }

    private mutating func replacement(for name: String) -> String {
        if let known = replacements[name] { return known }
        let isPlain =
            name.utf8.count <= Self.nameByteLimit
            && name.utf8.allSatisfy {
                $0 == UInt8(ascii: "_") || $0 &- 0x30 < 10 || ($0 | 0x20) &- 0x61 < 26
            }
        guard !isPlain, let first = name.unicodeScalars.first,
            first == "_" || first.properties.isAlphabetic
        else { return name }
        let short = "weir_group_\(written.count)"
        written[short] = name
        replacements[name] = short
        return short
    }
}

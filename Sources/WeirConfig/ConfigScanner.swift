/// A place in a configuration's text, with its line and column.
struct ConfigScanner {
    private let bytes: [UInt8]
    let file: String
    private(set) var place = 0
    private var line = 1
    private var lineStart = 0

    init(bytes: [UInt8], file: String) {
        self.bytes = bytes
        self.file = file
    }

    var isAtEnd: Bool { place >= bytes.count }

    /// The byte here; 0 beyond the end.
    var byte: UInt8 { place < bytes.count ? bytes[place] : 0 }

    var location: SourceLocation {
        SourceLocation(file: file, line: line, column: place - lineStart + 1)
    }

    /// A byte further on; 0 beyond the end.
    func byte(after count: Int) -> UInt8 {
        place + count < bytes.count ? bytes[place + count] : 0
    }

    mutating func advance() {
        guard place < bytes.count else { return }
        if bytes[place] == UInt8(ascii: "\n") {
            line += 1
            lineStart = place + 1
        }
        place += 1
    }

    mutating func take(_ text: StaticString) -> Bool {
        let count = text.utf8CodeUnitCount
        guard bytes.count - place >= count else { return false }
        for index in 0..<count where bytes[place + index] != text.utf8Start[index] { return false }
        for _ in 0..<count { advance() }
        return true
    }

    private func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    private func isLineEnd(_ byte: UInt8) -> Bool { byte == 0x0a || byte == 0x0d }

    mutating func skipSpace() { while isSpace(byte) { advance() } }

    /// Whether white space, a line end or the text's end is here.
    var isAtBlank: Bool { isAtEnd || isSpace(byte) || isLineEnd(byte) }

    /// Whether a line end or the text's end is here, with no comment before it.
    var isAtBareLineEnd: Bool { isAtEnd || isLineEnd(byte) }

    /// Skips white space, line ends and whole-line comments.
    mutating func skipBlankAndComments() {
        while !isAtEnd {
            if isSpace(byte) || isLineEnd(byte) {
                advance()
            } else if byte == UInt8(ascii: "#") {
                skipLine()
            } else {
                return
            }
        }
    }

    /// Skips to behind the next line end.
    mutating func skipLine() {
        while !isAtEnd, byte != 0x0a { advance() }
        advance()
    }

    mutating func skipToEnd() { while !isAtEnd { advance() } }

    /// Takes `[ \t]*(#.*)?` and a line end or the text's end.
    mutating func takeLineEnd() -> Bool {
        var look = place
        while look < bytes.count, isSpace(bytes[look]) { look += 1 }
        if look < bytes.count, bytes[look] == UInt8(ascii: "#") {
            while look < bytes.count, !isLineEnd(bytes[look]) { look += 1 }
        }
        guard look >= bytes.count || isLineEnd(bytes[look]) else { return false }
        while place < look { advance() }
        if byte == 0x0d { advance() }
        if byte == 0x0a { advance() }
        return true
    }

    /// Whether a line end, or a comment before it, begins here.
    private var isAtLineEnd: Bool {
        var copy = self
        return copy.takeLineEnd()
    }

    /// Takes letters, digits and `_`.
    mutating func takeTagName() -> String {
        let start = place
        while byte == UInt8(ascii: "_") || isAlphanumeric(byte) { advance() }
        return text(from: start)
    }

    private func isAlphanumeric(_ byte: UInt8) -> Bool {
        byte >= 0x30 && byte <= 0x39 || byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7a
    }

    /// Takes a tag's unquoted argument, up to `>`.
    mutating func takeArgument() -> String {
        let start = place
        while !isAtEnd, byte != UInt8(ascii: ">"), !isLineEnd(byte) { advance() }
        var end = place
        while end > start, isSpace(bytes[end - 1]) { end -= 1 }
        let argument = String(decoding: bytes[start..<end], as: UTF8.self)
        if isLineEnd(byte) { skipBlankAndComments() }
        return argument
    }

    /// Takes a parameter's unquoted name, up to white space.
    mutating func takeName() -> String {
        let start = place
        while !isAtEnd, !isSpace(byte), !isLineEnd(byte) { advance() }
        return text(from: start)
    }

    /// Takes an unquoted value: a `#` at its first byte or behind a byte other than white space
    /// belongs to it.
    mutating func takeUnquoted() -> String {
        let start = place
        while !isAtEnd {
            if byte == UInt8(ascii: "#"), place == start || !isSpace(bytes[place - 1]) {
                advance()
            } else if isAtLineEnd {
                break
            } else if isSpace(byte) {
                // What holds for one blank of a run holds for all: a look at each would take long.
                skipSpace()
            } else {
                advance()
            }
        }
        return text(from: start)
    }

    func text(from start: Int) -> String { String(decoding: bytes[start..<place], as: UTF8.self) }

    /// The bytes from a place to here.
    func slice(from start: Int) -> ArraySlice<UInt8> { bytes[start..<place] }
}

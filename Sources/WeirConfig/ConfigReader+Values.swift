import WeirCore

extension ConfigReader {
    /// Reads a value: quoted, JSON, or up to the line's end.
    mutating func readValue(_ scanner: inout ConfigScanner, isArgument: Bool) -> ConfigValue {
        switch scanner.byte {
        case UInt8(ascii: "'"): return .text(readSingleQuoted(&scanner))
        case UInt8(ascii: "\""): return readDoubleQuoted(&scanner)
        case UInt8(ascii: "["), UInt8(ascii: "{"):
            return isArgument ? .text(scanner.takeUnquoted()) : .text(readJSON(&scanner))
        default: return .text(scanner.takeUnquoted())
        }
    }

    private mutating func readSingleQuoted(_ scanner: inout ConfigScanner) -> String {
        let place = scanner.location
        scanner.advance()
        var bytes: [UInt8] = []
        while !scanner.isAtEnd {
            let byte = scanner.byte
            if byte == UInt8(ascii: "'") {
                scanner.advance()
                return String(decoding: bytes, as: UTF8.self)
            }
            if byte == 0x0a { break }
            if byte == UInt8(ascii: "\\") {
                let next = scanner.byte(after: 1)
                if next == UInt8(ascii: "'") || next == UInt8(ascii: "\\") { scanner.advance() }
            }
            bytes.append(scanner.byte)
            scanner.advance()
        }
        report(
            place, "a single-quoted value does not end on its line",
            help: "close it with `'`; use double quotes for a value of several lines")
        return String(decoding: bytes, as: UTF8.self)
    }

    private mutating func readDoubleQuoted(_ scanner: inout ConfigScanner) -> ConfigValue {
        let place = scanner.location
        scanner.advance()
        var bytes: [UInt8] = []
        var special: ConfigValue?
        var isReported = false
        while !scanner.isAtEnd {
            if takeLineEnd(in: &scanner, into: &bytes) { continue }
            let byte = scanner.byte
            switch byte {
            case UInt8(ascii: "\n"):
                if !isReported {
                    report(
                        scanner.location,
                        "a line end within double quotes needs a character right before it",
                        help: "write `\\n` for a blank line, or for one behind an escape")
                }
                isReported = true
                scanner.advance()
            case UInt8(ascii: "\""):
                scanner.advance()
                return special ?? .text(String(decoding: bytes, as: UTF8.self))
            case UInt8(ascii: "\\"): readEscape(&scanner, into: &bytes)
            case UInt8(ascii: "#") where scanner.byte(after: 1) == UInt8(ascii: "{"):
                switch readRuby(&scanner) {
                case .text(let text): bytes += Array(text.utf8)
                case .integer(let number): bytes += Array("\(number)".utf8)
                case .null: break
                case .useNil: special = ConfigValue.none
                case .useDefault: special = .useDefault
                case nil: special = special ?? .text("")
                }
            default:
                bytes.append(byte)
                scanner.advance()
            }
        }
        report(place, "a double-quoted value does not end", help: "close it with `\"`")
        return .text(String(decoding: bytes, as: UTF8.self))
    }

    /// Takes a character with the line end behind it, as Fluentd does: together, and neither of
    /// them when the character is a backslash.
    private func takeLineEnd(in scanner: inout ConfigScanner, into bytes: inout [UInt8]) -> Bool {
        let first = scanner.byte
        guard first != UInt8(ascii: "\"") else { return false }
        var length = 1
        if first >= 0xc0 { while scanner.byte(after: length) & 0xc0 == 0x80 { length += 1 } }
        let end = scanner.byte(after: length)
        guard end == UInt8(ascii: "\n") || end == UInt8(ascii: "\r") else { return false }
        for _ in 0...length {
            if first != UInt8(ascii: "\\") { bytes.append(scanner.byte) }
            scanner.advance()
        }
        return true
    }

    private mutating func readEscape(_ scanner: inout ConfigScanner, into bytes: inout [UInt8]) {
        let place = scanner.location
        scanner.advance()
        let byte = scanner.byte
        switch byte {
        case UInt8(ascii: "n"): bytes.append(0x0a)
        case UInt8(ascii: "r"): bytes.append(0x0d)
        case UInt8(ascii: "t"): bytes.append(0x09)
        case UInt8(ascii: "f"): bytes.append(0x0c)
        case UInt8(ascii: "b"): bytes.append(0x08)
        case UInt8(ascii: "0"): bytes.append(0)
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "1")...UInt8(ascii: "9"):
            let letter = String(decoding: [byte], as: UTF8.self)
            report(
                place, "`\\\(letter)` is not an escape",
                help: "write `\\\\\(letter)` for a backslash and `\(letter)`, or use single quotes")
        default: bytes.append(byte)
        }
        scanner.advance()
    }

    /// Reads `#{…}`; `nil` when it cannot be evaluated.
    private mutating func readRuby(_ scanner: inout ConfigScanner) -> RubyExpression.Result? {
        let place = scanner.location
        scanner.advance()
        scanner.advance()
        let afterOpening = scanner
        let start = scanner.place
        var depth = 1
        var quote: UInt8?
        while !scanner.isAtEnd {
            let byte = scanner.byte
            if let open = quote {
                if byte == UInt8(ascii: "\\") {
                    scanner.advance()
                } else if byte == open {
                    quote = nil
                }
            } else if byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\"") {
                quote = byte
            } else if byte == UInt8(ascii: "{") {
                depth += 1
            } else if byte == UInt8(ascii: "}") {
                depth -= 1
                if depth == 0 { break }
            }
            scanner.advance()
        }
        let text = scanner.text(from: start)
        guard scanner.byte == UInt8(ascii: "}") else {
            scanner = afterOpening
            let line = text.prefix { !$0.isNewline }
            report(place, "`#{\(line)` does not end", help: "close it with `}`")
            return nil
        }
        scanner.advance()
        do {
            return try RubyExpression.evaluate(text, files: files)
        } catch {
            report(place, error.message, help: error.help)
            return nil
        }
    }
}

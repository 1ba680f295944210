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
        while !scanner.isAtEnd {
            let byte = scanner.byte
            switch byte {
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
        case 0x0a: break  // A backslash at the line's end joins the lines.
        case 0x0d: if scanner.byte(after: 1) == 0x0a { scanner.advance() }
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
        let start = scanner.place
        var depth = 1
        var quote: UInt8?
        while !scanner.isAtEnd, scanner.byte != 0x0a {
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
            report(place, "`#{\(text)` does not end", help: "close it with `}` on the same line")
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

    /// Reads a JSON array or object, which may span lines and hold comments, as compact JSON.
    private mutating func readJSON(_ scanner: inout ConfigScanner) -> String {
        let place = scanner.location
        var bytes: [UInt8] = []
        var depth = 0
        var isInString = false
        while !scanner.isAtEnd {
            let byte = scanner.byte
            if isInString {
                if byte == 0x0a { break }
                if byte == UInt8(ascii: "\\") {
                    bytes.append(byte)
                    scanner.advance()
                } else if byte == UInt8(ascii: "\"") {
                    isInString = false
                }
            } else if byte == UInt8(ascii: "#") {
                scanner.skipLine()
                continue
            } else if byte == UInt8(ascii: "\"") {
                isInString = true
            } else if byte == UInt8(ascii: "[") || byte == UInt8(ascii: "{") {
                depth += 1
            } else if byte == UInt8(ascii: "]") || byte == UInt8(ascii: "}") {
                depth -= 1
            }
            bytes.append(scanner.byte)
            scanner.advance()
            if depth == 0 { break }
        }
        guard let value = JSONValueReader.value(of: String(decoding: bytes, as: UTF8.self)) else {
            report(
                place, "a value that begins with `[` or `{` must be JSON",
                help: "check quotes, commas and brackets, or quote the whole value with '…'")
            return ""
        }
        return JSONValueWriter.text(value)
    }
}

import WeirCore

extension ConfigReader {
    /// Reads a JSON array or object, which may span lines and hold comments, as compact JSON.
    ///
    /// As Fluentd does, a `#` begins a comment only where the value would be whole if its bracket
    /// closed right there, with the line's last comma left out (`literal_parser.rb`, `scan_json`).
    mutating func readJSON(_ scanner: inout ConfigScanner) -> String {
        let place = scanner.location
        let closing = UInt8(ascii: scanner.byte == UInt8(ascii: "[") ? "]" : "}")
        var bytes: [UInt8] = []
        var lineStart = 0
        var depth = 0
        while !scanner.isAtEnd {
            let byte = scanner.byte
            switch byte {
            case UInt8(ascii: "\""):
                takeJSONString(&scanner, into: &bytes)
                continue
            case UInt8(ascii: "/") where takeJSONComment(&scanner): continue
            case UInt8(ascii: "#") where isWhole(bytes, lineStart: lineStart, closing: closing):
                scanner.skipLine()
                bytes.append(UInt8(ascii: "\n"))
                lineStart = bytes.count
                continue
            case UInt8(ascii: "#"):
                report(
                    scanner.location, "a comment cannot stand here within JSON",
                    help: "put it behind a value of the outermost brackets, or behind its comma")
                scanner.skipLine()
                continue
            case UInt8(ascii: "["), UInt8(ascii: "{"): depth += 1
            case UInt8(ascii: "]"), UInt8(ascii: "}"): depth -= 1
            default: break
            }
            bytes.append(byte)
            scanner.advance()
            if byte == UInt8(ascii: "\n") { lineStart = bytes.count }
            if depth == 0 { break }
        }
        guard let value = JSONValueReader.value(of: String(decoding: bytes, as: UTF8.self)) else {
            report(
                place, "a value that begins with `[` or `{` must be JSON",
                help: "check quotes, commas and brackets, or quote the whole value with '…'")
            return ""
        }
        return JSONValueWriter.text(rubyNumbers(value))
    }

    /// Copies a text, up to its line's end at most; a backslash before a letter that is no escape
    /// falls away, as in Ruby.
    private func takeJSONString(_ scanner: inout ConfigScanner, into bytes: inout [UInt8]) {
        bytes.append(scanner.byte)
        scanner.advance()
        while !scanner.isAtEnd, scanner.byte != UInt8(ascii: "\n") {
            let byte = scanner.byte
            if byte == UInt8(ascii: "\\") {
                let next = scanner.byte(after: 1)
                if "\"\\/bfnrtu".utf8.contains(next) {
                    bytes.append(byte)
                } else if next < 0x20 {
                    return
                }
                scanner.advance()
            }
            bytes.append(scanner.byte)
            scanner.advance()
            if byte == UInt8(ascii: "\"") { return }
        }
    }

    /// Skips `// …` and `/* … */`, which Ruby's JSON takes.
    private func takeJSONComment(_ scanner: inout ConfigScanner) -> Bool {
        switch scanner.byte(after: 1) {
        case UInt8(ascii: "/"):
            while !scanner.isAtEnd, scanner.byte != UInt8(ascii: "\n") { scanner.advance() }
            return true
        case UInt8(ascii: "*"):
            _ = scanner.take("/*")
            while !scanner.isAtEnd, !scanner.take("*/") { scanner.advance() }
            return true
        default: return false
        }
    }

    /// Whether what was read is JSON once its bracket is closed.
    private func isWhole(_ bytes: [UInt8], lineStart: Int, closing: UInt8) -> Bool {
        var end = bytes.count
        while end > lineStart, bytes[end - 1] <= 0x20 { end -= 1 }
        if end > lineStart, bytes[end - 1] == UInt8(ascii: ",") { end -= 1 }
        let text = String(decoding: bytes[..<end] + [closing], as: UTF8.self)
        return JSONValueReader.value(of: text) != nil
    }

    /// A value whose floats are written as Ruby writes them: `1.0e+20`.
    private func rubyNumbers(_ value: Value) -> Value {
        switch value {
        case .float: .number(RubyText.text(value))
        case .array(let values): .array(values.map(rubyNumbers))
        case .object(let record):
            .object(Record(record.fields.map { ($0.key, rubyNumbers($0.value)) }))
        case .null, .bool, .integer, .number, .string: value
        }
    }
}

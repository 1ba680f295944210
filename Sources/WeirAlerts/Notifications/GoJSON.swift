import WeirCore
import WeirPromQL

/// JSON to the byte as Go's `encoding/json` writes it: what could be markup is escaped, names ascend.
enum GoJSON {
    /// Appends texts by names.
    static func append(
        _ pairs: [(name: String, value: String)], to buffer: inout ByteBuffer
    ) {
        buffer.append("{")
        let sorted = pairs.sorted { QuerySymbols.isBefore($0.name, $1.name) }
        for (place, pair) in sorted.enumerated() {
            if place > 0 { buffer.append(",") }
            append(pair.name, to: &buffer)
            buffer.append(":")
            append(pair.value, to: &buffer)
        }
        buffer.append("}")
    }

    /// Appends a text in quotes.
    static func append(_ text: String, to buffer: inout ByteBuffer) {
        buffer.append("\"")
        var rest = Substring(text).unicodeScalars
        while let place = rest.firstIndex(where: isEscaped) {
            appendEscaped(String(Substring(rest[..<place])), to: &buffer)
            let digits = String(rest[place].value, radix: 16)
            buffer.append("\\u" + String(repeating: "0", count: 4 - digits.count) + digits)
            rest = rest[rest.index(after: place)...]
        }
        appendEscaped(String(Substring(rest)), to: &buffer)
        buffer.append("\"")
    }

    private static func isEscaped(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "<", ">", "&", "\u{2028}", "\u{2029}": true
        default: false
        }
    }

    /// A time in RFC 3339, its fraction as short as it can be.
    static func shortTime(_ milliseconds: Int64) -> String {
        var text = time(milliseconds).dropLast()
        while text.hasSuffix("0") { text.removeLast() }
        if text.hasSuffix(".") { text.removeLast() }
        return text + "Z"
    }

    /// A time in RFC 3339 with three decimals; those beyond the years 1 and 9999 are shown as their ends.
    static func time(_ time: Int64) -> String {
        let milliseconds = min(max(time, -62_135_596_800_000), 253_402_300_799_999)
        let rest = ((milliseconds % 1_000) + 1_000) % 1_000
        let date = TimeFormat.text(
            of: Timestamp(seconds: (milliseconds - rest) / 1_000), format: "%Y-%m-%dT%H:%M:%S",
            zone: .utc)
        let digits = "\(rest)"
        return "\(date).\(String(repeating: "0", count: 3 - digits.count))\(digits)Z"
    }
}

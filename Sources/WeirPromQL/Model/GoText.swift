import WeirMetrics

/// Texts as Go's formatting writes them, for messages that are to read as Prometheus' own.
public enum GoText {
    /// A text in double quotes (`%q`).
    public static func quoted(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\t": out += "\\t"
            case "\r": out += "\\r"
            case _ where scalar.value < 0x20 || scalar.value == 0x7f:
                let digits = String(scalar.value, radix: 16)
                out += "\\x" + String(repeating: "0", count: 2 - digits.count) + digits
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }

    /// Bytes that are not UTF-8 in double quotes; those that are none are shown as `\\xhh`.
    static func quoted(malformed bytes: [UInt8]) -> String {
        var out = "\""
        for byte in bytes {
            if 0x20..<0x7f ~= byte {
                out.unicodeScalars.append(UnicodeScalar(byte))
            } else {
                let digits = String(byte, radix: 16)
                out += "\\x" + String(repeating: "0", count: 2 - digits.count) + digits
            }
        }
        return out + "\""
    }

    /// A number in as few digits as tell it apart (`%g`).
    public static func shortest(_ value: Double) -> String { FloatText.text(value) }

    /// The same always with an exponent (`strconv.FormatFloat(v, 'e', -1, 64)`).
    public static func scientific(_ value: Double) -> String {
        let plain = plain(value)
        guard value.isFinite else { return plain }
        let sign = plain.hasPrefix("-") ? "-" : ""
        let parts = plain.drop { $0 == "-" }.split(separator: ".", omittingEmptySubsequences: false)
        let whole = String(parts[0])
        let fraction = parts.count > 1 ? String(parts[1]) : ""
        let all = whole + fraction
        guard let first = all.firstIndex(where: { $0 != "0" }) else { return sign + "0e+00" }
        var digits = String(all[first...])
        while digits.count > 1, digits.hasSuffix("0") { digits.removeLast() }
        let power = whole.count - 1 - all.distance(from: all.startIndex, to: first)
        let size = "\(abs(power))"
        let mantissa = digits.count > 1 ? "\(digits.prefix(1)).\(digits.dropFirst())" : digits
        return "\(sign)\(mantissa)e\(power < 0 ? "-" : "+")\(size.count < 2 ? "0" : "")\(size)"
    }

    /// The same without an exponent (`strconv.FormatFloat(v, 'f', -1, 64)`).
    public static func plain(_ value: Double) -> String {
        if value == 0, value.sign == .minus { return "-0" }
        let text = FloatText.text(value)
        guard let mark = text.firstIndex(of: "e") else { return text }
        let sign = text.hasPrefix("-") ? "-" : ""
        let mantissa = text[..<mark].drop { $0 == "-" }
        let digits = mantissa.filter { $0 != "." }
        let power = Int(text[text.index(after: mark)...]) ?? 0
        let point = 1 + power
        if point <= 0 { return sign + "0." + String(repeating: "0", count: -point) + digits }
        if digits.count <= point {
            return sign + digits + String(repeating: "0", count: point - digits.count)
        }
        return sign + digits.prefix(point) + "." + digits.dropFirst(point)
    }

    /// A number with six places after the point (`%f`).
    static func fixed(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        let (whole, part) = abs(value).splitAtPoint
        return (value.sign == .minus ? "-" : "") + whole + "." + part
    }
}

extension Double {
    /// The digits before the point, and six behind it, rounded; of numbers beyond 10^15 the digits before
    /// the point are those of the shortest text.
    fileprivate var splitAtPoint: (String, String) {
        guard self < 1e15 else { return ("\(self)", "000000") }
        let scaled = (self * 1_000_000).rounded(.toNearestOrEven)
        let whole = (scaled / 1_000_000).rounded(.down)
        let part = UInt64(scaled - whole * 1_000_000)
        let digits = "\(part)"
        return ("\(UInt64(whole))", String(repeating: "0", count: 6 - digits.count) + digits)
    }
}

import WeirCore

/// Numbers as Go's `strconv.FormatFloat(v, 'g', -1, 64)` writes them: the shortest digits that read
/// back as the same number, `1e+06` from a million on, `NaN` and `+Inf`.
public enum FloatText {
    /// Appends a number as Prometheus' text format has it.
    static func append(_ value: Double, to buffer: inout ByteBuffer) {
        if value == value.rounded(), abs(value) < 1e6 {
            buffer.append(decimal: Int(value))
        } else if value.isNaN {
            buffer.append("NaN")
        } else if value.isInfinite {
            buffer.append(value < 0 ? "-Inf" : "+Inf")
        } else {
            appendDigits(value, to: &buffer)
        }
    }

    /// Appends a number as OpenMetrics has it: never without a point or an exponent.
    static func append(openMetrics value: Double, to buffer: inout ByteBuffer) {
        append(value, to: &buffer)
        if value == value.rounded(), abs(value) < 1e6 { buffer.append(".0") }
    }

    /// The number as a text.
    public static func text(_ value: Double) -> String {
        var buffer = ByteBuffer(capacity: 32)
        append(value, to: &buffer)
        return String(decoding: buffer.bytes, as: UTF8.self)
    }

    private static func appendDigits(_ value: Double, to buffer: inout ByteBuffer) {
        // Swift's own text has the shortest digits; only where they stand differs.
        var digits: [UInt8] = []
        var pointPlace: Int?
        var exponent = 0
        let text = Array(value.description.utf8)
        var place = 0
        while place < text.count {
            switch text[place] {
            case UInt8(ascii: "-"): buffer.append(byte: UInt8(ascii: "-"))
            case UInt8(ascii: "."): pointPlace = digits.count
            case UInt8(ascii: "e"):
                exponent = Int(String(decoding: text[(place + 1)...], as: UTF8.self)) ?? 0
                place = text.count
            default: digits.append(text[place])
            }
            place += 1
        }
        exponent += pointPlace ?? digits.count
        while digits.first == UInt8(ascii: "0") {
            digits.removeFirst()
            exponent -= 1
        }
        while digits.last == UInt8(ascii: "0") { digits.removeLast() }
        if digits.isEmpty { return buffer.append(byte: UInt8(ascii: "0")) }
        append(digits, exponent, to: &buffer)
    }

    /// Appends 0.`digits` times 10^`exponent`.
    private static func append(_ digits: [UInt8], _ exponent: Int, to buffer: inout ByteBuffer) {
        let zero = UInt8(ascii: "0")
        let point = UInt8(ascii: ".")
        let power = exponent - 1
        if power < -4 || power >= 6 {
            buffer.append(byte: digits[0])
            if digits.count > 1 {
                buffer.append(byte: point)
                buffer.append(Array(digits[1...]))
            }
            buffer.append(power < 0 ? "e-" : "e+")
            if abs(power) < 10 { buffer.append(byte: zero) }
            buffer.append(decimal: abs(power))
        } else if exponent <= 0 {
            buffer.append("0.")
            for _ in 0..<(-exponent) { buffer.append(byte: zero) }
            buffer.append(digits)
        } else {
            for index in 0..<max(exponent, digits.count) {
                if index == exponent { buffer.append(byte: point) }
                buffer.append(byte: index < digits.count ? digits[index] : zero)
            }
        }
    }
}

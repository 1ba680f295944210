/// The texts that Ruby gives to values, which Fluentd's templates and patterns rest on.
public enum RubyText {
    /// Appends what `to_s` gives: nothing for null, and the source form of arrays and hashes.
    public static func append(_ value: Value, to buffer: inout ByteBuffer) {
        switch value {
        case .null: break
        case .string(let text): buffer.append(text)
        case .bool, .integer, .float, .number, .array, .object: appendInspected(value, to: &buffer)
        }
    }

    /// What `to_s` gives.
    public static func text(_ value: Value) -> String {
        var buffer = ByteBuffer()
        append(value, to: &buffer)
        return String(decoding: buffer.bytes, as: UTF8.self)
    }

    /// Appends what `inspect` gives: `nil`, `"text"`, `[1, nil]`, `{"key"=>1}`.
    public static func appendInspected(_ value: Value, to buffer: inout ByteBuffer) {
        switch value {
        case .null: buffer.append("nil")
        case .bool(let flag): buffer.append(flag ? "true" as StaticString : "false")
        case .integer(let number): buffer.append(decimal: Int(number))
        case .float(let number): append(number, to: &buffer)
        case .number(let text): buffer.append(text)
        case .string(let text): appendInspected(text, to: &buffer)
        case .array(let values):
            buffer.append(byte: UInt8(ascii: "["))
            for (index, value) in values.enumerated() {
                if index > 0 { buffer.append(", ") }
                appendInspected(value, to: &buffer)
            }
            buffer.append(byte: UInt8(ascii: "]"))
        case .object(let record):
            buffer.append(byte: UInt8(ascii: "{"))
            for (index, field) in record.fields.enumerated() {
                if index > 0 { buffer.append(", ") }
                appendInspected(field.key, to: &buffer)
                buffer.append("=>")
                appendInspected(field.value, to: &buffer)
            }
            buffer.append(byte: UInt8(ascii: "}"))
        }
    }

    /// Appends a number as `Float#to_s` does: `1.0e+20` from 10¹⁶ on and below 10⁻⁴.
    static func append(_ number: Double, to buffer: inout ByteBuffer) {
        guard number.isFinite else {
            let name: StaticString = number.sign == .minus ? "-Infinity" : "Infinity"
            return buffer.append(number.isNaN ? "NaN" : name)
        }
        if number.sign == .minus { buffer.append(byte: UInt8(ascii: "-")) }
        // Swift and Ruby agree on the shortest digits; only where the point stands differs.
        var digits: [UInt8] = []
        var exponent = 0
        var pointPlace: Int?
        let parts = "\(number.magnitude)".split(separator: "e")
        for byte in (parts.first ?? "0").utf8 {
            if byte == UInt8(ascii: ".") { pointPlace = digits.count } else { digits.append(byte) }
        }
        if parts.count > 1 { exponent = Int(parts[1]) ?? 0 }
        var point = (pointPlace ?? digits.count) + exponent
        while digits.count > 1, digits.first == UInt8(ascii: "0") {
            digits.removeFirst()
            point -= 1
        }
        while digits.count > 1, digits.last == UInt8(ascii: "0") { digits.removeLast() }
        if digits == [UInt8(ascii: "0")] { point = 1 }
        appendDigits(digits, point: point, to: &buffer)
    }

    private static func appendDigits(_ digits: [UInt8], point: Int, to buffer: inout ByteBuffer) {
        let zeros = { (count: Int) in [UInt8](repeating: UInt8(ascii: "0"), count: max(0, count)) }
        if point > -4, point <= 0 {
            buffer.append("0.")
            buffer.append(zeros(-point) + digits)
        } else if point > 0, point <= 16 {
            buffer.append(Array(digits.prefix(point)) + zeros(point - digits.count))
            buffer.append(byte: UInt8(ascii: "."))
            buffer.append(digits.count > point ? Array(digits.dropFirst(point)) : zeros(1))
        } else {
            buffer.append(Array(digits.prefix(1)))
            buffer.append(byte: UInt8(ascii: "."))
            buffer.append(digits.count > 1 ? Array(digits.dropFirst()) : zeros(1))
            buffer.append(point > 0 ? "e+" as StaticString : "e-")
            let exponent = abs(point - 1)
            if exponent < 10 { buffer.append(byte: UInt8(ascii: "0")) }
            buffer.append(decimal: exponent)
        }
    }

    /// Appends a text as Ruby's source would write it.
    private static func appendInspected(_ text: String, to buffer: inout ByteBuffer) {
        buffer.append(byte: UInt8(ascii: "\""))
        let scalars = Array(text.unicodeScalars)
        for (index, scalar) in scalars.enumerated() {
            switch scalar {
            case "\"", "\\":
                buffer.append("\\")
                buffer.append(String(scalar))
            case "\n": buffer.append("\\n")
            case "\r": buffer.append("\\r")
            case "\t": buffer.append("\\t")
            case "\u{7}": buffer.append("\\a")
            case "\u{8}": buffer.append("\\b")
            case "\u{b}": buffer.append("\\v")
            case "\u{c}": buffer.append("\\f")
            case "\u{1b}": buffer.append("\\e")
            case "\u{7f}": buffer.append("\\x7F")
            case "#":
                // `#{`, `#$` and `#@` would be expanded within Ruby's quotes.
                let next = index + 1 < scalars.count ? scalars[index + 1] : " "
                if next == "{" || next == "$" || next == "@" { buffer.append("\\") }
                buffer.append("#")
            case _ where scalar.value < 0x20 || (0x80..<0xa0).contains(scalar.value):
                let digits = String(scalar.value, radix: 16, uppercase: true)
                buffer.append("\\u" + String(repeating: "0", count: 4 - digits.count) + digits)
            default: buffer.append(String(scalar))
            }
        }
        buffer.append(byte: UInt8(ascii: "\""))
    }
}

extension EventBatch {
    /// Appends the text of a slot's value as ``RubyText`` gives it.
    ///
    /// Strings without escapes, whole numbers and words cost no allocation. `buffer` must not be
    /// the batch's own.
    @inline(__always)
    public func appendText(of slot: Slot, to buffer: inout ByteBuffer) {
        switch slot.type {
        case .plain, .raw, .integer: withText(slot) { buffer.append($0) }
        case .yes: buffer.append("true")
        case .no: buffer.append("false")
        case .absent, .removed, .null: break
        case .escaped, .float, .object, .array: appendDecoded(slot, to: &buffer)
        }
    }

    @inline(never)
    private func appendDecoded(_ slot: Slot, to buffer: inout ByteBuffer) {
        if let value = value(of: slot) { RubyText.append(value, to: &buffer) }
    }
}

import WeirCore

/// Values as Ruby's `to_s` writes them, for texts that Fluentd would have interpolated.
enum RubyText {
    /// Appends a value's text; null has none.
    static func append(_ value: Value, to buffer: inout ByteBuffer) {
        switch value {
        case .null: break
        case .string(let text): buffer.append(text)
        case .bool, .integer, .float, .number, .array, .object: buffer.append(inspected(value))
        }
    }

    /// A value as it stands within an array or hash.
    static func inspected(_ value: Value) -> String {
        switch value {
        case .null: "nil"
        case .bool(let flag): "\(flag)"
        case .integer(let number): "\(number)"
        case .float(let number): float(number)
        case .number(let text): text
        case .string: JSONValueWriter.text(value)
        case .array(let values): "[" + values.map(inspected).joined(separator: ", ") + "]"
        case .object(let record):
            "{"
                + record.fields.map { key, value in
                    JSONValueWriter.text(.string(key)) + "=>" + inspected(value)
                }.joined(separator: ", ") + "}"
        }
    }

    private static func float(_ number: Double) -> String {
        let text = "\(number)"
        guard let mark = text.firstIndex(of: "e") else { return text }
        var digits = String(text[..<mark])
        var exponent = String(text[text.index(after: mark)...])
        if !digits.contains(".") { digits += ".0" }
        let sign = exponent.first == "-" ? "-" : "+"
        exponent = String(exponent.drop { $0 == "-" || $0 == "+" })
        if exponent.count < 2 { exponent = "0" + exponent }
        return "\(digits)e\(sign)\(exponent)"
    }
}

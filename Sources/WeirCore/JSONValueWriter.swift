/// Writes values as compact JSON.
public enum JSONValueWriter {
    /// Appends a value.
    public static func append(_ value: Value, to buffer: inout ByteBuffer) {
        switch value {
        case .null: buffer.append("null")
        case .bool(let flag): buffer.append(flag ? "true" as StaticString : "false")
        case .integer(let number): buffer.append(decimal: Int(number))
        case .float(let number): append(number, to: &buffer)
        case .number(let text): buffer.append(text)
        case .string(let text):
            buffer.append(byte: UInt8(ascii: "\""))
            appendEscaped(text, to: &buffer)
            buffer.append(byte: UInt8(ascii: "\""))
        case .array(let values):
            buffer.append(byte: UInt8(ascii: "["))
            for (index, value) in values.enumerated() {
                if index > 0 { buffer.append(byte: UInt8(ascii: ",")) }
                append(value, to: &buffer)
            }
            buffer.append(byte: UInt8(ascii: "]"))
        case .object(let record): append(record, to: &buffer)
        }
    }

    /// Appends a record as an object.
    public static func append(_ record: Record, to buffer: inout ByteBuffer) {
        buffer.append(byte: UInt8(ascii: "{"))
        for (index, (key, value)) in record.fields.enumerated() {
            if index > 0 { buffer.append(byte: UInt8(ascii: ",")) }
            buffer.append(byte: UInt8(ascii: "\""))
            appendEscaped(key, to: &buffer)
            buffer.append("\":")
            append(value, to: &buffer)
        }
        buffer.append(byte: UInt8(ascii: "}"))
    }

    /// A value's JSON.
    public static func text(_ value: Value) -> String {
        var buffer = ByteBuffer()
        append(value, to: &buffer)
        return String(decoding: buffer.bytes, as: UTF8.self)
    }

    /// Appends the shortest text that reads back as the same number; JSON has no NaN and no
    /// infinities: they are null.
    private static func append(_ number: Double, to buffer: inout ByteBuffer) {
        guard number.isFinite else { return buffer.append("null") }
        buffer.append("\(number)")
    }
}

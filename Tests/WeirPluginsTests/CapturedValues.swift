import WeirCore
import WeirTesting

/// Values in the form of the captured cases, which write down what JSON cannot hold.
enum CapturedValues {
    /// A record as a log would hold it, with the bytes of `$b64` as they are.
    static func json(_ value: Value) -> [UInt8] {
        var buffer = ByteBuffer()
        append(value, to: &buffer)
        return Array(buffer.bytes)
    }

    private static func append(_ value: Value, to buffer: inout ByteBuffer) {
        switch value {
        case .object(let record):
            if let bytes = bytes(record) {
                buffer.append("\"")
                for byte in bytes {
                    if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
                        buffer.append("\\")
                    }
                    buffer.append(byte: byte)
                }
                buffer.append("\"")
                return
            }
            buffer.append("{")
            for (index, field) in record.fields.enumerated() {
                if index > 0 { buffer.append(",") }
                JSONValueWriter.append(.string(field.key), to: &buffer)
                buffer.append(":")
                append(field.value, to: &buffer)
            }
            buffer.append("}")
        case .array(let values):
            buffer.append("[")
            for (index, value) in values.enumerated() {
                if index > 0 { buffer.append(",") }
                append(value, to: &buffer)
            }
            buffer.append("]")
        case .null, .bool, .integer, .float, .number, .string:
            JSONValueWriter.append(value, to: &buffer)
        }
    }

    /// An expected value as Fluentd's JSON output would show it.
    static func shown(_ value: Value) -> Value {
        switch value {
        case .object(let record):
            if let bytes = bytes(record) { return .string(String(decoding: bytes, as: UTF8.self)) }
            if let symbol = record["$symbol"] { return symbol }
            if let time = record["$time"]?.array, let seconds = time.first?.integer {
                return .string(
                    TimeFormat.text(
                        of: Timestamp(seconds: seconds), format: "%Y-%m-%d %H:%M:%S %z", zone: .utc)
                )
            }
            return .object(Record(record.fields.map { (key: $0.key, value: shown($0.value)) }))
        case .array(let values): return .array(values.map(shown))
        case .null, .bool, .integer, .float, .number, .string: return value
        }
    }

    private static func bytes(_ record: Record) -> [UInt8]? {
        guard record.fields.count == 1, let text = record["$b64"]?.string else { return nil }
        let alphabet = Array(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var bytes: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for byte in text.utf8 {
            guard let index = alphabet.firstIndex(of: byte) else { continue }
            bits = bits << 6 | UInt32(index)
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return bytes
    }
}

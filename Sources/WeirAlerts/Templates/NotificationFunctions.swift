import WeirCore
import WeirPromQL

/// The functions that templates of notifications have besides those of alerts
/// (prometheus.io/docs/alerting/latest/notifications/#functions).
enum NotificationFunctions {
    static func call(
        _ name: String, _ arguments: [TemplateValue]
    ) throws(TemplateFailure) -> TemplateValue {
        switch name {
        case "join":
            guard arguments.count == 2, case .string(let mark) = arguments[0],
                case .list(let values) = arguments[1]
            else { throw TemplateFailure("join takes a text and a list") }
            return .string(values.map(\.text).joined(separator: mark))
        case "stringSlice": return .list(arguments.map { .string($0.text) })
        default:
            guard arguments.count == 1 else {
                throw TemplateFailure(
                    "wrong number of args for \(name): want 1 got \(arguments.count)")
            }
            switch name {
            case "trimSpace": return .string(trimmed(arguments[0].text))
            case "toJson":
                var buffer = ByteBuffer(capacity: 256)
                append(arguments[0], to: &buffer)
                return .string(String(decoding: buffer.bytes, as: UTF8.self))
            default: return .string(arguments[0].text)
            }
        }
    }

    private static func trimmed(_ text: String) -> String {
        var part = text.drop(while: \.isWhitespace)
        while part.last?.isWhitespace == true { part.removeLast() }
        return String(part)
    }

    /// Appends a value as Go's `encoding/json` writes it.
    private static func append(_ value: TemplateValue, to buffer: inout ByteBuffer) {
        switch value {
        case .null: buffer.append("null")
        case .bool(let flag): buffer.append(flag ? "true" : "false")
        case .integer(let number): buffer.append(decimal: number)
        case .number, .span:
            let text = value.text
            // JSON has no infinities.
            Double(text)?.isFinite == true ? buffer.append(text) : GoJSON.append(text, to: &buffer)
        case .string(let text): GoJSON.append(text, to: &buffer)
        case .labels(let labels), .pairs(let labels):
            GoJSON.append(labels.map { ($0.key, $0.value) }, to: &buffer)
        case .list(let values):
            buffer.append("[")
            for (place, value) in values.enumerated() {
                if place > 0 { buffer.append(",") }
                append(value, to: &buffer)
            }
            buffer.append("]")
        case .map(let values):
            buffer.append("{")
            for (place, name) in values.keys.sorted(by: QuerySymbols.isBefore).enumerated() {
                if place > 0 { buffer.append(",") }
                GoJSON.append(name, to: &buffer)
                buffer.append(":")
                append(values[name] ?? .null, to: &buffer)
            }
            buffer.append("}")
        case .time(let nanoseconds):
            let milliseconds = Int64(exactly: (nanoseconds / 1e6).rounded(.down)) ?? 0
            GoJSON.append(GoJSON.shortTime(milliseconds), to: &buffer)
        case .sample: GoJSON.append(value.text, to: &buffer)
        }
    }
}

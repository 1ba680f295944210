import WeirConfig
import WeirCore

/// Turns a field into the type that `types` names (Fluentd: `lib/fluent/plugin/parser.rb`).
enum TypeConversion {
    static func convert(
        _ value: Value, to type: ParseOptions.FieldType, argument: String, zone: TimeZone
    ) -> Value {
        switch type {
        case .string: return .string(RubyText.text(value))
        case .integer: return .integer(leadingInteger(value))
        case .float: return .float(leadingFloat(value))
        case .bool: return .bool(["true", "yes", "1"].contains(RubyText.text(value).lowercased()))
        case .array:
            if case .array = value { return value }
            let separator = argument.isEmpty ? "," : argument
            if case .string("") = value { return .array([]) }
            return .array(split(RubyText.text(value), separator).map { .string($0) })
        case .time: return time(RubyText.text(value), argument, zone) ?? value
        }
    }

    /// The whole number at the text's beginning, as Ruby's `to_i` reads it; 0 when there is none.
    private static func leadingInteger(_ value: Value) -> Int64 {
        switch value {
        case .integer(let number): return number
        case .float(let number):
            return number > -9e18 && number < 9e18 ? Int64(number) : 0
        case .bool, .null, .array, .object: return 0
        case .string(let text), .number(let text):
            var rest = text.drop { $0 == " " || $0 == "\t" }
            let isNegative = rest.first == "-"
            if isNegative || rest.first == "+" { rest = rest.dropFirst() }
            let digits = rest.prefix { $0.isASCII && $0.isNumber || $0 == "_" }
                .replacing("_", with: "")
            guard let number = Int64(digits) else { return 0 }
            return isNegative ? -number : number
        }
    }

    private static func leadingFloat(_ value: Value) -> Double {
        switch value {
        case .float(let number): return number
        case .integer(let number): return Double(number)
        case .bool, .null, .array, .object: return 0
        case .string(let text), .number(let text):
            let rest = Array(text.drop { $0 == " " || $0 == "\t" })
            var end = 0
            var best = 0.0
            while end < rest.count, "+-0123456789.eE_".contains(rest[end]) {
                end += 1
                let part = String(rest[..<end]).replacing("_", with: "")
                if let number = Double(part), number.isFinite { best = number }
            }
            return best
        }
    }

    private static func split(_ text: String, _ separator: String) -> [String] {
        var parts: [String] = []
        var rest = Substring(text)
        while let range = rest.firstRange(of: separator) {
            parts.append(String(rest[..<range.lowerBound]))
            rest = rest[range.upperBound...]
        }
        parts.append(String(rest))
        // As Ruby's `split` does.
        while parts.last == "" { parts.removeLast() }
        return parts
    }

    /// `time:format`, `time:unixtime`, `time:float`, `time:zone:format`: the time in Unix seconds.
    private static func time(_ text: String, _ argument: String, _ zone: TimeZone) -> Value? {
        var text = text
        let found: Timestamp? = text.withUTF8 { buffer in
            let bytes = UnsafeRawBufferPointer(buffer)
            if argument == "unixtime" || argument == "float" { return UnixTime.parse(bytes) }
            var format = argument
            var zone = zone
            if let colon = argument.firstIndex(of: ":"),
                let named = TimeZone(named: String(argument[..<colon]))
            {
                zone = named
                format = String(argument[argument.index(after: colon)...])
            }
            if format.isEmpty {
                return TimeFormat.parseFreely(bytes, zone: zone, now: .epoch)?.time
            }
            return (try? TimeFormat(format))?.parse(bytes, zone: zone, now: .epoch)?.time
        }
        return found.map { .integer($0.seconds) }
    }
}

import WeirConfig
import WeirCore

/// What stands at the end of a way into a field's value, in Ruby's terms.
enum FieldLookup: Equatable {
    case found(Value)
    case absent
    /// The way leads through something that has no fields: Ruby raises an exception.
    case mistyped(String)

    /// The value, or null where there is none.
    var value: Value { if case .found(let value) = self { value } else { .null } }

    /// Follows the steps as `dig` does: nothing leads to nothing.
    static func dig(_ start: Value?, _ steps: ArraySlice<RecordAccessor.Step>) -> FieldLookup {
        guard let start else { return .absent }
        guard let step = steps.first else { return .found(start) }
        let rest = steps.dropFirst()
        switch (start, step) {
        case (.null, _): return .absent
        case (.object(let record), .key(let key)): return dig(record[key], rest)
        case (.object, .index): return .absent
        case (.array(let values), .index(let index)): return dig(element(index, of: values), rest)
        case (.array, .key(let key)): return .mistyped("an array has no field `\(key)`")
        case (.bool, _), (.integer, _), (.float, _), (.number, _), (.string, _):
            return .mistyped("\(name(start)) has no fields")
        }
    }

    /// Follows the steps as `value["a"][0]` does: nothing has no fields, a text has its characters.
    static func subscripted(
        _ start: Value?, _ steps: ArraySlice<RecordAccessor.Step>
    ) -> FieldLookup {
        var value = start ?? .null
        for step in steps {
            switch (value, step) {
            case (.object(let record), .key(let key)): value = record[key] ?? .null
            case (.object, .index): value = .null
            case (.array(let values), .index(let index)):
                value = element(index, of: values) ?? .null
            case (.string(let text), .key(let part)):
                value = text.contains(part) ? .string(part) : .null
            case (.string(let text), .index(let index)):
                let characters = text.unicodeScalars.map { Value.string(String($0)) }
                value = element(index, of: characters) ?? .null
            case (.integer(let number), .index(let bit)):
                value = .integer(bit < 0 ? 0 : (number >> Int64(min(bit, 63))) & 1)
            case (.array, .key(let key)): return .mistyped("an array has no field `\(key)`")
            case (.null, _), (.bool, _), (.float, _), (.number, _), (.integer, .key):
                return .mistyped("\(name(value)) has no fields")
            }
        }
        return .found(value)
    }

    private static func element(_ index: Int, of values: [Value]) -> Value? {
        let place = index < 0 ? values.count + index : index
        return values.indices.contains(place) ? values[place] : nil
    }

    private static func name(_ value: Value) -> String {
        switch value {
        case .null: "null"
        case .bool: "a boolean"
        case .integer, .float, .number: "a number"
        case .string: "a text"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

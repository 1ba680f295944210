/// The fields of a message in protocol buffers' wire format, read strictly.
public struct ProtobufMessage: Sendable, Equatable {
    /// A field's value, by its wire type.
    public enum Value: Sendable, Equatable {
        case varint(UInt64)
        case fixed64(UInt64)
        case bytes([UInt8])
    }

    /// The fields in their order.
    public var fields: [(number: Int, value: Value)] = []

    public static func == (left: Self, right: Self) -> Bool {
        left.fields.elementsEqual(right.fields) { $0.number == $1.number && $0.value == $1.value }
    }

    /// Reads a message; `nil` where the format is broken.
    public init?(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            guard let key = Self.varint(&rest), key >> 3 > 0 else { return nil }
            let number = Int(key >> 3)
            switch key & 7 {
            case 0:
                guard let value = Self.varint(&rest) else { return nil }
                fields.append((number, .varint(value)))
            case 1:
                guard rest.count >= 8 else { return nil }
                let value = rest.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
                rest = rest.dropFirst(8)
                fields.append((number, .fixed64(value)))
            case 2:
                guard let count = Self.varint(&rest), count <= UInt64(rest.count) else {
                    return nil
                }
                fields.append((number, .bytes(Array(rest.prefix(Int(count))))))
                rest = rest.dropFirst(Int(count))
            default: return nil
            }
        }
    }

    /// All numbers of a field that is packed.
    public static func packed(_ bytes: [UInt8]) -> [UInt64] {
        var rest = bytes[...]
        var numbers: [UInt64] = []
        while let number = varint(&rest) { numbers.append(number) }
        return numbers
    }

    /// The last number of a field, or 0.
    public func number(_ field: Int) -> UInt64 {
        for case (field, .varint(let value)) in fields.reversed() { return value }
        return 0
    }

    /// The last number with a fraction of a field, or 0.
    public func double(_ field: Int) -> Double {
        for case (field, .fixed64(let value)) in fields.reversed() {
            return Double(bitPattern: value)
        }
        return 0
    }

    /// All texts and messages of a field.
    public func all(_ field: Int) -> [[UInt8]] {
        fields.compactMap { number, value in
            if number == field, case .bytes(let bytes) = value { bytes } else { nil }
        }
    }

    /// All messages of a field.
    public func messages(_ field: Int) -> [ProtobufMessage] {
        all(field).compactMap { ProtobufMessage($0) }
    }

    /// The last text of a field, or none.
    public func text(_ field: Int) -> String {
        String(decoding: all(field).last ?? [], as: UTF8.self)
    }

    /// A number whose sign is its lowest bit.
    public static func signed(_ number: UInt64) -> Int {
        Int(bitPattern: UInt(number >> 1)) ^ -Int(number & 1)
    }

    private static func varint(_ rest: inout ArraySlice<UInt8>) -> UInt64? {
        var number: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            guard let byte = rest.popFirst() else { return nil }
            number |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return number }
        }
        return nil
    }
}

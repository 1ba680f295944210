/// Reads Snappy's block format as its description says, slowly and strictly.
public enum SnappyDecoder {
    /// The bytes that were compressed; `nil` where the format is broken.
    public static func bytes(of compressed: [UInt8]) -> [UInt8]? {
        var rest = compressed[...]
        guard let length = varint(&rest), length <= 1 << 32 else { return nil }
        var bytes: [UInt8] = []
        while let tag = rest.popFirst() {
            if tag & 3 == 0 {
                guard let count = literalCount(tag, &rest), rest.count >= count else { return nil }
                bytes += rest.prefix(count)
                rest = rest.dropFirst(count)
            } else {
                guard let (offset, count) = copy(tag, &rest), offset > 0, offset <= bytes.count
                else { return nil }
                for _ in 0..<count { bytes.append(bytes[bytes.count - offset]) }
            }
        }
        return bytes.count == length ? bytes : nil
    }

    private static func literalCount(_ tag: UInt8, _ rest: inout ArraySlice<UInt8>) -> Int? {
        let short = Int(tag >> 2)
        guard short >= 60 else { return short + 1 }
        return number(short - 59, &rest).map { $0 + 1 }
    }

    private static func copy(
        _ tag: UInt8, _ rest: inout ArraySlice<UInt8>
    ) -> (offset: Int, count: Int)? {
        switch tag & 3 {
        case 1:
            guard let low = number(1, &rest) else { return nil }
            return (Int(tag >> 5) << 8 | low, Int(tag >> 2 & 7) + 4)
        case 2: return number(2, &rest).map { ($0, Int(tag >> 2) + 1) }
        default: return number(4, &rest).map { ($0, Int(tag >> 2) + 1) }
        }
    }

    private static func number(_ count: Int, _ rest: inout ArraySlice<UInt8>) -> Int? {
        guard rest.count >= count else { return nil }
        let bytes = rest.prefix(count)
        rest = rest.dropFirst(count)
        return bytes.reversed().reduce(0) { $0 << 8 | Int($1) }
    }

    private static func varint(_ rest: inout ArraySlice<UInt8>) -> Int? {
        var number = 0
        for shift in stride(from: 0, to: 63, by: 7) {
            guard let byte = rest.popFirst() else { return nil }
            number |= Int(byte & 0x7f) << shift
            if byte < 0x80 { return number }
        }
        return nil
    }
}

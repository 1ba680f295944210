/// Restores what was compressed in Snappy's block format
/// (github.com/google/snappy, format_description.txt).
enum SnappyReader {
    /// The bytes that were compressed.
    /// - Parameter limit: Most bytes to restore, against bombs.
    /// - Returns: `nil` where the format is broken, or beyond the limit.
    static func restore(_ compressed: UnsafeRawBufferPointer, limit: Int) -> [UInt8]? {
        var reader = ProtobufReader(compressed)
        guard let length = reader.varint(), length <= UInt64(limit) else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Int(length))
        while let tag = reader.byte() {
            let kind = tag & 3
            if kind == 0 {
                var count = Int(tag >> 2)
                if count >= 60 {
                    guard let longer = reader.number(count - 59) else { return nil }
                    count = longer
                }
                guard bytes.count + count < Int(length), let part = reader.take(count + 1) else {
                    return nil
                }
                bytes += part
                continue
            }
            var count = Int(tag >> 2) + 1
            var offset: Int?
            switch kind {
            case 1:
                count = Int(tag >> 2 & 7) + 4
                offset = reader.number(1).map { Int(tag >> 5) << 8 | $0 }
            case 2: offset = reader.number(2)
            default: offset = reader.number(4)
            }
            guard let offset, offset > 0, offset <= bytes.count,
                bytes.count + count <= Int(length)
            else { return nil }
            for _ in 0..<count { bytes.append(bytes[bytes.count - offset]) }
        }
        return bytes.count == Int(length) ? bytes : nil
    }
}

import WeirCore

/// Restores what was compressed in Snappy's block format
/// (github.com/google/snappy, format_description.txt).
enum SnappyReader {
    /// The bytes that were compressed.
    /// - Parameter limit: Most bytes to restore, against bombs.
    /// - Returns: `nil` where the format is broken, or beyond the limit.
    static func restore(_ compressed: UnsafeRawBufferPointer, limit: Int) -> [UInt8]? {
        var reader = ProtobufReader(compressed)
        guard let length = reader.varint(), length <= UInt64(limit) else { return nil }
        // The most that a byte of the format can stand for is 64 bytes in three.
        guard length <= UInt64(compressed.count) &* 32 else { return nil }
        var isWhole = false
        let bytes = [UInt8](unsafeUninitializedCapacity: Int(length)) { room, count in
            let room = UnsafeMutableRawBufferPointer(room)
            while let tag = reader.byte() {
                let isSound =
                    tag & 3 == 0
                    ? literal(tag, &reader, room, &count, Int(length))
                    : copy(tag, &reader, room, &count, Int(length))
                if !isSound { return }
            }
            isWhole = count == Int(length)
        }
        return isWhole ? bytes : nil
    }

    private static func literal(
        _ tag: UInt8, _ reader: inout ProtobufReader, _ room: UnsafeMutableRawBufferPointer,
        _ count: inout Int, _ length: Int
    ) -> Bool {
        var last = Int(tag >> 2)
        if last >= 60 {
            guard let longer = reader.number(last - 59) else { return false }
            last = longer
        }
        guard last < length - count, let part = reader.take(last + 1) else { return false }
        UnsafeMutableRawBufferPointer(rebasing: room[count...]).copyMemory(from: part)
        count += last + 1
        return true
    }

    private static func copy(
        _ tag: UInt8, _ reader: inout ProtobufReader, _ room: UnsafeMutableRawBufferPointer,
        _ count: inout Int, _ length: Int
    ) -> Bool {
        var size = Int(tag >> 2) + 1
        let distance: Int?
        switch tag & 3 {
        case 1:
            size = Int(tag >> 2 & 7) + 4
            distance = reader.number(1).map { Int(tag >> 5) << 8 | $0 }
        case 2: distance = reader.number(2)
        default: distance = reader.number(4)
        }
        guard let distance, distance > 0, distance <= count, size <= length - count else {
            return false
        }
        if distance >= size {
            let source = UnsafeRawBufferPointer(
                rebasing: UnsafeRawBufferPointer(room)[
                    (count - distance)..<(count - distance + size)])
            UnsafeMutableRawBufferPointer(rebasing: room[count...]).copyMemory(from: source)
        } else {
            // It reads what it has just written.
            for place in count..<(count + size) { room[place] = room[place - distance] }
        }
        count += size
        return true
    }
}

/// The Castagnoli checksum (RFC 3720, B.4), by table: for records of files that a crash may cut.
public enum CRC32C {
    private static let table: [UInt32] = (0..<256).map { index in
        var value = UInt32(index)
        for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0x82f6_3b78 : value >> 1 }
        return value
    }

    /// The checksum of some bytes.
    public static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        table.withUnsafeBufferPointer { table in
            var value: UInt32 = ~0
            for byte in bytes {
                value = table[Int((value ^ UInt32(byte)) & 0xff)] ^ value >> 8
            }
            return ~value
        }
    }
}

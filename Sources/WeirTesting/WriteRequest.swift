import WeirCore

/// A request of remote write 1.0 in the making.
public struct WriteRequest: ~Copyable {
    private var bytes = ByteBuffer(capacity: 4096)
    /// Series in it.
    public private(set) var seriesCount = 0

    /// A request without series.
    public init() {}

    /// Appends a series; times in milliseconds since 1970.
    public mutating func append(
        _ name: String, _ labels: [(String, String)], _ samples: [(time: Int64, value: Double)]
    ) {
        seriesCount += 1
        var series = ByteBuffer(capacity: 1024)
        for (label, value) in ([("__name__", name)] + labels).sorted(by: { $0.0 < $1.0 }) {
            var pair = ByteBuffer()
            Self.append(1, Array(label.utf8), to: &pair)
            Self.append(2, Array(value.utf8), to: &pair)
            Self.append(1, Array(pair.bytes), to: &series)
        }
        var sample = ByteBuffer()
        for (time, value) in samples {
            sample.truncate(to: 0)
            sample.append(byte: 1 << 3 | 1)
            withUnsafeBytes(of: value.bitPattern.littleEndian) { sample.append($0) }
            sample.append(byte: 2 << 3)
            Self.append(varint: UInt64(bitPattern: time), to: &sample)
            series.append(byte: 2 << 3 | 2)
            Self.append(varint: UInt64(sample.count), to: &series)
            series.append(sample.bytes)
        }
        bytes.append(byte: 1 << 3 | 2)
        Self.append(varint: UInt64(series.count), to: &bytes)
        bytes.append(series.bytes)
    }

    private static func append(varint number: UInt64, to buffer: inout ByteBuffer) {
        var rest = number
        while rest > 0x7f {
            buffer.append(byte: UInt8(rest & 0x7f) | 0x80)
            rest >>= 7
        }
        buffer.append(byte: UInt8(rest))
    }

    private static func append(_ field: UInt8, _ bytes: [UInt8], to buffer: inout ByteBuffer) {
        buffer.append(byte: field << 3 | 2)
        append(varint: UInt64(bytes.count), to: &buffer)
        buffer.append(bytes)
    }

    /// The request in Snappy's block format, without a copy in it.
    public func compressed() -> [UInt8] {
        var out = ByteBuffer(capacity: bytes.count + bytes.count / 1024 + 16)
        Self.append(varint: UInt64(bytes.count), to: &out)
        let all = bytes.bytes
        var place = 0
        while place < all.count {
            let count = min(all.count - place, 65_536)
            out.append(byte: 61 << 2)
            out.append(byte: UInt8((count - 1) & 0xff))
            out.append(byte: UInt8((count - 1) >> 8))
            out.append(UnsafeRawBufferPointer(rebasing: all[place..<(place + count)]))
            place += count
        }
        return Array(out.bytes)
    }
}

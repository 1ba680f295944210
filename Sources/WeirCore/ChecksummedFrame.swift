/// A frame of a file that a crash may cut: four letters, the payload's length and CRC-32C (four bytes each,
/// little-endian), the payload.
public struct ChecksummedFrame: Sendable {
    /// The bytes before a payload.
    public static let headByteCount = 12

    private let magic: [UInt8]
    private let payloadByteLimit: Int

    /// The frames of one kind of file.
    /// - Parameters:
    ///   - magic: Four letters.
    ///   - payloadByteLimit: The longest payload, at most 4 GiB.
    public init(magic: StaticString, payloadByteLimit: Int) {
        precondition(magic.utf8CodeUnitCount == 4 && payloadByteLimit <= UInt32.max)
        self.magic = magic.withUTF8Buffer { Array($0) }
        self.payloadByteLimit = payloadByteLimit
    }

    /// Appends a frame.
    /// - Returns: Whether the payload was short enough; else nothing is appended.
    @discardableResult
    public func append(_ payload: UnsafeRawBufferPointer, to buffer: inout ByteBuffer) -> Bool {
        guard payload.count <= payloadByteLimit else { return false }
        buffer.append(magic)
        buffer.append(halfWord: UInt32(payload.count))
        buffer.append(halfWord: CRC32C.checksum(payload))
        buffer.append(payload)
        return true
    }

    /// The payload of the frame that begins at a place, if a whole one does.
    public func payload(
        of bytes: UnsafeRawBufferPointer, at place: Int
    ) -> UnsafeRawBufferPointer? {
        let head = Self.headByteCount
        guard place >= 0, bytes.count - place >= head,
            bytes[place..<(place + 4)].elementsEqual(magic)
        else { return nil }
        func halfWord(_ place: Int) -> UInt32 {
            UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt32.self))
        }
        let count = Int(halfWord(place + 4))
        guard count <= payloadByteLimit, bytes.count - place - head >= count else { return nil }
        let start = place + head
        let payload = UnsafeRawBufferPointer(rebasing: bytes[start..<(start + count)])
        return CRC32C.checksum(payload) == halfWord(place + 8) ? payload : nil
    }
}

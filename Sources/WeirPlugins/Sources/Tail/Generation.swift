import WeirCore
import WeirHost

/// One file as it was from its creation, or its last truncation, on.
final class Generation {
    /// Most bytes of a file that its fingerprint is made of.
    static let fingerprintByteLimit = 256
    /// Bytes before the reading place that are checked to be the same before reading on.
    private static let tailByteCount = 64

    let file: OpenFile
    let identity: FileIdentity
    /// How often this inode began anew.
    let number: UInt64
    let tracker: DeliveryTracker
    /// The place of the next byte to read.
    private(set) var readOffset: UInt64
    /// The size when the file was last looked at.
    var knownSize: UInt64 = 0
    /// Up to where an unfinished last line has been searched for its end.
    var searchedOffset: UInt64 = 0
    /// Since when the last line has been unfinished, in monotonic nanoseconds.
    var unfinishedSince: UInt64?
    /// Whether the rest of an overlong line is being skipped.
    var isSkippingLine = false
    /// When the path moved on to another file, in monotonic nanoseconds.
    var rotatedAt: UInt64?
    /// When the file's last byte was read.
    var caughtUpAt: UInt64?
    private(set) var fingerprint: UInt64?
    private var tail: [UInt8] = []

    init(
        _ file: OpenFile, identity: FileIdentity, number: UInt64, offset: UInt64,
        fingerprint: UInt64? = nil
    ) {
        self.file = file
        self.identity = identity
        self.number = number
        readOffset = offset
        tracker = DeliveryTracker(position: offset)
        self.fingerprint = fingerprint ?? Self.fingerprint(of: file)
        noteTail()
    }

    /// The hash of a file's first line, at most 256 bytes of it; `nil` while that is not complete.
    static func fingerprint(of file: OpenFile) -> UInt64? {
        guard let head = try? file.bytes(at: 0, count: fingerprintByteLimit), !head.isEmpty else {
            return nil
        }
        if let end = head.firstIndex(of: 0x0a) { return hash(Array(head[...end])) }
        return head.count == fingerprintByteLimit ? hash(head) : nil
    }

    private static func hash(_ bytes: [UInt8]) -> UInt64 {
        // FNV-1a: short input, and the value is stored, so it must never change.
        bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 }
    }

    /// Whether the bytes that were read are still those of the file: a truncated file that has
    /// grown past the old place, or another file in the same inode, is told by its first line or by
    /// the bytes before the place.
    func isIntact(size: UInt64) -> Bool {
        if size < readOffset { return false }
        if let fingerprint, Self.fingerprint(of: file) != fingerprint { return false }
        if tail.isEmpty { return true }
        let start = readOffset - UInt64(tail.count)
        return (try? file.bytes(at: start, count: tail.count)) == tail
    }

    /// Reads the fingerprint if the first line was not complete before.
    func completeFingerprint() {
        if fingerprint == nil { fingerprint = Self.fingerprint(of: file) }
    }

    /// Moves the reading place behind bytes that were taken.
    func advance(to offset: UInt64) {
        readOffset = offset
        searchedOffset = offset
        unfinishedSince = nil
        completeFingerprint()
        noteTail()
    }

    private func noteTail() {
        let count = min(readOffset, UInt64(Self.tailByteCount))
        tail = (try? file.bytes(at: readOffset - count, count: Int(count))) ?? []
    }

    /// The origin of this generation's events, as identities need it.
    func origin(node: String) -> Origin {
        var seed = ByteBuffer()
        seed.append(node)
        seed.append(byte: 0)
        for number in [identity.device, identity.inode, fingerprint ?? 0, number] {
            for shift in stride(from: 0, to: 64, by: 8) {
                seed.append(byte: UInt8(truncatingIfNeeded: number >> UInt64(shift)))
            }
        }
        return Origin(hashing: seed.bytes)
    }
}

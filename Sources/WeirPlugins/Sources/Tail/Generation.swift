import WeirCore
import WeirHost

/// One file as it was from its creation, or its last truncation, on.
final class Generation {
    /// What the end of the file still misses.
    enum Unfinished {
        /// The last line's end.
        case line
        /// Further lines of an event.
        case event
    }

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
    /// When the file was last seen to have grown, in monotonic nanoseconds.
    var grownAt: UInt64 = 0
    /// The time of the last change when the file was last looked at.
    var modified = Timestamp.epoch
    /// Up to where an unfinished end has been searched.
    var searchedOffset: UInt64 = 0
    /// What is unfinished, and since when it has not grown, in monotonic nanoseconds.
    var unfinished: (what: Unfinished, since: UInt64)?
    /// Where the overlong line began whose rest is being skipped.
    var skippedLineStart: UInt64?
    /// Whether the last line was taken without its end, so that a line end is not a line.
    var endedWithinLine = false
    /// The block that a long event needs, in bytes.
    var neededCapacity = 0
    /// Whether the last read failed, and that was reported.
    var hasFailed = false
    /// When the path moved on to another file, in monotonic nanoseconds.
    var rotatedAt: UInt64?
    private(set) var fingerprint: UInt64?
    private var tail: [UInt8] = []

    init(_ file: OpenFile, status: FileStatus, number: UInt64, offset: UInt64) {
        self.file = file
        identity = status.identity
        knownSize = status.size
        modified = status.modified
        self.number = number
        readOffset = offset
        searchedOffset = offset
        tracker = DeliveryTracker(position: offset)
        fingerprint = Self.fingerprint(of: file)
        noteTail()
    }

    /// Bytes that are in the file and not read yet.
    var unreadByteCount: UInt64 { knownSize > readOffset ? knownSize - readOffset : 0 }

    /// Whether there is nothing to read but an unfinished end.
    var isCaughtUp: Bool { max(readOffset, searchedOffset) >= knownSize }

    /// The hash of a file's first line, at most 256 bytes of it; `nil` while that is not complete.
    static func fingerprint(of file: OpenFile) -> UInt64? {
        (try? file.bytes(at: 0, count: fingerprintByteLimit)).flatMap { fingerprint(ofHead: $0) }
    }

    private static func fingerprint(ofHead head: [UInt8]) -> UInt64? {
        if let end = head.firstIndex(of: 0x0a) { return StableHash.of(head[...end]) }
        return head.count == fingerprintByteLimit ? StableHash.of(head[...]) : nil
    }

    /// Whether the bytes that were read are still those of the file: a truncated file that has
    /// grown past the old place, or another file in the same inode, is told by its first line or by
    /// the bytes before the place.
    func isIntact(size: UInt64) -> Bool {
        if size < readOffset { return false }
        do throws(SystemError) {
            let head = try file.bytes(at: 0, count: Self.fingerprintByteLimit)
            if let fingerprint, Self.fingerprint(ofHead: head) != fingerprint { return false }
            if tail.isEmpty { return true }
            let start = readOffset - UInt64(tail.count)
            return try file.bytes(at: start, count: tail.count) == tail
        } catch {
            // What cannot be read is not known to have changed; reading itself reports it.
            return true
        }
    }

    /// Whether a file holds the same bytes as this one, as far as both go: a copy of it.
    ///
    /// Short files may begin with the same lines by chance: they are rather read twice than not.
    func isCopied(by other: OpenFile, size: UInt64) -> Bool {
        let common = min(size, knownSize)
        guard common >= Self.fingerprintByteLimit, let fingerprint,
            fingerprint == Self.fingerprint(of: other)
        else {
            return false
        }
        let count = min(common, 4096)
        let mine = try? file.bytes(at: common - count, count: Int(count))
        return mine != nil && mine == (try? other.bytes(at: common - count, count: Int(count)))
    }

    /// Reads the fingerprint if the first line was not complete before.
    func completeFingerprint() {
        if fingerprint == nil { fingerprint = Self.fingerprint(of: file) }
    }

    /// Moves the reading place behind bytes that were taken.
    func advance(to offset: UInt64) {
        readOffset = offset
        searchedOffset = offset
        unfinished = nil
        neededCapacity = 0
        completeFingerprint()
        noteTail()
    }

    private func noteTail() {
        let count = min(readOffset, UInt64(Self.tailByteCount))
        tail = (try? file.bytes(at: readOffset - count, count: Int(count))) ?? []
        // A file that has shrunk meanwhile is told by its size.
        if tail.count < Int(count) { tail = [] }
    }

    /// The hash of the bytes before a place of this file.
    func tailHash(at position: UInt64) -> UInt64 {
        position == readOffset && !tail.isEmpty
            ? StableHash.of(tail) : Self.tailHash(of: file, before: position)
    }

    /// The hash of the bytes before a place of a file; 0 when there are none.
    static func tailHash(of file: OpenFile, before position: UInt64) -> UInt64 {
        let count = min(position, UInt64(tailByteCount))
        guard count > 0, let bytes = try? file.bytes(at: position - count, count: Int(count)) else {
            return 0
        }
        return StableHash.of(bytes)
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

/// FNV-1a: for short inputs whose hash is stored, so that it must never change.
enum StableHash {
    static func of(_ bytes: some Sequence<UInt8>) -> UInt64 {
        bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 }
    }
}

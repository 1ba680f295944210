import WeirCore

/// The form of a store on disk: frames, each of which makes sense by itself.
///
///     byte 0...3    the mark         4  kind     5  version     6...7  zero
///     byte 8...11   length of the payload        12...15  its CRC-32C
///     byte 16...19  CRC-32C of the 16 bytes before
///
/// Numbers are little-endian. The head has a checksum of its own, so that a reader may trust the length
/// over a payload that it cannot: a broken payload costs one frame, a broken head no more than the way to
/// the next mark.
enum Snapshot {
    static let mark: [UInt8] = [0x57, 0x53, 0xfa, 0x9e]
    static let version: UInt8 = 1
    static let headByteCount = 20
    /// Series of a frame: what is lost at once.
    static let seriesPerFrame = 64

    enum Kind: UInt8 {
        /// What the snapshot has in all: at its beginning and at its end.
        case counts = 1
        case series = 2
        case metadata = 3
    }

    /// A payload with its head.
    static func frame(_ kind: Kind, _ payload: [UInt8]) -> [UInt8] {
        var frame = mark
        frame.reserveCapacity(headByteCount + payload.count)
        frame += [kind.rawValue, version, 0, 0]
        frame.append(word: UInt32(truncatingIfNeeded: payload.count))
        frame.append(word: payload.withUnsafeBytes { CRC32C.checksum($0) })
        frame.append(word: frame.withUnsafeBytes { CRC32C.checksum($0) })
        frame += payload
        return frame
    }
}

/// What came of reading a snapshot.
public struct SnapshotReport: Sendable, Equatable {
    /// Frames that were read.
    public var frameCount = 0
    /// Frames whose payload is broken.
    public var damagedFrameCount = 0
    /// Frames of another version, or of a kind that is not known.
    public var foreignFrameCount = 0
    /// Bytes that belong to no frame: cut off, or broken.
    public var lostByteCount = 0
    /// Series that live again.
    public var seriesCount = 0
    /// Samples that live again.
    public var sampleCount = 0
    /// Series that the store did not take: over its limits, too far ahead, or there already.
    public var refusedSeriesCount = 0
    /// Series that there were when it was written, if that can still be read.
    public var writtenSeriesCount: Int?
    /// Samples that there were, likewise.
    public var writtenSampleCount: Int?

    /// Series that were written and could not be read, if that is known.
    public var lostSeriesCount: Int? {
        writtenSeriesCount.map { max(0, $0 - seriesCount - refusedSeriesCount) }
    }

    /// Whether all is as it was written.
    public var isWhole: Bool {
        damagedFrameCount == 0 && foreignFrameCount == 0 && lostByteCount == 0
            && lostSeriesCount == 0
    }
}

extension [UInt8] {
    mutating func append(word: UInt32) {
        for shift in stride(from: UInt32(0), to: 32, by: 8) {
            append(UInt8(truncatingIfNeeded: word >> shift))
        }
    }

    mutating func append(doubleWord: UInt64) {
        append(word: UInt32(truncatingIfNeeded: doubleWord))
        append(word: UInt32(truncatingIfNeeded: doubleWord >> 32))
    }

    /// A number, small ones short.
    mutating func append(short number: Int) {
        var rest = UInt64(bitPattern: Int64(number))
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(truncatingIfNeeded: rest))
    }

    /// A text behind its length.
    mutating func append(text: String) {
        append(short: text.utf8.count)
        append(contentsOf: text.utf8)
    }
}

/// A place in a payload; reading beyond its end throws.
struct SnapshotCursor {
    /// Why a payload cannot be read.
    struct Broken: Error {}

    private let payload: UnsafeRawBufferPointer
    private var place = 0

    init(_ payload: UnsafeRawBufferPointer) { self.payload = payload }

    var isAtEnd: Bool { place == payload.count }

    mutating func byte() throws(Broken) -> UInt8 {
        guard place < payload.count else { throw Broken() }
        place += 1
        return payload[place - 1]
    }

    mutating func doubleWord() throws(Broken) -> UInt64 {
        guard payload.count - place >= 8 else { throw Broken() }
        place += 8
        return UInt64(
            littleEndian: payload.loadUnaligned(fromByteOffset: place - 8, as: UInt64.self))
    }

    mutating func time() throws(Broken) -> Int64 { Int64(bitPattern: try doubleWord()) }

    mutating func short() throws(Broken) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), through: 63, by: 7) {
            let byte = try byte()
            if shift == 63, byte > 1 { throw Broken() }
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
        }
        throw Broken()
    }

    /// A count of things that take at least so many bytes: never more than the payload holds.
    mutating func count(ofAtLeast size: Int) throws(Broken) -> Int {
        let count = try short()
        guard count <= UInt64((payload.count - place) / size) else { throw Broken() }
        return Int(count)
    }

    /// A place in a list.
    mutating func index(below limit: Int) throws(Broken) -> Int {
        let index = try short()
        guard index < UInt64(limit) else { throw Broken() }
        return Int(index)
    }

    mutating func bytes() throws(Broken) -> UnsafeRawBufferPointer {
        let count = try count(ofAtLeast: 1)
        defer { place += count }
        return UnsafeRawBufferPointer(rebasing: payload[place..<(place + count)])
    }

    mutating func text() throws(Broken) -> String { String(decoding: try bytes(), as: UTF8.self) }
}

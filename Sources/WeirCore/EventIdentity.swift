// Hot path: once per event of an output that stores documents.
import Glibc

/// The 128-bit name of an event: the same each time it is read from the same place of its file.
public struct EventIdentity: Hashable, Sendable {
    /// The upper half.
    public var high: UInt64
    /// The lower half.
    public var low: UInt64

    /// The identity of a row, or `nil` when its source has no positions.
    ///
    /// It is made of the origin, the line's position, the event's ordinal within the line, and the
    /// line's bytes, so that neither a truncated file nor a reused inode makes two lines one.
    @inline(__always)
    public init?(row: Int, in batch: EventBatch) {
        guard let origin = batch.origin else { return nil }
        let entry = batch.rows[row]
        let line = batch.lines[Int(entry.line)]
        let content = hash64(
            batch.pointer(line.offset), Int(line.length), seed: 0x9e37_79b9_7f4a_7c15)
        self.init(
            origin: origin, position: line.position, ordinal: UInt64(entry.ordinal),
            content: content)
    }

    /// An identity of its parts.
    ///
    /// The mixing is MurmurHash3's (x64, 128 bit; A. Appleby, public domain) over four words.
    public init(origin: Origin, position: UInt64, ordinal: UInt64, content: UInt64) {
        var h1 = origin.high
        var h2 = origin.low
        mixIn(&h1, &h2, position, ordinal)
        mixIn(&h1, &h2, content, 0x5745_4952_6964_0001)
        h1 ^= 32
        h2 ^= 32
        h1 &+= h2
        h2 &+= h1
        h1 = finalMix(h1)
        h2 = finalMix(h2)
        h1 &+= h2
        h2 &+= h1
        high = h1
        low = h2
    }

    /// Appends the identity as 22 characters of base64url: what Elasticsearch keeps as `_id`.
    @inline(__always)
    public func appendBase64(to buffer: inout ByteBuffer) {
        buffer.appendInPlace(maximum: 22) { room in
            var word = high
            for place in 0..<10 {
                room[place] = base64Digit(word >> 58)
                word <<= 6
            }
            // Four bits of the upper half are left; two of the lower one join them.
            room[10] = base64Digit((high & 0xf) << 2 | low >> 62)
            word = low << 2
            for place in 11..<21 {
                room[place] = base64Digit(word >> 58)
                word <<= 6
            }
            room[21] = base64Digit(word >> 58)
            return 22
        }
    }
}

private let base64Digits: StaticString =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

@inline(__always)
private func base64Digit(_ value: UInt64) -> UInt8 {
    base64Digits.utf8Start[Int(truncatingIfNeeded: value & 63)]
}

@inline(__always)
private func mixIn(_ h1: inout UInt64, _ h2: inout UInt64, _ first: UInt64, _ second: UInt64) {
    let c1: UInt64 = 0x87c3_7b91_1142_53d5
    let c2: UInt64 = 0x4cf5_ad43_2745_937f
    h1 ^= rotated(first &* c1, 31) &* c2
    h1 = (rotated(h1, 27) &+ h2) &* 5 &+ 0x52dc_e729
    h2 ^= rotated(second &* c2, 33) &* c1
    h2 = (rotated(h2, 31) &+ h1) &* 5 &+ 0x3849_5ab5
}

@inline(__always)
private func rotated(_ value: UInt64, _ bits: UInt64) -> UInt64 {
    value &<< bits | value &>> (64 &- bits)
}

@inline(__always)
private func finalMix(_ value: UInt64) -> UInt64 {
    var k = value
    k ^= k &>> 33
    k = k &* 0xff51_afd7_ed55_8ccd
    k ^= k &>> 33
    k = k &* 0xc4ce_b9fe_1a85_ec53
    return k ^ k &>> 33
}

/// A 64-bit hash by folded multiplication (the principle of wyhash). Its values are part of stored
/// identities and must never change.
@inline(__always)
func hash64(_ p: UnsafePointer<UInt8>, _ length: Int, seed: UInt64) -> UInt64 {
    let bytes = UnsafeRawPointer(p)
    var a = seed ^ UInt64(truncatingIfNeeded: length) &* 0xa076_1d64_78bd_642f
    var b = a ^ 0xe703_7ed1_a0b4_28db
    var place = 0
    while place &+ 32 <= length {
        a = folded(
            word(bytes, place) ^ 0x8ebc_6af0_9c88_c6e3,
            word(bytes, place &+ 8) ^ a)
        b = folded(
            word(bytes, place &+ 16) ^ 0x5899_65cc_7537_4cc3,
            word(bytes, place &+ 24) ^ b)
        place &+= 32
    }
    while place < length {
        let rest = length &- place
        var last = word(bytes, place)
        if rest < 8 { last &= (1 &<< UInt64(truncatingIfNeeded: rest &* 8)) &- 1 }
        a = folded(last ^ 0x1d8e_4e27_c47d_124f, a ^ b)
        place &+= 8
    }
    return folded(a ^ 0x2d35_8dcc_aa6c_78a5, b ^ 0x8bb8_4b93_962e_acc9)
}

@inline(__always)
private func word(_ bytes: UnsafeRawPointer, _ place: Int) -> UInt64 {
    UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self))
}

@inline(__always)
private func folded(_ left: UInt64, _ right: UInt64) -> UInt64 {
    let (high, low) = left.multipliedFullWidth(by: right)
    return high ^ low
}

extension Origin {
    /// An origin named by some bytes: node, device, inode, fingerprint and generation of a file.
    public init(hashing bytes: UnsafeRawBufferPointer) {
        var padded = ByteBuffer(capacity: bytes.count)
        padded.append(bytes)
        let first = hash64(padded.pointer, bytes.count, seed: 0x5745_4952_6f72_6731)
        let second = hash64(padded.pointer, bytes.count, seed: 0x5745_4952_6f72_6732)
        self.init(high: first, low: second)
    }
}

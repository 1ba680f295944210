// Hot path of remote write: once per request.
import Glibc
import WeirCore

/// Compresses to Snappy's block format (google/snappy, `format_description.txt`): the length, then
/// literals and copies of what came before.
///
/// It looks for repetitions where they are cheap to find: blocks of 64 KiB, one candidate for each
/// four bytes, ever longer steps through what does not repeat. Unsafe inside; every place that is read
/// or written was compared with an end before.
struct SnappyEncoder: ~Copyable {
    /// Copies reach no further back than this, so that places fit into 16 bits.
    private static let blockByteCount = 1 << 16
    private static let tableBits = 14
    /// Matching stops so far before a block's end, so that whole words can be read.
    private static let marginByteCount = 15
    /// Shorter inputs are one literal.
    private static let leastMatchedByteCount = 17

    /// The last place of each hash, relative to its block.
    private let table: UnsafeMutablePointer<UInt16>

    init() {
        table = .allocate(capacity: 1 << Self.tableBits)
    }

    deinit { table.deallocate() }

    /// The most bytes that so many become.
    static func byteLimit(of count: Int) -> Int { 32 + count + count / 6 }

    /// Appends the compressed form of some bytes: at most 2^32 - 1, as the format has it.
    mutating func append(_ bytes: UnsafeRawBufferPointer, to buffer: inout ByteBuffer) {
        precondition(bytes.count <= Int(UInt32.max), "a block of Snappy's is shorter than 4 GiB")
        buffer.append(varint: UInt64(bytes.count))
        guard let start = bytes.baseAddress else { return }
        buffer.appendInPlace(maximum: Self.byteLimit(of: bytes.count)) { room in
            var writer = Writer(UnsafeMutableRawPointer(room))
            var place = 0
            while place < bytes.count {
                let count = min(bytes.count - place, Self.blockByteCount)
                compress(start + place, count, &writer)
                place += count
            }
            return writer.place
        }
    }

    /// Writes elements to where there is room for them.
    private struct Writer {
        let start: UnsafeMutableRawPointer
        var place = 0

        init(_ start: UnsafeMutableRawPointer) { self.start = start }

        @inline(__always)
        private mutating func put(_ byte: Int) {
            start.storeBytes(
                of: UInt8(truncatingIfNeeded: byte), toByteOffset: place, as: UInt8.self)
            place &+= 1
        }

        /// Bytes as they stand.
        mutating func literal(_ from: UnsafeRawPointer, _ count: Int) {
            guard count > 0 else { return }
            let number = count &- 1
            if number < 60 {
                put(number << 2)
            } else if number < 1 << 8 {
                put(60 << 2)
                put(number)
            } else {
                // A block is at most 64 KiB long.
                put(61 << 2)
                put(number)
                put(number >> 8)
            }
            memcpy(start + place, from, count)
            place &+= count
        }

        /// A copy of `count` bytes from `offset` back, at least four.
        mutating func copy(offset: Int, count: Int) {
            var rest = count
            while rest >= 68 {
                longCopy(offset, 64)
                rest &-= 64
            }
            // What is left must not be shorter than four.
            if rest > 64 {
                longCopy(offset, 60)
                rest &-= 60
            }
            if rest >= 12 || offset >= 2048 {
                longCopy(offset, rest)
            } else {
                put((offset >> 8) << 5 | (rest &- 4) << 2 | 1)
                put(offset)
            }
        }

        @inline(__always)
        private mutating func longCopy(_ offset: Int, _ count: Int) {
            put((count &- 1) << 2 | 2)
            put(offset)
            put(offset >> 8)
        }
    }

    @inline(__always)
    private static func word(_ block: UnsafeRawPointer, _ place: Int) -> UInt32 {
        block.loadUnaligned(fromByteOffset: place, as: UInt32.self)
    }

    @inline(__always)
    private static func hash(_ word: UInt32) -> Int {
        Int(truncatingIfNeeded: (word &* 0x1e35_a7bd) >> UInt32(32 - tableBits))
    }

    /// How far the bytes at two places of a block are the same.
    @inline(__always)
    private static func matchEnd(
        _ block: UnsafeRawPointer, _ earlier: Int, _ later: Int, _ count: Int
    ) -> Int {
        var (left, right) = (earlier, later)
        while right &+ 8 <= count {
            let difference =
                block.loadUnaligned(fromByteOffset: left, as: UInt64.self)
                ^ block.loadUnaligned(fromByteOffset: right, as: UInt64.self)
            if difference != 0 { return right &+ difference.trailingZeroBitCount >> 3 }
            left &+= 8
            right &+= 8
        }
        while right < count,
            block.load(fromByteOffset: left, as: UInt8.self)
                == block.load(fromByteOffset: right, as: UInt8.self)
        {
            left &+= 1
            right &+= 1
        }
        return right
    }

    private func compress(_ block: UnsafeRawPointer, _ count: Int, _ writer: inout Writer) {
        guard count >= Self.leastMatchedByteCount else { return writer.literal(block, count) }
        table.initialize(repeating: 0, count: 1 << Self.tableBits)
        let limit = count &- Self.marginByteCount
        var pending = 0
        var place = 1
        while true {
            // Steps grow by one byte for each 32 places without a match.
            var skip = 32
            var candidate = 0
            while true {
                guard place <= limit else {
                    return writer.literal(block + pending, count &- pending)
                }
                let word = Self.word(block, place)
                let slot = Self.hash(word)
                candidate = Int(table[slot])
                table[slot] = UInt16(truncatingIfNeeded: place)
                if word == Self.word(block, candidate) { break }
                place &+= skip >> 5
                skip &+= 1
            }
            writer.literal(block + pending, place &- pending)
            // One match often follows another at once.
            repeat {
                let end = Self.matchEnd(block, candidate &+ 4, place &+ 4, count)
                writer.copy(offset: place &- candidate, count: end &- place)
                place = end
                pending = end
                guard place <= limit else {
                    return writer.literal(block + pending, count &- pending)
                }
                let before = Self.hash(Self.word(block, place &- 1))
                table[before] = UInt16(truncatingIfNeeded: place &- 1)
                let slot = Self.hash(Self.word(block, place))
                candidate = Int(table[slot])
                table[slot] = UInt16(truncatingIfNeeded: place)
            } while Self.word(block, place) == Self.word(block, candidate)
            place &+= 1
        }
    }
}

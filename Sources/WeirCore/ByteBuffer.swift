// Hot path: every encoded event passes through here.
import Glibc

/// Growable bytes that are written once and handed on: a chunk's body, a batch's arena.
///
/// Unsafe inside, so that a loop of appends is a loop of `memcpy`; safe outside, since it only grows.
public struct ByteBuffer: ~Copyable {
    /// Free bytes kept behind the last one, so that readers may load 64 bytes at any place.
    public static let padding = 64

    @usableFromInline var base: UnsafeMutablePointer<UInt8>
    /// Bytes written.
    @inlinable public var count: Int { written }
    @usableFromInline var written: Int
    @usableFromInline var capacity: Int

    /// An empty buffer with room for `capacity` bytes.
    public init(capacity: Int = 0) {
        let size = max(capacity, 64)
        guard let start = malloc(size + Self.padding) else { fatalError("out of memory") }
        base = start.assumingMemoryBound(to: UInt8.self)
        self.capacity = size
        written = 0
    }

    deinit { free(base) }

    /// The first byte; valid until the next append.
    @inlinable public var pointer: UnsafePointer<UInt8> { UnsafePointer(base) }

    /// The bytes written, valid until the next append.
    @inlinable public var bytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: base, count: count)
    }

    /// Allocated bytes, for budgets.
    public var allocatedByteCount: Int { capacity }

    /// Makes room for `extra` more bytes, at least doubling on growth.
    @inlinable @inline(__always)
    public mutating func reserve(_ extra: Int) {
        if capacity &- count < extra { grow(extra) }
    }

    @usableFromInline @inline(never)
    mutating func grow(_ extra: Int) {
        // Doubling stops at 1 MiB steps: a large chunk grows by a quarter, to waste less memory.
        let step = capacity < 1 << 20 ? capacity : capacity / 4
        let size = capacity + max(extra, step)
        guard let moved = realloc(base, size + Self.padding) else { fatalError("out of memory") }
        base = moved.assumingMemoryBound(to: UInt8.self)
        capacity = size
    }

    /// Appends `length` bytes from `source`.
    @inlinable @inline(__always)
    public mutating func append(_ source: UnsafePointer<UInt8>, _ length: Int) {
        reserve(length)
        memcpy(base + count, source, length)
        written &+= length
    }

    /// Appends `length` bytes that are readable 16 bytes beyond their end: faster than
    /// ``append(_:_:)`` for a few bytes.
    @inline(__always)
    mutating func append(padded source: UnsafePointer<UInt8>, _ length: Int) {
        reserve(length)
        let from = UnsafeRawPointer(source)
        let to = UnsafeMutableRawPointer(base + count)
        var place = 0
        repeat {
            // Free bytes behind the last one take what is too much.
            to.storeBytes(
                of: from.loadUnaligned(fromByteOffset: place, as: SIMD16<UInt8>.self),
                toByteOffset: place, as: SIMD16<UInt8>.self)
            place &+= 16
        } while place < length
        written &+= length
    }

    /// Appends the bytes of a buffer.
    @inlinable public mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress, !bytes.isEmpty else { return }
        append(start.assumingMemoryBound(to: UInt8.self), bytes.count)
    }

    /// Appends an array of bytes.
    public mutating func append(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { append($0) }
    }

    /// Appends a literal.
    @inlinable @inline(__always)
    public mutating func append(_ literal: StaticString) {
        append(literal.utf8Start, literal.utf8CodeUnitCount)
    }

    /// Appends a string's UTF-8. Literals are better served by the overload for them.
    @_disfavoredOverload
    public mutating func append(_ string: String) {
        var string = string
        string.withUTF8 { append(UnsafeRawBufferPointer($0)) }
    }

    /// Appends one byte.
    @inlinable @inline(__always)
    public mutating func append(byte: UInt8) {
        reserve(1)
        base[count] = byte
        written &+= 1
    }

    /// Appends a whole number in decimal.
    public mutating func append(decimal number: Int) {
        if number < 0 { append(byte: UInt8(ascii: "-")) }
        var rest = number.magnitude
        reserve(20)
        var digits = 1
        var probe = rest
        while probe >= 10 {
            probe /= 10
            digits += 1
        }
        var place = count + digits
        repeat {
            place -= 1
            base[place] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while place > count
        written += digits
    }

    /// Puts a byte in another's place, which must have been written.
    @inline(__always)
    public mutating func replace(byteAt place: Int, with byte: UInt8) {
        precondition(place >= 0 && place < count, "a byte to replace")
        base[place] = byte
    }

    /// The last byte, or `nil` when empty.
    @inlinable public var last: UInt8? { count > 0 ? base[count - 1] : nil }

    /// Takes the last byte away; the buffer must not be empty.
    public mutating func removeLast() {
        precondition(count > 0, "a byte to remove")
        written -= 1
    }

    /// Forgets the bytes behind the first `length`, keeping the memory.
    public mutating func truncate(to length: Int) {
        precondition(length >= 0 && length <= count, "truncation to a place inside")
        written = length
    }

    /// Writes directly: `body` gets room for `maximum` bytes and returns how many it filled.
    @inlinable @inline(__always)
    public mutating func appendInPlace(
        maximum: Int, _ body: (UnsafeMutablePointer<UInt8>) -> Int
    ) {
        reserve(maximum)
        let added = body(base + written)
        precondition(added >= 0 && added <= maximum, "wrote within the room given")
        written &+= added
    }
}

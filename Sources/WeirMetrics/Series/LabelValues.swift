// Hot path: once per label of every event that is counted.
import WeirCore

/// The values of a label set, in the order of the group's label names, as bytes.
///
/// Made once and filled anew for every event; filling it allocates nothing once it has grown.
public struct LabelValues: ~Copyable {
    /// Follows every value, so that `ab`,`c` and `a`,`bc` differ in their bytes. Never in UTF-8.
    @usableFromInline static let separator: UInt8 = 0xff

    @usableFromInline var base: UnsafeMutablePointer<UInt8>
    @usableFromInline var capacity: Int
    @usableFromInline var byteCount = 0
    @usableFromInline var ends: UnsafeMutablePointer<UInt32>
    @usableFromInline let endCapacity: Int
    /// How many values are whole.
    @inlinable public var count: Int { wholeCount }
    @usableFromInline var wholeCount = 0

    /// No values yet, with room for those of `labelCount` labels.
    public init(labelCount: Int) {
        capacity = 1024
        base = .allocate(capacity: capacity + ByteBuffer.padding)
        base.initialize(repeating: 0, count: capacity + ByteBuffer.padding)
        endCapacity = max(labelCount, 1)
        ends = .allocate(capacity: endCapacity)
        ends.initialize(repeating: 0, count: endCapacity)
    }

    deinit {
        base.deallocate()
        ends.deallocate()
    }

    /// Forgets the values.
    @inlinable @inline(__always)
    public mutating func removeAll() {
        byteCount = 0
        wholeCount = 0
    }

    /// Adds a value.
    @inlinable @inline(__always)
    public mutating func append(_ bytes: UnsafeRawBufferPointer) {
        extend(bytes)
        endValue()
    }

    /// Adds a value.
    @inlinable @inline(__always)
    public mutating func append(_ literal: StaticString) {
        extend(literal)
        endValue()
    }

    /// Adds a value.
    public mutating func append(_ text: String) {
        extend(text)
        endValue()
    }

    /// Writes a part of the next value; ``endValue()`` makes it whole.
    @inlinable @inline(__always)
    public mutating func extend(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress else { return }
        write(start, bytes.count)
    }

    /// Writes a part of the next value.
    @inlinable @inline(__always)
    public mutating func extend(_ literal: StaticString) {
        write(UnsafeRawPointer(literal.utf8Start), literal.utf8CodeUnitCount)
    }

    /// Writes a part of the next value.
    public mutating func extend(_ text: String) {
        var text = text
        text.withUTF8 { extend(UnsafeRawBufferPointer($0)) }
    }

    /// Ends the value that was written in parts; without parts it is empty.
    @inlinable @inline(__always)
    public mutating func endValue() {
        precondition(wholeCount < endCapacity, "one value for each label")
        if byteCount == capacity { grow(1) }
        base[byteCount] = Self.separator
        byteCount &+= 1
        ends[wholeCount] = UInt32(truncatingIfNeeded: byteCount)
        wholeCount &+= 1
    }

    /// The bytes of a value, readable 16 bytes beyond their end.
    @inline(__always)
    func value(_ index: Int) -> UnsafeRawBufferPointer {
        let start = index == 0 ? 0 : Int(ends[index &- 1])
        return UnsafeRawBufferPointer(start: base + start, count: Int(ends[index]) &- 1 &- start)
    }

    /// The values as they are now.
    public var bytesOfValues: [[UInt8]] { (0..<count).map { Array(value($0)) } }

    /// All bytes, separators included, readable 16 bytes beyond their end.
    @inline(__always)
    var start: UnsafeRawPointer { UnsafeRawPointer(base) }

    @inlinable @inline(__always)
    mutating func write(_ source: UnsafeRawPointer, _ length: Int) {
        if capacity &- byteCount < length { grow(length) }
        let to = UnsafeMutableRawPointer(base + byteCount)
        byteCount &+= length
        // Overlapping loads: no byte outside of the value is read.
        switch length {
        case 16...:
            var place = 0
            let last = length &- 16
            while place < last {
                to.storeBytes(
                    of: source.loadUnaligned(fromByteOffset: place, as: SIMD2<UInt64>.self),
                    toByteOffset: place, as: SIMD2<UInt64>.self)
                place &+= 16
            }
            to.storeBytes(
                of: source.loadUnaligned(fromByteOffset: last, as: SIMD2<UInt64>.self),
                toByteOffset: last, as: SIMD2<UInt64>.self)
        case 8...:
            let head = source.loadUnaligned(as: UInt64.self)
            let tail = source.loadUnaligned(fromByteOffset: length &- 8, as: UInt64.self)
            to.storeBytes(of: head, as: UInt64.self)
            to.storeBytes(of: tail, toByteOffset: length &- 8, as: UInt64.self)
        case 4...:
            let head = source.loadUnaligned(as: UInt32.self)
            let tail = source.loadUnaligned(fromByteOffset: length &- 4, as: UInt32.self)
            to.storeBytes(of: head, as: UInt32.self)
            to.storeBytes(of: tail, toByteOffset: length &- 4, as: UInt32.self)
        default:
            for place in 0..<length {
                to.storeBytes(
                    of: source.load(fromByteOffset: place, as: UInt8.self), toByteOffset: place,
                    as: UInt8.self)
            }
        }
    }

    @usableFromInline @inline(never)
    mutating func grow(_ extra: Int) {
        let size = capacity * 2 + extra
        let moved = UnsafeMutablePointer<UInt8>.allocate(capacity: size + ByteBuffer.padding)
        moved.initialize(repeating: 0, count: size + ByteBuffer.padding)
        moved.update(from: base, count: byteCount)
        base.deallocate()
        base = moved
        capacity = size
    }
}

// Hot path: every label of every event is compared and cut here.
import Glibc

/// Some bytes of a batch, or of a literal: text that nobody owns.
typealias ByteText = UnsafeRawBufferPointer

extension UnsafeRawBufferPointer {
    /// No text.
    @inline(__always)
    static var none: ByteText { ByteText(start: nil, count: 0) }

    /// The bytes of a literal, which live as long as the process.
    @inline(__always)
    static func literal(_ text: StaticString) -> ByteText {
        ByteText(start: text.utf8Start, count: text.utf8CodeUnitCount)
    }

    /// Whether the bytes are those of a literal.
    @inline(__always)
    func isSame(as literal: StaticString) -> Bool {
        guard count == literal.utf8CodeUnitCount, let baseAddress else { return false }
        return memcmp(baseAddress, literal.utf8Start, count) == 0
    }

    /// Whether the bytes are those of another text.
    @inline(__always)
    func isSame(as other: ByteText) -> Bool {
        guard count == other.count else { return false }
        guard count > 0, let baseAddress, let start = other.baseAddress else { return true }
        return memcmp(baseAddress, start, count) == 0
    }

    /// Whether the bytes begin with those of a literal.
    @inline(__always)
    func begins(with literal: StaticString) -> Bool {
        let length = literal.utf8CodeUnitCount
        guard count >= length, let baseAddress else { return false }
        return memcmp(baseAddress, literal.utf8Start, length) == 0
    }

    /// Whether the bytes end with those of a literal.
    @inline(__always)
    func ends(with literal: StaticString) -> Bool {
        let length = literal.utf8CodeUnitCount
        guard count >= length, let baseAddress else { return false }
        return memcmp(baseAddress + (count &- length), literal.utf8Start, length) == 0
    }

    /// Whether a literal is found in the bytes.
    @inline(__always)
    func holds(_ literal: StaticString) -> Bool { place(of: literal) != nil }

    /// Where a literal is found first.
    func place(of literal: StaticString) -> Int? {
        let length = literal.utf8CodeUnitCount
        guard let baseAddress, length > 0 else { return nil }
        var start = 0
        while let place = place(of: literal.utf8Start[0], from: start), place &+ length <= count {
            if memcmp(baseAddress + place, literal.utf8Start, length) == 0 { return place }
            start = place &+ 1
        }
        return nil
    }

    /// Where a byte is found first, from a place on.
    @inline(__always)
    func place(of byte: UInt8, from start: Int = 0) -> Int? {
        guard let baseAddress, start < count,
            let found = memchr(baseAddress + start, Int32(byte), count &- start)
        else { return nil }
        return UnsafeRawPointer(found) - baseAddress
    }

    /// The bytes from a place up to another, both within.
    @inline(__always)
    func part(_ start: Int, _ end: Int) -> ByteText {
        ByteText(rebasing: self[start..<Swift.max(start, end)])
    }

    /// The bytes behind a place.
    @inline(__always)
    func part(from start: Int) -> ByteText { part(Swift.min(start, count), count) }

    /// The bytes before the first one that is `byte`; all of them where there is none.
    @inline(__always)
    func part(before byte: UInt8) -> ByteText { part(0, place(of: byte) ?? count) }

    /// The whole number that the bytes are in decimal, without sign; `nil` for anything else and
    /// beyond 18 digits.
    @inline(__always)
    var wholeNumber: Int? {
        guard count > 0, count <= 18 else { return nil }
        var number = 0
        for byte in self {
            let digit = byte &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            number = number &* 10 &+ Int(digit)
        }
        return number
    }
}

// Hot path: every sample that a query reads passes through here.

/// Whole numbers of one width in bits, one behind the other, least significant bit first.
///
/// A number is read by one load of eight bytes, without a branch: so widths between 57 and 63 are written
/// as 64, and up to eight bytes behind the last number must be readable.
enum BitPacking {
    /// Bytes behind the last number that a read may touch.
    static let slack = 8

    /// The width for numbers up to `largest`.
    @inline(__always)
    static func width(for largest: UInt64) -> Int {
        let bits = 64 &- largest.leadingZeroBitCount
        return bits > 56 ? 64 : bits
    }

    /// Whether numbers are ever written in this width.
    static func isWidth(_ width: Int) -> Bool { (0...56).contains(width) || width == 64 }

    /// The bytes that so many numbers take.
    @inline(__always)
    static func byteCount(_ count: Int, width: Int) -> Int { (count &* width &+ 7) &>> 3 }

    /// The bits that a number of this width can have.
    @inline(__always)
    static func mask(_ width: Int) -> UInt64 {
        width == 0 ? 0 : ~0 &>> UInt64(truncatingIfNeeded: 64 &- width)
    }

    /// Writes numbers to zeroed bytes, of which `slack` more must be writable behind the last.
    static func pack(
        _ numbers: UnsafePointer<UInt64>, _ count: Int, width: Int,
        to target: UnsafeMutableRawPointer
    ) {
        guard width > 0 else { return }
        var bit = 0
        for index in 0..<count {
            let place = target + bit &>> 3
            let present = place.loadUnaligned(as: UInt64.self)
            let shifted = numbers[index] &<< UInt64(truncatingIfNeeded: bit & 7)
            place.storeBytes(of: present | shifted, as: UInt64.self)
            bit &+= width
        }
    }

    /// The number that begins at a bit.
    @inline(__always)
    static func number(_ base: UnsafeRawPointer, atBit bit: Int, mask: UInt64) -> UInt64 {
        (base + bit &>> 3).loadUnaligned(as: UInt64.self)
            &>> UInt64(truncatingIfNeeded: bit & 7) & mask
    }
}

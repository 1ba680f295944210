// Hot path: every sample that a query reads passes through here.

/// Up to 32 samples of one series, packed.
///
/// Times and whole numbers are written as differences from one sample to the next, less the smallest
/// difference, in the width of the largest: a counter that is scraped regularly costs the bits of its
/// unevenness. Numbers with few decimals are whole numbers of their last decimal. What is neither is
/// written as the XOR with the former value, in the bits that ever change.
///
///     byte 0...1   length of the block      2  samples     3  form, and 0x80: starts follow
///     byte 4       bits of a value          5  bits of a time    6  decimals, or zero bits
///     byte 7       1: no value is below the one before it, that before the block included
///     byte 8...15  first and last time, as offsets from the chunk's first
///     byte 16...   first value; then what its form needs; then times, values and starts
enum FloatBlock {
    static let sampleLimit = 32
    static let headByteCount = 24
    /// Most bytes of a block, with the slack behind it.
    static let byteLimit =
        headByteCount + 8 + 4 + (sampleLimit - 1) * (4 + 8) + 24 + (sampleLimit - 1) * 8
        + BitPacking.slack
    private static let startsFlag: UInt8 = 0x80
    /// Whole numbers below are exact as floating-point.
    private static let wholeLimit = 0x1p53
    /// Most decimals that are tried.
    static let decimalLimit: UInt8 = 6

    /// How the values are written.
    enum Form: UInt8 {
        /// All have the first one's bits.
        case constant
        /// Differences of whole numbers, possibly of decimals.
        case whole
        /// XOR with the former value.
        case changes
        /// A bit for each sample that differs from the former, and the XOR of these.
        case rareChanges
    }

    /// The powers that decimals are scaled by.
    @inline(__always)
    static func scale(_ decimals: UInt8) -> Double {
        switch decimals {
        case 0: 1
        case 1: 10
        case 2: 100
        case 3: 1_000
        case 4: 10_000
        case 5: 100_000
        default: 1_000_000
        }
    }

    /// A block's head.
    struct Head {
        var byteCount: Int
        var count: Int
        var form: UInt8
        var hasStarts: Bool
        var valueWidth: Int
        var timeWidth: Int
        var detail: UInt8
        /// Whether no value is below the one before it, that before the block included, and all are numbers.
        var ascends: Bool
        var firstOffset: UInt32
        var lastOffset: UInt32

        @inline(__always)
        init(_ block: UnsafeRawPointer) {
            let word = UInt64(littleEndian: block.loadUnaligned(as: UInt64.self))
            byteCount = Int(truncatingIfNeeded: word & 0xffff)
            count = Int(truncatingIfNeeded: word &>> 16 & 0xff)
            form = UInt8(truncatingIfNeeded: word &>> 24 & 0x7f)
            hasStarts = word &>> 31 & 1 == 1
            valueWidth = Int(truncatingIfNeeded: word &>> 32 & 0xff)
            timeWidth = Int(truncatingIfNeeded: word &>> 40 & 0xff)
            detail = UInt8(truncatingIfNeeded: word &>> 48)
            ascends = word &>> 56 & 1 == 1
            firstOffset = UInt32(
                littleEndian: block.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
            lastOffset = UInt32(
                littleEndian: block.loadUnaligned(fromByteOffset: 12, as: UInt32.self))
        }
    }

    /// The samples to write: offsets from the first time (so the first is 0), bits, and perhaps starts.
    struct Samples {
        var times: UnsafePointer<UInt32>
        var values: UnsafePointer<UInt64>
        var starts: UnsafePointer<Int64>?
        var count: Int
    }

    /// Writes a block.
    /// - Parameters:
    ///   - offset: The first time's offset from the chunk's first.
    ///   - previous: The series' value before the block: −∞ where there is none, NaN where it is not known.
    ///   - target: `byteLimit` bytes.
    /// - Returns: The block's length, without the slack.
    static func encode(
        _ samples: Samples, offset: UInt32, after previous: Double = .nan,
        to target: UnsafeMutableRawPointer
    ) -> Int {
        target.initializeMemory(as: UInt8.self, repeating: 0, count: byteLimit)
        let count = samples.count
        return withUnsafeTemporaryAllocation(of: UInt64.self, capacity: sampleLimit) { numbers in
            guard let scratch = numbers.baseAddress else { return 0 }
            var place = headByteCount
            let values = ValuePlan(samples.values, count)
            place = values.writeForm(to: target, at: place)
            let timeWidth = encodeTimes(samples, scratch, target, &place)
            values.writeValues(samples.values, scratch, to: target, &place)
            var form = values.form.rawValue
            if let starts = samples.starts {
                form |= startsFlag
                encodeStarts(starts, count, scratch, target, &place)
            }
            store(UInt16(truncatingIfNeeded: place), target, 0)
            target.storeBytes(of: UInt8(truncatingIfNeeded: count), toByteOffset: 2, as: UInt8.self)
            target.storeBytes(of: form, toByteOffset: 3, as: UInt8.self)
            target.storeBytes(
                of: UInt8(truncatingIfNeeded: values.width), toByteOffset: 4, as: UInt8.self)
            target.storeBytes(
                of: UInt8(truncatingIfNeeded: timeWidth), toByteOffset: 5, as: UInt8.self)
            target.storeBytes(of: values.detail, toByteOffset: 6, as: UInt8.self)
            let ascends = ascends(samples.values, count, after: previous)
            target.storeBytes(of: ascends ? 1 : 0, toByteOffset: 7, as: UInt8.self)
            store(offset, target, 8)
            store(offset &+ samples.times[count &- 1], target, 12)
            store(values.first, target, 16)
            return place
        }
    }

    /// Whether no value is below the one before it, and all are numbers.
    static func ascends(
        _ bits: UnsafePointer<UInt64>, _ count: Int, after previous: Double
    ) -> Bool {
        var former = previous
        for index in 0..<count {
            let value = Double(bitPattern: bits[index])
            guard value >= former else { return false }
            former = value
        }
        return true
    }

    private static func store<T: FixedWidthInteger>(
        _ value: T, _ target: UnsafeMutableRawPointer, _ place: Int
    ) {
        target.storeBytes(of: value.littleEndian, toByteOffset: place, as: T.self)
    }

    private static func encodeTimes(
        _ samples: Samples, _ scratch: UnsafeMutablePointer<UInt64>,
        _ target: UnsafeMutableRawPointer, _ place: inout Int
    ) -> Int {
        let count = samples.count
        guard count > 1 else { return 0 }
        var least = UInt32.max
        var most: UInt32 = 0
        for index in 1..<count {
            let step = samples.times[index] &- samples.times[index &- 1]
            least = min(least, step)
            most = max(most, step)
        }
        let width = BitPacking.width(for: UInt64(most &- least))
        guard width > 0 else { return 0 }
        for index in 1..<count {
            let step = samples.times[index] &- samples.times[index &- 1]
            scratch[index &- 1] = UInt64(step &- least)
        }
        store(least, target, place)
        place &+= 4
        BitPacking.pack(scratch, count &- 1, width: width, to: target + place)
        place &+= BitPacking.byteCount(count &- 1, width: width)
        return width
    }

    /// The first start, the smallest difference, the width, and the differences.
    private static func encodeStarts(
        _ starts: UnsafePointer<Int64>, _ count: Int, _ scratch: UnsafeMutablePointer<UInt64>,
        _ target: UnsafeMutableRawPointer, _ place: inout Int
    ) {
        var mostly: UInt64 = 0
        for index in 1..<max(count, 1) {
            let step = starts[index] &- starts[index &- 1]
            let folded = UInt64(bitPattern: step &<< 1 ^ step &>> 63)
            scratch[index &- 1] = folded
            mostly |= folded
        }
        let width = BitPacking.width(for: mostly)
        store(starts[0], target, place)
        target.storeBytes(
            of: UInt8(truncatingIfNeeded: width), toByteOffset: place &+ 8, as: UInt8.self)
        place &+= 9
        BitPacking.pack(scratch, count &- 1, width: width, to: target + place)
        place &+= BitPacking.byteCount(count &- 1, width: width)
    }

    /// How a block's values are best written.
    private struct ValuePlan {
        var form: Form
        var width = 0
        /// Decimals of the whole form, zero bits on the right of the others.
        var detail: UInt8 = 0
        /// The first value: its bits, or its whole number.
        var first: UInt64
        private var least: Int64 = 0
        private var changed: UInt32 = 0
        private let count: Int

        init(_ bits: UnsafePointer<UInt64>, _ count: Int) {
            self.count = count
            first = bits[0]
            form = .constant
            var differences: UInt64 = 0
            for index in 1..<max(count, 1) {
                let difference = bits[index] ^ bits[index &- 1]
                differences |= difference
                if difference != 0 { changed |= 1 &<< UInt32(truncatingIfNeeded: index) }
            }
            guard differences != 0 else { return }
            let zeros = differences.trailingZeroBitCount
            let changeWidth = BitPacking.width(for: differences &>> UInt64(zeros))
            let dense = (count &- 1) &* changeWidth
            let rare = 32 &+ changed.nonzeroBitCount &* changeWidth
            if takeWhole(bits, costing: min(dense, rare)) { return }
            form = rare < dense ? .rareChanges : .changes
            width = changeWidth
            detail = UInt8(truncatingIfNeeded: zeros)
        }

        /// Takes the whole form if the values have few decimals and it costs less than so many bits.
        private mutating func takeWhole(_ bits: UnsafePointer<UInt64>, costing other: Int) -> Bool {
            var decimals: UInt8 = 0
            for index in 0..<count {
                while FloatBlock.whole(bits[index], decimals) == nil {
                    decimals &+= 1
                    if decimals > decimalLimit { return false }
                }
            }
            guard var former = FloatBlock.whole(bits[0], decimals) else { return false }
            let begin = former
            var least = Int64.max
            var most = Int64.min
            for index in 1..<count {
                guard let number = FloatBlock.whole(bits[index], decimals) else { return false }
                let step = number &- former
                least = min(least, step)
                most = max(most, step)
                former = number
            }
            let wholeWidth = BitPacking.width(for: UInt64(bitPattern: most &- least))
            guard 64 &+ (count &- 1) &* wholeWidth < other &+ 32 else { return false }
            form = .whole
            width = wholeWidth
            detail = decimals
            first = UInt64(bitPattern: begin)
            self.least = least
            return true
        }

        func writeForm(to target: UnsafeMutableRawPointer, at place: Int) -> Int {
            switch form {
            case .whole:
                FloatBlock.store(UInt64(bitPattern: least), target, place)
                return place &+ 8
            case .rareChanges:
                FloatBlock.store(changed, target, place)
                return place &+ 4
            case .constant, .changes: return place
            }
        }

        func writeValues(
            _ bits: UnsafePointer<UInt64>, _ scratch: UnsafeMutablePointer<UInt64>,
            to target: UnsafeMutableRawPointer, _ place: inout Int
        ) {
            var written = 0
            switch form {
            case .constant: return
            case .whole:
                var former = Int64(bitPattern: first)
                for index in 1..<count {
                    let number = FloatBlock.whole(bits[index], detail) ?? former
                    scratch[written] = UInt64(bitPattern: number &- former &- least)
                    former = number
                    written &+= 1
                }
            case .changes, .rareChanges:
                for index in 1..<count {
                    let difference = bits[index] ^ bits[index &- 1]
                    if form == .rareChanges, difference == 0 { continue }
                    scratch[written] = difference &>> UInt64(detail)
                    written &+= 1
                }
            }
            BitPacking.pack(scratch, written, width: width, to: target + place)
            place &+= BitPacking.byteCount(written, width: width)
        }
    }

    /// The whole number that a value is in units of its last decimal, if it comes back exactly.
    @inline(__always)
    private static func whole(_ bits: UInt64, _ decimals: UInt8) -> Int64? {
        let value = Double(bitPattern: bits)
        let scale = scale(decimals)
        let scaled = decimals == 0 ? value : (value * scale).rounded(.toNearestOrEven)
        guard scaled.magnitude < wholeLimit else { return nil }
        let number = Int64(scaled)
        let back = decimals == 0 ? Double(number) : Double(number) / scale
        return back.bitPattern == bits ? number : nil
    }
}

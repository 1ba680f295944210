// Hot path: every sample that a query reads passes through here.

extension FloatBlock {
    /// Unpacks a sound block whose first eight bytes behind its end are readable.
    /// - Parameter origin: The chunk's first time.
    @inline(__always)
    static func decode(
        _ block: UnsafeRawPointer, _ head: Head, origin: Int64, into room: BlockRoom.Place
    ) {
        var place = headByteCount
        let form = Form(rawValue: head.form) ?? .constant
        let formPlace = place
        switch form {
        case .whole: place &+= 8
        case .rareChanges: place &+= 4
        case .constant, .changes: break
        }
        decodeTimes(block, head, origin, room.times, &place)
        let first = UInt64(littleEndian: block.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
        switch form {
        case .constant:
            room.values.update(repeating: first, count: head.count)
        case .whole:
            let least = Int64(
                littleEndian: block.loadUnaligned(fromByteOffset: formPlace, as: Int64.self))
            decodeWhole(block + place, head, Int64(bitPattern: first), least, room.values)
            place &+= BitPacking.byteCount(head.count &- 1, width: head.valueWidth)
        case .changes:
            decodeChanges(block + place, head, first, room.values)
            place &+= BitPacking.byteCount(head.count &- 1, width: head.valueWidth)
        case .rareChanges:
            let changed = UInt32(
                littleEndian: block.loadUnaligned(fromByteOffset: formPlace, as: UInt32.self))
            decodeRareChanges(block + place, head, first, changed, room.values)
            place &+= BitPacking.byteCount(changed.nonzeroBitCount, width: head.valueWidth)
        }
        if head.hasStarts { decodeStarts(block + place, head.count, room.starts) }
    }

    /// A block's first value, without unpacking it.
    static func firstValue(_ block: UnsafeRawPointer, _ head: Head) -> Double {
        let first = UInt64(littleEndian: block.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
        guard Form(rawValue: head.form) == .whole else { return Double(bitPattern: first) }
        let number = Double(Int64(bitPattern: first))
        return head.detail == 0 ? number : number / scale(head.detail)
    }

    @inline(__always)
    private static func decodeTimes(
        _ block: UnsafeRawPointer, _ head: Head, _ origin: Int64,
        _ times: UnsafeMutablePointer<Int64>, _ place: inout Int
    ) {
        var time = origin &+ Int64(head.firstOffset)
        times[0] = time
        guard head.count > 1 else { return }
        if head.timeWidth == 0 {
            let step = Int64((head.lastOffset &- head.firstOffset) / UInt32(head.count &- 1))
            for index in 1..<head.count {
                time &+= step
                times[index] = time
            }
            return
        }
        let least = Int64(
            UInt32(littleEndian: block.loadUnaligned(fromByteOffset: place, as: UInt32.self)))
        place &+= 4
        let base = block + place
        let mask = BitPacking.mask(head.timeWidth)
        var bit = 0
        for index in 1..<head.count {
            let packed = BitPacking.number(base, atBit: bit, mask: mask)
            time = time &+ least &+ Int64(bitPattern: packed)
            times[index] = time
            bit &+= head.timeWidth
        }
        place &+= BitPacking.byteCount(head.count &- 1, width: head.timeWidth)
    }

    /// The width of which one load has four numbers: four of them begin at bit 0 or 4 of a byte, and four
    /// of this width always at bit 0.
    private static let quadWidth = 16

    @inline(__always)
    private static func decodeWhole(
        _ base: UnsafeRawPointer, _ head: Head, _ first: Int64, _ least: Int64,
        _ values: UnsafeMutablePointer<UInt64>
    ) {
        let width = head.valueWidth
        let mask = BitPacking.mask(width)
        var number = first
        var bit = 0
        if head.detail == 0 {
            values[0] = Double(number).bitPattern
            var index = 1
            if width <= quadWidth {
                let shift = UInt64(truncatingIfNeeded: width)
                while index &+ 3 < head.count {
                    // One load has four numbers.
                    var word = BitPacking.number(base, atBit: bit, mask: ~0)
                    for place in index..<(index &+ 4) {
                        number = number &+ least &+ Int64(bitPattern: word & mask)
                        values[place] = Double(number).bitPattern
                        word &>>= shift
                    }
                    bit &+= width &* 4
                    index &+= 4
                }
            }
            while index < head.count {
                let packed = BitPacking.number(base, atBit: bit, mask: mask)
                number = number &+ least &+ Int64(bitPattern: packed)
                values[index] = Double(number).bitPattern
                bit &+= width
                index &+= 1
            }
            return
        }
        let scale = scale(head.detail)
        values[0] = (Double(number) / scale).bitPattern
        for index in 1..<head.count {
            let packed = BitPacking.number(base, atBit: bit, mask: mask)
            number = number &+ least &+ Int64(bitPattern: packed)
            values[index] = (Double(number) / scale).bitPattern
            bit &+= width
        }
    }

    @inline(__always)
    private static func decodeChanges(
        _ base: UnsafeRawPointer, _ head: Head, _ first: UInt64,
        _ values: UnsafeMutablePointer<UInt64>
    ) {
        let mask = BitPacking.mask(head.valueWidth)
        let zeros = UInt64(head.detail)
        var bits = first
        values[0] = bits
        var bit = 0
        for index in 1..<head.count {
            bits ^= BitPacking.number(base, atBit: bit, mask: mask) &<< zeros
            values[index] = bits
            bit &+= head.valueWidth
        }
    }

    @inline(__always)
    private static func decodeRareChanges(
        _ base: UnsafeRawPointer, _ head: Head, _ first: UInt64, _ changed: UInt32,
        _ values: UnsafeMutablePointer<UInt64>
    ) {
        let mask = BitPacking.mask(head.valueWidth)
        let zeros = UInt64(head.detail)
        var bits = first
        values[0] = bits
        var bit = 0
        for index in 1..<head.count {
            if changed &>> UInt32(truncatingIfNeeded: index) & 1 == 1 {
                bits ^= BitPacking.number(base, atBit: bit, mask: mask) &<< zeros
                bit &+= head.valueWidth
            }
            values[index] = bits
        }
    }

    private static func decodeStarts(
        _ base: UnsafeRawPointer, _ count: Int, _ starts: UnsafeMutablePointer<Int64>
    ) {
        var start = Int64(littleEndian: base.loadUnaligned(as: Int64.self))
        let width = Int(base.loadUnaligned(fromByteOffset: 8, as: UInt8.self))
        let mask = BitPacking.mask(width)
        starts[0] = start
        var bit = 0
        for index in 1..<max(count, 1) {
            let folded = BitPacking.number(base + 9, atBit: bit, mask: mask)
            start = start &+ (Int64(bitPattern: folded &>> 1) ^ -Int64(bitPattern: folded & 1))
            starts[index] = start
            bit &+= width
        }
    }

    /// Whether bytes from outside begin with a block that can be read without harm: its parts lie inside
    /// it and its times ascend.
    static func soundHead(_ bytes: UnsafeRawBufferPointer) -> Head? {
        guard bytes.count >= headByteCount, let base = bytes.baseAddress else { return nil }
        let head = Head(base)
        guard (1...sampleLimit).contains(head.count), head.byteCount <= bytes.count,
            let form = Form(rawValue: head.form), BitPacking.isWidth(head.valueWidth),
            head.timeWidth <= 32, head.detail < 64, head.firstOffset <= head.lastOffset
        else { return nil }
        let gaps = head.count - 1
        var needed = headByteCount
        var numbers = gaps
        switch form {
        case .constant: numbers = 0
        case .whole:
            needed += 8
            guard head.detail <= decimalLimit else { return nil }
        case .changes: break
        case .rareChanges:
            guard bytes.count >= needed + 4 else { return nil }
            let changed = UInt32(
                littleEndian: base.loadUnaligned(fromByteOffset: needed, as: UInt32.self))
            numbers = changed.nonzeroBitCount
            guard numbers <= gaps else { return nil }
            needed += 4
        }
        if head.timeWidth > 0 { needed += 4 + BitPacking.byteCount(gaps, width: head.timeWidth) }
        needed += BitPacking.byteCount(numbers, width: head.valueWidth)
        if head.hasStarts {
            guard bytes.count >= needed + 9 else { return nil }
            let width = Int(bytes[needed + 8])
            guard BitPacking.isWidth(width) else { return nil }
            needed += 9 + BitPacking.byteCount(gaps, width: width)
        }
        return needed == head.byteCount ? head : nil
    }
}

/// A histogram's bytes are its flags, then the steps of its time and start, its sum, and its counts.
enum HistogramFlags {
    static let wholeCounts: UInt8 = 1
    static let hasStart: UInt8 = 2
    static let hintShift: UInt8 = 4

    static func number(_ hint: FloatHistogram.CounterResetHint) -> UInt8 {
        switch hint {
        case .unknown: 0
        case .reset: 1
        case .notReset: 2
        case .gauge: 3
        }
    }

    static func hint(_ number: UInt8) -> FloatHistogram.CounterResetHint {
        switch number & 3 {
        case 1: .reset
        case 2: .notReset
        case 3: .gauge
        default: .unknown
        }
    }
}

/// Writes histograms as differences to the former ones.
struct HistogramWriter {
    private(set) var bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Writes a histogram with the same buckets as the former one.
    mutating func write(
        _ histogram: FloatHistogram, after former: FloatHistogram, timeStep: Int64, startStep: Int64
    ) {
        let isWhole = Self.isWhole(histogram) && Self.isWhole(former)
        var flags = HistogramFlags.number(histogram.counterResetHint) << HistogramFlags.hintShift
        if isWhole { flags |= HistogramFlags.wholeCounts }
        if startStep != 0 { flags |= HistogramFlags.hasStart }
        bytes.append(flags)
        append(folded: timeStep)
        if startStep != 0 { append(folded: startStep) }
        append(histogram.sum.bitPattern ^ former.sum.bitPattern)
        write(histogram.count, former.count, isWhole)
        write(histogram.zeroCount, former.zeroCount, isWhole)
        for (count, other) in zip(histogram.positiveBuckets, former.positiveBuckets) {
            write(count, other, isWhole)
        }
        for (count, other) in zip(histogram.negativeBuckets, former.negativeBuckets) {
            write(count, other, isWhole)
        }
    }

    private mutating func write(_ count: Double, _ former: Double, _ isWhole: Bool) {
        if isWhole {
            append(folded: Int64(count) &- Int64(former))
        } else {
            append(count.bitPattern ^ former.bitPattern)
        }
    }

    private static func isWhole(_ histogram: FloatHistogram) -> Bool {
        isWhole(histogram.count) && isWhole(histogram.zeroCount)
            && histogram.positiveBuckets.allSatisfy(isWhole)
            && histogram.negativeBuckets.allSatisfy(isWhole)
    }

    private static func isWhole(_ value: Double) -> Bool {
        value.magnitude < 0x1p53 && Double(Int64(value)).bitPattern == value.bitPattern
    }

    /// A signed number, small ones short.
    mutating func append(folded number: Int64) {
        var rest = UInt64(bitPattern: number &<< 1 ^ number &>> 63)
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest &>>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    /// Bits: how many zero bytes are in front and behind, then the others.
    mutating func append(_ bits: UInt64) {
        let front = bits.leadingZeroBitCount / 8
        if front == 8 {
            bytes.append(0x80)
            return
        }
        let behind = bits.trailingZeroBitCount / 8
        bytes.append(UInt8(truncatingIfNeeded: front << 4 | behind))
        var rest = bits &>> UInt64(behind * 8)
        for _ in 0..<(8 - front - behind) {
            bytes.append(UInt8(truncatingIfNeeded: rest))
            rest &>>= 8
        }
    }
}

/// Reads a chunk's histograms one after the other; ends at bytes that make no sense.
struct HistogramReader {
    private let bytes: [UInt8]
    private var place = 0
    /// The histogram that was read last, its time, and its start.
    private(set) var histogram: FloatHistogram
    private(set) var time: Int64
    private(set) var start: Int64 = 0

    init(_ chunk: HistogramChunk, _ bytes: [UInt8]) {
        self.bytes = bytes
        histogram = chunk.layout.blank
        time = chunk.first
    }

    var isAtEnd: Bool { place == bytes.count }

    /// Reads the next histogram.
    /// - Returns: Whether there was one.
    mutating func next() -> Bool {
        guard place < bytes.count else { return false }
        let flags = bytes[place]
        place += 1
        guard let timeStep = folded() else { return false }
        time = time &+ timeStep
        if flags & HistogramFlags.hasStart != 0 {
            guard let startStep = folded() else { return false }
            start = start &+ startStep
        }
        guard let sum = bits() else { return false }
        histogram.sum = Double(bitPattern: histogram.sum.bitPattern ^ sum)
        histogram.counterResetHint = HistogramFlags.hint(flags >> HistogramFlags.hintShift)
        let isWhole = flags & HistogramFlags.wholeCounts != 0
        guard let count = number(after: histogram.count, isWhole),
            let zeroCount = number(after: histogram.zeroCount, isWhole)
        else { return false }
        histogram.count = count
        histogram.zeroCount = zeroCount
        for index in histogram.positiveBuckets.indices {
            let former = histogram.positiveBuckets[index]
            guard let count = number(after: former, isWhole) else { return false }
            histogram.positiveBuckets[index] = count
        }
        for index in histogram.negativeBuckets.indices {
            let former = histogram.negativeBuckets[index]
            guard let count = number(after: former, isWhole) else { return false }
            histogram.negativeBuckets[index] = count
        }
        return true
    }

    private mutating func number(after former: Double, _ isWhole: Bool) -> Double? {
        if isWhole {
            guard former.magnitude < 0x1p53, let step = folded() else { return nil }
            return Double(Int64(former) &+ step)
        }
        return bits().map { Double(bitPattern: former.bitPattern ^ $0) }
    }

    private mutating func folded() -> Int64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), through: 63, by: 7) {
            guard place < bytes.count else { return nil }
            let byte = bytes[place]
            place += 1
            value |= UInt64(byte & 0x7f) &<< shift
            if byte < 0x80 { return Int64(bitPattern: value &>> 1) ^ -Int64(bitPattern: value & 1) }
        }
        return nil
    }

    private mutating func bits() -> UInt64? {
        guard place < bytes.count else { return nil }
        let shape = bytes[place]
        place += 1
        if shape == 0x80 { return 0 }
        let front = Int(shape >> 4)
        let behind = Int(shape & 15)
        let count = 8 - front - behind
        guard count > 0, bytes.count - place >= count else { return nil }
        var value: UInt64 = 0
        for index in 0..<count { value |= UInt64(bytes[place + index]) &<< UInt64(index * 8) }
        place += count
        return value &<< UInt64(behind * 8)
    }
}

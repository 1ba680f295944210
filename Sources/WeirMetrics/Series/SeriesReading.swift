/// What a metric of one label set shows: the shards' values together.
public enum SeriesReading: Sendable, Equatable {
    /// A counter of whole numbers.
    case count(UInt64)
    /// A counter of any numbers, or a gauge.
    case number(Double)
    /// A summary.
    case summary(count: UInt64, sum: Double)
    /// A classic histogram: the count of each bucket, not cumulated, the last one beyond all bounds.
    case histogram(counts: [UInt64], sum: Double)
    /// A native histogram: its count and sum.
    case native(count: UInt64, sum: Double)
}

extension SeriesGroup {
    /// The values of a metric by label values, all shards together.
    ///
    /// For tests and for few series: the scrape goes another way.
    public func readings(ofFamily family: Int) -> [[String]: SeriesReading] {
        var readings: [[String]: SeriesReading] = [:]
        for shard in shards {
            shard.withTable { table in
                for index in 0..<table.rowCount where table.serial(index) != 0 {
                    guard let reading = table.reading(index, family) else { continue }
                    let labels = table.labels(index)
                    readings[labels] = readings[labels].map { $0 + reading } ?? reading
                }
            }
        }
        return readings
    }
}

extension SeriesReading {
    static func + (left: SeriesReading, right: SeriesReading) -> SeriesReading {
        switch (left, right) {
        case (.count(let left), .count(let right)): .count(left &+ right)
        case (.number(let left), .number(let right)): .number(left + right)
        case (.summary(let count, let sum), .summary(let otherCount, let otherSum)):
            .summary(count: count &+ otherCount, sum: sum + otherSum)
        case (.histogram(let counts, let sum), .histogram(let otherCounts, let otherSum)):
            .histogram(counts: zip(counts, otherCounts).map { $0 &+ $1 }, sum: sum + otherSum)
        case (.native(let count, let sum), .native(let otherCount, let otherSum)):
            .native(count: count &+ otherCount, sum: sum + otherSum)
        default: left
        }
    }
}

extension SeriesTable {
    /// The label values of a series.
    func labels(_ index: Int) -> [String] {
        (0..<layout.labelCount).map { label in
            let entry = values.entries[Int(key(index, label))]
            return String(
                decoding: UnsafeRawBufferPointer(start: entry.bytes, count: Int(entry.length)),
                as: UTF8.self)
        }
    }

    /// What a metric of a series shows; nothing when it has no value yet.
    func reading(_ index: Int, _ family: Int) -> SeriesReading? {
        let row = row(index)
        let present = row.load(fromByteOffset: SeriesLayout.present, as: UInt32.self)
        guard present >> UInt32(family) & 1 == 1 else { return nil }
        let place = layout.families[family]
        func word(_ offset: Int) -> UInt64 {
            row.load(fromByteOffset: place.offset + offset, as: UInt64.self)
        }
        func number(_ offset: Int) -> Double { Double(bitPattern: word(offset)) }
        switch place.kind {
        case .counter: return .count(word(0))
        case .floatCounter, .gauge: return .number(number(0))
        case .summary: return .summary(count: word(0), sum: number(8))
        case .histogram:
            return .histogram(
                counts: (0...place.boundCount).map { word($0 * 8) },
                sum: number((place.boundCount + 1) * 8))
        case .nativeHistogram:
            let handle = Int(row.load(fromByteOffset: place.offset, as: UInt32.self))
            guard handle > 0 else { return .native(count: 0, sum: 0) }
            return .native(count: natives[handle - 1].count, sum: natives[handle - 1].sum)
        }
    }
}

import WeirCore

/// A metric's head: what is the same in all its series, ready for every format.
struct ShownFamily: ~Copyable {
    let name: [UInt8]
    let help: String
    let unit: String
    let kind: FamilyDeclaration.Kind
    /// The name of each label as the first field of a protobuf message.
    let labelNameFields: [[UInt8]]
    /// The text before each label's value, `",name="` with the end of the label before it, one behind
    /// the other.
    let labelHeads: ByteBuffer
    let labelHeadEnds: [Int]
    /// `le="…"` of each bucket, in the text format and in OpenMetrics.
    let bounds: [(value: Double, text: [UInt8], openMetrics: [UInt8])]

    init(
        name: String, help: String, unit: String, kind: FamilyDeclaration.Kind,
        labelNames: [String]
    ) {
        self.name = Array(name.utf8)
        self.help = help
        self.unit = unit
        self.kind = kind
        labelNameFields = labelNames.map { label in
            var field = ByteBuffer(capacity: 64)
            field.append(byte: 1 << 3 | 2)
            field.append(text: label)
            return Array(field.bytes)
        }
        var heads = ByteBuffer(capacity: 64)
        labelHeadEnds = labelNames.enumerated().map { index, label in
            heads.append((index == 0 ? "" : "\",") + label + "=\"")
            return heads.count
        }
        labelHeads = heads
        guard case .histogram(let list) = kind else {
            bounds = [Self.bound(.infinity)]
            return
        }
        bounds = (list + [.infinity]).map(Self.bound)
    }

    private static func bound(_ value: Double) -> (Double, [UInt8], [UInt8]) {
        var text = ByteBuffer(capacity: 32)
        var openMetrics = ByteBuffer(capacity: 32)
        FloatText.append(value, to: &text)
        FloatText.append(openMetrics: value, to: &openMetrics)
        return (value, Array(text.bytes), Array(openMetrics.bytes))
    }
}

/// One series while it is written: the values of all shards together. Used again for the next.
struct ShownSeries {
    /// A label's value: bytes that stay while the shards are locked.
    struct LabelValue {
        var bytes: UnsafeRawBufferPointer
        var needsEscape: Bool
    }

    var labels: [LabelValue] = []
    /// Whether any shard has a value.
    var isPresent = false
    /// A counter of whole numbers, or the count of a summary or histogram.
    var count: UInt64 = 0
    /// A gauge, a counter of any numbers, or a sum.
    var number = 0.0
    /// When it was last updated, for gauges: the latest shard's counts.
    var touched = Int64.min
    /// When its counting began, in milliseconds since 1970.
    var created: Int64?
    /// The count of each bucket, not cumulated.
    var counts: [UInt64] = []
    var native: NativeHistogram?
    /// An exemplar for each bucket, or for the counter; their labels are 0 where there is none.
    var exemplars: [ExemplarPool.Slot] = []
    var hasExemplars = false

    /// Forgets the values.
    mutating func reset(bucketCount: Int) {
        labels.removeAll(keepingCapacity: true)
        resetValues(bucketCount: bucketCount)
    }

    mutating func resetValues(bucketCount: Int) {
        isPresent = false
        count = 0
        number = 0
        touched = .min
        created = nil
        native = nil
        hasExemplars = false
        if counts.count == bucketCount {
            for index in counts.indices { counts[index] = 0 }
        } else {
            counts = Array(repeating: 0, count: bucketCount)
        }
    }

    /// What ``SeriesGroup/readings(ofFamily:)`` tells of it.
    func reading(_ kind: FamilyDeclaration.Kind) -> SeriesReading {
        switch kind {
        case .counter: .count(count)
        case .floatCounter, .gauge: .number(number)
        case .summary: .summary(count: count, sum: number)
        case .histogram: .histogram(counts: counts, sum: number)
        case .nativeHistogram: .native(count: count, sum: number)
        }
    }
}

extension SeriesTable {
    /// Points at the label values of a series.
    func show(labelsOf index: Int, in series: inout ShownSeries) {
        for label in 0..<layout.labelCount {
            let entry = values.entries + Int(key(index, label))
            series.labels.append(
                ShownSeries.LabelValue(
                    bytes: UnsafeRawBufferPointer(
                        start: entry.pointee.bytes, count: Int(entry.pointee.length)),
                    needsEscape: entry.pointee.needsEscape))
        }
    }

    /// Adds a metric's values of a series, where it has any.
    func show(_ index: Int, family: Int, in series: inout ShownSeries) {
        let row = row(index)
        let present = row.load(fromByteOffset: SeriesLayout.present, as: UInt32.self)
        guard present >> UInt32(family) & 1 == 1 else { return }
        series.isPresent = true
        let created = row.load(fromByteOffset: SeriesLayout.created, as: Int64.self)
        series.created = min(series.created ?? created, created)
        let place = layout.families[family]
        let values = row + place.offset
        switch place.kind {
        case .counter: series.count &+= values.load(as: UInt64.self)
        case .floatCounter: series.number += values.load(as: Double.self)
        case .gauge:
            let touched = row.load(fromByteOffset: SeriesLayout.touched, as: Int64.self)
            if touched < series.touched { break }
            series.touched = touched
            series.number = values.load(as: Double.self)
        case .summary:
            series.count &+= values.load(as: UInt64.self)
            series.number += values.load(fromByteOffset: 8, as: Double.self)
        case .histogram:
            for bucket in 0...place.boundCount {
                let count = values.load(fromByteOffset: bucket &* 8, as: UInt64.self)
                series.counts[bucket] &+= count
                series.count &+= count
            }
            series.number += values.load(
                fromByteOffset: (place.boundCount &+ 1) &* 8, as: Double.self)
        case .nativeHistogram(_, let bucketLimit):
            let number = Int(values.load(as: UInt32.self))
            if number > 0 {
                let native = natives[number - 1]
                if series.native == nil {
                    series.native = native
                } else {
                    series.native?.merge(native, bucketLimit: bucketLimit)
                }
                series.count &+= native.count
                series.number += native.sum
            }
        }
        if place.exemplarCount > 0 { showExemplars(row, place, in: &series) }
    }

    private func showExemplars(
        _ row: UnsafeMutableRawPointer, _ place: SeriesLayout.Family,
        in series: inout ShownSeries
    ) {
        let number = row.load(fromByteOffset: place.exemplars, as: UInt32.self)
        guard number > 0, let slots = exemplars.slots(number) else { return }
        if !series.hasExemplars {
            series.hasExemplars = true
            series.exemplars = Array(
                UnsafeBufferPointer(start: slots, count: place.exemplarCount))
            return
        }
        for bucket in 0..<place.exemplarCount where slots[bucket].label > 0 {
            let known = series.exemplars[bucket]
            if known.label == 0 || known.milliseconds < slots[bucket].milliseconds {
                series.exemplars[bucket] = slots[bucket]
            }
        }
    }
}

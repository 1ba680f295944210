// Hot path of the scrape: once per series.
import WeirCore

/// Writes `io.prometheus.client.MetricFamily` messages (prometheus/client_model, `metrics.proto`).
///
/// A message is written inside out: its parts first, so that its length is known.
struct ProtobufWriter: ~Copyable {
    /// The numbers of the fields, by message.
    private enum Field {
        enum Family {
            static let name = 1
            static let help = 2
            static let type = 3
            static let metric = 4
            static let unit = 5
        }
        enum Metric {
            static let label = 1
            static let gauge = 2
            static let counter = 3
            static let summary = 4
            static let histogram = 7
        }
        enum Histogram {
            static let count = 1
            static let sum = 2
            static let bucket = 3
            static let schema = 5
            static let zeroThreshold = 6
            static let zeroCount = 7
            static let negativeSpan = 9
            static let negativeDelta = 10
            static let positiveSpan = 12
            static let positiveDelta = 13
            static let created = 15
            static let exemplars = 16
        }
    }

    private var metric = ByteBuffer(capacity: 4096)
    private var part = ByteBuffer(capacity: 4096)
    private var detail = ByteBuffer(capacity: 256)
    private var scrap = ByteBuffer(capacity: 256)

    init() {}

    // MARK: Families

    /// Appends a family: its head and the metrics that were written before.
    func append(
        _ family: borrowing ShownFamily, metrics: borrowing ByteBuffer,
        to buffer: inout ByteBuffer
    ) {
        var head = ByteBuffer(capacity: 256)
        family.name.withUnsafeBytes { Self.append(Field.Family.name, $0, to: &head) }
        var help = family.help
        help.withUTF8 {
            Self.append(Field.Family.help, UnsafeRawBufferPointer($0), to: &head)
        }
        Self.append(Field.Family.type, varint: typeNumber(family.kind), to: &head)
        var unit = family.unit
        let unitStart = head.count
        if !unit.isEmpty {
            unit.withUTF8 {
                Self.append(Field.Family.unit, UnsafeRawBufferPointer($0), to: &head)
            }
        }
        let unitCount = head.count - unitStart
        Self.append(varint: UInt64(head.count + metrics.count), to: &buffer)
        // In the order of the fields' numbers: the unit is behind the metrics.
        buffer.append(head.pointer, unitStart)
        buffer.append(metrics.bytes)
        buffer.append(head.pointer + unitStart, unitCount)
    }

    private func typeNumber(_ kind: FamilyDeclaration.Kind) -> UInt64 {
        switch kind {
        case .counter, .floatCounter: 0
        case .gauge: 1
        case .summary: 2
        case .histogram, .nativeHistogram: 4
        }
    }

    // MARK: Metrics

    /// Appends a series as a field of its family.
    mutating func append(
        _ series: borrowing ShownSeries, of family: borrowing ShownFamily,
        to buffer: inout ByteBuffer
    ) {
        metric.truncate(to: 0)
        for label in series.labels.indices {
            let value = series.labels[label].bytes
            family.labelNameFields[label].withUnsafeBufferPointer { name in
                let size = name.count &+ 1 &+ Self.varintSize(value.count) &+ value.count
                metric.append(byte: UInt8(Field.Metric.label << 3 | 2))
                Self.append(varint: UInt64(size), to: &metric)
                metric.append(UnsafeRawBufferPointer(name))
            }
            metric.append(byte: 2 << 3 | 2)
            Self.append(varint: UInt64(value.count), to: &metric)
            metric.append(value)
        }
        part.truncate(to: 0)
        switch family.kind {
        case .counter, .floatCounter:
            let isWhole = if case .counter = family.kind { true } else { false }
            Self.append(1, double: isWhole ? Double(series.count) : series.number, to: &part)
            if series.hasExemplars { append(series.exemplars[0], field: 2) }
            appendCreated(series, field: 3)
            Self.append(Field.Metric.counter, part.bytes, to: &metric)
        case .gauge:
            Self.append(1, double: series.number, to: &part)
            Self.append(Field.Metric.gauge, part.bytes, to: &metric)
        case .summary:
            Self.append(1, varint: series.count, to: &part)
            Self.append(2, double: series.number, to: &part)
            appendCreated(series, field: 4)
            Self.append(Field.Metric.summary, part.bytes, to: &metric)
        case .histogram:
            appendClassic(series, family)
            Self.append(Field.Metric.histogram, part.bytes, to: &metric)
        case .nativeHistogram:
            appendNative(series)
            Self.append(Field.Metric.histogram, part.bytes, to: &metric)
        }
        Self.append(Field.Family.metric, metric.bytes, to: &buffer)
    }

    private mutating func appendClassic(
        _ series: borrowing ShownSeries, _ family: borrowing ShownFamily
    ) {
        Self.append(Field.Histogram.count, varint: series.count, to: &part)
        Self.append(Field.Histogram.sum, double: series.number, to: &part)
        var total: UInt64 = 0
        for bucket in family.bounds.indices {
            total &+= series.counts[bucket]
            detail.truncate(to: 0)
            Self.append(1, varint: total, to: &detail)
            Self.append(2, double: family.bounds[bucket].value, to: &detail)
            if series.hasExemplars, writeExemplar(series.exemplars[bucket]) {
                Self.append(3, scrap.bytes, to: &detail)
            }
            Self.append(Field.Histogram.bucket, detail.bytes, to: &part)
        }
        appendCreated(series, field: Field.Histogram.created)
    }

    private mutating func appendNative(_ series: borrowing ShownSeries) {
        Self.append(Field.Histogram.count, varint: series.count, to: &part)
        Self.append(Field.Histogram.sum, double: series.number, to: &part)
        guard let native = series.native else { return }
        Self.append(Field.Histogram.schema, varint: Self.zigzag(native.schema), to: &part)
        Self.append(
            Field.Histogram.zeroThreshold, double: NativeHistogram.zeroThreshold, to: &part)
        Self.append(Field.Histogram.zeroCount, varint: native.zeroCount, to: &part)
        append(native.negative, Field.Histogram.negativeSpan, Field.Histogram.negativeDelta)
        append(native.positive, Field.Histogram.positiveSpan, Field.Histogram.positiveDelta)
        if native.positive.counts.isEmpty, native.negative.counts.isEmpty, native.zeroCount == 0 {
            // An empty span says that the histogram is a native one.
            Self.append(
                Field.Histogram.positiveSpan, UnsafeRawBufferPointer(start: nil, count: 0),
                to: &part)
        }
        appendCreated(series, field: Field.Histogram.created)
        guard series.hasExemplars else { return }
        for slot in 0..<series.exemplars.count where writeExemplar(series.exemplars[slot]) {
            Self.append(Field.Histogram.exemplars, scrap.bytes, to: &part)
        }
    }

    /// Writes a run of buckets as one span and the differences between their counts.
    private mutating func append(_ run: NativeHistogram.Run, _ span: Int, _ delta: Int) {
        guard !run.counts.isEmpty else { return }
        detail.truncate(to: 0)
        Self.append(1, varint: Self.zigzag(run.first), to: &detail)
        Self.append(2, varint: UInt64(run.counts.count), to: &detail)
        Self.append(span, detail.bytes, to: &part)
        detail.truncate(to: 0)
        var before: UInt64 = 0
        for count in run.counts {
            let difference = Int(truncatingIfNeeded: count &- before)
            Self.append(varint: Self.zigzag(difference), to: &detail)
            before = count
        }
        Self.append(delta, detail.bytes, to: &part)
    }

    private mutating func append(_ exemplar: ExemplarPool.Slot, field: Int) {
        if writeExemplar(exemplar) { Self.append(field, scrap.bytes, to: &part) }
    }

    /// Writes an exemplar's message.
    /// - Returns: Whether there is one.
    private mutating func writeExemplar(_ exemplar: ExemplarPool.Slot) -> Bool {
        guard let label = Exemplar.Label(rawValue: exemplar.label) else { return false }
        scrap.truncate(to: 0)
        var pair = ByteBuffer(capacity: 128)
        Self.append(
            1,
            UnsafeRawBufferPointer(
                start: label.name.utf8Start, count: label.name.utf8CodeUnitCount), to: &pair)
        withUnsafeBytes(of: exemplar.text) {
            Self.append(
                2, UnsafeRawBufferPointer(rebasing: $0.prefix(Int(exemplar.length))), to: &pair)
        }
        Self.append(1, pair.bytes, to: &scrap)
        Self.append(2, double: exemplar.value, to: &scrap)
        pair.truncate(to: 0)
        Self.append(milliseconds: exemplar.milliseconds, to: &pair)
        Self.append(3, pair.bytes, to: &scrap)
        return true
    }

    private mutating func appendCreated(_ series: borrowing ShownSeries, field: Int) {
        guard let created = series.created else { return }
        detail.truncate(to: 0)
        Self.append(milliseconds: created, to: &detail)
        Self.append(field, detail.bytes, to: &part)
    }

    // MARK: The wire

    /// A `google.protobuf.Timestamp`: nanoseconds are counted forwards.
    private static func append(milliseconds: Int64, to buffer: inout ByteBuffer) {
        let seconds = milliseconds >= 0 ? milliseconds / 1000 : (milliseconds - 999) / 1000
        append(1, varint: UInt64(bitPattern: seconds), to: &buffer)
        append(2, varint: UInt64((milliseconds &- seconds &* 1000) &* 1_000_000), to: &buffer)
    }

    private static func append(
        _ field: Int, _ bytes: UnsafeRawBufferPointer, to buffer: inout ByteBuffer
    ) {
        append(varint: UInt64(field << 3 | 2), to: &buffer)
        append(varint: UInt64(bytes.count), to: &buffer)
        buffer.append(bytes)
    }

    private static func append(_ field: Int, varint: UInt64, to buffer: inout ByteBuffer) {
        append(varint: UInt64(field << 3), to: &buffer)
        append(varint: varint, to: &buffer)
    }

    private static func append(_ field: Int, double: Double, to buffer: inout ByteBuffer) {
        append(varint: UInt64(field << 3 | 1), to: &buffer)
        withUnsafeBytes(of: double.bitPattern.littleEndian) { buffer.append($0) }
    }

    @inline(__always)
    private static func append(varint: UInt64, to buffer: inout ByteBuffer) {
        var rest = varint
        while rest >= 0x80 {
            buffer.append(byte: UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        buffer.append(byte: UInt8(truncatingIfNeeded: rest))
    }

    /// How many bytes a length takes.
    private static func varintSize(_ length: Int) -> Int {
        var size = 1
        var rest = length >> 7
        while rest > 0 {
            size += 1
            rest >>= 7
        }
        return size
    }

    private static func zigzag(_ number: Int) -> UInt64 {
        UInt64(bitPattern: Int64(number << 1 ^ number >> 63))
    }
}

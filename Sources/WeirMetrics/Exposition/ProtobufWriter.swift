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
        family.name.withUnsafeBytes { head.append(field: Field.Family.name, bytes: $0) }
        var help = family.help
        help.withUTF8 {
            head.append(field: Field.Family.help, bytes: UnsafeRawBufferPointer($0))
        }
        head.append(field: Field.Family.type, varint: typeNumber(family.kind))
        var unit = family.unit
        let unitStart = head.count
        if !unit.isEmpty {
            unit.withUTF8 {
                head.append(field: Field.Family.unit, bytes: UnsafeRawBufferPointer($0))
            }
        }
        let unitCount = head.count - unitStart
        buffer.append(varint: UInt64(head.count + metrics.count))
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
                metric.append(varint: UInt64(size))
                metric.append(UnsafeRawBufferPointer(name))
            }
            metric.append(field: 2, bytes: value)
        }
        part.truncate(to: 0)
        switch family.kind {
        case .counter, .floatCounter:
            let isWhole = if case .counter = family.kind { true } else { false }
            part.append(field: 1, double: isWhole ? Double(series.count) : series.number)
            if series.hasExemplars { append(series.exemplars[0], field: 2) }
            appendCreated(series, field: 3)
            metric.append(field: Field.Metric.counter, bytes: part.bytes)
        case .gauge:
            part.append(field: 1, double: series.number)
            metric.append(field: Field.Metric.gauge, bytes: part.bytes)
        case .summary:
            part.append(field: 1, varint: series.count)
            part.append(field: 2, double: series.number)
            appendCreated(series, field: 4)
            metric.append(field: Field.Metric.summary, bytes: part.bytes)
        case .histogram:
            appendClassic(series, family)
            metric.append(field: Field.Metric.histogram, bytes: part.bytes)
        case .nativeHistogram:
            appendNative(series)
            metric.append(field: Field.Metric.histogram, bytes: part.bytes)
        }
        buffer.append(field: Field.Family.metric, bytes: metric.bytes)
    }

    private mutating func appendClassic(
        _ series: borrowing ShownSeries, _ family: borrowing ShownFamily
    ) {
        part.append(field: Field.Histogram.count, varint: series.count)
        part.append(field: Field.Histogram.sum, double: series.number)
        var total: UInt64 = 0
        for bucket in family.bounds.indices {
            total &+= series.counts[bucket]
            detail.truncate(to: 0)
            detail.append(field: 1, varint: total)
            detail.append(field: 2, double: family.bounds[bucket].value)
            if series.hasExemplars, writeExemplar(series.exemplars[bucket]) {
                detail.append(field: 3, bytes: scrap.bytes)
            }
            part.append(field: Field.Histogram.bucket, bytes: detail.bytes)
        }
        appendCreated(series, field: Field.Histogram.created)
    }

    private mutating func appendNative(_ series: borrowing ShownSeries) {
        part.append(field: Field.Histogram.count, varint: series.count)
        part.append(field: Field.Histogram.sum, double: series.number)
        guard let native = series.native else { return }
        part.append(field: Field.Histogram.schema, varint: ProtobufNumber.zigzag(native.schema))
        part.append(field: Field.Histogram.zeroThreshold, double: NativeHistogram.zeroThreshold)
        part.append(field: Field.Histogram.zeroCount, varint: native.zeroCount)
        append(native.negative, Field.Histogram.negativeSpan, Field.Histogram.negativeDelta)
        append(native.positive, Field.Histogram.positiveSpan, Field.Histogram.positiveDelta)
        if native.positive.counts.isEmpty, native.negative.counts.isEmpty, native.zeroCount == 0 {
            // An empty span says that the histogram is a native one.
            part.append(
                field: Field.Histogram.positiveSpan,
                bytes: UnsafeRawBufferPointer(start: nil, count: 0))
        }
        appendCreated(series, field: Field.Histogram.created)
        guard series.hasExemplars else { return }
        for slot in 0..<series.exemplars.count where writeExemplar(series.exemplars[slot]) {
            part.append(field: Field.Histogram.exemplars, bytes: scrap.bytes)
        }
    }

    /// Writes a run of buckets as one span and the differences between their counts.
    private mutating func append(_ run: NativeHistogram.Run, _ span: Int, _ delta: Int) {
        guard !run.counts.isEmpty else { return }
        detail.truncate(to: 0)
        detail.append(field: 1, varint: ProtobufNumber.zigzag(run.first))
        detail.append(field: 2, varint: UInt64(run.counts.count))
        part.append(field: span, bytes: detail.bytes)
        detail.truncate(to: 0)
        var before: UInt64 = 0
        for count in run.counts {
            let difference = Int(truncatingIfNeeded: count &- before)
            detail.append(varint: ProtobufNumber.zigzag(difference))
            before = count
        }
        part.append(field: delta, bytes: detail.bytes)
    }

    private mutating func append(_ exemplar: ExemplarPool.Slot, field: Int) {
        if writeExemplar(exemplar) { part.append(field: field, bytes: scrap.bytes) }
    }

    /// Writes an exemplar's message.
    /// - Returns: Whether there is one.
    private mutating func writeExemplar(_ exemplar: ExemplarPool.Slot) -> Bool {
        guard let label = Exemplar.Label(rawValue: exemplar.label) else { return false }
        scrap.truncate(to: 0)
        var pair = ByteBuffer(capacity: 128)
        pair.append(
            field: 1,
            bytes: UnsafeRawBufferPointer(
                start: label.name.utf8Start, count: label.name.utf8CodeUnitCount))
        withUnsafeBytes(of: exemplar.text) {
            pair.append(
                field: 2,
                bytes: UnsafeRawBufferPointer(rebasing: $0.prefix(Int(exemplar.length))))
        }
        scrap.append(field: 1, bytes: pair.bytes)
        scrap.append(field: 2, double: exemplar.value)
        pair.truncate(to: 0)
        Self.append(milliseconds: exemplar.milliseconds, to: &pair)
        scrap.append(field: 3, bytes: pair.bytes)
        return true
    }

    private mutating func appendCreated(_ series: borrowing ShownSeries, field: Int) {
        guard let created = series.created else { return }
        detail.truncate(to: 0)
        Self.append(milliseconds: created, to: &detail)
        part.append(field: field, bytes: detail.bytes)
    }

    // MARK: The wire

    /// A `google.protobuf.Timestamp`: nanoseconds are counted forwards.
    private static func append(milliseconds: Int64, to buffer: inout ByteBuffer) {
        let seconds = milliseconds >= 0 ? milliseconds / 1000 : (milliseconds - 999) / 1000
        buffer.append(field: 1, varint: UInt64(bitPattern: seconds))
        buffer.append(
            field: 2, varint: UInt64((milliseconds &- seconds &* 1000) &* 1_000_000))
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
}

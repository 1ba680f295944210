// Hot path of remote write: once per native histogram.
import WeirCore

/// Writes the message `Histogram`, which is the same in both versions of the protocol but for the time
/// when counting began.
struct HistogramMessage: ~Copyable {
    private enum Field {
        static let count = 1
        static let sum = 3
        static let schema = 4
        static let zeroThreshold = 5
        static let zeroCount = 6
        static let negativeSpans = 8
        static let negativeDeltas = 9
        static let positiveSpans = 11
        static let positiveDeltas = 12
        static let time = 15
        static let start = 17
    }

    /// The message that was written last.
    private(set) var message = ByteBuffer(capacity: 1024)
    private var part = ByteBuffer(capacity: 1024)

    init() {}

    /// Writes a histogram's values.
    mutating func write(_ shown: borrowing ShownSeries, milliseconds: Int64, start: Int64?) {
        let native = shown.native ?? NativeHistogram(schema: 0)
        message.truncate(to: 0)
        message.append(field: Field.count, varint: native.count)
        // What is not finite is in no bucket. Receivers take that for a mistake, unless the sum is none.
        let bucketCount =
            native.zeroCount &+ native.positive.counts.reduce(0, &+)
            &+ native.negative.counts.reduce(0, &+)
        append(sum: bucketCount == native.count ? native.sum : .nan)
        if native.schema != 0 {
            message.append(field: Field.schema, varint: ProtobufNumber.zigzag(native.schema))
        }
        message.append(field: Field.zeroThreshold, double: NativeHistogram.zeroThreshold)
        message.append(field: Field.zeroCount, varint: native.zeroCount)
        append(native.negative, Field.negativeSpans, Field.negativeDeltas)
        append(native.positive, Field.positiveSpans, Field.positiveDeltas)
        message.append(field: Field.time, varint: UInt64(bitPattern: milliseconds))
        if let start, start != 0 {
            message.append(field: Field.start, varint: UInt64(bitPattern: start))
        }
    }

    /// Writes that a histogram is gone: its sum says so.
    mutating func writeStale(_ marker: Double, milliseconds: Int64) {
        message.truncate(to: 0)
        message.append(field: Field.count, varint: 0)
        append(sum: marker)
        message.append(field: Field.zeroCount, varint: 0)
        message.append(field: Field.time, varint: UInt64(bitPattern: milliseconds))
    }

    private mutating func append(sum: Double) {
        if sum.bitPattern != 0 { message.append(field: Field.sum, double: sum) }
    }

    /// Appends a run of buckets as one span and the differences between their counts.
    private mutating func append(_ run: NativeHistogram.Run, _ span: Int, _ deltas: Int) {
        guard !run.counts.isEmpty else { return }
        part.truncate(to: 0)
        if run.first != 0 { part.append(field: 1, varint: ProtobufNumber.zigzag(run.first)) }
        part.append(field: 2, varint: UInt64(run.counts.count))
        message.append(field: span, bytes: part.bytes)
        part.truncate(to: 0)
        var before: UInt64 = 0
        for count in run.counts {
            part.append(varint: ProtobufNumber.zigzag(Int(truncatingIfNeeded: count &- before)))
            before = count
        }
        message.append(field: deltas, bytes: part.bytes)
    }
}

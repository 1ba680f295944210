import WeirCore

/// Reads a native histogram of remote write (prompb, `Histogram`).
enum HistogramMessageReader {
    /// The histogram and its time; `nil` where spans and buckets do not fit.
    static func read(_ bytes: UnsafeRawBufferPointer) -> (time: Int64, FloatHistogram)? {
        var histogram = FloatHistogram()
        var time: Int64 = 0
        var positive = Buckets()
        var negative = Buckets()
        var reader = ProtobufReader(bytes)
        while !reader.isAtEnd {
            guard let (number, value) = reader.field() else { return nil }
            switch number {
            case 1: histogram.count = value.whole.map { Double($0) } ?? 0
            case 2: histogram.count = value.double ?? 0
            case 3: histogram.sum = value.double ?? 0
            case 4: histogram.schema = Int32(clamping: value.signed ?? 0)
            case 5: histogram.zeroThreshold = value.double ?? 0
            case 6: histogram.zeroCount = value.whole.map { Double($0) } ?? 0
            case 7: histogram.zeroCount = value.double ?? 0
            case 8: negative.addSpan(value)
            case 9: negative.addDeltas(value)
            case 10: negative.addCounts(value)
            case 11: positive.addSpan(value)
            case 12: positive.addDeltas(value)
            case 13: positive.addCounts(value)
            case 14: histogram.counterResetHint = hint(value.whole ?? 0)
            case 15: time = Int64(bitPattern: value.whole ?? 0)
            case 16: histogram.customBounds += Buckets.doubles(value)
            default: break
            }
        }
        (histogram.positiveSpans, histogram.positiveBuckets) = (positive.spans, positive.counts)
        (histogram.negativeSpans, histogram.negativeBuckets) = (negative.spans, negative.counts)
        // A staleness marker has no more than its sum.
        if SampleMark.isStale(histogram.sum) { return (time, histogram) }
        return histogram.isValid ? (time, histogram) : nil
    }

    private static func hint(_ number: UInt64) -> FloatHistogram.CounterResetHint {
        switch number {
        case 1: .reset
        case 2: .notReset
        case 3: .gauge
        default: .unknown
        }
    }

    private struct Buckets {
        var spans: [FloatHistogram.Span] = []
        var counts: [Double] = []
        private var last: Int64 = 0

        mutating func addSpan(_ value: ProtobufReader.Value) {
            guard let part = value.part, spans.count < FloatHistogram.bucketLimit else { return }
            var span = FloatHistogram.Span(offset: 0, length: 0)
            var reader = ProtobufReader(part)
            while let (number, field) = reader.field() {
                if number == 1 { span.offset = Int32(clamping: field.signed ?? 0) }
                if number == 2 { span.length = UInt32(clamping: field.whole ?? 0) }
            }
            spans.append(span)
        }

        mutating func addDeltas(_ value: ProtobufReader.Value) {
            if let delta = value.signed { add(delta) }
            guard let part = value.part else { return }
            var reader = ProtobufReader(part)
            while let number = reader.varint() {
                add(Int64(bitPattern: number >> 1) ^ -Int64(number & 1))
            }
        }

        private mutating func add(_ delta: Int64) {
            guard counts.count <= FloatHistogram.bucketLimit else { return }
            last = last.addingReportingOverflow(delta).partialValue
            counts.append(Double(last))
        }

        mutating func addCounts(_ value: ProtobufReader.Value) { counts += Self.doubles(value) }

        static func doubles(_ value: ProtobufReader.Value) -> [Double] {
            if let number = value.double { return [number] }
            guard let part = value.part, part.count <= FloatHistogram.bucketLimit * 8 else {
                return []
            }
            return stride(from: 0, to: part.count - part.count % 8, by: 8).map {
                Double(
                    bitPattern: part.loadUnaligned(fromByteOffset: $0, as: UInt64.self)
                        .littleEndian)
            }
        }
    }
}

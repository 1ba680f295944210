/// Up to 32 native histograms of one series that have the same buckets.
///
/// What the histograms have in common is kept once. Of each there are the differences to the former one:
/// counts that are whole numbers as variable-length differences, others and the sum as the bytes in which
/// their bits differ.
struct HistogramChunk: Sendable {
    static let sampleLimit = 32
    /// Bytes at which a chunk is full with fewer.
    static let byteLimit = 16 * 1_024

    /// What all histograms of a chunk have in common.
    struct Layout: Hashable, Sendable {
        var schema: Int32
        var zeroThreshold: UInt64
        var positiveSpans: [FloatHistogram.Span]
        var negativeSpans: [FloatHistogram.Span]
        var customBounds: [UInt64]

        init(_ histogram: FloatHistogram) {
            schema = histogram.schema
            zeroThreshold = histogram.zeroThreshold.bitPattern
            positiveSpans = histogram.positiveSpans
            negativeSpans = histogram.negativeSpans
            customBounds = histogram.customBounds.map(\.bitPattern)
        }

        /// A layout as it was read.
        init(
            schema: Int32, zeroThreshold: UInt64, positiveSpans: [FloatHistogram.Span],
            negativeSpans: [FloatHistogram.Span], customBounds: [UInt64]
        ) {
            self.schema = schema
            self.zeroThreshold = zeroThreshold
            self.positiveSpans = positiveSpans
            self.negativeSpans = negativeSpans
            self.customBounds = customBounds
        }

        /// The buckets of both signs, or nothing when they are more than so many.
        func bucketCounts(limit: Int) -> (positive: Int, negative: Int)? {
            guard let positive = Self.count(positiveSpans, limit),
                let negative = Self.count(negativeSpans, limit)
            else { return nil }
            return (positive, negative)
        }

        private static func count(_ spans: [FloatHistogram.Span], _ limit: Int) -> Int? {
            var count = 0
            for span in spans {
                count += Int(span.length)
                if count > limit { return nil }
            }
            return count
        }

        /// Whether a histogram has this layout.
        func fits(_ histogram: FloatHistogram) -> Bool {
            schema == histogram.schema && zeroThreshold == histogram.zeroThreshold.bitPattern
                && positiveSpans == histogram.positiveSpans
                && negativeSpans == histogram.negativeSpans
                && customBounds.elementsEqual(histogram.customBounds.lazy.map(\.bitPattern))
        }

        /// A histogram with empty buckets.
        var blank: FloatHistogram {
            var histogram = FloatHistogram()
            histogram.schema = schema
            histogram.zeroThreshold = Double(bitPattern: zeroThreshold)
            histogram.positiveSpans = positiveSpans
            histogram.negativeSpans = negativeSpans
            histogram.customBounds = customBounds.map { Double(bitPattern: $0) }
            guard let counts = bucketCounts(limit: Int.max / 4) else { return histogram }
            histogram.positiveBuckets = [Double](repeating: 0, count: counts.positive)
            histogram.negativeBuckets = [Double](repeating: 0, count: counts.negative)
            return histogram
        }

        /// About the bytes that it keeps.
        var byteCount: Int {
            160 + 8 * (positiveSpans.count + negativeSpans.count + customBounds.count)
        }
    }

    let layout: Layout
    let first: Int64
    private(set) var last: Int64
    private(set) var count = 0
    private(set) var bytes: [UInt8] = []
    /// The newest histogram, as long as more may follow.
    private(set) var newest: FloatHistogram?
    private var newestStart: Int64 = 0

    /// A chunk of one histogram.
    init(_ histogram: FloatHistogram, at time: Int64, start: Int64) {
        layout = Layout(histogram)
        first = time
        last = time
        newest = layout.blank
        append(histogram, at: time, start: start)
    }

    /// A chunk of bytes from outside, if they can be read and their times ascend.
    init?(untrusted bytes: [UInt8], layout: Layout, first: Int64, count: Int) {
        self.layout = layout
        self.first = first
        self.bytes = bytes
        self.count = count
        last = first
        var former: Int64?
        var reader = HistogramReader(self, bytes)
        guard (1...Self.sampleLimit).contains(count) else { return nil }
        for _ in 0..<count {
            guard reader.next(), former.map({ reader.time > $0 }) ?? (reader.time == first) else {
                return nil
            }
            former = reader.time
        }
        guard reader.isAtEnd else { return nil }
        last = reader.time
    }

    /// About the bytes that it keeps.
    var byteCount: Int { bytes.count + layout.byteCount + 128 }

    /// Whether a histogram can be appended.
    func takes(_ histogram: FloatHistogram) -> Bool {
        newest != nil && count < Self.sampleLimit && bytes.count < Self.byteLimit
            && layout.fits(histogram)
    }

    /// Says that no histogram follows.
    mutating func close() { newest = nil }

    /// Appends a histogram that the chunk takes, with a time later than the last.
    mutating func append(_ histogram: FloatHistogram, at time: Int64, start: Int64) {
        guard let former = newest else { return }
        var writer = HistogramWriter(bytes)
        bytes = []
        writer.write(
            histogram, after: former, timeStep: time &- last, startStep: start &- newestStart)
        bytes = writer.bytes
        newest = histogram
        newestStart = start
        last = time
        count += 1
    }

    /// Appends the histograms of a time range to a buffer.
    func read(from first: Int64, through last: Int64, into buffer: inout SampleBuffer) {
        var reader = HistogramReader(self, bytes)
        for _ in 0..<count {
            guard reader.next(), reader.time <= last else { return }
            guard reader.time >= first else { continue }
            if reader.start != 0 || !buffer.histogramStarts.isEmpty {
                while buffer.histogramStarts.count < buffer.histogramTimes.count {
                    buffer.histogramStarts.append(0)
                }
                buffer.histogramStarts.append(reader.start)
            }
            buffer.histogramTimes.append(reader.time)
            buffer.histograms.append(reader.histogram)
        }
    }

    /// The newest histogram of the chunk.
    var latest: FloatHistogram? {
        if let newest { return newest }
        var reader = HistogramReader(self, bytes)
        for _ in 0..<count where !reader.next() { return nil }
        return reader.histogram
    }
}

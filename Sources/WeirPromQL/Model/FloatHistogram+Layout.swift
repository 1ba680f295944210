/// Hot path: a sum of histograms goes through here for each series and step.
///
/// Buckets next to each other.
struct BucketRun {
    /// The first one's index.
    var index: Int
    /// Where its count stands among the side's counts.
    var place: Int
    /// How many.
    var length: Int

    /// The index behind the last one.
    var end: Int { index + length }
}

/// The runs of a histogram's side, one after the other; empty spans are passed over.
struct BucketRuns {
    private let spans: [FloatHistogram.Span]
    private var next = 0
    private var index = 0
    private var place = 0

    init(_ spans: [FloatHistogram.Span]) { self.spans = spans }

    mutating func run() -> BucketRun? {
        while next < spans.count {
            let span = spans[next]
            next += 1
            let run = BucketRun(
                index: index + Int(span.offset), place: place, length: Int(span.length))
            index = run.end
            place += run.length
            if run.length > 0 { return run }
        }
        return nil
    }
}

extension FloatHistogram {
    /// Whether spans ascend and belong to this number of counts.
    static func fits(_ spans: [Span], _ count: Int) -> Bool {
        var total = 0
        for place in spans.indices {
            if place > 0, spans[place].offset < 0 { return false }
            total += Int(spans[place].length)
        }
        return total == count
    }

    /// Finds the buckets of some spans among those of others.
    /// - Parameter body: Is given each run: its place, that among the others, and its length.
    /// - Returns: Whether the others have all of them; the search ends at the first that is missing.
    @inline(__always)
    @discardableResult
    static func overlay(
        _ spans: [Span], on base: [Span], _ body: (_ place: Int, _ base: Int, _ length: Int) -> Void
    ) -> Bool {
        var runs = BucketRuns(spans)
        var baseRuns = BucketRuns(base)
        var under = baseRuns.run()
        while var run = runs.run() {
            while run.length > 0 {
                while let candidate = under, candidate.end <= run.index { under = baseRuns.run() }
                guard let under, under.index <= run.index else { return false }
                let length = min(run.end, under.end) - run.index
                body(run.place, under.place + run.index - under.index, length)
                run.index += length
                run.place += length
                run.length -= length
            }
        }
        return true
    }

    /// The spans of all buckets that either has; both ascend.
    static func union(_ left: [Span], _ right: [Span]) -> [Span] {
        var lefts = BucketRuns(left)
        var rights = BucketRuns(right)
        var (first, second) = (lefts.run(), rights.run())
        var spans: [Span] = []
        var end: Int?
        while true {
            let run: BucketRun
            if let candidate = first, candidate.index <= second?.index ?? .max {
                run = candidate
                first = lefts.run()
            } else if let candidate = second {
                run = candidate
                second = rights.run()
            } else {
                return spans
            }
            if let last = end, run.index <= last {
                spans[spans.count - 1].length += UInt32(clamping: max(0, run.end - last))
                end = max(last, run.end)
            } else {
                spans.append(
                    Span(
                        offset: Int32(clamping: run.index - (end ?? 0)),
                        length: UInt32(clamping: run.length)))
                end = run.end
            }
        }
    }

    /// Counts at the places that they have in other spans, which hold all of theirs.
    static func relaid(_ counts: [Double], from spans: [Span], to target: [Span]) -> [Double] {
        var relaid = [Double](repeating: 0, count: target.reduce(0) { $0 + Int($1.length) })
        overlay(spans, on: target) { place, base, length in
            for step in 0..<length { relaid[base + step] = counts[place + step] }
        }
        return relaid
    }

    /// Makes room for the buckets of another histogram of the same schema and bounds, and puts spans right
    /// that do not fit their counts.
    /// - Returns: The other histogram with spans that fit, and whether the layout is as it was.
    mutating func makeRoom(for other: FloatHistogram) -> (other: FloatHistogram, isUnchanged: Bool)
    {
        var other = other
        other.mendSpans()
        mendSpans()
        let isUnchanged =
            Self.overlay(other.positiveSpans, on: positiveSpans) { _, _, _ in }
            && Self.overlay(other.negativeSpans, on: negativeSpans) { _, _, _ in }
        if !isUnchanged {
            lay(
                positive: Self.union(positiveSpans, other.positiveSpans),
                negative: Self.union(negativeSpans, other.negativeSpans))
        }
        return (other, isUnchanged)
    }

    /// Lays the counts out in other spans, which hold all of theirs.
    mutating func lay(positive: [Span], negative: [Span]) {
        positiveBuckets = Self.relaid(positiveBuckets, from: positiveSpans, to: positive)
        negativeBuckets = Self.relaid(negativeBuckets, from: negativeSpans, to: negative)
        positiveSpans = positive
        negativeSpans = negative
    }

    /// Lets go of what does not fit, so that spans and counts can be relied on.
    mutating func mendSpans() {
        if !Self.fits(positiveSpans, positiveBuckets.count) { positive = positive }
        if !Self.fits(negativeSpans, negativeBuckets.count) { negative = negative }
    }

    /// Whether the buckets stand one beside the other's.
    func hasLayout(of other: FloatHistogram) -> Bool {
        hasScale(of: other) && positiveSpans == other.positiveSpans
            && negativeSpans == other.negativeSpans
            && positiveBuckets.count == other.positiveBuckets.count
            && negativeBuckets.count == other.negativeBuckets.count
    }

    /// Whether buckets of the same index are the same.
    func hasScale(of other: FloatHistogram) -> Bool {
        schema == other.schema && zeroThreshold == other.zeroThreshold
            && (!usesCustomBounds || customBounds == other.customBounds)
    }
}

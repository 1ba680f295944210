/// `rate`, `increase` and `delta` over windows that reach beyond their edges: `anchored` and `smoothed`
/// (Prometheus: promql/functions.go, `extendedRate`).
enum ExtendedRate {
    /// Which samples of a window count: from the last one at or before its start, to its last, or for
    /// `smoothed` to the first at or after its end.
    static func bounds(
        _ range: Range<Int>, _ times: ContiguousArray<Int64>, _ window: borrowing Window
    ) -> (first: Int, last: Int)? {
        guard !range.isEmpty else { return nil }
        let end = range.upperBound - 1
        let start = window.start
        let firstAfter = range.dropLast().first { times[$0] > start } ?? end
        let first = max(range.lowerBound, firstAfter - 1)
        var last = end
        if window.edge == .smoothed {
            let windowEnd = window.end
            last = range.dropLast().first { times[$0] >= windowEnd } ?? end
            if times[first] > window.end { return nil }
        }
        if times[last] <= window.start { return nil }
        return (first, last)
    }

    static func ofFloats(
        _ window: borrowing Window, isCounter: Bool, isPerSecond: Bool
    ) -> Sample {
        guard var (first, last) = bounds(window.floats, window.buffer.floatTimes, window) else {
            return .absent
        }
        let isSmoothed = window.edge == .smoothed
        var left = window.buffer.floats[first]
        if isSmoothed, window.buffer.floatTimes[first] < window.start, first + 1 <= last {
            left = interpolated(window, first, first + 1, at: window.start, isCounter)
        }
        var right = window.buffer.floats[last]
        if isSmoothed, last > window.floats.lowerBound, window.buffer.floatTimes[last] > window.end
        {
            right = interpolated(window, last - 1, last, at: window.end, isCounter)
        }
        var change = right - left
        if isCounter {
            if window.buffer.floatTimes[first] <= window.start { first += 1 }
            if window.buffer.floatTimes[last] >= window.end { last -= 1 }
            var previous = left
            if first <= last {
                for place in first...last {
                    let value = window.buffer.floats[place]
                    if value < previous { change += previous }
                    previous = value
                }
            }
            if right < previous { change += previous }
        }
        return .float(isPerSecond ? change / window.seconds : change)
    }

    private static func interpolated(
        _ window: borrowing Window, _ former: Int, _ latter: Int, at time: Int64, _ isCounter: Bool
    ) -> Double {
        interpolated(
            window.buffer.floats[former], at: window.buffer.floatTimes[former],
            window.buffer.floats[latter], at: window.buffer.floatTimes[latter], time,
            isCounter: isCounter)
    }

    /// The value on the line between two samples; a counter that fell began at 0.
    static func interpolated(
        _ first: Double, at firstTime: Int64, _ second: Double, at secondTime: Int64,
        _ time: Int64, isCounter: Bool
    ) -> Double {
        let base = isCounter && second < first ? 0 : first
        return base + (second - base) * Double(time &- firstTime) / Double(secondTime &- firstTime)
    }

    static func ofHistograms(
        _ window: borrowing Window, _ remarks: Remarks, isCounter: Bool, isPerSecond: Bool
    ) -> Sample {
        guard let (first, last) = bounds(window.histograms, window.buffer.histogramTimes, window),
            isUniform(window, first, last, remarks, isCounter: isCounter)
        else { return .absent }
        let isSmoothed = window.edge == .smoothed
        let times = window.buffer.histogramTimes
        var left = window.buffer.histograms[first]
        if isSmoothed, times[first] < window.start, first + 1 <= last {
            guard
                let between = HistogramRate.interpolated(
                    left, at: times[first], window.buffer.histograms[first + 1],
                    at: times[first + 1], window.start, isCounter: isCounter, remarks)
            else { return .absent }
            left = between
        }
        var right = window.buffer.histograms[last]
        if isSmoothed, last > window.histograms.lowerBound, times[last] > window.end {
            guard
                let between = HistogramRate.interpolated(
                    window.buffer.histograms[last - 1], at: times[last - 1], right,
                    at: times[last], window.end, isCounter: isCounter, remarks)
            else { return .absent }
            right = between
        }
        if !isCounter, left.counterResetHint != .gauge || right.counterResetHint != .gauge {
            HistogramRate.warnNotGauge(remarks)
        }
        var change = right
        guard HistogramRate.subtract(left, from: &change, remarks),
            !isCounter
                || addResets(to: &change, window, first, last, left, right, remarks)
        else { return .absent }
        if isPerSecond { change = change.divided(by: window.seconds) }
        change.counterResetHint = .gauge
        return .histogram(change.compacted())
    }

    /// Whether all samples have buckets of one kind; says so if not, and of gauges among counters.
    private static func isUniform(
        _ window: borrowing Window, _ first: Int, _ last: Int, _ remarks: Remarks, isCounter: Bool
    ) -> Bool {
        let usesCustomBounds = window.buffer.histograms[first].usesCustomBounds
        for place in first...last {
            let histogram = window.buffer.histograms[place]
            if histogram.usesCustomBounds != usesCustomBounds {
                HistogramRate.warnOfMixedSchemas(remarks)
                return false
            }
            if isCounter, histogram.counterResetHint == .gauge {
                HistogramRate.warnNotCounter(remarks)
            }
        }
        return true
    }

    /// Adds what was lost by resets between the two edges.
    private static func addResets(
        to change: inout FloatHistogram, _ window: borrowing Window, _ firstPlace: Int, _ last: Int,
        _ left: FloatHistogram, _ right: FloatHistogram, _ remarks: Remarks
    ) -> Bool {
        var first = firstPlace + 1
        var previous = left
        if window.edge == .smoothed, window.buffer.histogramTimes[firstPlace] < window.start,
            first <= last,
            window.buffer.histograms[first].detectsReset(
                since: window.buffer.histograms[firstPlace])
        {
            // The left edge was taken from after that reset.
            previous = window.buffer.histograms[first]
            first += 1
        }
        if first > last { return true }
        for place in first..<last {
            let histogram = window.buffer.histograms[place]
            if histogram.detectsReset(since: previous),
                !HistogramRate.add(previous, to: &change, remarks)
            {
                return false
            }
            previous = histogram
        }
        if right.detectsReset(since: previous) {
            return HistogramRate.add(previous, to: &change, remarks)
        }
        return true
    }
}

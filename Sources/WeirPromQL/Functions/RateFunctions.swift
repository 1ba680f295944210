/// `rate`, `increase`, `delta`, `irate`, `idelta`: how fast a value changes.
enum RateFunctions {
    static let all: [PromQLFunction] = [
        .window("rate") { window, remarks in
            rate(window, remarks, isCounter: true, isPerSecond: true)
        },
        .window("increase") { window, remarks in
            rate(window, remarks, isCounter: true, isPerSecond: false)
        },
        .window("delta") { window, remarks in
            rate(window, remarks, isCounter: false, isPerSecond: false)
        },
        .window("irate") { window, remarks in InstantRate.value(window, remarks, isRate: true) },
        .window("idelta") { window, remarks in InstantRate.value(window, remarks, isRate: false) },
    ]

    private static func rate(
        _ window: borrowing Window, _ remarks: Remarks, isCounter: Bool, isPerSecond: Bool
    ) -> Sample {
        if !window.floats.isEmpty && !window.histograms.isEmpty {
            remarks.warnOfMixedSamples()
            return .absent
        }
        if window.edge != .plain {
            return window.histograms.isEmpty
                ? ExtendedRate.ofFloats(window, isCounter: isCounter, isPerSecond: isPerSecond)
                : ExtendedRate.ofHistograms(
                    window, remarks, isCounter: isCounter, isPerSecond: isPerSecond)
        }
        return window.histograms.isEmpty
            ? ofFloats(window, remarks, isCounter: isCounter, isPerSecond: isPerSecond)
            : ofHistograms(window, remarks, isCounter: isCounter, isPerSecond: isPerSecond)
    }

    private static func ofFloats(
        _ window: borrowing Window, _ remarks: Remarks, isCounter: Bool, isPerSecond: Bool
    ) -> Sample {
        let first = window.floats.lowerBound
        let last = window.floats.upperBound - 1
        var counter = CounterWindow()
        counter.count = window.floats.count
        counter.firstTime = window.buffer.floatTimes[first]
        counter.firstValue = window.buffer.floats[first]
        counter.lastTime = window.buffer.floatTimes[last]
        counter.lastValue = window.buffer.floats[last]
        if isCounter { counter.lost = resets(in: window, remarks) }
        return value(
            of: counter, startTime: isCounter ? window.floatStart(first) : 0, window,
            isCounter: isCounter, isPerSecond: isPerSecond)
    }

    /// The rate or the increase of what a counter did in a window; the window's samples are not looked at.
    /// - Parameter startTime: When the counter began; 0 where that is not known.
    @inline(__always)
    static func value(
        of counter: CounterWindow, startTime: Int64 = 0, _ window: borrowing Window,
        isCounter: Bool = true, isPerSecond: Bool
    ) -> Sample {
        var change = counter.lastValue - counter.firstValue + counter.lost
        let beginsInside = StartTime.isInside(startTime, window, before: counter.firstTime)
        if beginsInside {
            change += counter.firstValue
        } else if counter.count < 2 {
            return .absent
        }
        let extrapolation = Extrapolation(
            firstTime: counter.firstTime, lastTime: counter.lastTime, gaps: counter.count - 1,
            window: window, startTime: beginsInside ? startTime : nil)
        let factor = extrapolation.factor(
            firstValue: isCounter ? counter.firstValue : nil, change: change)
        return .float(change * (isPerSecond ? factor / window.seconds : factor))
    }

    /// What a counter lost by its resets.
    private static func resets(in window: borrowing Window, _ remarks: Remarks) -> Double {
        var correction = 0.0
        var previous = window.buffer.floats[window.floats.lowerBound]
        if window.buffer.floatStarts.isEmpty {
            for place in window.floats.dropFirst() {
                let value = window.buffer.floats[place]
                if value < previous { correction += previous }
                previous = value
            }
            return correction
        }
        var overlaps = false
        for place in window.floats.dropFirst() {
            let value = window.buffer.floats[place]
            let former = window.buffer.floatTimes[place - 1]
            let start = window.floatStart(place)
            let formerStart = window.floatStart(place - 1)
            if !overlaps, StartTime.overlaps(start, formerStart: formerStart, formerTime: former) {
                overlaps = true
                StartTime.warnOfOverlap(remarks)
            }
            if value < previous
                || StartTime.isReset(
                    start, time: window.buffer.floatTimes[place], formerStart: formerStart,
                    formerTime: former)
            {
                correction += previous
            }
            previous = value
        }
        return correction
    }

    private static func ofHistograms(
        _ window: borrowing Window, _ remarks: Remarks, isCounter: Bool, isPerSecond: Bool
    ) -> Sample {
        let first = window.histograms.lowerBound
        let last = window.histograms.upperBound - 1
        var change: FloatHistogram?
        if last > first {
            guard let difference = HistogramRate.change(window, remarks, isCounter: isCounter)
            else {
                return .absent
            }
            change = difference
        }
        let firstValue = window.buffer.histograms[first]
        let firstTime = window.buffer.histogramTimes[first]
        let startTime = isCounter ? window.histogramStart(first) : 0
        let beginsInside = StartTime.isInside(startTime, window, before: firstTime)
        if beginsInside {
            if var sum = change {
                guard HistogramRate.add(firstValue, to: &sum, remarks) else { return .absent }
                change = sum
            } else {
                change = firstValue
            }
        }
        guard var result = change else { return .absent }
        let extrapolation = Extrapolation(
            firstTime: firstTime, lastTime: window.buffer.histogramTimes[last], gaps: last - first,
            window: window, startTime: beginsInside ? startTime : nil)
        let factor = extrapolation.factor(
            firstValue: isCounter ? firstValue.count : nil, change: result.count)
        result = result.scaled(by: isPerSecond ? factor / window.seconds : factor)
        return .histogram(result)
    }
}

/// How far a change seen between two samples is stretched to the window's edges
/// (Prometheus: promql/functions.go, `extrapolatedRate`).
struct Extrapolation {
    private let toStart: Double
    private let toEnd: Double
    private let sampled: Double
    private let average: Double
    private let hasStartTime: Bool

    /// - Parameters:
    ///   - gaps: The samples in the window, less one.
    ///   - startTime: When the counter began, if that was inside the window: it was 0 then.
    init(
        firstTime: Int64, lastTime: Int64, gaps: Int, window: borrowing Window, startTime: Int64?
    ) {
        toStart = Double(firstTime &- window.start) / 1_000
        toEnd = Double(window.end &- lastTime) / 1_000
        let between = Double(lastTime &- firstTime) / 1_000
        average = gaps > 0 ? between / Double(gaps) : 0
        hasStartTime = startTime != nil
        sampled = startTime.map { Double(lastTime &- $0) / 1_000 } ?? between
    }

    /// What the change is multiplied by.
    /// - Parameter firstValue: A counter's first value: it is not stretched back beyond its zero.
    func factor(firstValue: Double?, change: Double) -> Double {
        let threshold = average * 1.1
        var start = 0.0
        if !hasStartTime {
            start = toStart >= threshold ? average / 2 : toStart
            if let firstValue, change > 0, firstValue >= 0 {
                start = min(start, sampled * (firstValue / change))
            }
        }
        let end = toEnd >= threshold ? average / 2 : toEnd
        return sampled == 0 ? 1 : (sampled + start + end) / sampled
    }
}

/// What a sample's start timestamp says (Prometheus: promql/functions.go, `isStartTimestampReset`).
enum StartTime {
    /// Whether a counter began anew between two samples.
    static func isReset(
        _ start: Int64, time: Int64, formerStart: Int64, formerTime: Int64
    ) -> Bool {
        // Unknown is 0, and OpenTelemetry's "unknown" is the sample's own time.
        if start == 0 || start >= time || start < formerTime { return false }
        if start > formerTime { return true }
        // It points at the former sample: a delta, if that one's start was known.
        if formerStart > formerTime { return false }
        return formerStart != 0 && formerStart != formerTime
    }

    /// Whether two samples claim the same time.
    static func overlaps(_ start: Int64, formerStart: Int64, formerTime: Int64) -> Bool {
        start != 0 && start < formerTime && start != formerStart
    }

    /// Says that two samples claim the same time.
    static func warnOfOverlap(_ remarks: Remarks) {
        remarks.warn(
            "sample has start time that overlaps with previous sample timestamp for metric "
                + remarks.metricName)
    }

    /// Whether a counter began inside the window, before its first sample.
    static func isInside(_ start: Int64, _ window: borrowing Window, before time: Int64) -> Bool {
        start != 0 && start > window.start && start < time
    }
}

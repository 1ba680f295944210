/// Differences of native histograms, with what is to be remarked on them
/// (Prometheus: promql/functions.go, `histogramRate`).
enum HistogramRate {
    /// What was being done when bounds did not fit.
    enum Operation: String {
        case add = "addition"
        case subtract = "subtraction"
        case aggregate = "aggregation"
    }

    // MARK: Remarks

    static func warnOfMixedSchemas(_ remarks: Remarks) {
        remarks.warn(
            "vector contains a mix of histograms with exponential and custom buckets schemas for "
                + "metric name \(remarks.metricName)")
    }

    static func warnNotCounter(_ remarks: Remarks) {
        remarks.warn("this native histogram metric is not a counter: \(remarks.metricName)")
    }

    static func warnNotGauge(_ remarks: Remarks) {
        remarks.warn("this native histogram metric is not a gauge: \(remarks.metricName)")
    }

    static func remark(
        _ merge: HistogramMerge, _ operation: Operation, _ remarks: Remarks,
        ignoresHints: Bool = true
    ) {
        if merge.boundsWereReconciled {
            remarks.inform(
                "mismatched custom buckets were reconciled during \(operation.rawValue)")
        }
        if merge.hintsCollide, !ignoresHints {
            remarks.warn("conflicting counter resets during histogram \(operation.rawValue)")
        }
    }

    // MARK: Combining

    /// Adds or subtracts, and remarks on all that is to be remarked.
    /// - Returns: Whether they could be combined.
    static func combine(
        _ other: FloatHistogram, into histogram: inout FloatHistogram, _ operation: Operation,
        _ remarks: Remarks, ignoresHints: Bool = false
    ) -> Bool {
        do throws(HistogramMismatch) {
            let merge =
                operation == .subtract
                ? try histogram.subtract(other) : try histogram.add(other)
            remark(merge, operation, remarks, ignoresHints: ignoresHints)
            return true
        } catch {
            warnOfMixedSchemas(remarks)
            return false
        }
    }

    /// Adds where resets are known already.
    static func add(
        _ other: FloatHistogram, to histogram: inout FloatHistogram, _ remarks: Remarks
    ) -> Bool { combine(other, into: &histogram, .add, remarks, ignoresHints: true) }

    /// Subtracts where resets are known already.
    static func subtract(
        _ other: FloatHistogram, from histogram: inout FloatHistogram, _ remarks: Remarks
    ) -> Bool { combine(other, into: &histogram, .subtract, remarks, ignoresHints: true) }

    // MARK: Windows

    /// How much a window's histograms grew, resets taken into account; `nil` where they do not fit.
    static func change(
        _ window: borrowing Window, _ remarks: Remarks, isCounter: Bool
    ) -> FloatHistogram? {
        let first = window.histograms.lowerBound
        let last = window.histograms.upperBound - 1
        var former = window.buffer.histograms[first]
        let latest = window.buffer.histograms[last]
        if isCounter, former.counterResetHint == .gauge || latest.counterResetHint == .gauge {
            warnNotCounter(remarks)
        }
        if isCounter, isReset(window, first + 1) {
            // The first sample is not looked at, whatever its buckets are.
            let second = window.buffer.histograms[first + 1]
            former = FloatHistogram()
            former.schema = second.schema
            former.customBounds = second.customBounds
        }
        if latest.usesCustomBounds != former.usesCustomBounds {
            warnOfMixedSchemas(remarks)
            return nil
        }
        var schema = min(latest.schema, former.schema)
        if isCounter, first + 1 < last {
            for histogram in window.buffer.histograms[(first + 1)..<last] {
                if histogram.counterResetHint == .gauge { warnNotCounter(remarks) }
                schema = min(schema, histogram.schema)
                if histogram.usesCustomBounds != latest.usesCustomBounds {
                    warnOfMixedSchemas(remarks)
                    return nil
                }
            }
        }
        var change = latest.usesCustomBounds ? latest : latest.reduced(toSchema: schema)
        guard subtract(former, from: &change, remarks) else { return nil }
        if isCounter {
            guard addResets(to: &change, window, former, remarks) else { return nil }
        } else if window.buffer.histograms[first].counterResetHint != .gauge
            || latest.counterResetHint != .gauge
        {
            warnNotGauge(remarks)
        }
        change.counterResetHint = .gauge
        return change.compacted()
    }

    private static func isReset(_ window: borrowing Window, _ place: Int) -> Bool {
        StartTime.isReset(
            window.histogramStart(place), time: window.buffer.histogramTimes[place],
            formerStart: window.histogramStart(place - 1),
            formerTime: window.buffer.histogramTimes[place - 1])
            || window.buffer.histograms[place].detectsReset(
                since: window.buffer.histograms[place - 1])
    }

    private static func addResets(
        to change: inout FloatHistogram, _ window: borrowing Window, _ first: FloatHistogram,
        _ remarks: Remarks
    ) -> Bool {
        var former = first
        var overlaps = false
        for place in window.histograms.dropFirst() {
            let histogram = window.buffer.histograms[place]
            let start = window.histogramStart(place)
            let formerStart = window.histogramStart(place - 1)
            let formerTime = window.buffer.histogramTimes[place - 1]
            if !overlaps,
                StartTime.overlaps(start, formerStart: formerStart, formerTime: formerTime)
            {
                overlaps = true
                StartTime.warnOfOverlap(remarks)
            }
            let isReset = StartTime.isReset(
                start, time: window.buffer.histogramTimes[place], formerStart: formerStart,
                formerTime: formerTime)
            if isReset || histogram.detectsReset(since: former), !add(former, to: &change, remarks)
            {
                return false
            }
            former = histogram
        }
        return true
    }

    /// The change between two histograms, for `irate` and `idelta`.
    static func instantChange(
        _ first: FloatHistogram, _ second: FloatHistogram, isRate: Bool, isReset: Bool,
        _ remarks: Remarks
    ) -> FloatHistogram? {
        let areGauges = first.counterResetHint == .gauge && second.counterResetHint == .gauge
        let isGauge = first.counterResetHint == .gauge || second.counterResetHint == .gauge
        if isRate, isGauge { warnNotCounter(remarks) }
        if !isRate, !areGauges { warnNotGauge(remarks) }
        var change = second
        if !isRate || !isReset && !second.detectsReset(since: first) {
            guard subtract(first, from: &change, remarks) else { return nil }
        }
        change.counterResetHint = .gauge
        return change.compacted()
    }

    /// The histogram on the line between two samples; a counter that was reset began empty.
    static func interpolated(
        _ first: FloatHistogram, at firstTime: Int64, _ second: FloatHistogram,
        at secondTime: Int64, _ time: Int64, isCounter: Bool, _ remarks: Remarks
    ) -> FloatHistogram? {
        if time == firstTime { return first }
        if time == secondTime { return second }
        let part = Double(time &- firstTime) / Double(secondTime &- firstTime)
        if isCounter, second.detectsReset(since: first) { return second.scaled(by: part) }
        var between = second
        guard subtract(first, from: &between, remarks) else { return nil }
        between = between.scaled(by: part)
        guard add(first, to: &between, remarks) else { return nil }
        return between
    }
}

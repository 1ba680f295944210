/// `irate` and `idelta`: the change between a window's last two samples
/// (Prometheus: promql/functions.go, `instantValue`).
enum InstantRate {
    private struct Point {
        var time: Int64
        var start: Int64
        var value: Sample
    }

    static func value(_ window: borrowing Window, _ remarks: Remarks, isRate: Bool) -> Sample {
        guard window.floats.count + window.histograms.count >= 2 else { return .absent }
        let (former, latter) = lastTwo(window)
        let gap = latter.time &- former.time
        if gap == 0 { return .absent }
        let seconds = Double(gap) / 1_000
        let isReset =
            isRate
            && StartTime.isReset(
                latter.start, time: latter.time, formerStart: former.start, formerTime: former.time)
        switch (former.value, latter.value) {
        case (.float(let first), .float(let second)):
            let change = isRate && (second < first || isReset) ? second : second - first
            return .float(isRate ? change / seconds : change)
        case (.histogram(let first), .histogram(let second)):
            guard
                var change = HistogramRate.instantChange(
                    first, second, isRate: isRate, isReset: isReset, remarks)
            else { return .absent }
            if isRate { change = change.divided(by: seconds) }
            return .histogram(change)
        default:
            remarks.warnOfMixedSamples()
            return .absent
        }
    }

    private static func lastTwo(_ window: borrowing Window) -> (Point, Point) {
        var points: [Point] = []
        for place in window.floats.suffix(2) {
            points.append(
                Point(
                    time: window.buffer.floatTimes[place], start: window.floatStart(place),
                    value: .float(window.buffer.floats[place])))
        }
        for place in window.histograms.suffix(2) {
            points.append(
                Point(
                    time: window.buffer.histogramTimes[place], start: window.histogramStart(place),
                    value: .histogram(window.buffer.histograms[place])))
        }
        points.sort { $0.time < $1.time }
        return (points[points.count - 2], points[points.count - 1])
    }
}

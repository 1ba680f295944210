/// `changes` and `resets`: how often a value moved.
enum ChangeFunctions {
    static let all: [PromQLFunction] = [
        .window("changes") { window, _ in
            count(window) { former, latter, _ in
                switch (former, latter) {
                case (.float(let first), .float(let second)):
                    first != second && !(first.isNaN && second.isNaN)
                case (.histogram(let first), .histogram(let second)): !second.isEqual(to: first)
                default: true
                }
            }
        },
        .window("resets") { window, _ in
            count(window) { former, latter, isStartReset in
                switch (former, latter) {
                case (.float(let first), .float(let second)): second < first || isStartReset
                case (.histogram(let first), .histogram(let second)):
                    isStartReset || second.detectsReset(since: first)
                default: true
                }
            }
        },
    ]

    /// How many samples of a window differ from the one before them.
    private static func count(
        _ window: borrowing Window, differs: (Sample, Sample, Bool) -> Bool
    ) -> Sample {
        var former: (sample: Sample, time: Int64, start: Int64)?
        var count = 0
        var float = window.floats.lowerBound
        var histogram = window.histograms.lowerBound
        while float < window.floats.upperBound || histogram < window.histograms.upperBound {
            let sample: Sample
            let time: Int64
            let start: Int64
            if histogram >= window.histograms.upperBound
                || float < window.floats.upperBound
                    && window.buffer.floatTimes[float] <= window.buffer.histogramTimes[histogram]
            {
                sample = .float(window.buffer.floats[float])
                time = window.buffer.floatTimes[float]
                start = window.floatStart(float)
                float += 1
            } else {
                sample = .histogram(window.buffer.histograms[histogram])
                time = window.buffer.histogramTimes[histogram]
                start = window.histogramStart(histogram)
                histogram += 1
            }
            // An anchored window begins with the last sample at or before its start.
            if let former, window.edge != .anchored || time > window.start {
                let isReset = StartTime.isReset(
                    start, time: time, formerStart: former.start, formerTime: former.time)
                if differs(former.sample, sample, isReset) { count += 1 }
            }
            former = (sample, time, start)
        }
        guard let former, window.edge != .anchored || former.time > window.start else {
            return .absent
        }
        return .float(Double(count))
    }
}

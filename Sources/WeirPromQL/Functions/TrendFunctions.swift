/// The functions that fit a line or a curve to a window: `deriv`, `predict_linear`,
/// `double_exponential_smoothing`.
enum TrendFunctions {
    static let all: [PromQLFunction] = [
        .window("deriv") { window, remarks in
            guard let first = window.floats.first, hasLine(window, remarks) else { return .absent }
            let line = Line(window, from: window.buffer.floatTimes[first])
            return .float(line.slope)
        },
        .window("predict_linear", [.rangeVector, .scalar]) { window, remarks in
            guard hasLine(window, remarks) else { return .absent }
            let line = Line(window, from: window.stepTime)
            return .float(line.slope * (window.parameters.first ?? .nan) + line.intercept)
        },
        .window(
            "double_exponential_smoothing", [.rangeVector, .scalar, .scalar], isExperimental: true
        ) { window, remarks in smoothed(window, remarks) },
    ]

    /// Whether there are floats enough for a line.
    private static func hasLine(_ window: borrowing Window, _ remarks: Remarks) -> Bool {
        if !window.floats.isEmpty && !window.histograms.isEmpty {
            remarks.informOfIgnoredHistograms()
        }
        return window.floats.count >= 2
    }

    private static func smoothed(_ window: borrowing Window, _ remarks: Remarks) -> Sample {
        let smoothing = window.parameters.first ?? .nan
        let trendFactor = window.parameters.last ?? .nan
        if smoothing <= 0 || smoothing >= 1 {
            remarks.failure = QueryError(
                "invalid smoothing factor. Expected: 0 < sf < 1, got: \(GoText.fixed(smoothing))")
            return .absent
        }
        if trendFactor <= 0 || trendFactor >= 1 {
            remarks.failure = QueryError(
                "invalid trend factor. Expected: 0 < tf < 1, got: \(GoText.fixed(trendFactor))")
            return .absent
        }
        guard hasLine(window, remarks), let first = window.floats.first else { return .absent }
        var former = 0.0
        var level = window.buffer.floats[first]
        var trend = window.buffer.floats[first + 1] - level
        for (count, place) in window.floats.dropFirst().enumerated() {
            if count > 0 { trend = trendFactor * (level - former) + (1 - trendFactor) * trend }
            let next = smoothing * window.buffer.floats[place] + (1 - smoothing) * (level + trend)
            former = level
            level = next
        }
        return .float(level)
    }

    /// The line with the least squares through a window's floats
    /// (Prometheus: promql/functions.go, `linearRegression`).
    private struct Line {
        var slope: Double
        /// The value at the origin of time.
        var intercept: Double

        init(_ window: borrowing Window, from origin: Int64) {
            var sums: (x: Double, y: Double, xy: Double, xx: Double) = (0, 0, 0, 0)
            var errors: (x: Double, y: Double, xy: Double, xx: Double) = (0, 0, 0, 0)
            let initial = window.buffer.floats[window.floats.lowerBound]
            var isConstant = true
            for place in window.floats {
                let value = window.buffer.floats[place]
                if value != initial, place > window.floats.lowerBound { isConstant = false }
                let x = Double(window.buffer.floatTimes[place] &- origin) / 1_000
                Arithmetic.add(x, to: &sums.x, error: &errors.x)
                Arithmetic.add(value, to: &sums.y, error: &errors.y)
                Arithmetic.add(x * value, to: &sums.xy, error: &errors.xy)
                Arithmetic.add(x * x, to: &sums.xx, error: &errors.xx)
            }
            if isConstant {
                slope = initial.isInfinite ? .nan : 0
                intercept = initial.isInfinite ? .nan : initial
                return
            }
            let count = Double(window.floats.count)
            let sumX = sums.x + errors.x
            let sumY = sums.y + errors.y
            let covariance = sums.xy + errors.xy - sumX * sumY / count
            let variance = sums.xx + errors.xx - sumX * sumX / count
            slope = covariance / variance
            intercept = sumY / count - slope * sumX / count
        }
    }
}

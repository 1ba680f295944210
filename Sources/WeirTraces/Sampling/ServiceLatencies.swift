/// How long the spans of each service take, to tell which are slow for it.
///
/// A histogram with 8 steps to each doubling; its counts are halved when they are many, so that
/// what was long ago counts less.
struct ServiceLatencies {
    private static let stepsPerDoubling = 8
    private static let stepCount = 40 * stepsPerDoubling
    /// How many spans of a service must be known before one of them is slow.
    static let minimumCount = 200
    /// At how many the former ones begin to count less.
    private static let halvingCount = 20_000
    /// Most services.
    private static let serviceLimit = 2_000

    private struct Counts {
        var steps = [UInt32](repeating: 0, count: stepCount)
        var total: UInt32 = 0
        /// The step of the 99th percentile, and at which total it was looked for.
        var limit = (step: Int.max, total: UInt32(0))
    }

    private var services: [String: Counts] = [:]

    /// Takes a span's duration, in microseconds.
    /// - Returns: Whether it is beyond the 99th percentile of its service so far.
    mutating func note(_ duration: UInt64, of service: String) -> Bool {
        let step = Self.step(of: duration)
        guard services[service] != nil || services.count < Self.serviceLimit else { return false }
        return Self.note(step, in: &services[service, default: Counts()])
    }

    private static func note(_ step: Int, in counts: inout Counts) -> Bool {
        if counts.total >= counts.limit.total + counts.limit.total / 16 + 16 {
            counts.limit = (quantileStep(counts), counts.total)
        }
        let isSlow = counts.total >= minimumCount && step > counts.limit.step
        counts.steps[step] += 1
        counts.total += 1
        if counts.total >= halvingCount {
            for index in counts.steps.indices { counts.steps[index] /= 2 }
            counts.total = counts.steps.reduce(0, +)
            counts.limit.total = 0
        }
        return isSlow
    }

    private static func quantileStep(_ counts: Counts) -> Int {
        var above: UInt32 = 0
        for step in stride(from: stepCount - 1, through: 0, by: -1) {
            above += counts.steps[step]
            if above * 100 > counts.total { return step }
        }
        return 0
    }

    private static func step(of duration: UInt64) -> Int {
        guard duration > 0 else { return 0 }
        let doublings = 63 - duration.leadingZeroBitCount
        let shifted = duration << UInt64(duration.leadingZeroBitCount)
        let rest = shifted >> 60 & 7
        return min(doublings * stepsPerDoubling + Int(rest), stepCount - 1)
    }
}

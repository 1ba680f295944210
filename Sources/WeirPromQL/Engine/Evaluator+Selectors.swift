extension Evaluator {
    /// Where a selector looks at each step.
    struct Placement {
        /// The time that `@` pins it to.
        var pinned: Int64?
        /// How far back.
        var offset: Int64

        /// The time that it looks at when a step's time is `time`.
        func reference(_ time: Int64) -> Int64 { (pinned ?? time) &- offset }
    }

    /// The place of a selector or a subquery.
    func placement(
        _ offset: DurationText?, _ pinned: PinnedTime?, _ steps: Steps
    ) throws(QueryError) -> Placement {
        let span = try offset.map { text throws(QueryError) in try milliseconds(text) } ?? 0
        let time: Int64? =
            switch pinned {
            case nil: nil
            case .milliseconds(let time): time
            case .start: querySteps.start
            case .end: querySteps.end
            }
        return Placement(pinned: time, offset: span)
    }

    /// The selector's matchers, ready.
    func compiled(_ matchers: [LabelMatcher]) throws(QueryError) -> [CompiledMatcher] {
        var ready: [CompiledMatcher] = []
        for matcher in matchers {
            do {
                ready.append(try CompiledMatcher(matcher))
            } catch {
                throw QueryError("\(matcher.name): \(error.message)")
            }
        }
        return ready
    }

    /// The series of a selector.
    func selectorRows(
        _ selector: VectorSelector, at range: TextRange, _ steps: Steps, withTimes: Bool = false,
        _ consume: RowConsumer
    ) throws(QueryError) {
        if selector.edge == .smoothed {
            return try smoothedRows(selector, at: range, steps, consume)
        }
        let place = try placement(selector.offset, selector.pinnedTime, steps)
        let first = place.reference(steps.start) &- options.lookback &+ 1
        let last = place.reference(steps.end)
        let series = try select(selector.matchers, from: first, through: last)
        var buffer = SampleBuffer()
        var row = SeriesRow(labels: LabelSet(), stepCount: steps.count)
        for one in series {
            try checkCancellation(steps.count)
            buffer.removeAll()
            one.read(from: first, through: last, into: &buffer)
            if readsHistogramStats { buffer.tellResets() }
            row.clear(labels: one.labels, stepCount: steps.count)
            if withTimes { row.times = ContiguousArray(repeating: 0, count: steps.count) }
            if fill(&row, from: buffer, place, steps) { try consume(&row) }
        }
    }

    /// Sets each step's sample: the last one in the lookback, unless it is a staleness mark.
    /// - Returns: Whether there is any.
    private func fill(
        _ row: inout SeriesRow, from buffer: SampleBuffer, _ place: Placement, _ steps: Steps
    ) -> Bool {
        var hasAny = false
        var float = 0
        var histogram = 0
        for step in 0..<steps.count {
            let reference = place.reference(steps[step])
            while float < buffer.floatTimes.count, buffer.floatTimes[float] <= reference {
                float += 1
            }
            while histogram < buffer.histogramTimes.count,
                buffer.histogramTimes[histogram] <= reference
            {
                histogram += 1
            }
            let floatTime = float > 0 ? buffer.floatTimes[float - 1] : .min
            let histogramTime = histogram > 0 ? buffer.histogramTimes[histogram - 1] : .min
            let time = max(floatTime, histogramTime)
            guard time > reference &- options.lookback, float + histogram > 0 else { continue }
            if floatTime >= histogramTime {
                let value = buffer.floats[float - 1]
                guard SeriesRow.isPresent(value) else { continue }
                row.floats[step] = value
            } else {
                let value = buffer.histograms[histogram - 1]
                guard !SampleMark.isStale(value.sum) else { continue }
                row.set(value, at: step)
            }
            if !row.times.isEmpty { row.times[step] = time }
            hasAny = true
        }
        return hasAny
    }

    /// A time span in milliseconds.
    func milliseconds(_ text: DurationText) throws(QueryError) -> Int64 {
        let seconds = try Self.seconds(text.expression, querySteps, depth: 0)
        let milliseconds = (seconds * 1_000).rounded(.toNearestOrAwayFromZero)
        guard milliseconds.isFinite, abs(milliseconds) <= Self.spanLimit else {
            throw QueryError("duration out of range")
        }
        return Int64(milliseconds)
    }

    /// The longest time span: what Go's durations can hold, in milliseconds.
    private static let spanLimit = 9_223_372_036_854.0

    private static func seconds(
        _ expression: DurationExpression, _ steps: Steps, depth: Int
    ) throws(QueryError) -> Double {
        guard depth < 500 else { throw QueryError("duration is nested too deeply", kind: .limit) }
        switch expression {
        case .literal(let number): return number.value
        case .step: return Double(steps.interval) / 1_000
        case .range: return Double(steps.end &- steps.start) / 1_000
        case .parenthesis(let inner): return try seconds(inner, steps, depth: depth + 1)
        case .unary(let isNegative, let inner):
            let value = try seconds(inner, steps, depth: depth + 1)
            return isNegative ? -value : value
        case .minimum(let left, let right):
            return min(
                try seconds(left, steps, depth: depth + 1),
                try seconds(right, steps, depth: depth + 1))
        case .maximum(let left, let right):
            return max(
                try seconds(left, steps, depth: depth + 1),
                try seconds(right, steps, depth: depth + 1))
        case .binary(let operation, let left, let right):
            let first = try seconds(left, steps, depth: depth + 1)
            let second = try seconds(right, steps, depth: depth + 1)
            switch operation {
            case .divide where second == 0: throw QueryError("division by zero")
            case .modulo where second == 0: throw QueryError("modulo by zero")
            case .add: return first + second
            case .subtract: return first - second
            case .multiply: return first * second
            case .divide: return first / second
            case .modulo: return Arithmetic.remainder(first, second)
            case .power: return Arithmetic.power(first, second)
            }
        }
    }
}

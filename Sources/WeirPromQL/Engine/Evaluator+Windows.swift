extension Evaluator {
    /// How the windows of a range vector lie.
    struct Frame {
        var place: Placement
        /// The windows' length in milliseconds.
        var length: Int64
        var edge: WindowEdge
        /// How far the samples reach beyond the windows' start.
        var before: Int64
        /// How far they reach beyond the windows' end.
        var after: Int64
    }

    /// Takes one series of a range vector: its labels, whether its name goes, and its samples, which it gives
    /// back.
    typealias SeriesConsumer = (LabelSet, Bool, inout SampleBuffer) throws(QueryError) -> Void

    /// Takes one series without reading its samples, if it can.
    typealias SeriesShortcut = (any SelectedSeries) throws(QueryError) -> Bool

    /// How the windows of a range vector lie.
    func frame(of expression: Expression, _ steps: Steps) throws(QueryError) -> Frame {
        switch expression.stripped.kind {
        case .matrixSelector(let matrix):
            let edge = matrix.selector.edge
            return Frame(
                place: try placement(matrix.selector.offset, matrix.selector.pinnedTime, steps),
                length: try positive(matrix.window), edge: edge,
                before: edge == .plain ? 0 : options.lookback,
                after: edge == .smoothed ? options.lookback : 0)
        case .subquery(let subquery):
            return Frame(
                place: try placement(subquery.offset, subquery.pinnedTime, steps),
                length: try positive(subquery.window), edge: .plain, before: 0, after: 0)
        default: throw QueryError("a value of this type cannot stand here")
        }
    }

    private func positive(_ text: DurationText) throws(QueryError) -> Int64 {
        let span = try milliseconds(text)
        guard span > 0 else { throw QueryError("duration must be greater than 0") }
        return span
    }

    /// The series of a range vector with all samples that the windows of any step reach.
    /// - Parameter shortcut: Asked first about each series that is stored.
    func series(
        _ expression: Expression, _ frame: Frame, _ steps: Steps,
        shortcut: SeriesShortcut = { _ in false }, _ consume: SeriesConsumer
    ) throws(QueryError) {
        let first = frame.place.reference(steps.start) &- frame.length &- frame.before &+ 1
        let last = frame.place.reference(steps.end) &+ frame.after
        switch expression.stripped.kind {
        case .matrixSelector(let matrix):
            let all = try select(matrix.selector.matchers, from: first, through: last)
            var buffer = SampleBuffer()
            for one in all {
                try checkCancellation(steps.count)
                if try shortcut(one) { continue }
                buffer.removeAll()
                one.read(from: first, through: last, into: &buffer)
                buffer.removeStale()
                if readsHistogramStats { buffer.tellResets() }
                if !options.usesStartTimes { buffer.removeStarts() }
                if buffer.isEmpty { continue }
                let count = buffer.floats.count + buffer.histograms.count
                try hold(count)
                try consume(one.labels, false, &buffer)
                release(count)
            }
        case .subquery(let subquery):
            try subquerySeries(subquery, from: first, through: last, steps, consume)
        default: throw QueryError("a value of this type cannot stand here")
        }
    }

    private func subquerySeries(
        _ subquery: Subquery, from first: Int64, through last: Int64, _ steps: Steps,
        _ consume: SeriesConsumer
    ) throws(QueryError) {
        let interval =
            try subquery.step.map { text throws(QueryError) in try positive(text) }
            ?? options.subqueryInterval
        // The steps are multiples of the interval, whatever the query's own are.
        var start = ((first &- 1) / interval) &* interval
        if start < first { start &+= interval }
        guard start <= last else { return }
        guard
            let inner = Steps(
                from: start, through: last, every: interval, limit: options.subqueryStepLimit)
        else {
            throw QueryError("the subquery has too many steps", kind: .limit)
        }
        let former = readsHistogramStats
        readsHistogramStats = false
        defer { readsHistogramStats = former }
        var buffer = SampleBuffer()
        try rows(subquery.expression, inner) { row throws(QueryError) in
            try self.checkCancellation(inner.count)
            buffer.removeAll()
            for step in 0..<inner.count {
                if SeriesRow.isPresent(row.floats[step]) {
                    buffer.floatTimes.append(inner[step])
                    buffer.floats.append(row.floats[step])
                } else if var histogram = row.histogram(at: step) {
                    // The sample before it may not be among these.
                    if histogram.counterResetHint != .gauge {
                        histogram.counterResetHint = .unknown
                    }
                    buffer.histogramTimes.append(inner[step])
                    buffer.histograms.append(histogram)
                }
            }
            if buffer.isEmpty { return }
            try self.hold(inner.count)
            try consume(row.labels, row.dropsName, &buffer)
            self.release(inner.count)
        }
    }

    /// The series of a range function's value.
    func windowRows(
        _ call: FunctionCall, _ kernel: WindowKernel, keepsName: Bool, _ steps: Steps,
        _ consume: RowConsumer
    ) throws(QueryError) {
        guard let place = call.arguments.firstIndex(where: { Self.isRange($0) }) else {
            throw QueryError("a value of this type cannot stand here")
        }
        let argument = call.arguments[place]
        let frame = try frame(of: argument, steps)
        var parameters: [ContiguousArray<Double>] = []
        for (other, expression) in call.arguments.enumerated() where other != place {
            parameters.append(try scalars(expression, steps))
        }
        let remarks = Remarks(self, at: argument.range)
        let merger = keepsName ? nil : nameDropMerger(of: argument, refusesEqualLabels: true)
        let rate = RateKind(call.function.name)
        var names = CounterNames()
        func emit(_ row: inout SeriesRow) throws(QueryError) {
            if !row.hasSamples { return }
            if rate != nil { names.check(row, self, remarks) }
            if !keepsName { dropName(&row) }
            if let merger { try merger.add(row) } else { try consume(&row) }
        }
        var row = SeriesRow(labels: LabelSet(), stepCount: steps.count)
        var window = Window(length: frame.length, edge: frame.edge)
        window.parameters = ContiguousArray(repeating: 0, count: parameters.count)
        let isShort = rate != nil && steps.count == 1 && frame.edge == .plain
        window.move(to: steps.start, frame)
        try series(
            argument, frame, steps,
            shortcut: { one throws(QueryError) in
                guard isShort,
                    let counter = one.counterWindow(from: window.start &+ 1, through: window.end)
                else { return false }
                if counter.count == 0 { return true }
                row.clear(labels: one.labels, stepCount: 1)
                row.set(
                    RateFunctions.value(of: counter, window, isPerSecond: rate == .perSecond), at: 0
                )
                try emit(&row)
                return true
            }
        ) { labels, dropsName, buffer throws(QueryError) in
            row.clear(labels: labels, stepCount: steps.count)
            row.dropsName = dropsName
            remarks.labels = labels
            swap(&window.buffer, &buffer)
            Self.slide(&window, frame, steps, parameters, kernel, remarks, into: &row)
            swap(&window.buffer, &buffer)
            if let failure = remarks.failure { throw failure }
            try emit(&row)
        }
        try merger?.finish(consume)
    }

    /// Which of the two functions that need no more of a window than what its counter did.
    private enum RateKind {
        case perSecond
        case whole

        init?(_ name: String) {
            switch name {
            case "rate": self = .perSecond
            case "increase": self = .whole
            default: return nil
            }
        }
    }

    static func isRange(_ expression: Expression) -> Bool {
        switch expression.stripped.kind {
        case .matrixSelector, .subquery: true
        default: false
        }
    }

    /// Calls the kernel at each step with the window's samples.
    private static func slide(
        _ window: inout Window, _ frame: Frame, _ steps: Steps,
        _ parameters: [ContiguousArray<Double>], _ kernel: WindowKernel, _ remarks: Remarks,
        into row: inout SeriesRow
    ) {
        window.floats = 0..<0
        window.histograms = 0..<0
        for step in 0..<steps.count {
            window.move(to: steps[step], frame)
            window.floats = advanced(
                window.floats, over: window.buffer.floatTimes, after: window.start &- frame.before,
                through: window.end &+ frame.after)
            window.histograms = advanced(
                window.histograms, over: window.buffer.histogramTimes,
                after: window.start &- frame.before, through: window.end &+ frame.after)
            if window.floats.isEmpty && window.histograms.isEmpty { continue }
            for (place, values) in parameters.enumerated() {
                window.parameters[place] = values[step]
            }
            switch kernel(window, remarks) {
            case .absent: continue
            case .float(let value): row.floats[step] = value
            case .histogram(let histogram): row.set(histogram, at: step)
            }
        }
    }

    /// Moves a range of samples on to those in `(after, through]`.
    private static func advanced(
        _ range: Range<Int>, over times: ContiguousArray<Int64>, after: Int64, through: Int64
    ) -> Range<Int> {
        if times.isEmpty { return range }
        var lower = range.lowerBound
        var upper = range.upperBound
        while lower < times.count, times[lower] <= after { lower += 1 }
        if upper < lower { upper = lower }
        while upper < times.count, times[upper] <= through { upper += 1 }
        return lower..<upper
    }

    /// The samples of a range vector at one time, for a query that asks for nothing else.
    func matrix(_ expression: Expression, _ steps: Steps) throws(QueryError) -> [ResultSeries] {
        let frame = try frame(of: expression, steps)
        if frame.edge != .plain {
            throw QueryError("anchored and smoothed range vectors can only be given to a function")
        }
        var all: [(labels: LabelSet, points: [ResultPoint])] = []
        try series(expression, frame, steps) { labels, dropsName, buffer throws(QueryError) in
            try self.hold(
                buffer.floats.count + buffer.histograms.count + QueryOptions.seriesCost)
            all.append((dropsName ? labels.withoutMetadata : labels, buffer.points))
        }
        all.sort { symbols.isBefore($0.labels, $1.labels) }
        return all.map { ResultSeries(labels: symbols.pairs(of: $0.labels), points: $0.points) }
    }
}

/// Says of names that are not a counter's, each looked at once.
private struct CounterNames {
    private var last: Symbol?

    mutating func check(_ row: borrowing SeriesRow, _ evaluator: Evaluator, _ remarks: Remarks) {
        let symbol = row.labels.value(of: .metricName)
        if symbol == last || !row.floats.contains(where: SeriesRow.isPresent) { return }
        last = symbol
        let name = evaluator.symbols.text(of: symbol)
        if name.isEmpty || ["_total", "_sum", "_count", "_bucket"].contains(where: name.hasSuffix) {
            return
        }
        remarks.inform(
            "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "
                + GoText.quoted(name))
    }
}

extension SampleBuffer {
    /// Whether there are no samples.
    var isEmpty: Bool { floats.isEmpty && histograms.isEmpty }

    /// Removes the staleness marks.
    mutating func removeStale() {
        if floats.contains(where: SampleMark.isStale) {
            let kept = floats.indices.filter { !SampleMark.isStale(floats[$0]) }
            floatTimes = ContiguousArray(kept.map { floatTimes[$0] })
            if !floatStarts.isEmpty {
                floatStarts = ContiguousArray(
                    kept.map { $0 < floatStarts.count ? floatStarts[$0] : 0 })
            }
            floats = ContiguousArray(kept.map { floats[$0] })
        }
        if histograms.contains(where: { SampleMark.isStale($0.sum) }) {
            let kept = histograms.indices.filter { !SampleMark.isStale(histograms[$0].sum) }
            histogramTimes = ContiguousArray(kept.map { histogramTimes[$0] })
            if !histogramStarts.isEmpty {
                histogramStarts = ContiguousArray(
                    kept.map { $0 < histogramStarts.count ? histogramStarts[$0] : 0 })
            }
            histograms = ContiguousArray(kept.map { histograms[$0] })
        }
    }

    /// Tells resets where the histograms themselves do not.
    mutating func tellResets() {
        for place in histograms.indices.dropFirst()
        where histograms[place].counterResetHint == .unknown {
            let isReset = histograms[place].detectsReset(since: histograms[place - 1])
            histograms[place].counterResetHint = isReset ? .reset : .notReset
        }
    }

    /// Forgets when counters began.
    mutating func removeStarts() {
        if !floatStarts.isEmpty { floatStarts.removeAll(keepingCapacity: true) }
        if !histogramStarts.isEmpty { histogramStarts.removeAll(keepingCapacity: true) }
    }

    /// All samples in ascending time.
    var points: [ResultPoint] {
        var points: [ResultPoint] = []
        points.reserveCapacity(floats.count + histograms.count)
        var histogram = 0
        for (place, value) in floats.enumerated() {
            let time = floatTimes[place]
            while histogram < histograms.count, histogramTimes[histogram] < time {
                points.append(
                    ResultPoint(
                        time: histogramTimes[histogram], value: 0, histogram: histograms[histogram])
                )
                histogram += 1
            }
            points.append(ResultPoint(time: time, value: value))
        }
        while histogram < histograms.count {
            points.append(
                ResultPoint(
                    time: histogramTimes[histogram], value: 0, histogram: histograms[histogram]))
            histogram += 1
        }
        return points
    }
}

extension Evaluator {
    /// The series of a function's value; of a scalar, one without labels.
    func callRows(
        _ call: FunctionCall, at range: TextRange, _ steps: Steps, _ consume: RowConsumer
    ) throws(QueryError) {
        guard let function = FunctionCatalogue.all[call.function.name] else {
            throw QueryError("unknown function with name \(GoText.quoted(call.function.name))")
        }
        switch function.body {
        case .window(let kernel, let keepsName):
            try windowRows(call, kernel, keepsName: keepsName, steps, consume)
        case .map(let body):
            var parameters: [ContiguousArray<Double>] = []
            for argument in call.arguments.dropFirst() {
                parameters.append(try scalars(argument, steps))
            }
            var values = ContiguousArray<Double>(repeating: 0, count: parameters.count)
            try mappedRows(call.arguments[0], steps, consume) { value, step in
                for place in parameters.indices { values[place] = parameters[place][step] }
                return body(value, values)
            }
        case .ofHistogram(let body):
            let former = readsHistogramStats
            readsHistogramStats = ["histogram_count", "histogram_sum", "histogram_avg"].contains(
                call.function.name)
            defer { readsHistogramStats = former }
            try changedRows(call.arguments[0], steps, consume) { row in
                for step in 0..<steps.count {
                    row.floats[step] = row.histogram(at: step).map(body) ?? SeriesRow.absent
                }
                row.histograms.removeAll()
            }
        case .rows(let body):
            try body(
                self, PromQLFunction.Invocation(call: call, range: range, steps: steps), consume)
        case .time(let body):
            var row = SeriesRow(labels: LabelSet(), stepCount: steps.count)
            for step in 0..<steps.count { row.floats[step] = body(querySteps, steps[step]) }
            try consume(&row)
        }
    }

    /// The series of a function of each float; histograms fall away, and the names go.
    func mappedRows(
        _ argument: Expression, _ steps: Steps, _ consume: RowConsumer,
        _ body: (Double, Int) -> Double
    ) throws(QueryError) {
        try changedRows(argument, steps, consume) { row in
            for step in 0..<steps.count where SeriesRow.isPresent(row.floats[step]) {
                row.floats[step] = body(row.floats[step], step)
            }
            row.histograms.removeAll()
        }
    }

    /// The series of an argument, each changed, without their names.
    func changedRows(
        _ argument: Expression, _ steps: Steps, _ consume: RowConsumer,
        _ change: (inout SeriesRow) -> Void
    ) throws(QueryError) {
        let merger = nameDropMerger(of: argument, refusesEqualLabels: false)
        try rows(argument, steps) { row throws(QueryError) in
            change(&row)
            guard row.hasSamples else { return }
            self.dropName(&row)
            if let merger { try merger.add(row) } else { try consume(&row) }
        }
        try merger?.finish(consume)
    }

    /// The series of a smoothed selector: between two samples, the value on the line between them.
    func smoothedRows(
        _ selector: VectorSelector, at range: TextRange, _ steps: Steps, _ consume: RowConsumer
    ) throws(QueryError) {
        let place = try placement(selector.offset, selector.pinnedTime, steps)
        let first = place.reference(steps.start) &- options.lookback &+ 1
        let last = place.reference(steps.end) &+ options.lookback
        let series = try select(selector.matchers, from: first, through: last)
        let remarks = Remarks(self, at: range)
        var buffer = SampleBuffer()
        var row = SeriesRow(labels: LabelSet(), stepCount: steps.count)
        for one in series {
            try checkCancellation(steps.count)
            buffer.removeAll()
            one.read(from: first, through: last, into: &buffer)
            buffer.removeStale()
            row.clear(labels: one.labels, stepCount: steps.count)
            remarks.labels = one.labels
            for step in 0..<steps.count {
                row.set(smoothed(buffer, at: place.reference(steps[step]), remarks), at: step)
            }
            if row.hasSamples { try consume(&row) }
        }
    }

    private func smoothed(
        _ buffer: SampleBuffer, at time: Int64, _ remarks: Remarks
    ) -> Sample {
        let (from, through) = (time &- options.lookback, time &+ options.lookback)
        func neighbours(_ times: ContiguousArray<Int64>) -> (former: Int?, latter: Int?) {
            let after = times.firstIndex { $0 > time } ?? times.count
            let former = after > 0 && times[after - 1] > from ? after - 1 : nil
            let latter = after < times.count && times[after] <= through ? after : nil
            return (former, latter)
        }
        let floats = neighbours(buffer.floatTimes)
        let histograms = neighbours(buffer.histogramTimes)
        let hasFloats = floats.former != nil || floats.latter != nil
        if hasFloats, histograms.former != nil || histograms.latter != nil {
            remarks.warnOfMixedSamples()
            return .absent
        }
        if let former = floats.former {
            guard let latter = floats.latter else { return .float(buffer.floats[former]) }
            return .float(
                ExtendedRate.interpolated(
                    buffer.floats[former], at: buffer.floatTimes[former], buffer.floats[latter],
                    at: buffer.floatTimes[latter], time, isCounter: false))
        }
        guard let former = histograms.former else { return .absent }
        guard let latter = histograms.latter else {
            return .histogram(buffer.histograms[former])
        }
        return HistogramRate.interpolated(
            buffer.histograms[former], at: buffer.histogramTimes[former],
            buffer.histograms[latter], at: buffer.histogramTimes[latter], time, isCounter: false,
            remarks
        ).map { .histogram($0) } ?? .absent
    }
}

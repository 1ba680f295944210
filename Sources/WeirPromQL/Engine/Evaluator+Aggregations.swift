extension Evaluator {
    /// The series of an aggregation.
    func aggregationRows(
        _ aggregation: Aggregation, at range: TextRange, _ steps: Steps, _ consume: RowConsumer
    ) throws(QueryError) {
        switch aggregation.operation {
        case .sum, .avg, .count, .min, .max, .group, .stddev, .stdvar:
            try foldedRows(aggregation, steps, consume)
        case .quantile: try quantileRows(aggregation, steps, consume)
        case .countValues: try countedValues(aggregation, steps, consume)
        case .topk, .bottomk, .limitk, .limitRatio:
            try Selection(self, aggregation, at: range, steps).rows(consume)
        }
    }

    // MARK: Folding

    /// Aggregations that need no more of a series than its value: nothing is kept but the groups.
    private func foldedRows(
        _ aggregation: Aggregation, _ steps: Steps, _ consume: RowConsumer
    ) throws(QueryError) {
        var groups = GroupTable(aggregation, symbols)
        var folds = FoldTable(aggregation.operation, stepCount: steps.count)
        let remarks = Remarks(self, at: aggregation.expression.range)
        try rows(aggregation.expression, steps) { row throws(QueryError) in
            let (place, isNew) = groups.place(of: row)
            if isNew {
                try self.holdSeries(steps)
                folds.addGroup()
            }
            remarks.labels = row.labels
            folds.add(row, to: place, remarks)
        }
        var row = SeriesRow(labels: LabelSet(), stepCount: steps.count)
        for place in 0..<groups.count {
            row.clear(labels: groups.labels[place], stepCount: steps.count)
            row.dropsName = groups.dropsName[place]
            remarks.labels = row.labels
            folds.finish(place, into: &row, remarks)
            releaseSeries(1, steps)
            if row.hasSamples { try consume(&row) }
        }
    }

    // MARK: Quantiles

    private func quantileRows(
        _ aggregation: Aggregation, _ steps: Steps, _ consume: RowConsumer
    ) throws(QueryError) {
        let fractions = try parameter(of: aggregation, steps)
        for fraction in fractions where fraction.isNaN || fraction < 0 || fraction > 1 {
            Remarks(self, at: aggregation.parameter?.range ?? aggregation.expression.range)
                .warnOfQuantile(fraction)
        }
        var groups = GroupTable(aggregation, symbols)
        var values: [[ContiguousArray<Double>]] = []
        let remarks = Remarks(self, at: aggregation.expression.range)
        try rows(aggregation.expression, steps) { row throws(QueryError) in
            let (place, isNew) = groups.place(of: row)
            if isNew { values.append(Array(repeating: [], count: steps.count)) }
            try self.hold(steps.count)
            for step in 0..<steps.count {
                if SeriesRow.isPresent(row.floats[step]) {
                    values[place][step].append(row.floats[step])
                } else if row.histogram(at: step) != nil {
                    remarks.inform("ignored histogram in quantile aggregation")
                }
            }
        }
        for place in values.indices {
            var row = SeriesRow(labels: groups.labels[place], stepCount: steps.count)
            row.dropsName = groups.dropsName[place]
            for step in 0..<steps.count where !values[place][step].isEmpty {
                release(values[place][step].count)
                row.floats[step] = Arithmetic.quantile(fractions[step], &values[place][step])
            }
            if row.hasSamples { try consume(&row) }
        }
    }

    /// The scalar parameter of an aggregation at each step.
    func parameter(
        of aggregation: Aggregation, _ steps: Steps
    ) throws(QueryError) -> ContiguousArray<Double> {
        guard let parameter = aggregation.parameter else {
            return ContiguousArray(repeating: .nan, count: steps.count)
        }
        return try scalars(parameter, steps)
    }

    // MARK: Counting values

    private func countedValues(
        _ aggregation: Aggregation, _ steps: Steps, _ consume: RowConsumer
    ) throws(QueryError) {
        guard case .string(let name)? = aggregation.parameter?.stripped.kind, !name.isEmpty else {
            throw QueryError("invalid label name \"\"")
        }
        let label = symbols.symbol(for: name)
        let grouping = LabelProjection(aggregation, symbols)
        var table = LabelSetTable()
        var counted: [SeriesRow] = []
        try rows(aggregation.expression, steps) { row throws(QueryError) in
            let group = grouping.labels(of: row.labels)
            for step in 0..<steps.count where row.isPresent(at: step) {
                let text = row.histogram(at: step).map { $0.text } ?? GoText.plain(row.floats[step])
                let labels = self.symbols.setting(
                    label, to: self.symbols.symbol(for: text), in: group)
                let (place, isNew) = table.place(of: labels)
                if isNew {
                    try self.holdSeries(steps)
                    counted.append(SeriesRow(labels: labels, stepCount: steps.count))
                }
                if row.dropsName { counted[place].dropsName = true }
                let former = counted[place].floats[step]
                counted[place].floats[step] = SeriesRow.isPresent(former) ? former + 1 : 1
            }
        }
        for place in counted.indices {
            releaseSeries(1, steps)
            try consume(&counted[place])
        }
    }
}

/// Arithmetic and comparison between the series of two vectors.
///
/// One side is the *one* side: of its series at most one may have a sample at a step within a match group.
struct VectorMatch {
    private let evaluator: Evaluator
    private let binary: BinaryExpression
    private let matching: VectorMatching
    private let range: TextRange
    private let steps: Steps
    private let projection: LabelProjection
    /// The labels that a one-to-one match's result keeps.
    private let resultProjection: LabelProjection
    private let operand: BinaryOperand
    private let isOneLeft: Bool
    /// What stands for a missing series of the one side, and of the many side.
    private let fillOne: Double?
    private let fillMany: Double?
    private let included: [Symbol]
    private let filters: Bool

    init(
        _ evaluator: Evaluator, _ binary: BinaryExpression, at range: TextRange, _ steps: Steps
    ) {
        self.evaluator = evaluator
        self.binary = binary
        self.range = range
        self.steps = steps
        matching = binary.matching ?? VectorMatching()
        projection = LabelProjection(matching, evaluator.symbols)
        resultProjection = LabelProjection(
            matching.labels.map { evaluator.symbols.symbol(for: $0) },
            keepsOthers: !matching.isOn)
        operand = BinaryOperand(
            evaluator, binary.operation, returnsBool: binary.returnsBool, at: range)
        isOneLeft = matching.cardinality == .oneToMany
        fillOne = isOneLeft ? matching.fillLeft : matching.fillRight
        fillMany = isOneLeft ? matching.fillRight : matching.fillLeft
        included = matching.included.map { evaluator.symbols.symbol(for: $0) }
        filters = binary.operation.isFilter && !binary.returnsBool
    }

    /// The result's series.
    func rows(_ consume: Evaluator.RowConsumer) throws(QueryError) {
        let ones = try evaluator.collect(isOneLeft ? binary.left : binary.right, steps)
        var groups = MatchGroups(projection, steps)
        for (place, row) in ones.enumerated() { groups.add(place, row.labels) }
        let conflicts = conflictSteps(groups, ones)
        let isOneToOne = matching.cardinality == .oneToOne
        var results: [SeriesRow] = []
        try evaluator.rows(isOneLeft ? binary.right : binary.left, steps) {
            many throws(QueryError) in
            try evaluator.checkCancellation(steps.count)
            if let conflict = conflicts.first(where: { many.isPresent(at: $0.step) }) {
                throw conflict.error
            }
            // Without a partner there is a result only where something is filled in.
            guard
                let group = fillOne == nil
                    ? groups.existingPlace(of: many.labels) : groups.place(of: many.labels)
            else { return }
            if isOneToOne { try groups.pair(many, ones, group) }
            try match(many, groups, group, ones) { row throws(QueryError) in
                try evaluator.holdSeries(steps)
                try keep(row, group, &groups, &results)
            }
            if fillMany != nil { groups.markMatched(many, group) }
        }
        if fillMany != nil, let conflict = conflicts.first { throw conflict.error }
        try fillManySide(groups, ones, &results)
        let merger = RowMerger()
        for row in results { try merger.add(row) }
        evaluator.releaseSeries(results.count + ones.count, steps)
        try merger.finish(consume)
    }

    /// The results of one series of the many side: one for each partner, since they may give it labels.
    private func match(
        _ many: SeriesRow, _ groups: MatchGroups, _ group: Int, _ ones: [SeriesRow],
        _ keep: (SeriesRow) throws(QueryError) -> Void
    ) throws(QueryError) {
        var unmatched: ContiguousArray<Bool> = []
        if fillOne != nil { unmatched = ContiguousArray(repeating: true, count: steps.count) }
        for number in 0..<groups.memberCount(of: group) {
            let one = ones[groups.member(number, of: group)]
            var row = SeriesRow(labels: many.labels, stepCount: steps.count)
            var hasAny = false
            for step in 0..<steps.count {
                guard one.isPresent(at: step), many.isPresent(at: step) else { continue }
                if fillOne != nil { unmatched[step] = false }
                compute(&row, step, many, one, &hasAny)
            }
            guard hasAny else { continue }
            row.labels = labels(many: many.labels, one: one.labels)
            try keep(finished(row, many))
        }
        guard let fillOne else { return }
        var row = SeriesRow(labels: labels(many: many.labels, one: nil), stepCount: steps.count)
        let filler = filling(fillOne, labels: LabelSet())
        var hasAny = false
        for step in 0..<steps.count where unmatched[step] && many.isPresent(at: step) {
            compute(&row, step, many, filler, &hasAny)
        }
        if hasAny { try keep(finished(row, many)) }
    }

    private func compute(
        _ row: inout SeriesRow, _ step: Int, _ many: SeriesRow, _ one: SeriesRow,
        _ hasAny: inout Bool
    ) {
        let oneFloat = one.floats[step]
        let manyFloat = many.floats[step]
        if SeriesRow.isPresent(oneFloat), SeriesRow.isPresent(manyFloat) {
            let left = isOneLeft ? oneFloat : manyFloat
            let value = operand.float(left, isOneLeft ? manyFloat : oneFloat, kept: left)
            row.floats[step] = value
            if SeriesRow.isPresent(value) { hasAny = true }
            return
        }
        let oneSample = Self.sample(one, step)
        let manySample = Self.sample(many, step)
        let sample =
            isOneLeft
            ? operand.sample(oneSample, manySample) : operand.sample(manySample, oneSample)
        if case .absent = sample { return }
        row.set(sample, at: step)
        hasAny = true
    }

    private static func sample(_ row: SeriesRow, _ step: Int) -> Sample {
        if SeriesRow.isPresent(row.floats[step]) { return .float(row.floats[step]) }
        return row.histogram(at: step).map { .histogram($0) } ?? .absent
    }

    private func finished(_ row: SeriesRow, _ many: SeriesRow) -> SeriesRow {
        var row = row
        if filters {
            row.dropsName = many.dropsName
        } else if binary.returnsBool {
            evaluator.dropName(&row)
        }
        return row
    }

    /// The labels of a result (Prometheus: promql/engine.go, `resultMetric`).
    private func labels(many: LabelSet, one: LabelSet?) -> LabelSet {
        var labels = many
        if !binary.operation.isFilter { labels = labels.withoutMetadata }
        if matching.cardinality == .oneToOne { labels = resultProjection.labels(of: labels) }
        if let one {
            for name in included {
                labels = evaluator.symbols.setting(name, to: one.value(of: name), in: labels)
            }
        }
        return labels
    }

    /// Adds a result, unless one with the same labels has a sample at the same step.
    private func keep(
        _ row: SeriesRow, _ group: Int, _ groups: inout MatchGroups, _ results: inout [SeriesRow]
    ) throws(QueryError) {
        var place = groups.newestResult(of: group)
        while let former = place {
            let other = results[former]
            place = groups.resultBefore(former)
            guard other.labels == row.labels else { continue }
            for step in 0..<steps.count where row.isPresent(at: step) && other.isPresent(at: step) {
                throw QueryError(
                    "multiple matches for labels: grouping labels must ensure unique matches")
            }
        }
        groups.noteResult(of: group)
        results.append(row)
    }

    private struct Conflict {
        var step: Int
        var error: QueryError
    }

    /// At which steps two series of the one side are in the same match group.
    private func conflictSteps(_ groups: MatchGroups, _ ones: [SeriesRow]) -> [Conflict] {
        var conflicts: [Conflict] = []
        for group in groups.crowded {
            let members = (0..<groups.memberCount(of: group)).map { groups.member($0, of: group) }
            for step in 0..<steps.count {
                var first: Int?
                for place in members where ones[place].isPresent(at: step) {
                    if let first {
                        let error = duplicate(
                            groups.labels(of: group), ones[place].labels, ones[first].labels)
                        conflicts.append(Conflict(step: step, error: error))
                        break
                    }
                    first = place
                }
            }
        }
        return conflicts
    }

    private func duplicate(
        _ signature: LabelSet, _ latter: LabelSet, _ former: LabelSet
    ) -> QueryError {
        let side = isOneLeft ? "left" : "right"
        let group = evaluator.symbols.text(of: signature)
        let pair = "[\(evaluator.symbols.text(of: latter)), \(evaluator.symbols.text(of: former))]"
        return QueryError(
            "found duplicate series for the match group \(group) on the \(side) hand-side of the "
                + "operation: \(pair);many-to-many matching not allowed: matching labels must be "
                + "unique on one side")
    }

    // MARK: Filling

    private func filling(_ value: Double, labels: LabelSet) -> SeriesRow {
        var row = SeriesRow(labels: labels, stepCount: steps.count)
        for step in 0..<steps.count { row.floats[step] = value }
        return row
    }

    /// Adds the results of the one side's series that found no partner.
    private func fillManySide(
        _ groups: MatchGroups, _ ones: [SeriesRow], _ results: inout [SeriesRow]
    ) throws(QueryError) {
        guard let fillMany else { return }
        for group in 0..<groups.count {
            let filler = filling(fillMany, labels: groups.labels(of: group))
            for number in 0..<groups.memberCount(of: group) {
                let one = ones[groups.member(number, of: group)]
                let row = unpartnered(one, filler) { groups.isMatched(group, $0) }
                if let row { results.append(finished(row, filler)) }
            }
        }
    }

    /// One series of the one side against the filler, at the steps at which it found no partner.
    private func unpartnered(
        _ one: SeriesRow, _ filler: SeriesRow, isMatched: (_ step: Int) -> Bool
    ) -> SeriesRow? {
        var row = SeriesRow(
            labels: labels(many: filler.labels, one: one.labels), stepCount: steps.count)
        var hasAny = false
        for step in 0..<steps.count where one.isPresent(at: step) {
            if isMatched(step) { continue }
            compute(&row, step, filler, one, &hasAny)
        }
        return hasAny ? row : nil
    }
}

extension QuerySymbols {
    /// Labels as Prometheus prints them: `{name="value", …}`.
    func text(of set: LabelSet) -> String {
        let pairs = pairs(of: set).map { "\($0.name)=\(GoText.quoted($0.value))" }
        return "{" + pairs.joined(separator: ", ") + "}"
    }
}

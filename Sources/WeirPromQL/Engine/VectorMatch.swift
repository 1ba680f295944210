/// Arithmetic and comparison between the series of two vectors.
///
/// One side is the *one* side: of its series at most one may have a sample at a step within a match group.
struct VectorMatch {
    private let evaluator: Evaluator
    private let binary: BinaryExpression
    private let matching: VectorMatching
    private let range: TextRange
    private let steps: Steps
    private let signer: Signer
    private let operand: BinaryOperand
    private let isOneLeft: Bool
    /// What stands for a missing series of the one side, and of the many side.
    private let fillOne: Double?
    private let fillMany: Double?
    private let included: [Symbol]
    private let filters: Bool

    /// The one side's series of a match group.
    private struct Group {
        /// Its series, by their places.
        var members: [Int] = []
        /// The results so far, for finding two that meet.
        var results: [Int] = []
        /// At which steps a series of the many side was there.
        var matched: ContiguousArray<Bool> = []
        /// The group's place among all of them.
        var number = 0
    }

    init(
        _ evaluator: Evaluator, _ binary: BinaryExpression, at range: TextRange, _ steps: Steps
    ) {
        self.evaluator = evaluator
        self.binary = binary
        self.range = range
        self.steps = steps
        matching = binary.matching ?? VectorMatching()
        signer = Signer(matching, evaluator.symbols)
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
        var groups: [LabelSet: Group] = [:]
        for (place, row) in ones.enumerated() {
            groups[signer.signature(row.labels), default: Group()].members.append(place)
        }
        let conflicts = conflictSteps(groups, ones)
        var pairs = Pairs(&groups, steps)
        var results: [SeriesRow] = []
        try evaluator.rows(isOneLeft ? binary.right : binary.left, steps) {
            many throws(QueryError) in
            try evaluator.checkCancellation()
            if let conflict = conflicts.first(where: { many.isPresent(at: $0.step) }) {
                throw conflict.error
            }
            let signature = signer.signature(many.labels)
            if matching.cardinality == .oneToOne, let group = groups[signature] {
                try pairs.add(many, group.members.map { ones[$0] }, group.number)
            }
            try match(many, groups[signature]?.members, ones) { row throws(QueryError) in
                try evaluator.hold(steps.count)
                try keep(row, signature, &groups, &results)
            }
            if fillMany != nil {
                markMatched(many, signature, &groups)
            }
        }
        if fillMany != nil, let conflict = conflicts.first { throw conflict.error }
        try fillManySide(groups, ones, &results)
        let merger = RowMerger()
        for row in results { try merger.add(row) }
        evaluator.release(steps.count * (results.count + ones.count))
        try merger.finish(consume)
    }

    /// Which groups have found a partner at which step, whether or not a filter lets it through.
    private struct Pairs {
        private var isTaken: ContiguousArray<Bool>
        private let stepCount: Int

        init(_ groups: inout [LabelSet: Group], _ steps: Steps) {
            for (number, signature) in groups.keys.enumerated() {
                groups[signature]?.number = number
            }
            stepCount = steps.count
            isTaken = ContiguousArray(repeating: false, count: groups.count * steps.count)
        }

        mutating func add(
            _ many: SeriesRow, _ ones: [SeriesRow], _ group: Int
        ) throws(QueryError) {
            for step in 0..<stepCount where many.isPresent(at: step) {
                guard ones.contains(where: { $0.isPresent(at: step) }) else { continue }
                if isTaken[group * stepCount + step] {
                    throw QueryError(
                        "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
                    )
                }
                isTaken[group * stepCount + step] = true
            }
        }
    }

    /// The results of one series of the many side: one for each partner, since they may give it labels.
    private func match(
        _ many: SeriesRow, _ members: [Int]?, _ ones: [SeriesRow],
        _ keep: (SeriesRow) throws(QueryError) -> Void
    ) throws(QueryError) {
        var unmatched: ContiguousArray<Bool> = []
        if fillOne != nil { unmatched = ContiguousArray(repeating: true, count: steps.count) }
        for place in members ?? [] {
            let one = ones[place]
            var row = SeriesRow(
                labels: labels(many: many.labels, one: one.labels), stepCount: steps.count)
            var hasAny = false
            for step in 0..<steps.count {
                guard one.isPresent(at: step), many.isPresent(at: step) else { continue }
                if fillOne != nil { unmatched[step] = false }
                compute(&row, step, many, one, &hasAny)
            }
            if hasAny { try keep(finished(row, many)) }
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
        if matching.cardinality == .oneToOne { labels = signer.result(labels) }
        if let one {
            for name in included {
                labels = evaluator.symbols.setting(name, to: one.value(of: name), in: labels)
            }
        }
        return labels
    }

    /// Adds a result, unless one with the same labels has a sample at the same step.
    private func keep(
        _ row: SeriesRow, _ signature: LabelSet, _ groups: inout [LabelSet: Group],
        _ results: inout [SeriesRow]
    ) throws(QueryError) {
        for place in groups[signature]?.results ?? [] {
            let other = results[place]
            guard other.labels == row.labels else { continue }
            for step in 0..<steps.count where row.isPresent(at: step) && other.isPresent(at: step) {
                throw QueryError(
                    "multiple matches for labels: grouping labels must ensure unique matches")
            }
        }
        groups[signature, default: Group()].results.append(results.count)
        results.append(row)
    }

    private struct Conflict {
        var step: Int
        var error: QueryError
    }

    /// At which steps two series of the one side are in the same match group.
    private func conflictSteps(_ groups: [LabelSet: Group], _ ones: [SeriesRow]) -> [Conflict] {
        var conflicts: [Conflict] = []
        for (signature, group) in groups where group.members.count > 1 {
            for step in 0..<steps.count {
                var first: Int?
                for place in group.members where ones[place].isPresent(at: step) {
                    if let first {
                        let error = duplicate(signature, ones[place].labels, ones[first].labels)
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

    private func markMatched(
        _ many: SeriesRow, _ signature: LabelSet, _ groups: inout [LabelSet: Group]
    ) {
        guard var group = groups[signature] else { return }
        if group.matched.isEmpty {
            group.matched = ContiguousArray(repeating: false, count: steps.count)
        }
        for step in 0..<steps.count where many.isPresent(at: step) { group.matched[step] = true }
        groups[signature] = group
    }

    /// Adds the results of the one side's series that found no partner.
    private func fillManySide(
        _ groups: [LabelSet: Group], _ ones: [SeriesRow], _ results: inout [SeriesRow]
    ) throws(QueryError) {
        guard let fillMany else { return }
        for (signature, group) in groups {
            let filler = filling(fillMany, labels: signature)
            for place in group.members {
                let row = unpartnered(ones[place], filler, matched: group.matched)
                if let row { results.append(finished(row, filler)) }
            }
        }
    }

    /// One series of the one side against the filler, at the steps at which it found no partner.
    private func unpartnered(
        _ one: SeriesRow, _ filler: SeriesRow, matched: ContiguousArray<Bool>
    ) -> SeriesRow? {
        var row = SeriesRow(
            labels: labels(many: filler.labels, one: one.labels), stepCount: steps.count)
        var hasAny = false
        for step in 0..<steps.count where one.isPresent(at: step) {
            if !matched.isEmpty && matched[step] { continue }
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

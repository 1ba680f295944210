/// Compares a result with what a script expects of it.
struct ScriptComparison {
    private let evaluation: Evaluation

    init(_ evaluation: Evaluation) { self.evaluation = evaluation }

    // MARK: Kinds of results

    func problem(instant result: QueryResult) -> String? {
        switch result.value {
        case .scalar(_, let value):
            guard let wanted = evaluation.scalar else { return "a scalar, \(value)" }
            return Self.almostEqual(wanted, value) ? nil : "\(value) for \(wanted)"
        case .string(_, let text):
            return evaluation.text == text ? nil : "the string \(GoText.quoted(text))"
        case .vector(let series):
            if let text = evaluation.text { return "no string \(text)" }
            if evaluation.scalar != nil { return "a vector for a scalar" }
            return problem(vector: series)
        case .matrix(let series):
            guard let (start, interval) = evaluation.matrixTimes else {
                return "a matrix"
            }
            return problem(matrix: series) { start &+ Int64($0) &* interval }
        }
    }

    func problem(range result: QueryResult, _ steps: Steps) -> String? {
        guard case .matrix(let series) = result.value else { return "no matrix" }
        for (former, latter) in zip(series, series.dropFirst())
        where !Self.isBefore(former.labels, latter.labels) {
            return "the series are not in order"
        }
        for wanted in evaluation.series where wanted.items.count > steps.count {
            return "more items than steps in line \(wanted.line)"
        }
        return problem(matrix: series) { steps[$0] }
    }

    /// The points of a range at one time.
    func problem(middleOf result: QueryResult, at time: Int64) -> String? {
        guard case .matrix(let series) = result.value else { return "no matrix" }
        var vector: [ResultSeries] = []
        for var one in series {
            one.points = one.points.filter { $0.time == time }
            if !one.points.isEmpty { vector.append(one) }
        }
        guard let wanted = evaluation.scalar else { return problem(vector: vector) }
        guard let value = vector.first?.points.first?.value else { return "no scalar" }
        return Self.almostEqual(wanted, value) ? nil : "\(value) for \(wanted)"
    }

    // MARK: Series

    private func problem(vector series: [ResultSeries]) -> String? {
        if evaluation.has(.ordered) {
            guard series.count == evaluation.series.count else {
                return "\(series.count) series for \(evaluation.series.count)"
            }
            for (found, wanted) in zip(series, evaluation.series) {
                guard ScriptRunner.key(found.labels) == ScriptRunner.key(wanted.labels) else {
                    return "\(Self.name(found.labels)) for \(Self.name(wanted.labels))"
                }
                if let problem = pointProblem(found, wanted) { return problem }
            }
            return nil
        }
        return eachProblem(series, pointProblem)
    }

    private func pointProblem(_ found: ResultSeries, _ wanted: Evaluation.Series) -> String? {
        guard let point = found.points.first, let item = wanted.items.first,
            wanted.items.count == 1
        else { return "one item is wanted in line \(wanted.line)" }
        return problem(point, item).map { "\(Self.name(found.labels)): \($0)" }
    }

    private func problem(matrix series: [ResultSeries], time: (Int) -> Int64) -> String? {
        eachProblem(series) { found, wanted in
            var items: [(time: Int64, item: ScriptItem)] = []
            for (place, item) in wanted.items.enumerated() {
                if case .none = item { continue }
                items.append((time(place), item))
            }
            guard items.map(\.time) == found.points.map(\.time) else {
                return
                    "\(Self.name(found.labels)): points at \(found.points.map(\.time)) for \(items.map(\.time))"
            }
            for (point, (time, item)) in zip(found.points, items) {
                if let problem = problem(point, item) {
                    return "\(Self.name(found.labels)) at \(time): \(problem)"
                }
            }
            return nil
        }
    }

    /// Finds each expected series, and no other.
    private func eachProblem(
        _ series: [ResultSeries], _ body: (ResultSeries, Evaluation.Series) -> String?
    ) -> String? {
        var wanted: [String: Evaluation.Series] = [:]
        for one in evaluation.series { wanted[ScriptRunner.key(one.labels)] = one }
        for found in series {
            guard let expected = wanted.removeValue(forKey: ScriptRunner.key(found.labels)) else {
                return "unexpected \(Self.name(found.labels)) \(found.points.map(\.value))"
            }
            if let problem = body(found, expected) { return problem }
        }
        // A series without items is none.
        let missing = wanted.values.first { one in
            one.items.contains { if case .none = $0 { false } else { true } }
        }
        return missing.map { "\(Self.name($0.labels)) is missing" }
    }

    private static func name(_ labels: [(name: String, value: String)]) -> String {
        "{\(ScriptRunner.key(labels))}"
    }

    private static func isBefore(
        _ left: [(name: String, value: String)], _ right: [(name: String, value: String)]
    ) -> Bool {
        for (mine, other) in zip(left, right) where mine != other {
            return mine.name == other.name
                ? QuerySymbols.isBefore(mine.value, other.value)
                : QuerySymbols.isBefore(mine.name, other.name)
        }
        return left.count < right.count
    }

    // MARK: Samples

    private func problem(_ point: ResultPoint, _ item: ScriptItem) -> String? {
        switch (point.histogram, item) {
        case (nil, .float(let wanted)):
            return Self.almostEqual(wanted, point.value) ? nil : "\(point.value) for \(wanted)"
        case (let found?, .histogram(let wanted)):
            return Self.areEqual(wanted, found)
                ? nil : "\(found) for \(wanted.histogram)"
        case (nil, _): return "a float, \(point.value), for a histogram"
        case (let found?, _): return "a histogram, \(found.text), for a float"
        }
    }

    /// Whether two numbers are equal up to a millionth (promqltest, `almost.Equal`).
    static func almostEqual(_ wanted: Double, _ found: Double) -> Bool {
        if SampleMark.isStale(wanted) || SampleMark.isStale(found) {
            return SampleMark.isStale(wanted) && SampleMark.isStale(found)
        }
        if wanted.isNaN, found.isNaN { return true }
        if wanted == found { return true }
        let sum = abs(wanted) + abs(found)
        let difference = abs(wanted - found)
        if wanted == 0 || found == 0 || sum < .leastNormalMagnitude {
            return difference < 1e-6 * .leastNormalMagnitude
        }
        return difference / min(sum, .greatestFiniteMagnitude) < 1e-6
    }

    private static func areEqual(
        _ written: HistogramNotation.Written, _ found: FloatHistogram
    ) -> Bool {
        let wanted = written.histogram
        if written.hasHint, wanted.counterResetHint != found.counterResetHint { return false }
        guard wanted.schema == found.schema, almostEqual(wanted.count, found.count),
            almostEqual(wanted.sum, found.sum), almostEqual(wanted.zeroCount, found.zeroCount),
            wanted.zeroThreshold == found.zeroThreshold,
            !wanted.usesCustomBounds || wanted.customBounds == found.customBounds
        else { return false }
        func equal(_ left: SparseBuckets, _ right: SparseBuckets) -> Bool {
            left.count == right.count
                && zip(left, right).allSatisfy {
                    $0.index == $1.index && almostEqual($0.count, $1.count)
                }
        }
        return equal(wanted.positive, found.positive) && equal(wanted.negative, found.negative)
    }
}

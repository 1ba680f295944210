extension Evaluator {
    /// The series of a binary expression.
    func binaryRows(
        _ binary: BinaryExpression, at range: TextRange, _ steps: Steps, _ consume: RowConsumer
    ) throws(QueryError) {
        switch (Self.isScalar(binary.left), Self.isScalar(binary.right)) {
        case (true, true):
            var row = SeriesRow(labels: LabelSet(), stepCount: steps.count)
            let left = try scalars(binary.left, steps)
            let right = try scalars(binary.right, steps)
            for step in 0..<steps.count {
                row.floats[step] = binary.operation.scalar(left[step], right[step])
            }
            try consume(&row)
        case (false, true): try scalarRows(binary, isScalarLeft: false, at: range, steps, consume)
        case (true, false): try scalarRows(binary, isScalarLeft: true, at: range, steps, consume)
        case (false, false):
            if binary.operation.isSetOperator {
                try setRows(binary, steps, consume)
            } else {
                try VectorMatch(self, binary, at: range, steps).rows(consume)
            }
        }
    }

    /// A vector and a scalar.
    private func scalarRows(
        _ binary: BinaryExpression, isScalarLeft: Bool, at range: TextRange, _ steps: Steps,
        _ consume: RowConsumer
    ) throws(QueryError) {
        let scalar = try scalars(isScalarLeft ? binary.left : binary.right, steps)
        let vector = isScalarLeft ? binary.right : binary.left
        let operation = binary.operation
        let filters = operation.isFilter && !binary.returnsBool
        let merger = filters ? nil : nameDropMerger(of: vector, refusesEqualLabels: false)
        let operand = BinaryOperand(self, operation, returnsBool: binary.returnsBool, at: range)
        try rows(vector, steps) { row throws(QueryError) in
            try self.checkCancellation(steps.count)
            var hasAny = false
            for step in 0..<steps.count {
                let value = row.floats[step]
                if SeriesRow.isPresent(value) {
                    if isScalarLeft {
                        row.floats[step] = operand.float(scalar[step], value, kept: value)
                    } else {
                        row.floats[step] = operand.float(value, scalar[step], kept: value)
                    }
                    hasAny = hasAny || SeriesRow.isPresent(row.floats[step])
                } else if let histogram = row.histogram(at: step) {
                    row.remove(at: step)
                    let sample =
                        isScalarLeft
                        ? operand.sample(.float(scalar[step]), .histogram(histogram))
                        : operand.sample(.histogram(histogram), .float(scalar[step]))
                    row.set(sample, at: step)
                    if case .absent = sample { continue }
                    hasAny = true
                }
            }
            guard hasAny else { return }
            if !filters { self.dropName(&row) }
            if let merger { try merger.add(row) } else { try consume(&row) }
        }
        try merger?.finish(consume)
    }

    /// `and`, `or`, `unless`.
    private func setRows(
        _ binary: BinaryExpression, _ steps: Steps, _ consume: RowConsumer
    ) throws(QueryError) {
        let matching = binary.matching ?? VectorMatching(cardinality: .manyToMany)
        let projection = LabelProjection(matching, symbols)
        if binary.operation == .or { return try unionRows(binary, projection, steps, consume) }
        // At which steps the right side has a series.
        var present = PresenceTable(projection, steps)
        try rows(binary.right, steps) { row throws(QueryError) in
            if present.mark(row) { try self.hold(steps.count / 8 + 1) }
        }
        let isAnd = binary.operation == .and
        try rows(binary.left, steps) { row throws(QueryError) in
            guard let place = present.place(of: row) else {
                if !isAnd { try consume(&row) }
                return
            }
            for step in 0..<steps.count where present.has(place, step) != isAnd {
                row.remove(at: step)
            }
            if row.hasSamples { try consume(&row) }
        }
    }

    private func unionRows(
        _ binary: BinaryExpression, _ projection: LabelProjection, _ steps: Steps,
        _ consume: RowConsumer
    ) throws(QueryError) {
        var present = PresenceTable(projection, steps)
        let merger = RowMerger()
        try rows(binary.left, steps) { row throws(QueryError) in
            try self.holdSeries(steps)
            _ = present.mark(row)
            try merger.add(row)
        }
        try rows(binary.right, steps) { row throws(QueryError) in
            if let place = present.place(of: row) {
                for step in 0..<steps.count where present.has(place, step) { row.remove(at: step) }
                if !row.hasSamples { return }
            }
            try self.holdSeries(steps)
            try merger.add(row)
        }
        try merger.finish(consume)
    }
}

/// At which steps a vector has series, by the labels that count.
private struct PresenceTable {
    private let projection: LabelProjection
    private let stepCount: Int
    private var table = LabelSetTable()
    private var isPresent: ContiguousArray<Bool> = []

    init(_ projection: LabelProjection, _ steps: Steps) {
        self.projection = projection
        stepCount = steps.count
    }

    /// Notes a series' samples.
    /// - Returns: Whether its labels are new.
    mutating func mark(_ row: SeriesRow) -> Bool {
        let (place, isNew) = table.place(of: row.labels, by: projection)
        if isNew { for _ in 0..<stepCount { isPresent.append(false) } }
        for step in 0..<stepCount where row.isPresent(at: step) {
            isPresent[place &* stepCount &+ step] = true
        }
        return isNew
    }

    /// The place of a series' labels, if there are any such.
    func place(of row: SeriesRow) -> Int? { table.existingPlace(of: row.labels, by: projection) }

    /// Whether there is a sample at a step.
    func has(_ place: Int, _ step: Int) -> Bool { isPresent[place &* stepCount &+ step] }
}

/// A binary operator between two samples.
struct BinaryOperand {
    private let evaluator: Evaluator
    private let operation: BinaryOperator
    private let returnsBool: Bool
    private let range: TextRange

    init(
        _ evaluator: Evaluator, _ operation: BinaryOperator, returnsBool: Bool, at range: TextRange
    ) {
        self.evaluator = evaluator
        self.operation = operation
        self.returnsBool = returnsBool
        self.range = range
    }

    /// Two floats; `kept` is what a comparison that holds lets through.
    func float(_ left: Double, _ right: Double, kept: Double) -> Double {
        if operation.isComparison {
            let holds = operation.compares(left, right)
            if returnsBool { return holds ? 1 : 0 }
            return holds ? kept : SeriesRow.absent
        }
        if operation == .trimUpper || operation == .trimLower {
            return absentFloat("float", "float")
        }
        return operation.scalar(left, right)
    }

    /// Any two samples; a comparison lets the left one through.
    func sample(_ left: Sample, _ right: Sample) -> Sample {
        switch (left, right) {
        case (.float(let first), .float(let second)):
            let value = float(first, second, kept: first)
            return SeriesRow.isPresent(value) ? .float(value) : .absent
        case (.float(let first), .histogram(let second)):
            if operation == .multiply { return .histogram(second.scaled(by: first).compacted()) }
            return incompatible("float", "histogram")
        case (.histogram(let first), .float(let second)):
            switch operation {
            case .multiply: return .histogram(first.scaled(by: second).compacted())
            case .divide: return .histogram(first.divided(by: second).compacted())
            case .trimUpper: return .histogram(first.trimmed(upper: second))
            case .trimLower: return .histogram(first.trimmed(lower: second))
            default: return incompatible("histogram", "float")
            }
        case (.histogram(let first), .histogram(let second)): return both(first, second)
        default: return .absent
        }
    }

    private func both(_ left: FloatHistogram, _ right: FloatHistogram) -> Sample {
        let remarks = Remarks(evaluator, at: range)
        switch operation {
        case .add:
            var sum = left
            guard HistogramRate.combine(right, into: &sum, .add, remarks) else { return .absent }
            return .histogram(sum.compacted())
        case .subtract:
            var difference = left
            guard HistogramRate.combine(right, into: &difference, .subtract, remarks) else {
                return .absent
            }
            difference.counterResetHint = .gauge
            return .histogram(difference.compacted())
        case .equal, .notEqual:
            let holds = left.isEqual(to: right) == (operation == .equal)
            if returnsBool { return .float(holds ? 1 : 0) }
            return holds ? .histogram(left) : .absent
        default: return incompatible("histogram", "histogram")
        }
    }

    private func incompatible(_ left: String, _ right: String) -> Sample {
        _ = absentFloat(left, right)
        return .absent
    }

    private func absentFloat(_ left: String, _ right: String) -> Double {
        evaluator.annotations.inform(
            "incompatible sample types encountered for binary operator "
                + "\"\(operation.rawValue)\": \(left) \(operation.rawValue) \(right)", at: range)
        return SeriesRow.absent
    }
}

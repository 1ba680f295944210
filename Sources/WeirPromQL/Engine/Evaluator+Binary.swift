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
            try self.checkCancellation()
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
        let signer = Signer(matching, symbols)
        if binary.operation == .or { return try unionRows(binary, signer, steps, consume) }
        // At which steps the right side has a series, by signature.
        var present: [LabelSet: ContiguousArray<Bool>] = [:]
        try rows(binary.right, steps) { row throws(QueryError) in
            let signature = signer.signature(row.labels)
            if present[signature] == nil { try self.hold(steps.count / 8 + 1) }
            Self.mark(&present[signature, default: Self.none(steps)], row)
        }
        let isAnd = binary.operation == .and
        try rows(binary.left, steps) { row throws(QueryError) in
            guard let marks = present[signer.signature(row.labels)] else {
                if !isAnd { try consume(&row) }
                return
            }
            for step in 0..<steps.count where marks[step] != isAnd { row.remove(at: step) }
            if row.hasSamples { try consume(&row) }
        }
    }

    private func unionRows(
        _ binary: BinaryExpression, _ signer: Signer, _ steps: Steps, _ consume: RowConsumer
    ) throws(QueryError) {
        var present: [LabelSet: ContiguousArray<Bool>] = [:]
        let merger = RowMerger()
        try rows(binary.left, steps) { row throws(QueryError) in
            try self.hold(steps.count)
            Self.mark(&present[signer.signature(row.labels), default: Self.none(steps)], row)
            try merger.add(row)
        }
        try rows(binary.right, steps) { row throws(QueryError) in
            if let marks = present[signer.signature(row.labels)] {
                for step in 0..<steps.count where marks[step] { row.remove(at: step) }
                if !row.hasSamples { return }
            }
            try self.hold(steps.count)
            try merger.add(row)
        }
        try merger.finish(consume)
    }

    private static func none(_ steps: Steps) -> ContiguousArray<Bool> {
        ContiguousArray(repeating: false, count: steps.count)
    }

    private static func mark(_ marks: inout ContiguousArray<Bool>, _ row: SeriesRow) {
        for step in marks.indices where row.isPresent(at: step) { marks[step] = true }
    }
}

/// The labels by which series of two vectors find each other.
struct Signer {
    private let names: Set<Symbol>
    private let isOn: Bool

    init(_ matching: VectorMatching, _ symbols: QuerySymbols) {
        names = Set(matching.labels.map { symbols.symbol(for: $0) })
        isOn = matching.isOn
    }

    /// The part of a series' labels that counts.
    func signature(_ labels: LabelSet) -> LabelSet {
        isOn
            ? labels.filter { names.contains($0) }
            : labels.filter { $0 != .metricName && !names.contains($0) }
    }

    /// The labels of a one-to-one match's result.
    func result(_ labels: LabelSet) -> LabelSet {
        labels.filter { names.contains($0) == isOn }
    }
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

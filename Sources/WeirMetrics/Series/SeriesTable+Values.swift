// Hot path: once per metric of every event that is counted.

extension SeriesTable {
    /// Adds to a counter.
    /// - Parameters:
    ///   - amount: How much; also 0, which shows the series.
    ///   - index: The series, by ``index(of:)``.
    ///   - family: The metric, by its place in the declaration.
    ///   - exemplar: The event behind it.
    @inline(__always)
    public mutating func add(
        _ amount: UInt64, to index: Int, family: Int, exemplar: Exemplar? = nil
    ) {
        let place = layout.families[family]
        let row = present(index, family)
        switch place.kind {
        case .counter:
            let total = row.load(fromByteOffset: place.offset, as: UInt64.self)
            row.storeBytes(of: total &+ amount, toByteOffset: place.offset, as: UInt64.self)
        case .floatCounter, .gauge:
            let total = row.load(fromByteOffset: place.offset, as: Double.self)
            row.storeBytes(of: total + Double(amount), toByteOffset: place.offset, as: Double.self)
        case .summary, .histogram, .nativeHistogram:
            preconditionFailure("observations are not added")
        }
        if let exemplar { keep(exemplar, Double(amount), row, place, bucket: 0) }
    }

    /// Adds to a counter or gauge of any numbers; what would make a counter fall is left out.
    @inline(__always)
    public mutating func add(
        number amount: Double, to index: Int, family: Int, exemplar: Exemplar? = nil
    ) {
        let place = layout.families[family]
        let row = present(index, family)
        switch place.kind {
        case .floatCounter where !(amount >= 0): return
        case .floatCounter, .gauge:
            let total = row.load(fromByteOffset: place.offset, as: Double.self)
            row.storeBytes(of: total + amount, toByteOffset: place.offset, as: Double.self)
        case .counter, .summary, .histogram, .nativeHistogram:
            preconditionFailure("whole numbers and observations are not added so")
        }
        if let exemplar { keep(exemplar, amount, row, place, bucket: 0) }
    }

    /// Sets a gauge.
    @inline(__always)
    public mutating func set(_ value: Double, at index: Int, family: Int) {
        let place = layout.families[family]
        let row = present(index, family)
        guard case .gauge = place.kind else { preconditionFailure("only a gauge is set") }
        row.storeBytes(of: value, toByteOffset: place.offset, as: Double.self)
    }

    /// Adds an observation to a histogram or summary.
    @inline(__always)
    public mutating func observe(
        _ value: Double, at index: Int, family: Int, exemplar: Exemplar? = nil
    ) {
        let place = layout.families[family]
        let row = present(index, family)
        switch place.kind {
        case .histogram:
            let bucket = bucket(of: value, place)
            let counts = row + place.offset
            let count = counts.load(fromByteOffset: bucket &* 8, as: UInt64.self)
            counts.storeBytes(of: count &+ 1, toByteOffset: bucket &* 8, as: UInt64.self)
            let sumOffset = (place.boundCount &+ 1) &* 8
            let sum = counts.load(fromByteOffset: sumOffset, as: Double.self)
            counts.storeBytes(of: sum + value, toByteOffset: sumOffset, as: Double.self)
            if let exemplar { keep(exemplar, value, row, place, bucket: bucket) }
        case .summary:
            let count = row.load(fromByteOffset: place.offset, as: UInt64.self)
            let sum = row.load(fromByteOffset: place.offset &+ 8, as: Double.self)
            row.storeBytes(of: count &+ 1, toByteOffset: place.offset, as: UInt64.self)
            row.storeBytes(of: sum + value, toByteOffset: place.offset &+ 8, as: Double.self)
        case .nativeHistogram(_, let bucketLimit):
            let number = nativeNumber(row, place)
            natives[number].observe(value, bucketLimit: bucketLimit)
            if let exemplar {
                let turn = Int(truncatingIfNeeded: natives[number].count)
                keep(exemplar, value, row, place, bucket: turn & (ExemplarPool.nativeCount - 1))
            }
        case .counter, .floatCounter, .gauge:
            preconditionFailure("a histogram or summary observes")
        }
    }

    /// Shows a metric of a series before it has a value: as zero.
    public mutating func show(at index: Int, family: Int) { _ = present(index, family) }

    /// Notes that a metric of the series has a value.
    @inline(__always)
    func present(_ index: Int, _ family: Int) -> UnsafeMutableRawPointer {
        precondition(index >= 0 && index < rowCount, "a series of this table")
        let row = row(index)
        let bits = row.load(fromByteOffset: SeriesLayout.present, as: UInt32.self)
        row.storeBytes(
            of: bits | 1 &<< UInt32(truncatingIfNeeded: family),
            toByteOffset: SeriesLayout.present, as: UInt32.self)
        return row
    }

    /// The bucket of a value: the first whose bound is not below it. What is no number is in the last.
    @inline(__always)
    private func bucket(of value: Double, _ place: SeriesLayout.Family) -> Int {
        layout.bounds.withUnsafeBufferPointer { bounds in
            var bucket = 0
            let end = place.firstBound &+ place.boundCount
            for index in place.firstBound..<end where !(value <= bounds[index]) { bucket &+= 1 }
            return bucket
        }
    }

    /// The index of the row's native histogram, made when there is none.
    mutating func nativeNumber(
        _ row: UnsafeMutableRawPointer, _ place: SeriesLayout.Family
    ) -> Int {
        let number = row.load(fromByteOffset: place.offset, as: UInt32.self)
        if number > 0 { return Int(number) - 1 }
        guard case .nativeHistogram(let schema, _) = place.kind else { return 0 }
        let made: UInt32
        if let free = freeNatives.popLast() {
            natives[Int(free) - 1] = NativeHistogram(schema: schema)
            made = free
        } else {
            natives.append(NativeHistogram(schema: schema))
            made = UInt32(natives.count)
        }
        row.storeBytes(of: made, toByteOffset: place.offset, as: UInt32.self)
        return Int(made) - 1
    }

    @inline(never)
    private mutating func keep(
        _ exemplar: Exemplar, _ value: Double, _ row: UnsafeMutableRawPointer,
        _ place: SeriesLayout.Family, bucket: Int
    ) {
        guard bucket < place.exemplarCount, ExemplarPool.isSound(exemplar.text) else {
            limits.refusedExemplars.add()
            return
        }
        var number = row.load(fromByteOffset: place.exemplars, as: UInt32.self)
        if number == 0 {
            number = exemplars.make(count: place.exemplarCount)
            row.storeBytes(of: number, toByteOffset: place.exemplars, as: UInt32.self)
        }
        guard let slots = exemplars.slots(number) else { return }
        ExemplarPool.set(slots + bucket, to: exemplar, value: value)
    }
}

// Hot path: once per event that is counted.
import WeirCore

/// The series of one filter: label values to a row of numbers, found by hash.
///
/// Rows never move while their series lives. Unsafe inside; every index that is handed out is one of
/// a living row, and stays so until the next expiry, which happens between batches only.
public struct SeriesTable: ~Copyable {
    /// What stands for the values of a label that there were too many of.
    static let overflowValue: StaticString = "__overflow__"

    let layout: SeriesLayout
    let limits: SeriesLimits
    let valueByteLimit: Int
    /// When the batch that is being counted came, in milliseconds since 1970.
    var now: Int64 = 0
    /// No series was last updated before this time: what idle ones are looked for by.
    var oldestTouch = Int64.max

    private let hash = SeriesHash.ofThisProcess
    private var slots: UnsafeMutablePointer<UInt64>
    private var mask = 255
    private var pages: [UnsafeMutableRawPointer] = []
    /// Rows that were ever used.
    private(set) var rowCount = 0
    /// Living series' label sets.
    private(set) var labelSetCount = 0
    private var freeRows: [UInt32] = []
    private(set) var lastSerial: UInt64 = 0
    /// Changes whenever a label set comes or goes.
    private(set) var population: UInt64 = 0
    private var overflowLabels: [Int] = []
    var values: LabelValueTable
    var exemplars = ExemplarPool()
    var natives: [NativeHistogram] = []
    var freeNatives: [UInt32] = []
    var journal = SeriesJournalState()
    var positions: [CountedOrigin: UInt64] = [:]

    init(_ declaration: SeriesGroup.Declaration, limits: SeriesLimits) {
        layout = SeriesLayout(declaration)
        self.limits = limits
        valueByteLimit = max(declaration.labelValueByteLimit, 16)
        slots = .allocate(capacity: mask + 1)
        slots.initialize(repeating: 0, count: mask + 1)
        values = LabelValueTable(labelCount: layout.labelCount)
    }

    deinit {
        limits.add(-labelSetCount * layout.families.count)
        for page in pages { page.deallocate() }
        slots.deallocate()
    }

    /// Bytes that the table has allocated.
    public var allocatedByteCount: Int {
        pages.count * (layout.stride << layout.pageShift) + (mask + 1) * 8
            + values.allocatedByteCount + exemplars.allocatedByteCount
            + natives.reduce(natives.capacity * 80) {
                $0 + ($1.positive.counts.capacity + $1.negative.counts.capacity) * 8
            }
    }

    // MARK: Finding

    /// The number of the series with these label values, for the updates of its metrics; made when
    /// there is none.
    ///
    /// - Parameter labels: One value for each of the group's labels.
    /// - Complexity: O(bytes); a hit allocates nothing.
    @inline(__always)
    public mutating func index(of labels: borrowing LabelValues) -> Int {
        precondition(labels.count == layout.labelCount, "a value for each label")
        let code = hash(labels.start, labels.byteCount)
        let found = find(labels, code)
        if found < 0 { return make(labels, code) }
        touch(found)
        return found
    }

    @inline(__always)
    private func find(_ labels: borrowing LabelValues, _ code: UInt64) -> Int {
        var place = Int(truncatingIfNeeded: code) & mask
        while true {
            let slot = slots[place]
            if slot == 0 { return -1 }
            if (slot ^ code) &>> 32 == 0 {
                let index = Int(truncatingIfNeeded: slot & 0xffff_ffff) &- 1
                if isEqual(row(index), labels) { return index }
            }
            place = (place &+ 1) & mask
        }
    }

    @inline(__always)
    private func isEqual(
        _ row: UnsafeMutableRawPointer, _ labels: borrowing LabelValues
    ) -> Bool {
        let keys = row + SeriesLayout.keys
        for label in 0..<layout.labelCount {
            let key = keys.load(fromByteOffset: label &* 4, as: UInt32.self)
            guard values.isEqual(key, labels.value(label)) else { return false }
        }
        return true
    }

    /// The row of a series.
    @inline(__always)
    func row(_ index: Int) -> UnsafeMutableRawPointer {
        pages[index &>> layout.pageShift]
            + (index & (1 &<< layout.pageShift &- 1)) &* layout.stride
    }

    @inline(__always)
    private mutating func touch(_ index: Int) {
        let row = row(index)
        row.storeBytes(of: now, toByteOffset: SeriesLayout.touched, as: Int64.self)
        if row.load(fromByteOffset: SeriesLayout.version, as: UInt32.self) != journal.version {
            noteChange(row, index)
        }
    }

    private mutating func noteChange(_ row: UnsafeMutableRawPointer, _ index: Int) {
        row.storeBytes(of: journal.version, toByteOffset: SeriesLayout.version, as: UInt32.self)
        if journal.isKept { journal.changed.append(UInt32(truncatingIfNeeded: index)) }
    }

    // MARK: Making

    /// Makes a series, its labels mended and, when there are too many series, merged.
    @inline(never)
    private mutating func make(_ labels: borrowing LabelValues, _ code: UInt64) -> Int {
        var mending = LabelMending(byteLimit: valueByteLimit)
        if mending.isNeeded(by: labels) {
            var mended = LabelValues(labelCount: layout.labelCount)
            mending.mend(labels, into: &mended)
            let code = hash(mended.start, mended.byteCount)
            let found = find(mended, code)
            if found >= 0 {
                touch(found)
                return found
            }
            limits.truncated.add(mending.truncatedCount)
            limits.repaired.add(mending.repairedCount)
            return makeWithinLimits(mended, code)
        }
        return makeWithinLimits(labels, code)
    }

    private mutating func makeWithinLimits(
        _ labels: borrowing LabelValues, _ code: UInt64
    ) -> Int {
        let count = limits.collapsedLabelCount(families: layout.families.count)
        guard count > 0 else {
            overflowLabels.removeAll()
            return append(labels, code)
        }
        while overflowLabels.count < count, let next = mostDiverseLabel() {
            overflowLabels.append(next)
        }
        var merged = LabelValues(labelCount: layout.labelCount)
        for label in 0..<layout.labelCount {
            if overflowLabels.contains(label) {
                merged.append(Self.overflowValue)
                limits.countOverflow(label: label)
            } else {
                merged.append(labels.value(label))
            }
        }
        let code = hash(merged.start, merged.byteCount)
        let found = find(merged, code)
        if found < 0 { return append(merged, code) }
        touch(found)
        return found
    }

    /// The label with most values of those that have not collapsed.
    private func mostDiverseLabel() -> Int? {
        (0..<layout.labelCount).filter { !overflowLabels.contains($0) }
            .max { values.distinctCounts[$0] < values.distinctCounts[$1] }
    }

    /// Adds a label set that is not there.
    mutating func append(_ labels: borrowing LabelValues, _ code: UInt64) -> Int {
        if (labelSetCount + 1) * 4 > (mask + 1) * 3 { grow() }
        let index: Int
        if let free = freeRows.popLast() {
            index = Int(free)
        } else {
            index = rowCount
            rowCount += 1
            if index >> layout.pageShift == pages.count {
                pages.append(
                    .allocate(byteCount: layout.stride << layout.pageShift, alignment: 8))
            }
        }
        lastSerial += 1
        population += 1
        labelSetCount += 1
        limits.add(layout.families.count)
        oldestTouch = min(oldestTouch, now)
        let row = row(index)
        row.initializeMemory(as: UInt8.self, repeating: 0, count: layout.stride)
        row.storeBytes(of: code, toByteOffset: SeriesLayout.hash, as: UInt64.self)
        row.storeBytes(of: lastSerial, toByteOffset: SeriesLayout.serial, as: UInt64.self)
        row.storeBytes(of: now, toByteOffset: SeriesLayout.touched, as: Int64.self)
        row.storeBytes(of: now, toByteOffset: SeriesLayout.created, as: Int64.self)
        for label in 0..<layout.labelCount {
            row.storeBytes(
                of: values.use(labels.value(label), label: label),
                toByteOffset: SeriesLayout.keys + label * 4, as: UInt32.self)
        }
        noteChange(row, index)
        insert(code, index)
        return index
    }

    private mutating func insert(_ code: UInt64, _ index: Int) {
        var place = Int(truncatingIfNeeded: code) & mask
        while slots[place] != 0 { place = (place + 1) & mask }
        slots[place] = code & ~0xffff_ffff | UInt64(index + 1)
    }

    private mutating func grow() {
        slots.deallocate()
        mask = (mask + 1) * 2 - 1
        slots = .allocate(capacity: mask + 1)
        slots.initialize(repeating: 0, count: mask + 1)
        for index in 0..<rowCount where serial(index) != 0 {
            insert(row(index).load(fromByteOffset: SeriesLayout.hash, as: UInt64.self), index)
        }
    }

    // MARK: Removing

    /// Forgets a series.
    mutating func remove(_ index: Int) {
        let row = row(index)
        let code = row.load(fromByteOffset: SeriesLayout.hash, as: UInt64.self)
        removeSlot(of: index, code)
        for label in 0..<layout.labelCount { values.release(key(index, label)) }
        for family in layout.families {
            if family.exemplarCount > 0 {
                exemplars.release(
                    row.load(fromByteOffset: family.exemplars, as: UInt32.self),
                    count: family.exemplarCount)
            }
            if case .nativeHistogram = family.kind {
                let number = row.load(fromByteOffset: family.offset, as: UInt32.self)
                if number > 0 {
                    natives[Int(number) - 1] = NativeHistogram(schema: 0)
                    freeNatives.append(number)
                }
            }
        }
        journal.noteRemoval(row)
        row.storeBytes(of: 0, toByteOffset: SeriesLayout.serial, as: UInt64.self)
        freeRows.append(UInt32(truncatingIfNeeded: index))
        labelSetCount -= 1
        population += 1
        limits.add(-layout.families.count)
    }

    private mutating func removeSlot(of index: Int, _ code: UInt64) {
        var hole = Int(truncatingIfNeeded: code) & mask
        while slots[hole] & 0xffff_ffff != UInt64(index + 1) { hole = (hole + 1) & mask }
        var place = (hole + 1) & mask
        while slots[place] != 0 {
            let other = Int(slots[place] & 0xffff_ffff) - 1
            let home =
                Int(
                    truncatingIfNeeded: row(other).load(
                        fromByteOffset: SeriesLayout.hash, as: UInt64.self)) & mask
            if (place &- home) & mask >= (place &- hole) & mask {
                slots[hole] = slots[place]
                hole = place
            }
            place = (place + 1) & mask
        }
        slots[hole] = 0
    }

    // MARK: Reading

    /// The serial of a row's series, 0 when the row is free.
    @inline(__always)
    func serial(_ index: Int) -> UInt64 {
        row(index).load(fromByteOffset: SeriesLayout.serial, as: UInt64.self)
    }

    /// The number of a label's value.
    @inline(__always)
    func key(_ index: Int, _ label: Int) -> UInt32 {
        row(index).load(fromByteOffset: SeriesLayout.keys + label * 4, as: UInt32.self)
    }

    /// The index of the series that has the same labels as one of another table of the group.
    func index(ofSeries other: Int, in table: borrowing SeriesTable) -> Int? {
        let code = table.row(other).load(fromByteOffset: SeriesLayout.hash, as: UInt64.self)
        var place = Int(truncatingIfNeeded: code) & mask
        while slots[place] != 0 {
            let slot = slots[place]
            place = (place + 1) & mask
            guard (slot ^ code) >> 32 == 0 else { continue }
            let index = Int(slot & 0xffff_ffff) - 1
            let isSame = (0..<layout.labelCount).allSatisfy { label in
                let entry = table.values.entries[Int(table.key(other, label))]
                return values.isEqual(
                    key(index, label),
                    UnsafeRawBufferPointer(start: entry.bytes, count: Int(entry.length)))
            }
            if isSame { return index }
        }
        return nil
    }
}

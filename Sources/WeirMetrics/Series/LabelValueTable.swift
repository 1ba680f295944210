/// The values of all labels, each kept once: a series refers to them by number.
///
/// Values are counted by their uses and forgotten with the last of them.
struct LabelValueTable: ~Copyable {
    /// A value's bytes. 16 readable bytes follow them.
    struct Entry {
        var bytes: UnsafeMutableRawPointer
        var length: UInt32
        var useCount: UInt32
        var label: UInt16
        /// Whether the text formats must escape it.
        var needsEscape: Bool
        var hash: UInt64
    }

    private(set) var entries: UnsafeMutablePointer<Entry>
    private var entryCount = 0
    private var entryCapacity = 64
    private var free: [UInt32] = []
    private var slots = [UInt32](repeating: 0, count: 128)
    private var usedSlotCount = 0
    /// How many values each label has.
    private(set) var distinctCounts: [Int]
    /// Bytes allocated for the values themselves.
    private(set) var byteCount = 0

    private static let padding = 16

    init(labelCount: Int) {
        entries = .allocate(capacity: entryCapacity)
        distinctCounts = Array(repeating: 0, count: labelCount)
    }

    deinit {
        for index in 0..<entryCount where entries[index].useCount > 0 {
            entries[index].bytes.deallocate()
        }
        entries.deallocate()
    }

    /// Bytes allocated by the table.
    var allocatedByteCount: Int {
        byteCount + entryCapacity * MemoryLayout<Entry>.stride + slots.count * 4
            + free.capacity * 4
    }

    /// The number of a value, kept from now on for one more use.
    mutating func use(_ value: UnsafeRawBufferPointer, label: Int) -> UInt32 {
        var hasher = Hasher()
        hasher.combine(label)
        hasher.combine(bytes: value)
        let hash = UInt64(bitPattern: Int64(hasher.finalize()))
        var place = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[place] != 0 {
            let index = Int(slots[place] - 1)
            let entry = entries[index]
            if entry.hash == hash, Int(entry.label) == label, Int(entry.length) == value.count,
                value.elementsEqual(
                    UnsafeRawBufferPointer(start: entry.bytes, count: value.count))
            {
                entries[index].useCount += 1
                return UInt32(index)
            }
            place = (place + 1) & (slots.count - 1)
        }
        let index = add(value, label, hash)
        slots[place] = index + 1
        usedSlotCount += 1
        if usedSlotCount * 4 > slots.count * 3 { rehash(slots.count * 2) }
        return index
    }

    private mutating func add(
        _ value: UnsafeRawBufferPointer, _ label: Int, _ hash: UInt64
    ) -> UInt32 {
        let size = value.count + Self.padding
        let bytes = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 1)
        bytes.initializeMemory(as: UInt8.self, repeating: 0, count: size)
        if let start = value.baseAddress { bytes.copyMemory(from: start, byteCount: value.count) }
        let needsEscape = value.contains { $0 == 0x22 || $0 == 0x5c || $0 == 0x0a }
        let entry = Entry(
            bytes: bytes, length: UInt32(value.count), useCount: 1, label: UInt16(label),
            needsEscape: needsEscape, hash: hash)
        byteCount += size
        distinctCounts[label] += 1
        if let index = free.popLast() {
            entries[Int(index)] = entry
            return index
        }
        if entryCount == entryCapacity {
            let moved = UnsafeMutablePointer<Entry>.allocate(capacity: entryCapacity * 2)
            moved.update(from: entries, count: entryCount)
            entries.deallocate()
            entries = moved
            entryCapacity *= 2
        }
        (entries + entryCount).initialize(to: entry)
        entryCount += 1
        return UInt32(entryCount - 1)
    }

    /// Takes one use of a value away.
    mutating func release(_ index: UInt32) {
        entries[Int(index)].useCount -= 1
        guard entries[Int(index)].useCount == 0 else { return }
        let entry = entries[Int(index)]
        distinctCounts[Int(entry.label)] -= 1
        byteCount -= Int(entry.length) + Self.padding
        entry.bytes.deallocate()
        free.append(index)
        removeSlot(of: index, entry.hash)
    }

    /// Empties a slot and moves those behind it, so that every probe still finds what it looks for.
    private mutating func removeSlot(of index: UInt32, _ hash: UInt64) {
        let mask = slots.count - 1
        var hole = Int(truncatingIfNeeded: hash) & mask
        while slots[hole] != index + 1 { hole = (hole + 1) & mask }
        var place = (hole + 1) & mask
        while slots[place] != 0 {
            let home = Int(truncatingIfNeeded: entries[Int(slots[place] - 1)].hash) & mask
            if (place &- home) & mask >= (place &- hole) & mask {
                slots[hole] = slots[place]
                hole = place
            }
            place = (place + 1) & mask
        }
        slots[hole] = 0
        usedSlotCount -= 1
    }

    private mutating func rehash(_ count: Int) {
        let old = slots
        slots = Array(repeating: 0, count: count)
        for slot in old where slot != 0 {
            var place = Int(truncatingIfNeeded: entries[Int(slot - 1)].hash) & (count - 1)
            while slots[place] != 0 { place = (place + 1) & (count - 1) }
            slots[place] = slot
        }
    }

    /// Whether a value is these bytes, which are readable 16 bytes beyond their end.
    @inline(__always)
    func isEqual(_ index: UInt32, _ value: UnsafeRawBufferPointer) -> Bool {
        let entry = entries + Int(index)
        let count = value.count
        guard Int(entry.pointee.length) == count, let right = value.baseAddress else {
            return false
        }
        let left = UnsafeRawPointer(entry.pointee.bytes)
        if count < 8 {
            if count == 0 { return true }
            let difference =
                left.loadUnaligned(as: UInt64.self) ^ right.loadUnaligned(as: UInt64.self)
            return difference &<< UInt64(truncatingIfNeeded: 64 &- count &* 8) == 0
        }
        var place = 0
        let last = count &- 8
        while place < last {
            if left.loadUnaligned(fromByteOffset: place, as: UInt64.self)
                != right.loadUnaligned(fromByteOffset: place, as: UInt64.self)
            {
                return false
            }
            place &+= 8
        }
        return left.loadUnaligned(fromByteOffset: last, as: UInt64.self)
            == right.loadUnaligned(fromByteOffset: last, as: UInt64.self)
    }
}

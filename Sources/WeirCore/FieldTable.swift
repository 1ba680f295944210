// Hot path: how filters that need many fields read every row.

/// Finds a fixed list of top-level fields in the rows of batches: resolved once per shape, not once
/// per row, and remembered from batch to batch.
///
/// One thread at a time. What ``text(_:)`` gives is valid until the batch is written to.
public final class FieldTable {
    /// Most shapes remembered; beyond them a log does not have formats but random keys.
    public static let shapeLimit = 256

    /// Where a shape keeps one of the fields.
    private struct Place {
        var field: Int
        var index: Int
    }

    private final class Plan {
        let shape: Shape
        let places: UnsafeMutableBufferPointer<Place>
        /// The fields of the shape that are part of the key.
        let keyFields: UnsafeMutableBufferPointer<Int>

        init(shape: Shape, places: [Place], keyFields: [Int]) {
            self.shape = shape
            self.places = .allocate(capacity: places.count)
            _ = self.places.initialize(from: places)
            self.keyFields = .allocate(capacity: keyFields.count)
            _ = self.keyFields.initialize(from: keyFields)
        }

        deinit {
            places.deallocate()
            keyFields.deallocate()
        }
    }

    /// The names of each field, the preferred one first.
    public let names: [[String]]
    private var plans: [ObjectIdentifier: Plan] = [:]
    private var batchPlans: [Plan?] = []
    /// The places of the shape that was read last: memory of one of `batchPlans`.
    private var places = UnsafeMutableBufferPointer<Place>(start: nil, count: 0)
    private var keyFields = UnsafeMutableBufferPointer<Int>(start: nil, count: 0)
    private let isInKey: [Bool]
    private var planShape = -1
    private var edits: [Place] = []
    @usableFromInline let slots: UnsafeMutablePointer<Slot>
    @usableFromInline var block: UnsafePointer<UInt8>
    @usableFromInline var arena: UnsafePointer<UInt8>
    private let nowhere: UnsafeMutablePointer<UInt8>

    /// A table of fields, each by one name or several of which the first present one counts.
    /// - Parameter key: The fields that rows are alike by: see ``appendKey(to:)``.
    public init(_ names: [[String]], key: [Int] = []) {
        self.names = names
        isInKey = names.indices.map(key.contains)
        slots = .allocate(capacity: max(names.count, 1))
        slots.initialize(repeating: .absent, count: names.count)
        nowhere = .allocate(capacity: 64)
        nowhere.initialize(repeating: 0, count: 64)
        block = UnsafePointer(nowhere)
        arena = UnsafePointer(nowhere)
    }

    deinit {
        slots.deallocate()
        nowhere.deallocate()
    }

    /// Before the rows of a batch, and after every new edit column.
    public func look(at batch: EventBatch) {
        places = UnsafeMutableBufferPointer(start: nil, count: 0)
        keyFields = UnsafeMutableBufferPointer(start: nil, count: 0)
        planShape = -1
        batchPlans.removeAll(keepingCapacity: true)
        edits.removeAll(keepingCapacity: true)
        for (field, names) in names.enumerated() {
            for name in names.reversed() {
                let column = batch.columns.firstIndex { $0.key.hasSameBytes(as: name) }
                if let column { edits.append(Place(field: field, index: column)) }
            }
        }
    }

    /// Finds the fields of a row.
    @inline(__always)
    public func load(row: Int, of batch: EventBatch) {
        let shape = Int(batch.rows[row].shape)
        if shape != planShape { choose(shape, batch) }
        block = batch.pointer(0)
        arena = batch.arena.pointer
        if !edits.isEmpty {
            for edit in edits { slots[edit.field] = .absent }
        }
        let first = batch.slots + Int(batch.rows[row].firstSlot)
        for place in places { slots[place.field] = first[place.index] }
        if !edits.isEmpty { applyEdits(row, batch) }
    }

    private func applyEdits(_ row: Int, _ batch: EventBatch) {
        for edit in edits {
            let slot = batch.columns[edit.index][row]
            if slot.type == .absent { continue }
            slots[edit.field] = slot.type == .removed ? .absent : slot
        }
    }

    @inline(never)
    private func choose(_ index: Int, _ batch: EventBatch) {
        while batchPlans.count < batch.shapes.count { batchPlans.append(nil) }
        let chosen = batchPlans[index] ?? plan(for: batch.shapes[index])
        batchPlans[index] = chosen
        places = chosen.places
        keyFields = chosen.keyFields
        planShape = index
        slots.update(repeating: .absent, count: names.count)
    }

    private func plan(for shape: Shape) -> Plan {
        if let known = plans[ObjectIdentifier(shape)] { return known }
        var places: [Place] = []
        for (field, names) in names.enumerated() {
            let index = names.lazy.compactMap { shape.index(of: $0) }.first
            if let index { places.append(Place(field: field, index: index)) }
        }
        if plans.count >= Self.shapeLimit { plans.removeAll(keepingCapacity: true) }
        let made = Plan(
            shape: shape, places: places,
            keyFields: places.map(\.field).filter { isInKey[$0] })
        plans[ObjectIdentifier(shape)] = made
        return made
    }

    /// Whether a filter before changed one of the fields in this batch.
    public var hasEdits: Bool { !edits.isEmpty }

    /// Appends the key of the row that was loaded: rows with the same key have the same values in
    /// all fields of the key, as long as no filter changed them (``hasEdits``).
    /// - Returns: A hash of the key; not one to be trusted against who chooses the values.
    @inline(__always)
    public func appendKey(to keys: inout ByteBuffer) -> UInt64 {
        let start = keys.count
        var size = 16
        for field in keyFields { size &+= slots[field].length &+ 3 }
        keys.appendInPlace(maximum: size) { room in
            var end = 0
            for field in keyFields {
                let slot = slots[field]
                room[end] = UInt8(truncatingIfNeeded: field)
                room[end &+ 1] = UInt8(truncatingIfNeeded: slot.typeCode)
                end &+= 2
                let base = slot.offset & Slot.arenaBit == 0 ? block : arena
                let from = UnsafeRawPointer(base + Int(slot.offset & ~Slot.arenaBit))
                let to = UnsafeMutableRawPointer(room + end)
                var place = 0
                // Texts are readable 16 bytes beyond their end; the next value takes what is too much.
                while place < slot.length {
                    to.storeBytes(
                        of: from.loadUnaligned(fromByteOffset: place, as: SIMD16<UInt8>.self),
                        toByteOffset: place, as: SIMD16<UInt8>.self)
                    place &+= 16
                }
                end &+= slot.length
                // No text holds this byte: it ends the value.
                room[end] = 0xff
                end &+= 1
            }
            return end
        }
        return hash64(keys.pointer + start, keys.count &- start, seed: 0x5745_4952_6b65_7931)
    }

    /// The slot of a field in the row that was loaded.
    @inlinable @inline(__always)
    public func slot(_ field: Int) -> Slot { slots[field] }

    /// The text of a field in the row that was loaded: of strings as they stand in their slot, of
    /// numbers their digits; empty for null, booleans and fields that are not there.
    @inlinable @inline(__always)
    public func text(_ field: Int) -> UnsafeRawBufferPointer {
        let slot = slots[field]
        let base = slot.offset & Slot.arenaBit == 0 ? block : arena
        return UnsafeRawBufferPointer(
            start: base + Int(slot.offset & ~Slot.arenaBit), count: slot.length)
    }

    /// The text of a field that stands in its slot as it is: not that of an escaped string or of a
    /// boolean, for which it is `nil`; empty for a field that is null or not there.
    @inlinable @inline(__always)
    public func readyText(_ field: Int) -> UnsafeRawBufferPointer? {
        let code = slots[field].typeCode
        // integer, float, plain, raw, object, array
        if 0b1110_1110_0000 >> code & 1 == 1 { return text(field) }
        return code <= 2 ? UnsafeRawBufferPointer(start: nil, count: 0) : nil
    }
}

extension EventBatch {
    /// Changes one field of all rows; `absent` leaves a row as it is.
    public func edit(column: Int, rows slots: UnsafeBufferPointer<Slot>) {
        let present = columns[column]
        for row in 0..<min(slots.count, rows.count) where slots[row].typeCode != 0 {
            present[row] = slots[row]
        }
    }

    /// A string slot for text that lies in the batch's own bytes, without a copy.
    ///
    /// - Parameter isPlain: Whether JSON need not escape the text.
    /// - Returns: `nil` for text that lies elsewhere.
    @inline(__always)
    public func slot(sharing text: UnsafeRawBufferPointer, isPlain: Bool) -> Slot? {
        guard let start = text.baseAddress else { return nil }
        let type: FieldType = isPlain ? .plain : .raw
        let place = start - UnsafeRawPointer(pointer(0))
        if place >= 0, place &+ text.count <= blockCount {
            return Slot(type, offset: UInt32(truncatingIfNeeded: place), length: text.count)
        }
        let distance = start - UnsafeRawPointer(arena.pointer)
        guard distance >= 0, distance &+ text.count <= arena.count else { return nil }
        return Slot(
            type, offset: UInt32(truncatingIfNeeded: distance) | Slot.arenaBit, length: text.count)
    }
}

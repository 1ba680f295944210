// Hot path: filters write it and outputs read it once per event.

/// A change of one field in all rows or some: what filters write instead of moving bytes.
public final class EditColumn {
    /// The field's name.
    public let key: String
    private let shape: Shape
    /// One slot per row; `absent` leaves the row as it is, `removed` takes the field away.
    private(set) var slots: UnsafeMutablePointer<Slot>
    private var count: Int
    private var capacity: Int

    /// A column that leaves so many rows as they are.
    init(key: String, rowCount: Int) {
        self.key = key
        shape = Shape([key])
        count = rowCount
        capacity = max(rowCount, 16)
        slots = .allocate(capacity: capacity)
        slots.initialize(repeating: .absent, count: capacity)
    }

    deinit { slots.deallocate() }

    /// `,"key":`, ready for JSON, readable 16 bytes beyond its end.
    var encodedKey: UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: shape.encoded, count: shape.encodedEnds[0])
    }

    /// The change of one row; the row must be one of the batch's.
    subscript(row: Int) -> Slot {
        @inline(__always) get {
            precondition(row >= 0 && row < count, "a row of the batch")
            return slots[row]
        }
        @inline(__always) set {
            precondition(row >= 0 && row < count, "a row of the batch")
            slots[row] = newValue
        }
    }

    /// The change of a row that was appended to the batch.
    func append(_ slot: Slot) {
        if count == capacity { grow() }
        slots[count] = slot
        count += 1
    }

    private func grow() {
        let moved = UnsafeMutablePointer<Slot>.allocate(capacity: capacity * 2)
        moved.initialize(repeating: .absent, count: capacity * 2)
        moved.update(from: slots, count: count)
        slots.deallocate()
        slots = moved
        capacity *= 2
    }

    /// The changes of the rows in another order.
    func reorder(_ order: [Int]) {
        let former = (0..<count).map { slots[$0] }
        count = 0
        for row in order { append(former[row]) }
    }

    /// A column of the same changes that shares nothing.
    func copy() -> EditColumn {
        let copy = EditColumn(key: key, rowCount: count)
        copy.slots.update(from: slots, count: count)
        return copy
    }
}

// Hot path: how filters and outputs read one field of every row.

/// Finds one top-level field in the rows of a batch: resolved once per shape, not once per row.
public struct ColumnReader {
    /// The field's name.
    public let key: String
    private let column: Int?
    private var cachedShape: UInt16 = 0
    private var cachedIndex = -2

    /// A reader of `key`; made anew for every batch and after every new edit column.
    public init(_ key: String, in batch: EventBatch) {
        self.key = key
        column = batch.columns.firstIndex { $0.key.hasSameBytes(as: key) }
    }

    /// The field's slot in a row: `absent` when the row has no such field.
    @inline(__always)
    public mutating func slot(row: Int, in batch: EventBatch) -> Slot {
        if let column {
            let edit = batch.columns[column][row]
            if edit.type == .removed { return .absent }
            if edit.type != .absent { return edit }
        }
        let shape = batch.rows[row].shape
        if shape != cachedShape || cachedIndex == -2 { look(up: shape, in: batch) }
        return cachedIndex < 0 ? .absent : batch.originalSlot(row: row, index: cachedIndex)
    }

    @inline(never)
    private mutating func look(up shape: UInt16, in batch: EventBatch) {
        cachedShape = shape
        cachedIndex = batch.shapes[Int(shape)].index(of: key) ?? -1
    }
}

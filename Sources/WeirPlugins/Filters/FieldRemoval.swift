// Hot path: once per removed field of every event.
import WeirConfig
import WeirCore

/// Takes fields out of rows: top-level ones by an edit, inner ones by writing their outer field anew.
struct FieldRemoval {
    private var columns: [Int] = []
    private var inner: [(reader: ColumnReader, column: Int, way: RecordAccessor)] = []

    /// A removal of these fields; makes the edit columns, and sees edits made before ``apply``.
    init(_ ways: [RecordAccessor], from batch: EventBatch) {
        for way in ways {
            guard case .key(let key)? = way.steps.first else { continue }
            let column = batch.editColumn(key)
            if way.steps.count == 1 {
                columns.append(column)
            } else {
                inner.append((ColumnReader(key, in: batch), column, way))
            }
        }
    }

    /// Removes the fields from a row.
    @inline(__always)
    mutating func apply(to batch: EventBatch, row: Int) {
        for column in columns { batch.edit(column: column, row: row, to: .removed) }
        for index in inner.indices {
            let slot = inner[index].reader.slot(row: row, in: batch)
            guard slot.type == .object || slot.type == .array, let value = batch.value(of: slot),
                case .key(let key)? = inner[index].way.steps.first
            else { continue }
            var outer: Record = [key: value]
            inner[index].way.remove(from: &outer)
            guard let rest = outer[key], rest != value, let slot = batch.slot(for: rest) else {
                continue
            }
            batch.edit(column: inner[index].column, row: row, to: slot)
        }
    }
}

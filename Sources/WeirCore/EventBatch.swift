// Hot path: every event lives in a batch from its parser to its outputs.
import Glibc

/// One line of a block: where its bytes are, and where it began in its file.
public struct Line: Sendable {
    /// Byte offset in the batch (arena bit as in ``Slot``), without the line's end.
    public var offset: UInt32
    /// Bytes, without the line's end.
    public var length: UInt32
    /// The byte offset of the line in its source, for its event's identity.
    public var position: UInt64

    /// A line by its parts.
    @inlinable
    public init(offset: UInt32, length: UInt32, position: UInt64) {
        self.offset = offset
        self.length = length
        self.position = position
    }
}

/// One event of a batch: its fields' slots, its time and its line.
public struct Row: Sendable {
    /// The first of the row's slots in the batch's slot table.
    public var firstSlot: UInt32
    /// The index of the row's shape in the batch.
    public var shape: UInt16
    /// How many events of the same line came before this one.
    public var ordinal: UInt16
    /// The index of the line that this event was read from.
    public var line: UInt32
    /// Where the JSON object's text begins, for rows that can be spliced.
    public var sourceOffset: UInt32
    /// The JSON object's length; 0 for a row that must be encoded slot by slot.
    public var sourceLength: UInt32
    /// Whether a filter dropped the event.
    public var isDropped: Bool
    /// When the event happened.
    public var time: Timestamp

    /// A row by its parts.
    public init(
        firstSlot: UInt32, shape: UInt16, line: UInt32, ordinal: UInt16 = 0,
        sourceOffset: UInt32 = 0, sourceLength: UInt32 = 0, time: Timestamp = .epoch
    ) {
        self.firstSlot = firstSlot
        self.shape = shape
        self.ordinal = ordinal
        self.line = line
        self.sourceOffset = sourceOffset
        self.sourceLength = sourceLength
        isDropped = false
        self.time = time
    }
}

/// Why a line gave no event.
public enum ParseFailure: String, Sendable, CaseIterable {
    /// The text does not have the parser's form.
    case unmatched
    /// The text has the form, but its time cannot be read.
    case badTime = "bad_time"
    /// More fields, deeper nesting or a longer value than the parser's limit.
    case overLimit = "over_limit"
}

/// A line that gave no event.
public struct FailedLine: Sendable {
    /// The index of the line.
    public var line: UInt32
    /// Why.
    public var reason: ParseFailure
}

/// Where the events of a batch come from, for identities that survive a restart.
public struct Origin: Hashable, Sendable {
    /// A 128-bit hash of node, file identity and generation; zero when the source has no positions.
    public var high: UInt64
    /// The lower half.
    public var low: UInt64

    /// An origin by its hash.
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
}

/// The events of one block: its bytes, and a table of slots that point into them.
///
/// Nothing is allocated per event. A batch belongs to one thread at a time and is used again for
/// the next block (``reset()``). Filters add edit columns; the bytes of the block never change.
public final class EventBatch {
    /// The largest block, in bytes: offsets keep their highest bit for the arena.
    public static let blockByteLimit = 1 << 27

    /// Where the events are routed by.
    public var tag = ""
    /// Where the events come from.
    public var origin: Origin?
    /// The lines of the block.
    public var lines: [Line] = []
    /// The events.
    public internal(set) var rows: [Row] = []
    /// Lines that gave no event.
    public internal(set) var failures: [FailedLine] = []
    /// The shapes that rows refer to.
    public internal(set) var shapes: [Shape] = []
    /// What filters changed, in the order in which they did.
    public internal(set) var columns: [EditColumn] = []
    /// Where reading must go on when a parser could not finish the block's last lines, as with a
    /// joined event whose end has not been written yet.
    public var unfinishedPosition: UInt64?
    /// Whether nothing is to be waited for behind the block: a parser then gives what it has and
    /// leaves nothing unfinished.
    public var endsInput = false
    /// How many malformed UTF-8 parts were replaced by U+FFFD.
    public internal(set) var replacedByteSequenceCount = 0

    var slots: UnsafeMutablePointer<Slot>
    var slotCount = 0
    private var slotCapacity: Int
    private(set) var block: UnsafeMutablePointer<UInt8>
    /// Bytes of the block in use.
    public private(set) var blockCount = 0
    private var blockCapacity: Int
    var arena = ByteBuffer(capacity: 4096)

    /// A batch with room for a block of `blockCapacity` bytes.
    public init(blockCapacity: Int = 256 * 1024) {
        precondition(blockCapacity <= Self.blockByteLimit, "a block within the limit")
        slotCapacity = 1024
        slots = .allocate(capacity: slotCapacity)
        self.blockCapacity = max(blockCapacity, 64)
        block = .allocate(capacity: self.blockCapacity + ByteBuffer.padding)
    }

    deinit {
        slots.deallocate()
        block.deallocate()
    }

    /// Forgets everything but the memory.
    public func reset() {
        lines.removeAll(keepingCapacity: true)
        rows.removeAll(keepingCapacity: true)
        failures.removeAll(keepingCapacity: true)
        shapes.removeAll(keepingCapacity: true)
        columns.removeAll(keepingCapacity: true)
        arena.truncate(to: 0)
        slotCount = 0
        blockCount = 0
        replacedByteSequenceCount = 0
        origin = nil
        unfinishedPosition = nil
        endsInput = false
    }

    /// Fills the block: `body` writes at most `capacity` bytes and returns how many.
    ///
    /// What was in the block before is forgotten; call ``reset()`` first.
    public func fillBlock<E: Error>(
        capacity: Int, _ body: (UnsafeMutableRawBufferPointer) throws(E) -> Int
    ) throws(E) {
        precondition(capacity <= Self.blockByteLimit, "a block within the limit")
        if capacity > blockCapacity {
            block.deallocate()
            blockCapacity = capacity
            block = .allocate(capacity: capacity + ByteBuffer.padding)
        }
        let count = try body(UnsafeMutableRawBufferPointer(start: block, count: capacity))
        precondition(count >= 0 && count <= capacity, "wrote within the room given")
        memset(block + count, 0, ByteBuffer.padding)
        blockCount = count
    }

    /// Fills the block with a copy of bytes.
    public func fillBlock(copying bytes: UnsafeRawBufferPointer) {
        fillBlock(capacity: bytes.count) { room in
            room.copyMemory(from: bytes)
            return bytes.count
        }
    }

    /// Cuts the block's first `end` bytes into lines at LF; a last piece without LF is left out.
    ///
    /// A CR before the LF stays in the line: parsers of text formats need to see it.
    /// - Parameter position: The block's byte offset in its file.
    /// - Returns: The bytes up to the end of the last whole line.
    public func cutLines(position: UInt64) -> Int {
        var start = 0
        while start < blockCount,
            let found = memchr(block + start, 0x0a, blockCount - start)
        {
            let end = UnsafeRawPointer(found) - UnsafeRawPointer(block)
            lines.append(
                Line(
                    offset: UInt32(truncatingIfNeeded: start),
                    length: UInt32(truncatingIfNeeded: end - start),
                    position: position &+ UInt64(start)))
            start = end + 1
        }
        return start
    }

    // MARK: Reading bytes

    /// The bytes at an offset of the block or, with the highest bit set, of the arena.
    @inline(__always)
    func pointer(_ offset: UInt32) -> UnsafePointer<UInt8> {
        offset & Slot.arenaBit == 0
            ? UnsafePointer(block) + Int(offset)
            : arena.pointer + Int(offset & ~Slot.arenaBit)
    }

    /// Calls `body` with a value's text, readable 16 bytes beyond its end, valid inside `body` only.
    @inline(__always)
    public func withText<R, E: Error>(
        _ slot: Slot, _ body: (UnsafeRawBufferPointer) throws(E) -> R
    ) throws(E) -> R {
        try body(UnsafeRawBufferPointer(start: pointer(slot.offset), count: slot.length))
    }

    /// Calls `body` with a line's bytes, readable 16 bytes beyond their end.
    @inline(__always)
    public func withBytes<R, E: Error>(
        of line: Line, _ body: (UnsafeRawBufferPointer) throws(E) -> R
    ) throws(E) -> R {
        try body(UnsafeRawBufferPointer(start: pointer(line.offset), count: Int(line.length)))
    }

    /// The slot of a row's field by its place in the row's shape, edits left aside.
    @inline(__always)
    public func originalSlot(row: Int, index: Int) -> Slot {
        slots[Int(rows[row].firstSlot) &+ index]
    }

    // MARK: Writing

    /// Appends a slot for the row that is being built.
    @inline(__always)
    func append(_ slot: Slot) {
        if slotCount == slotCapacity { growSlots(1) }
        slots[slotCount] = slot
        slotCount &+= 1
    }

    /// Appends a slot that ``reserveSlots(_:)`` made room for.
    @inline(__always)
    func appendReserved(_ slot: Slot) {
        slots[slotCount] = slot
        slotCount &+= 1
    }

    /// Makes room for `extra` slots.
    @inline(__always)
    func reserveSlots(_ extra: Int) {
        if slotCapacity &- slotCount < extra { growSlots(extra) }
    }

    @inline(never)
    private func growSlots(_ extra: Int) {
        let capacity = slotCapacity * 2 + extra
        let moved = UnsafeMutablePointer<Slot>.allocate(capacity: capacity)
        moved.update(from: slots, count: slotCount)
        slots.deallocate()
        slots = moved
        slotCapacity = capacity
    }

    /// The index of a shape among the batch's, adding it when it is new; `nil` beyond 65,535.
    @inline(__always)
    public func index(of shape: Shape) -> UInt16? {
        if let last = shapes.last, last === shape {
            return UInt16(truncatingIfNeeded: shapes.count &- 1)
        }
        return slowIndex(of: shape)
    }

    @inline(never)
    private func slowIndex(of shape: Shape) -> UInt16? {
        if let index = shapes.lastIndex(where: { $0 === shape }) { return UInt16(index) }
        guard shapes.count < Int(UInt16.max) else { return nil }
        shapes.append(shape)
        return UInt16(shapes.count - 1)
    }

    /// Notes that a line gave no event.
    public func appendFailure(line: Int, _ reason: ParseFailure) {
        failures.append(FailedLine(line: UInt32(truncatingIfNeeded: line), reason: reason))
    }

    /// Drops a row; dropping is delivery as far as its source is concerned.
    public func drop(row: Int) { rows[row].isDropped = true }

    /// Sets a row's time.
    public func setTime(_ time: Timestamp, row: Int) { rows[row].time = time }

    /// The edit column of a field, made when there is none; set its rows by ``edit(column:row:to:)``.
    public func editColumn(_ key: String) -> Int {
        if let index = columns.firstIndex(where: { $0.key.hasSameBytes(as: key) }) { return index }
        columns.append(EditColumn(key: key, rowCount: rows.count))
        return columns.count - 1
    }

    /// Changes one field of one row.
    @inline(__always)
    public func edit(column: Int, row: Int, to slot: Slot) { columns[column][row] = slot }

    /// The place in the source up to which the batch's lines have given all their events: behind
    /// the last line, or where reading must go on.
    public var settledPosition: UInt64? {
        guard let last = lines.last else { return nil }
        return min(last.position &+ 1, unfinishedPosition ?? .max)
    }

    /// How many events have not been dropped.
    public var keptRowCount: Int {
        var count = 0
        for row in rows where !row.isDropped { count += 1 }
        return count
    }
}

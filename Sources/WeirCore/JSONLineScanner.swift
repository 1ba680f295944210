// Hot path: once per JSON log line.
import CShims
import Glibc

/// Reads lines that each hold a JSON object (or an array of objects) into rows of a batch.
///
/// Lines of one format have the same keys in the same order, so the scanner compares each key with
/// the one that the former line had at that place and looks a shape up only on a miss. Every
/// string is checked to be well-formed JSON and UTF-8 in the same pass.
public final class JSONLineScanner {
    /// Most fields of one event.
    public static let fieldLimit = 4096
    /// Deepest nesting of arrays and objects.
    public static let depthLimit = 63

    let prediction = KeyPrediction()
    let shapes = ShapeCache()
    /// The keys of the row under construction: their text in the block.
    var keys: [(offset: Int, length: Int)] = []

    /// The batch's index of the shape that rows of the predicted keys had last.
    private var predicted: (keys: UInt64, index: UInt16)?

    /// A scanner that has seen nothing yet.
    public init() {
        keys.reserveCapacity(64)
    }

    /// Reads every line of the batch, each into rows or a failure.
    /// - Parameter time: The time of rows until somebody reads a better one from a field.
    public func scan(into batch: EventBatch, time: Timestamp) {
        predicted = nil
        for line in batch.lines.indices {
            scanNext(line: line, into: batch, time: time)
        }
    }

    /// Reads one line.
    public func scan(line: Int, into batch: EventBatch, time: Timestamp) {
        predicted = nil
        scanNext(line: line, into: batch, time: time)
    }

    /// Reads a line of the batch that the former line was of.
    @inline(__always)
    private func scanNext(line: Int, into batch: EventBatch, time: Timestamp) {
        let start = Int(batch.lines[line].offset)
        let end = start &+ Int(batch.lines[line].length)
        let rowCount = batch.rows.count
        let slotCount = batch.slotCount
        var cursor = JSONCursor(base: UnsafePointer(batch.pointer(0)), place: start, end: end)
        cursor.skipWhitespace()
        guard cursor.place < end else { return batch.appendFailure(line: line, .unmatched) }
        let outcome: ScanOutcome
        if cursor.byte == UInt8(ascii: "{") {
            outcome = scanObject(&cursor, line: line, ordinal: 0, into: batch, time: time)
        } else {
            outcome = scanArray(&cursor, line: line, into: batch, time: time)
        }
        cursor.skipWhitespace()
        if outcome == .read && cursor.place == end { return }
        batch.rows.removeSubrange(rowCount...)
        batch.slotCount = slotCount
        batch.appendFailure(line: line, outcome == .overLimit ? .overLimit : .unmatched)
    }

    /// Reads `[{…},{…}]`, one row per object; other elements are refused.
    @inline(never)
    private func scanArray(
        _ cursor: inout JSONCursor, line: Int, into batch: EventBatch, time: Timestamp
    ) -> ScanOutcome {
        guard cursor.take(UInt8(ascii: "[")) else { return .malformed }
        cursor.skipWhitespace()
        var ordinal = 0
        while true {
            guard cursor.place < cursor.end, cursor.byte == UInt8(ascii: "{") else {
                return .malformed
            }
            if ordinal > Int(UInt16.max) { return .overLimit }
            let outcome = scanObject(&cursor, line: line, ordinal: ordinal, into: batch, time: time)
            if outcome != .read { return outcome }
            ordinal += 1
            cursor.skipWhitespace()
            if cursor.take(UInt8(ascii: ",")) {
                cursor.skipWhitespace()
            } else {
                return cursor.take(UInt8(ascii: "]")) ? .read : .malformed
            }
        }
    }

    /// Reads one object into a row.
    @inline(__always)
    private func scanObject(
        _ cursor: inout JSONCursor, line: Int, ordinal: Int, into batch: EventBatch,
        time: Timestamp
    ) -> ScanOutcome {
        let objectStart = cursor.place
        let firstSlot = batch.slotCount
        let arenaCount = batch.arena.count
        let replacedCount = batch.replacedByteSequenceCount
        var compact = true
        var known = scanPredicted(&cursor, batch, &compact)
        if known == nil {
            // Something was not as in the former line: once more, with every key looked at.
            cursor.place = objectStart
            batch.slotCount = firstSlot
            batch.arena.truncate(to: arenaCount)
            batch.replacedByteSequenceCount = replacedCount
            compact = true
            let outcome = scanUnknown(&cursor, batch, &compact)
            if outcome != .read { return outcome }
            predicted = nil
            known = shape(
                base: cursor.base, firstSlot: firstSlot, batch: batch, compact: &compact)
        }
        guard let shape = known else { return .overLimit }
        let length = cursor.place &- objectStart
        batch.rows.append(
            Row(
                firstSlot: UInt32(truncatingIfNeeded: firstSlot), shape: shape,
                line: UInt32(truncatingIfNeeded: line),
                ordinal: UInt16(truncatingIfNeeded: ordinal),
                sourceOffset: UInt32(truncatingIfNeeded: objectStart),
                sourceLength: compact ? UInt32(truncatingIfNeeded: length) : 0, time: time))
        return .read
    }

    /// Reads an object whose keys were all in the former line, in that order, without white space.
    /// - Returns: The index of its shape, or `nil` when it is anything else, malformed included.
    @inline(__always)
    private func scanPredicted(
        _ cursor: inout JSONCursor, _ batch: EventBatch, _ compact: inout Bool
    ) -> UInt16? {
        prediction.begin()
        batch.reserveSlots(KeyPrediction.keyLimit)
        cursor.place &+= 1
        while true {
            let length = prediction.match(cursor.base + cursor.place)
            if length == 0 { return nil }
            cursor.place &+= length
            let slot = cursor.scanValue(batch, &compact)
            if slot.type == .absent { return nil }
            batch.appendReserved(slot)
            let next = cursor.byte
            cursor.place &+= 1
            if next == UInt8(ascii: ",") { continue }
            if next != UInt8(ascii: "}") { return nil }
            break
        }
        let keys = prediction.seenKeys
        if let predicted, predicted.keys == keys { return predicted.index }
        guard let index = prediction.shape().flatMap({ batch.index(of: $0) }) else { return nil }
        predicted = (keys, index)
        return index
    }

    /// Reads an object of any keys, noting them.
    @inline(never)
    private func scanUnknown(
        _ cursor: inout JSONCursor, _ batch: EventBatch, _ compact: inout Bool
    ) -> ScanOutcome {
        keys.removeAll(keepingCapacity: true)
        prediction.begin()
        cursor.place &+= 1
        if cursor.byte <= 0x20 {
            compact = false
            cursor.skipWhitespace()
        }
        if cursor.take(UInt8(ascii: "}")) { return .read }
        return scanMembers(&cursor, batch, &compact)
    }

    /// Reads `"key":value,…}` up to and including the closing brace.
    @inline(__always)
    private func scanMembers(
        _ cursor: inout JSONCursor, _ batch: EventBatch, _ compact: inout Bool
    ) -> ScanOutcome {
        while true {
            let predicted = prediction.match(cursor.base + cursor.place)
            if predicted > 0 {
                keys.append((cursor.place &+ 1, predicted &- 3))
                cursor.place &+= predicted
            } else {
                guard let key = cursor.scanKey(&compact) else { return .malformed }
                keys.append(key)
                prediction.miss()
            }
            if keys.count > Self.fieldLimit { return .overLimit }
            if cursor.byte <= 0x20 {
                compact = false
                cursor.skipWhitespace()
            }
            let slot = cursor.scanValue(batch, &compact)
            if slot.type == .absent { return cursor.isOverLimit ? .overLimit : .malformed }
            batch.append(slot)
            if cursor.byte <= 0x20 {
                compact = false
                cursor.skipWhitespace()
            }
            if cursor.take(UInt8(ascii: ",")) {
                if cursor.byte <= 0x20 {
                    compact = false
                    cursor.skipWhitespace()
                }
            } else {
                return cursor.take(UInt8(ascii: "}")) ? .read : .malformed
            }
        }
    }

    /// The shape of the row under construction, as an index of the batch's shapes.
    @inline(__always)
    private func shape(
        base: UnsafePointer<UInt8>, firstSlot: Int, batch: EventBatch, compact: inout Bool
    ) -> UInt16? {
        if let shape = prediction.shape() { return batch.index(of: shape) }
        return lookUpShape(base: base, firstSlot: firstSlot, batch: batch, compact: &compact)
    }

    @inline(never)
    private func lookUpShape(
        base: UnsafePointer<UInt8>, firstSlot: Int, batch: EventBatch, compact: inout Bool
    ) -> UInt16? {
        let names = shapes.names(keys, base: base)
        if let unique = names.repetitionFree() {
            let shape = shapes.shape(of: names.names)
            if names.isRaw {
                prediction.learn(keys, base: base, shape: shape)
            } else {
                compact = false
            }
            precondition(unique == keys.count, "no name dropped")
            return batch.index(of: shape)
        }
        // A name came twice: the last one counts, at the first one's place.
        compact = false
        prediction.forget()
        var places: [ExactName: Int] = [:]
        var kept: [String] = []
        var values: [Slot] = []
        for (index, name) in names.names.enumerated() {
            let slot = batch.slots[firstSlot + index]
            if let place = places[ExactName(name)] {
                values[place] = slot
            } else {
                places[ExactName(name)] = kept.count
                kept.append(name)
                values.append(slot)
            }
        }
        batch.slotCount = firstSlot
        for slot in values { batch.append(slot) }
        return batch.index(of: shapes.shape(of: kept))
    }
}

/// What became of one JSON value.
enum ScanOutcome {
    case read
    case malformed
    case overLimit
}

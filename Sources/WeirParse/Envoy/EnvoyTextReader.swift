// Hot path: once per log line in one of Envoy's text formats.
import WeirCore

/// Turns lines of one text format into rows.
final class EnvoyTextReader {
    let format: EnvoyFormat
    let spansLines: Bool
    private let matcher: EnvoyLineMatcher
    private let shape: Shape
    private let forms: [EnvoyValueForm]
    private var slots: [Slot] = []

    /// A reader of a format.
    init(_ format: EnvoyFormat) {
        self.format = format
        spansLines = format.spansLines
        matcher = EnvoyLineMatcher(format)
        shape = Shape(format.fields.map(\.name))
        forms = format.fields.map(\.form)
        slots.reserveCapacity(forms.count)
    }

    /// Reads a line into a row, or into several when the format does not end its lines.
    func read(line index: Int, _ batch: EventBatch, _ now: Timestamp) -> EnvoyLineMatcher.Outcome {
        let line = batch.lines[index]
        let outcome = batch.withBytes(of: line) { bytes in
            withText(bytes) { matcher.match($0, bytes.count) }
        }
        if outcome == .unmatched {
            return !format.endsLine && readSeveral(line: index, batch, now) ? .matched : .unmatched
        }
        if !appendRow(line: index, ordinal: 0, batch, now) {
            batch.appendFailure(line: index, .overLimit)
        }
        return outcome
    }

    /// Reads the records of a line that follow one another without a line end.
    private func readSeveral(line index: Int, _ batch: EventBatch, _ now: Timestamp) -> Bool {
        let line = batch.lines[index]
        func nextEnd(_ start: Int) -> Int? {
            batch.withBytes(of: line) { bytes in
                withText(bytes) { matcher.matchOne($0, start, bytes.count) }
            }
        }
        var place = 0
        while place < Int(line.length) {
            guard let end = nextEnd(place) else { return false }
            place = end
        }
        guard place > 0 else { return false }
        place = 0
        var ordinal = 0
        while place < Int(line.length), let end = nextEnd(place) {
            guard ordinal <= Int(UInt16.max),
                appendRow(line: index, ordinal: ordinal, batch, now)
            else {
                batch.appendFailure(line: index, .overLimit)
                return true
            }
            place = end
            ordinal += 1
        }
        return true
    }

    @inline(__always)
    private func withText<R>(
        _ bytes: UnsafeRawBufferPointer, _ body: (UnsafePointer<UInt8>) -> R
    ) -> R {
        bytes.withMemoryRebound(to: UInt8.self) { text in
            guard let start = text.baseAddress else {
                preconditionFailure("a batch has memory for every line")
            }
            return body(start)
        }
    }

    /// Appends the row of the fields that the matcher has found.
    private func appendRow(
        line index: Int, ordinal: Int, _ batch: EventBatch, _ now: Timestamp
    ) -> Bool {
        let offset = Int(batch.lines[index].offset)
        slots.removeAll(keepingCapacity: true)
        for field in forms.indices {
            let start = matcher.starts[field]
            guard
                let slot = slot(
                    forms[field], batch, offset + start, matcher.ends[field] - start)
            else { return false }
            slots.append(slot)
        }
        return batch.appendRow(
            shape: shape, slots: slots, line: index, ordinal: ordinal, time: now)
    }

    /// The slot of a value.
    @inline(__always)
    private func slot(
        _ form: EnvoyValueForm, _ batch: EventBatch, _ offset: Int, _ length: Int
    ) -> Slot? {
        if format.omitsEmpty {
            if length == 0 { return .absent }
        } else if length == 1, form.dashIsMissing, isDash(batch, offset) {
            return .null
        }
        switch form.kind {
        case .integer:
            return Slot(.integer, offset: UInt32(truncatingIfNeeded: offset), length: length)
        case .string: break
        case .metadata, .quoted:
            if let slot = structured(form, batch, offset, length) { return slot }
        }
        return batch.makeTextSlot(offset: offset, length: length, malformed: .latin1)
    }

    @inline(__always)
    private func isDash(_ batch: EventBatch, _ offset: Int) -> Bool {
        let line = Line(offset: UInt32(truncatingIfNeeded: offset), length: 1, position: 0)
        return batch.withBytes(of: line) { $0[0] } == UInt8(ascii: "-")
    }

    /// The slot of a value that is JSON; `nil` when it is plain text.
    @inline(never)
    private func structured(
        _ form: EnvoyValueForm, _ batch: EventBatch, _ offset: Int, _ length: Int
    ) -> Slot? {
        let line = Line(
            offset: UInt32(truncatingIfNeeded: offset), length: UInt32(length), position: 0)
        guard let value = batch.withBytes(of: line, { JSONValueReader.value(of: $0) }) else {
            return nil
        }
        switch value {
        case .object, .array: return batch.slot(for: value)
        case .string: return form.kind == .quoted ? batch.slot(for: value) : nil
        case .bool, .integer, .float, .number:
            return form.kind == .metadata ? batch.slot(for: value) : nil
        case .null: return nil
        }
    }
}

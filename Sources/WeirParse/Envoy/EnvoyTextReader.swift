// Hot path: once per log line in one of Envoy's text formats.
import WeirCore

/// Turns lines of one text format into rows.
final class EnvoyTextReader {
    let format: EnvoyFormat
    let spansLines: Bool
    private let matcher: EnvoyLineMatcher
    private let quickMatcher: EnvoyCountedMatcher?
    private let shape: Shape
    private let forms: [EnvoyValueForm]
    private let omitsEmpty: Bool
    /// Whether some values may be JSON.
    private let hasStructure: Bool
    private var slots: [Slot] = []
    /// How each field's value becomes a slot, and the slots of a line of plain text.
    private let plainForms: UnsafeMutablePointer<PlainForm>
    private let plainSlots: UnsafeMutableBufferPointer<Slot>

    /// How a value of plain text becomes a slot.
    private struct PlainForm {
        var type: FieldType
        var dashIsMissing: Bool
        var emptyIsMissing: Bool
    }

    /// A reader of a format.
    init(_ format: EnvoyFormat) {
        self.format = format
        spansLines = format.spansLines
        omitsEmpty = format.omitsEmpty
        matcher = EnvoyLineMatcher(format)
        quickMatcher = EnvoyCountedMatcher(matcher)
        shape = Shape(format.fields.map(\.name))
        forms = format.fields.map(\.form)
        hasStructure = forms.contains { $0.kind == .metadata || $0.kind == .quoted }
        slots.reserveCapacity(forms.count)
        plainForms = .allocate(capacity: forms.count + 1)
        for (field, form) in forms.enumerated() {
            (plainForms + field).initialize(
                to: PlainForm(
                    type: form.kind == .integer ? .integer : .plain,
                    dashIsMissing: form.dashIsMissing && !omitsEmpty, emptyIsMissing: omitsEmpty))
        }
        plainSlots = .allocate(capacity: forms.count)
        plainSlots.initialize(repeating: .absent)
    }

    deinit {
        plainForms.deallocate()
        plainSlots.deallocate()
    }

    /// Reads a line into a row, or into several when the format does not end its lines.
    func read(line index: Int, _ batch: EventBatch, _ now: Timestamp) -> EnvoyLineMatcher.Outcome {
        let line = batch.lines[index]
        var isPlain = true
        let outcome: EnvoyLineMatcher.Outcome = batch.withBytes(of: line) { bytes in
            withText(bytes) { text in
                if let quickMatcher, quickMatcher.match(text, bytes.count) {
                    makePlainSlots(text, Int(line.offset))
                    return .matched
                }
                isPlain = false
                return matcher.match(text, bytes.count)
            }
        }
        if outcome == .unmatched {
            return !format.endsLine && readSeveral(line: index, batch, now) ? .matched : .unmatched
        }
        let isRead =
            isPlain && !hasStructure
            ? batch.appendPlainRow(
                shape: shape, slots: UnsafeBufferPointer(plainSlots), line: index, time: now)
            : appendRow(line: index, ordinal: 0, batch, now)
        if !isRead {
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

    /// Makes the slots of a line without anything to escape or to repair.
    @inline(__always)
    private func makePlainSlots(_ text: UnsafePointer<UInt8>, _ offset: Int) {
        for field in plainSlots.indices {
            let form = plainForms[field]
            let start = matcher.starts[field]
            let length = matcher.ends[field] &- start
            if length == 1, form.dashIsMissing, text[start] == UInt8(ascii: "-") {
                plainSlots[field] = .null
            } else if length == 0, form.emptyIsMissing {
                plainSlots[field] = .absent
            } else {
                plainSlots[field] = Slot(
                    form.type, offset: UInt32(truncatingIfNeeded: offset &+ start), length: length)
            }
        }
    }

    /// Appends the row of the fields that the matcher has found.
    private func appendRow(
        line index: Int, ordinal: Int, _ batch: EventBatch, _ now: Timestamp
    ) -> Bool {
        let offset = Int(batch.lines[index].offset)
        slots.removeAll(keepingCapacity: true)
        let line = batch.lines[index]
        batch.withBytes(of: line) { bytes in
            for field in forms.indices {
                let start = matcher.starts[field]
                let length = matcher.ends[field] &- start
                slots.append(slot(forms[field], bytes, start, length, offset))
            }
        }
        if hasStructure { makeStructures(batch) }
        return batch.appendTextRow(
            shape: shape, slots: slots, line: index, ordinal: ordinal, time: now,
            malformed: .latin1)
    }

    /// The slot of a value as it stands in the line.
    @inline(__always)
    private func slot(
        _ form: EnvoyValueForm, _ bytes: UnsafeRawBufferPointer, _ start: Int, _ length: Int,
        _ offset: Int
    ) -> Slot {
        if omitsEmpty {
            if length == 0 { return .absent }
        } else if length == 1, form.dashIsMissing, bytes[start] == UInt8(ascii: "-") {
            return .null
        }
        return Slot(
            form.kind == .integer ? .integer : .raw,
            offset: UInt32(truncatingIfNeeded: offset &+ start), length: length)
    }

    /// Puts the slots of values that are JSON in the place of those of their text.
    @inline(never)
    private func makeStructures(_ batch: EventBatch) {
        for field in forms.indices where slots[field].type == .raw {
            switch forms[field].kind {
            case .integer, .string: break
            case .metadata, .quoted:
                let slot = slots[field]
                if let made = structured(forms[field], batch, Int(slot.offset), slot.length) {
                    slots[field] = made
                }
            }
        }
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

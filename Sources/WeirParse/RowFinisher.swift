// Hot path when a log tells its own time: once per event.
import WeirCore

/// Applies what every `<parse>` has in common to rows: the time's field, types, nulls.
///
/// Works by edit columns, so that rows which came as JSON can still be spliced.
final class RowFinisher {
    private let options: ParseOptions
    private let format: TimeFormat?
    private let nullMatcher: RegexMatcher?
    private let needsRows: Bool

    init(_ options: ParseOptions) throws(TimeFormat.FormatError) {
        self.options = options
        if let text = options.timeFormat {
            format = try TimeFormat(text)
        } else {
            format = nil
        }
        nullMatcher = options.nullPattern.map { RegexMatcher($0) }
        needsRows = options.nullPattern != nil || options.emptyIsNull || !options.types.isEmpty
    }

    /// Finishes the rows from `first` on.
    func finish(_ batch: EventBatch, from first: Int, now: Timestamp) {
        guard first < batch.rows.count else { return }
        if needsRows { convert(batch, from: first) }
        if let key = options.timeKey { readTimes(key, batch, from: first, now: now) }
    }

    // MARK: Time

    private func readTimes(_ key: String, _ batch: EventBatch, from first: Int, now: Timestamp) {
        var reader = ColumnReader(key, in: batch)
        var column: Int?
        for row in first..<batch.rows.count {
            let slot = reader.slot(row: row, in: batch)
            guard slot.isPresent, slot.type != .null else { continue }
            guard let time = time(slot, in: batch, now: now) else {
                if options.keepsUnreadableTimes { continue }
                batch.drop(row: row)
                batch.appendFailure(line: Int(batch.rows[row].line), .badTime)
                continue
            }
            batch.setTime(time, row: row)
            if !options.keepsTimeKey {
                let place = column ?? batch.editColumn(key)
                column = place
                batch.edit(column: place, row: row, to: .removed)
                // A new column changes where the field is looked for.
                reader = ColumnReader(key, in: batch)
            }
        }
    }

    private func time(_ slot: Slot, in batch: EventBatch, now: Timestamp) -> Timestamp? {
        switch options.timeType {
        case .float: return batch.withText(slot) { UnixTime.parse($0) }
        case .unixtime:
            return batch.withText(slot) { UnixTime.parse($0) }.map {
                Timestamp(seconds: $0.seconds)
            }
        case .string: return written(slot, in: batch, now: now)
        case .mixed:
            return written(slot, in: batch, now: now) ?? batch.withText(slot) { UnixTime.parse($0) }
        }
    }

    private func written(_ slot: Slot, in batch: EventBatch, now: Timestamp) -> Timestamp? {
        if slot.type == .escaped, case .string(var text)? = batch.value(of: slot) {
            return text.withUTF8 { parse(UnsafeRawBufferPointer($0), now) }
        }
        return batch.withText(slot) { parse($0, now) }
    }

    private func parse(_ bytes: UnsafeRawBufferPointer, _ now: Timestamp) -> Timestamp? {
        if let format { return format.parse(bytes, zone: options.zone, now: now)?.time }
        return TimeFormat.parseFreely(bytes, zone: options.zone, now: now)?.time
    }

    // MARK: Types and nulls

    private func convert(_ batch: EventBatch, from first: Int) {
        for row in first..<batch.rows.count {
            for (key, value) in batch.record(row: row).fields {
                guard let changed = converted(key, value) else { continue }
                let column = batch.editColumn(key)
                let slot = batch.slot(for: changed) ?? .null
                batch.edit(column: column, row: row, to: slot)
            }
        }
    }

    /// The value that a field becomes, or `nil` when it stays as it is.
    private func converted(_ key: String, _ value: Value) -> Value? {
        if case .string(var text) = value {
            let isNull =
                options.emptyIsNull && text.isEmpty
                || text.withUTF8 { nullMatcher?.match(UnsafeRawBufferPointer($0)) } == .matched
            if isNull { return .null }
        }
        guard let wish = options.types.first(where: { $0.key == key }), value != .null else {
            return nil
        }
        return TypeConversion.convert(
            value, to: wish.type, argument: wish.argument, zone: options.zone)
    }
}

/// Seconds since 1970 as texts write them.
public enum UnixTime {
    /// Reads `1700000000` or `1700000000.123456789`; further digits are left out.
    public static func parse(_ bytes: UnsafeRawBufferPointer) -> Timestamp? {
        var seconds: Int64 = 0
        var nanoseconds: UInt32 = 0
        var place = 0
        let isNegative = bytes.first == UInt8(ascii: "-")
        if isNegative { place = 1 }
        let start = place
        while place < bytes.count, bytes[place] &- 0x30 < 10 {
            let (product, overflow) = seconds.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(Int64(bytes[place] &- 0x30))
            if overflow || carry { return nil }
            seconds = sum
            place += 1
        }
        guard place > start else { return nil }
        if place < bytes.count, bytes[place] == UInt8(ascii: ".") {
            place += 1
            var digits = 0
            while place < bytes.count, bytes[place] &- 0x30 < 10 {
                if digits < 9 {
                    nanoseconds = nanoseconds * 10 + UInt32(bytes[place] &- 0x30)
                    digits += 1
                }
                place += 1
            }
            for _ in digits..<9 { nanoseconds *= 10 }
        }
        guard place == bytes.count else { return nil }
        if isNegative {
            return nanoseconds == 0
                ? Timestamp(seconds: -seconds)
                : Timestamp(seconds: -seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds)
        }
        return Timestamp(seconds: seconds, nanoseconds: nanoseconds)
    }
}

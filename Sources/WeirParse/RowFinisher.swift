// Hot path when a log tells its own time: once per event.
import WeirCore

/// Applies what every `<parse>` has in common to rows: the time's field, types, nulls.
///
/// Works by edit columns, so that rows which came as JSON can still be spliced.
final class RowFinisher {
    private let options: ParseOptions
    private let format: TimeFormat?
    private let fallbacks: [TimeForm]
    private let nullMatcher: RegexMatcher?
    private let needsRows: Bool

    /// A form of the time that is tried when the first does not fit.
    private enum TimeForm {
        case float
        case unixTime
        case format(TimeFormat)
    }

    init(_ options: ParseOptions) throws(TimeFormat.FormatError) {
        self.options = options
        if let text = options.timeFormat {
            format = try TimeFormat(text)
        } else {
            format = nil
        }
        var fallbacks: [TimeForm] = []
        for text in options.timeFormatFallbacks {
            switch text {
            case "float": fallbacks.append(.float)
            case "unixtime": fallbacks.append(.unixTime)
            default: fallbacks.append(.format(try TimeFormat(text)))
            }
        }
        self.fallbacks = fallbacks
        nullMatcher = options.nullPattern.map { RegexMatcher($0) }
        needsRows = options.nullPattern != nil || options.emptyIsNull || !options.types.isEmpty
    }

    /// Finishes the rows from `first` on.
    func finish(_ batch: EventBatch, from first: Int, now: Timestamp) {
        guard first < batch.rows.count else { return }
        // The time first: it is read as it was written, whatever `types` makes of its field.
        if let key = options.timeKey { readTimes(key, batch, from: first, now: now) }
        if needsRows { convert(batch, from: first) }
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
            }
        }
    }

    private func time(_ slot: Slot, in batch: EventBatch, now: Timestamp) -> Timestamp? {
        switch options.timeType {
        case .float:
            let time = unixTime(slot, in: batch)
            if time == nil, options.isTimeTypeAssumed, slot.isString {
                return written(slot, in: batch, now: now)
            }
            return time
        case .unixtime:
            return unixTime(slot, in: batch).map { Timestamp(seconds: $0.seconds) }
        case .string: return written(slot, in: batch, now: now)
        case .mixed:
            return mixed(slot, in: batch, now: now)
        }
    }

    private func unixTime(_ slot: Slot, in batch: EventBatch) -> Timestamp? {
        if let time = batch.withText(slot, { UnixTime.parse($0) }) { return time }
        // `1.7e9` is a number of JSON, but no text of a time.
        guard slot.type == .float, case .float(let seconds)? = batch.value(of: slot),
            seconds >= 0, seconds < 9e15
        else { return nil }
        let whole = seconds.rounded(.down)
        let nanoseconds = ((seconds - whole) * 1e9).rounded()
        return Timestamp(
            seconds: Int64(whole), nanoseconds: UInt32(min(max(nanoseconds, 0), 999_999_999)))
    }

    /// The first form that fits.
    private func mixed(_ slot: Slot, in batch: EventBatch, now: Timestamp) -> Timestamp? {
        if format != nil, let time = written(slot, in: batch, now: now) { return time }
        for fallback in fallbacks {
            let time: Timestamp? = batch.withText(slot) { bytes in
                switch fallback {
                case .float: UnixTime.parse(bytes)
                case .unixTime: UnixTime.parse(bytes).map { Timestamp(seconds: $0.seconds) }
                case .format(let format): format.parse(bytes, zone: options.zone, now: now)?.time
                }
            }
            if let time { return time }
        }
        return nil
    }

    private func written(_ slot: Slot, in batch: EventBatch, now: Timestamp) -> Timestamp? {
        if slot.type == .escaped, case .string(var text)? = batch.value(of: slot) {
            return text.withUTF8 { parse(UnsafeRawBufferPointer($0), now) }
        }
        return batch.withText(slot) { parse($0, now) }
    }

    private func parse(_ bytes: UnsafeRawBufferPointer, _ now: Timestamp) -> Timestamp? {
        if let format {
            // strptime stops where the format ends.
            return format.parse(bytes, zone: options.zone, now: now, rest: .anything)?.time
        }
        return TimeFormat.parseFreely(bytes, zone: options.zone, now: now)?.time
    }

    // MARK: Types and nulls

    private func convert(_ batch: EventBatch, from first: Int) {
        for row in first..<batch.rows.count where !batch.rows[row].isDropped {
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

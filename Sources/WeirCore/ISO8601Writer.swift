// Hot path: once per document with an `@timestamp`.

/// Writes times as `2026-11-24T09:20:39.123456789+00:00`, keeping the text of the last second.
public struct ISO8601Writer {
    /// How the offset from UTC is written.
    public enum OffsetStyle: Sendable {
        /// `+00:00`, as Ruby's `iso8601` does for a local time.
        case numeric
        /// `Z`.
        case zulu
    }

    private let digits: Int
    private let style: OffsetStyle
    private var second = Int64.min
    private var offset = Int32.min
    private var head: [UInt8] = []
    private var tail: [UInt8] = []

    /// A writer with `digits` (0 to 9) of the second's fraction.
    public init(digits: Int = 9, offset style: OffsetStyle = .numeric) {
        self.digits = min(max(digits, 0), 9)
        self.style = style
    }

    /// Appends a time as it is shown `offsetSeconds` east of UTC.
    public mutating func append(
        _ time: Timestamp, offsetSeconds: Int32 = 0, to buffer: inout ByteBuffer
    ) {
        if time.seconds != second || offsetSeconds != offset {
            rewrite(time.seconds, offsetSeconds)
        }
        buffer.append(head)
        if digits > 0 { appendFraction(time.nanoseconds, to: &buffer) }
        buffer.append(tail)
    }

    private func appendFraction(_ nanoseconds: UInt32, to buffer: inout ByteBuffer) {
        buffer.appendInPlace(maximum: 10) { room in
            room[0] = UInt8(ascii: ".")
            var rest = min(nanoseconds, 999_999_999)
            var place = 9
            while place > 0 {
                if place <= digits { room[place] = UInt8(ascii: "0") + UInt8(rest % 10) }
                rest /= 10
                place &-= 1
            }
            return digits &+ 1
        }
    }

    private mutating func rewrite(_ seconds: Int64, _ offsetSeconds: Int32) {
        second = seconds
        offset = offsetSeconds
        let (local, overflow) = seconds.addingReportingOverflow(Int64(offsetSeconds))
        let date = CivilDate(seconds: overflow ? seconds : local)
        head = []
        appendPadded(Int(date.year), 4)
        head.append(UInt8(ascii: "-"))
        appendPadded(date.month, 2)
        head.append(UInt8(ascii: "-"))
        appendPadded(date.day, 2)
        head.append(UInt8(ascii: "T"))
        appendPadded(date.secondOfDay / 3600, 2)
        head.append(UInt8(ascii: ":"))
        appendPadded(date.secondOfDay / 60 % 60, 2)
        head.append(UInt8(ascii: ":"))
        appendPadded(date.secondOfDay % 60, 2)
        tail = offsetText(Int(offsetSeconds))
    }

    private mutating func appendPadded(_ number: Int, _ width: Int) {
        if number < 0 { head.append(UInt8(ascii: "-")) }
        let text = Array(String(number.magnitude).utf8)
        for _ in text.count..<max(width, text.count) { head.append(UInt8(ascii: "0")) }
        head += text
    }

    private func offsetText(_ offset: Int) -> [UInt8] {
        if style == .zulu, offset == 0 { return [UInt8(ascii: "Z")] }
        let minutes = abs(offset) / 60
        var text = [offset < 0 ? UInt8(ascii: "-") : UInt8(ascii: "+")]
        for (number, separator) in [(minutes / 60, ":"), (minutes % 60, "")] {
            text += number < 10 ? Array("0\(number)".utf8) : Array("\(number)".utf8)
            text += Array(separator.utf8)
        }
        return text
    }
}

/// A day of the proleptic Gregorian calendar and the second within it.
///
/// The arithmetic is H. Hinnant's ("chrono-compatible low-level date algorithms").
public struct CivilDate: Sendable, Equatable {
    /// The year; 0 is 1 BC.
    public var year: Int64
    /// 1 to 12.
    public var month: Int
    /// 1 to 31.
    public var day: Int
    /// 0 to 86,399.
    public var secondOfDay: Int

    /// The date of a number of seconds since 1970-01-01T00:00:00; beyond 36 billion years, the last.
    public init(seconds: Int64) {
        let seconds = min(max(seconds, -(1 << 60)), 1 << 60)
        let day = seconds >= 0 ? seconds / 86_400 : (seconds + 1) / 86_400 - 1
        secondOfDay = Int(seconds - day * 86_400)
        let shifted = day + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        self.day = Int(dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
        month = Int(shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9)
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }
}

extension TimeFormat {
    /// What may follow a time in its text.
    public enum Rest: Sendable {
        /// Nothing.
        case nothing
        /// Anything: it is not looked at.
        case anything
    }

    /// Reads a time of this form; the whole text must have it, unless `rest` says otherwise.
    /// - Parameters:
    ///   - zone: The zone of times that do not name theirs.
    ///   - now: The year of times that do not name theirs.
    /// - Returns: The time, and how far east of UTC it was written; `nil` when the text has another
    ///   form.
    public func parse(
        _ bytes: UnsafeRawBufferPointer, zone: TimeZone, now: Timestamp, rest: Rest = .nothing
    ) -> (time: Timestamp, offset: Int32?)? {
        if let usualZone, let time = Self.usualTime(bytes) {
            switch usualZone {
            case .utc: return (time, 0)
            case .untold:
                let seconds = zone.time(ofLocalSeconds: time.seconds)
                return (Timestamp(seconds: seconds, nanoseconds: time.nanoseconds), nil)
            }
        }
        var reader = TimeReader(bytes)
        var parts = TimeParts()
        for step in steps {
            guard reader.read(step, into: &parts) else { return nil }
        }
        guard reader.isAtEnd || rest == .anything,
            let time = parts.timestamp(zone: zone, now: now)
        else { return nil }
        return (time, parts.zoneOffset)
    }

    /// Reads `2026-11-24T09:20:39.123Z`, as nearly every log writes it, with three digits of a
    /// fraction, as UTC; `nil` for any other text.
    @inline(__always)
    private static func usualTime(_ bytes: UnsafeRawBufferPointer) -> Timestamp? {
        guard bytes.count == 24, bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-"),
            bytes[10] == UInt8(ascii: "T"), bytes[13] == UInt8(ascii: ":"),
            bytes[16] == UInt8(ascii: ":"), bytes[19] == UInt8(ascii: "."),
            bytes[23] == UInt8(ascii: "Z")
        else { return nil }
        var isDigits = true
        func number(_ place: Int, _ count: Int) -> Int {
            var value = 0
            for index in place..<(place &+ count) {
                let digit = bytes[index] &- 0x30
                if digit > 9 { isDigits = false }
                value = value &* 10 &+ Int(digit)
            }
            return value
        }
        let year = number(0, 4)
        let month = number(5, 2)
        let day = number(8, 2)
        let hour = number(11, 2)
        let minute = number(14, 2)
        let second = number(17, 2)
        let fraction = number(20, 3)
        guard isDigits, month >= 1, month <= 12, day >= 1, hour < 24, minute < 60, second < 60,
            day <= CivilDate.dayCount(year: Int64(year), month: month)
        else { return nil }
        let days = CivilDate.dayNumber(year: Int64(year), month: month, day: day)
        return Timestamp(
            seconds: days * 86_400 + Int64(hour * 3600 + minute * 60 + second),
            nanoseconds: UInt32(fraction) * 1_000_000)
    }

    /// Reads a time in whatever common form: ISO 8601, RFC 2822, Apache's, seconds.
    public static func parseFreely(
        _ bytes: UnsafeRawBufferPointer, zone: TimeZone, now: Timestamp
    ) -> (time: Timestamp, offset: Int32?)? {
        for format in freeFormats {
            if let found = format.parse(bytes, zone: zone, now: now) { return found }
        }
        return nil
    }

    private static let freeFormats: [TimeFormat] = [
        "%iso8601", "%Y-%m-%d %H:%M:%S.%N %z", "%Y-%m-%d %H:%M:%S %z", "%Y-%m-%d %H:%M:%S.%N%z",
        "%Y-%m-%d %H:%M:%S%z", "%Y-%m-%d %H:%M:%S.%N", "%Y-%m-%d %H:%M:%S,%N", "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%d %H:%M", "%Y-%m-%d", "%Y/%m/%d %H:%M:%S.%N", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d",
        "%a, %d %b %Y %H:%M:%S %z", "%a, %d %b %Y %H:%M:%S %Z", "%d/%b/%Y:%H:%M:%S %z",
        "%d %b %Y %H:%M:%S %z", "%d %b %Y %H:%M:%S", "%a %b %e %H:%M:%S %Y",
        "%a %b %e %H:%M:%S %z %Y",
        "%b %e %H:%M:%S %Y", "%b %e %H:%M:%S", "%b %d, %Y %H:%M:%S", "%Y%m%dT%H%M%S%z",
        "%Y%m%d%H%M%S", "%Y%m%d%H%M", "%Y%m%d", "%d/%m/%Y %H:%M:%S", "%d/%m/%Y", "%d %b %Y",
        "%b %d %Y %H:%M:%S", "%b %d %Y", "%Y-%m-%d %I:%M:%S %p", "%Y-%m-%d %I:%M %p",
        "%Y-%m-%d %H:%M:%S %Z",
        "%H:%M:%S",
    ].compactMap { try? TimeFormat($0) }
}

/// A place in a time's text.
struct TimeReader {
    private let bytes: UnsafeRawBufferPointer
    private var place = 0

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    var isAtEnd: Bool { place == bytes.count }

    private var byte: UInt8 { place < bytes.count ? bytes[place] : 0 }

    private mutating func take(_ expected: UInt8) -> Bool {
        guard place < bytes.count, bytes[place] == expected else { return false }
        place += 1
        return true
    }

    /// Reads from 1 to `limit` digits.
    private mutating func digits(_ limit: Int) -> Int64? {
        var value: Int64 = 0
        let start = place
        while place < bytes.count, place - start < limit, bytes[place] &- 0x30 < 10 {
            value = value * 10 + Int64(bytes[place] &- 0x30)
            place += 1
        }
        return place > start ? value : nil
    }

    private mutating func number(_ limit: Int, in range: ClosedRange<Int64>) -> Int? {
        // Days and hours may be padded with a blank.
        while byte == 0x20 { place += 1 }
        guard let value = digits(limit), range.contains(value) else { return nil }
        return Int(value)
    }

    mutating func read(_ step: TimeFormat.Step, into parts: inout TimeParts) -> Bool {
        switch step {
        case .literal(let expected): return take(expected)
        case .space:
            while byte == 0x20 || byte == 0x09 || byte == 0x0a { place += 1 }
            return true
        case .year:
            let isNegative = take(UInt8(ascii: "-"))
            guard let year = digits(4) else { return false }
            parts.year = isNegative ? -year : year
            return true
        case .shortYear:
            guard let year = digits(2) else { return false }
            parts.year = year + (year < 69 ? 2000 : 1900)
            return true
        case .month: return set(\.month, number(2, in: 1...12), &parts)
        case .day: return set(\.day, number(2, in: 1...31), &parts)
        case .hour: return set(\.hour, number(2, in: 0...24), &parts)
        case .hour12: return set(\.hour, number(2, in: 1...12), &parts)
        case .minute: return set(\.minute, number(2, in: 0...59), &parts)
        case .second: return set(\.second, number(2, in: 0...60), &parts)
        case .dayOfYear:
            guard let day = number(3, in: 1...366) else { return false }
            parts.dayOfYear = day
            return true
        case .monthName:
            guard let index = name(of: TimeFormat.monthNames) else { return false }
            parts.month = index + 1
            return true
        case .weekdayName: return name(of: TimeFormat.weekdayNames) != nil
        case .fraction(let count): return readFraction(count, into: &parts)
        case .halfDay: return readHalfDay(into: &parts)
        case .zone: return readZone(into: &parts)
        case .zoneName: return readZoneName(into: &parts)
        case .unixSeconds:
            let isNegative = take(UInt8(ascii: "-"))
            guard let seconds = digits(17) else { return false }
            parts.unixSeconds = isNegative ? -seconds : seconds
            return true
        case .iso8601: return readISO8601(into: &parts)
        }
    }

    private func set(
        _ part: WritableKeyPath<TimeParts, Int>, _ value: Int?, _ parts: inout TimeParts
    ) -> Bool {
        guard let value else { return false }
        parts[keyPath: part] = value
        return true
    }

    /// Reads one of some names, or its first three letters, in any case.
    private mutating func name(of names: [String]) -> Int? {
        for (index, name) in names.enumerated() {
            for length in [name.utf8.count, 3] where matches(name.utf8.prefix(length)) {
                place += length
                return index
            }
        }
        return nil
    }

    private func matches(_ name: Substring.UTF8View) -> Bool {
        guard bytes.count - place >= name.count else { return false }
        return zip(name, bytes[place...]).allSatisfy { $0 == $1 | 0x20 }
    }

    private mutating func readFraction(_ count: Int?, into parts: inout TimeParts) -> Bool {
        var value: UInt32 = 0
        var digits = 0
        let start = place
        while place < bytes.count, place - start < count ?? 24, bytes[place] &- 0x30 < 10 {
            // Digits beyond nanoseconds are there and say nothing that is kept.
            if digits < 9 {
                value = value * 10 + UInt32(bytes[place] &- 0x30)
                digits += 1
            }
            place += 1
        }
        guard digits > 0 else { return false }
        for _ in digits..<9 { value *= 10 }
        parts.nanoseconds = value
        return true
    }

    private mutating func readHalfDay(into parts: inout TimeParts) -> Bool {
        guard bytes.count - place >= 2, bytes[place + 1] | 0x20 == UInt8(ascii: "m") else {
            return false
        }
        switch bytes[place] | 0x20 {
        case UInt8(ascii: "a"): parts.isAfternoon = false
        case UInt8(ascii: "p"): parts.isAfternoon = true
        default: return false
        }
        place += 2
        return true
    }

    private mutating func readZone(into parts: inout TimeParts) -> Bool {
        if take(UInt8(ascii: "Z")) || take(UInt8(ascii: "z")) {
            parts.zoneOffset = 0
            return true
        }
        let sign = byte
        guard sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") else {
            return readUniversal(into: &parts)
        }
        place += 1
        guard let hours = digits(2) else { return false }
        _ = take(UInt8(ascii: ":"))
        let minutes = digits(2) ?? 0
        guard hours <= 23, minutes <= 59 else { return false }
        let seconds = Int32(hours * 3600 + minutes * 60)
        parts.zoneOffset = sign == UInt8(ascii: "-") ? -seconds : seconds
        return true
    }

    /// Reads a zone's name or distance; a name that Ruby does not know says nothing, as in Ruby.
    private mutating func readZoneName(into parts: inout TimeParts) -> Bool {
        if byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-") { return readZone(into: &parts) }
        if readUniversal(into: &parts) { return true }
        let start = place
        while byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7a
            || place > start && "/_".utf8.contains(byte)
        {
            place += 1
        }
        guard place > start, place - start <= 64 else { return false }
        let name = String(decoding: bytes[start..<place], as: UTF8.self).uppercased()
        if let hours = Self.zoneHours[name] { parts.zoneOffset = hours * 3600 }
        return true
    }

    private mutating func readUniversal(into parts: inout TimeParts) -> Bool {
        for name in ["utc", "gmt"] where matches(name.utf8.prefix(3)) {
            place += 3
            parts.zoneOffset = 0
            return true
        }
        return false
    }

    /// The zones that Ruby knows by name, in hours from UTC.
    private static let zoneHours: [String: Int32] = [
        "UTC": 0, "GMT": 0, "UT": 0, "Z": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7,
        "MDT": -6, "PST": -8, "PDT": -7,
    ]

    /// Reads `2026-11-24T09:20:39.123456+01:00`; the zone may be missing, as in Ruby's `iso8601`.
    private mutating func readISO8601(into parts: inout TimeParts) -> Bool {
        let dash = UInt8(ascii: "-")
        let colon = UInt8(ascii: ":")
        guard read(.year, into: &parts), take(dash), read(.month, into: &parts), take(dash),
            read(.day, into: &parts),
            take(UInt8(ascii: "T")) || take(UInt8(ascii: "t")) || take(0x20),
            read(.hour, into: &parts), take(colon), read(.minute, into: &parts), take(colon),
            read(.second, into: &parts)
        else { return false }
        if take(UInt8(ascii: ".")) || take(UInt8(ascii: ",")), !readFraction(nil, into: &parts) {
            return false
        }
        return isAtEnd || readZone(into: &parts)
    }
}

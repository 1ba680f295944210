/// A time's form in strptime's terms, compiled once: Ruby's sequences, with fractions `%L %N %3N`.
public struct TimeFormat: Sendable {
    enum Step: Sendable, Equatable {
        case literal(UInt8)
        /// Any white space, also none.
        case space
        case year
        case shortYear
        case month
        case monthName
        case day
        case dayOfYear
        case weekdayName
        case hour
        case hour12
        case minute
        case second
        /// Digits of the second's fraction; `nil` for as many as there are.
        case fraction(Int?)
        case halfDay
        case zone
        case zoneName
        case unixSeconds
        case iso8601
    }

    /// Why a format is refused.
    public struct FormatError: Error, Equatable, Sendable {
        /// What is wrong with it.
        public var message: String
        /// How to mend it.
        public var help: String
    }

    /// The format as it was written.
    public let text: String
    let steps: [Step]
    /// How a time of the usual form tells its zone; `nil` for any other form.
    let usualZone: UsualZone?

    /// The zone of a time such as `2026-11-24T09:20:39.123Z`.
    enum UsualZone: Sendable {
        /// The `Z` means UTC.
        case utc
        /// The `Z` is a letter like others.
        case untold
    }

    /// Compiles a format.
    public init(_ text: String) throws(FormatError) {
        self.text = text
        let steps = try Self.compile(text)
        self.steps = steps
        switch steps.last {
        case .iso8601 where steps.count == 1: usualZone = .utc
        case .zone where Self.isUsual(steps.dropLast()): usualZone = .utc
        case .literal(UInt8(ascii: "Z")) where Self.isUsual(steps.dropLast()): usualZone = .untold
        default: usualZone = nil
        }
    }

    private static func isUsual(_ steps: ArraySlice<Step>) -> Bool {
        func literal(_ letter: Unicode.Scalar) -> Step { .literal(UInt8(ascii: letter)) }
        let whole: [Step] = [
            .year, literal("-"), .month, literal("-"), .day, literal("T"), .hour, literal(":"),
            .minute, literal(":"), .second, literal("."),
        ]
        guard steps.dropLast() == whole[...], case .fraction? = steps.last else { return false }
        return true
    }

    private static func compile(_ text: String) throws(FormatError) -> [Step] {
        if text == "%iso8601" { return [.iso8601] }
        var steps: [Step] = []
        var rest = expanded(text)[...]
        while let c = rest.popFirst() {
            guard c == UInt8(ascii: "%") else {
                steps.append(c == 0x20 || c == 0x09 || c == 0x0a ? .space : .literal(c))
                continue
            }
            while let flag = rest.first, flag == UInt8(ascii: "-") || flag == UInt8(ascii: ":") {
                rest.removeFirst()
            }
            var width: Int?
            while let digit = rest.first, digit &- 0x30 < 10 {
                width = (width ?? 0) * 10 + Int(digit &- 0x30)
                rest.removeFirst()
                if width ?? 0 > 24 { break }
            }
            guard let letter = rest.popFirst(), let found = step(letter, width: width) else {
                throw FormatError(
                    message: "`\(text)` has a sequence that no time has",
                    help:
                        "write strptime's sequences, such as `%Y-%m-%dT%H:%M:%S.%LZ`; `%%` is a percent sign"
                )
            }
            steps += found
        }
        return steps
    }

    /// A format's bytes with the sequences written out that stand for several.
    private static func expanded(_ text: String) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let c = rest.popFirst() {
            guard c == UInt8(ascii: "%"), let letter = rest.popFirst() else {
                bytes.append(c)
                continue
            }
            switch letter {
            case UInt8(ascii: "T"), UInt8(ascii: "X"): bytes += "%H:%M:%S".utf8
            case UInt8(ascii: "D"), UInt8(ascii: "x"): bytes += "%m/%d/%y".utf8
            case UInt8(ascii: "F"): bytes += "%Y-%m-%d".utf8
            case UInt8(ascii: "R"): bytes += "%H:%M".utf8
            case UInt8(ascii: "r"): bytes += "%I:%M:%S %p".utf8
            case UInt8(ascii: "c"): bytes += "%a %b %e %H:%M:%S %Y".utf8
            case UInt8(ascii: "v"): bytes += "%e-%b-%Y".utf8
            default: bytes += [c, letter]
            }
        }
        return bytes
    }

    private static func step(_ letter: UInt8, width: Int?) -> [Step]? {
        switch letter {
        case UInt8(ascii: "Y"): [.year]
        case UInt8(ascii: "y"): [.shortYear]
        case UInt8(ascii: "m"): [.month]
        case UInt8(ascii: "b"), UInt8(ascii: "B"), UInt8(ascii: "h"): [.monthName]
        case UInt8(ascii: "d"), UInt8(ascii: "e"): [.day]
        case UInt8(ascii: "j"): [.dayOfYear]
        case UInt8(ascii: "a"), UInt8(ascii: "A"): [.weekdayName]
        case UInt8(ascii: "H"), UInt8(ascii: "k"): [.hour]
        case UInt8(ascii: "I"), UInt8(ascii: "l"): [.hour12]
        case UInt8(ascii: "M"): [.minute]
        case UInt8(ascii: "S"): [.second]
        case UInt8(ascii: "L"): [.fraction(width)]
        case UInt8(ascii: "N"): [.fraction(width)]
        case UInt8(ascii: "p"), UInt8(ascii: "P"): [.halfDay]
        case UInt8(ascii: "z"): [.zone]
        case UInt8(ascii: "Z"): [.zoneName]
        case UInt8(ascii: "s"): [.unixSeconds]
        case UInt8(ascii: "n"), UInt8(ascii: "t"): [.space]
        case UInt8(ascii: "%"): [.literal(letter)]
        default: nil
        }
    }

    static let monthNames = [
        "january", "february", "march", "april", "may", "june", "july", "august", "september",
        "october", "november", "december",
    ]
    static let weekdayNames = [
        "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
    ]
}

/// The parts of a time that a text has told.
struct TimeParts {
    var year: Int64?
    var month = 1
    var day = 1
    var dayOfYear: Int?
    var hour = 0
    var minute = 0
    var second = 0
    var nanoseconds: UInt32 = 0
    var isAfternoon: Bool?
    var zoneOffset: Int32?
    var unixSeconds: Int64?

    /// The time that the parts make, or `nil` when there is no such day or hour.
    func timestamp(zone: TimeZone, now: Timestamp) -> Timestamp? {
        if let unixSeconds { return Timestamp(seconds: unixSeconds, nanoseconds: nanoseconds) }
        var hour = hour
        if let isAfternoon {
            guard hour >= 1, hour <= 12 else { return nil }
            hour = hour % 12 + (isAfternoon ? 12 : 0)
        }
        let year = year ?? CivilDate(seconds: now.seconds).year
        guard month >= 1, month <= 12, day >= 1,
            day <= CivilDate.dayCount(year: year, month: month),
            hour <= 24, minute <= 59, second <= 60, abs(year) < 1_000_000
        else { return nil }
        if hour == 24, minute > 0 || second > 0 { return nil }
        var days = CivilDate.dayNumber(year: year, month: month, day: day)
        if let dayOfYear {
            guard dayOfYear >= 1, dayOfYear <= 366 else { return nil }
            days = CivilDate.dayNumber(year: year, month: 1, day: 1) + Int64(dayOfYear - 1)
        }
        let local = days * 86_400 + Int64(hour * 3600 + minute * 60 + second)
        if let zoneOffset {
            return Timestamp(seconds: local - Int64(zoneOffset), nanoseconds: nanoseconds)
        }
        return Timestamp(seconds: zone.time(ofLocalSeconds: local), nanoseconds: nanoseconds)
    }
}

extension CivilDate {
    /// Days since 1970-01-01 (H. Hinnant's algorithm).
    static func dayNumber(year: Int64, month: Int, day: Int) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = Int64((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1)
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    /// How many days a month has.
    static func dayCount(year: Int64, month: Int) -> Int {
        if month == 2 { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28 }
        return [4, 6, 9, 11].contains(month) ? 30 : 31
    }
}

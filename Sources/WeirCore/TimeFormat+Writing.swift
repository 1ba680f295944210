extension TimeFormat {
    /// A time in strftime's terms: index names, paths, placeholders.
    public static func text(of time: Timestamp, format: String, zone: TimeZone) -> String {
        let offset = zone.offsetSeconds(at: time)
        let local = time.seconds.addingReportingOverflow(Int64(offset))
        let date = CivilDate(seconds: local.overflow ? time.seconds : local.partialValue)
        var text = ""
        var rest = Substring(format)
        while let c = rest.popFirst() {
            guard c == "%" else {
                text.append(c)
                continue
            }
            var width: Int?
            while let first = rest.first, first.isASCII, let digit = first.wholeNumberValue,
                width ?? 0 < 10
            {
                width = (width ?? 0) * 10 + digit
                rest.removeFirst()
            }
            guard let letter = rest.popFirst() else {
                text += "%"
                break
            }
            text += piece(letter, width, date, time, offset) ?? "%\(letter)"
        }
        return text
    }

    private static func piece(
        _ letter: Character, _ width: Int?, _ date: CivilDate, _ time: Timestamp, _ offset: Int32
    ) -> String? {
        let hour = date.secondOfDay / 3600
        let week = date.isoWeek
        switch letter {
        case "Y": return padded(date.year, 4)
        case "C": return padded(date.year / 100, 2)
        case "y": return padded(((date.year % 100) + 100) % 100, 2)
        case "m": return padded(Int64(date.month), 2)
        case "d": return padded(Int64(date.day), 2)
        case "e": return date.day < 10 ? " \(date.day)" : "\(date.day)"
        case "j": return padded(Int64(date.dayOfYear), 3)
        case "H": return padded(Int64(hour), 2)
        case "I": return padded(Int64((hour + 11) % 12 + 1), 2)
        case "M": return padded(Int64(date.secondOfDay / 60 % 60), 2)
        case "S": return padded(Int64(date.secondOfDay % 60), 2)
        case "L": return fraction(time, width ?? 3)
        case "N": return fraction(time, width ?? 9)
        case "s": return "\(time.seconds)"
        case "p": return hour < 12 ? "AM" : "PM"
        case "z": return zoneText(offset)
        case "Z": return offset == 0 ? "UTC" : zoneText(offset)
        case "F":
            return
                "\(padded(date.year, 4))-\(padded(Int64(date.month), 2))-\(padded(Int64(date.day), 2))"
        case "T":
            return
                "\(padded(Int64(hour), 2)):\(padded(Int64(date.secondOfDay / 60 % 60), 2)):\(padded(Int64(date.secondOfDay % 60), 2))"
        case "G": return padded(week.year, 4)
        case "V": return padded(Int64(week.week), 2)
        case "u": return "\(date.weekday)"
        case "w": return "\(date.weekday % 7)"
        case "b", "h": return String(capitalized(monthNames[date.month - 1]).prefix(3))
        case "B": return capitalized(monthNames[date.month - 1])
        case "a": return String(capitalized(weekdayNames[date.weekday - 1]).prefix(3))
        case "A": return capitalized(weekdayNames[date.weekday - 1])
        case "%": return "%"
        default: return nil
        }
    }

    private static func capitalized(_ name: String) -> String {
        name.prefix(1).uppercased() + name.dropFirst()
    }

    private static func padded(_ number: Int64, _ width: Int) -> String {
        let digits = String(number.magnitude)
        let zeros = String(repeating: "0", count: max(0, width - digits.count))
        return (number < 0 ? "-" : "") + zeros + digits
    }

    private static func fraction(_ time: Timestamp, _ width: Int) -> String {
        let digits = padded(Int64(time.nanoseconds), 9)
        return width <= 9
            ? String(digits.prefix(width)) : digits + String(repeating: "0", count: width - 9)
    }

    private static func zoneText(_ offset: Int32) -> String {
        let minutes = Int64(offset.magnitude) / 60
        return (offset < 0 ? "-" : "+") + padded(minutes / 60, 2) + padded(minutes % 60, 2)
    }
}

extension CivilDate {
    /// 1 (Monday) to 7.
    var weekday: Int {
        let days = Self.dayNumber(year: year, month: month, day: day)
        return Int(((days + 3) % 7 + 7) % 7) + 1
    }

    /// 1 to 366.
    var dayOfYear: Int {
        Int(
            Self.dayNumber(year: year, month: month, day: day)
                - Self.dayNumber(year: year, month: 1, day: 1)) + 1
    }

    /// The week of ISO 8601 and the year that it belongs to.
    var isoWeek: (year: Int64, week: Int) {
        let thursday = dayOfYear - weekday + 4
        let yearLength = Self.dayCount(year: year, month: 2) + 337
        if thursday < 1 {
            let before = CivilDate(
                seconds: (Self.dayNumber(year: year, month: 1, day: 1) - 1) * 86_400)
            return (year - 1, (before.dayOfYear - before.weekday + 10) / 7)
        }
        if thursday > yearLength { return (year + 1, 1) }
        return (year, (thursday - 1) / 7 + 1)
    }
}

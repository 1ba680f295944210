/// The functions of a date, in UTC: of each value as seconds after the epoch, or of the step's time.
enum DateFunctions {
    static let all: [PromQLFunction] = [
        date("days_in_month") { Double($0.daysInMonth) },
        date("day_of_month") { Double($0.day) },
        date("day_of_week") { Double($0.weekday) },
        date("day_of_year") { Double($0.dayOfYear) },
        date("hour") { Double($0.hour) },
        date("minute") { Double($0.minute) },
        date("month") { Double($0.month) },
        date("year") { Double($0.year) },
    ]

    private static func date(
        _ name: String, _ part: @escaping @Sendable (CalendarDate) -> Double
    ) -> PromQLFunction {
        PromQLFunction(
            FunctionSignature(name, [.instantVector], arity: .optional(1)),
            .rows { evaluator, invocation, consume throws(QueryError) in
                let steps = invocation.steps
                guard let argument = invocation.call.arguments.first else {
                    var row = SeriesRow(labels: LabelSet(), stepCount: steps.count)
                    for step in 0..<steps.count {
                        row.floats[step] = part(CalendarDate(seconds: steps[step] / 1_000))
                    }
                    return try consume(&row)
                }
                try evaluator.mappedRows(argument, steps, consume) { value, _ in
                    part(CalendarDate(seconds: CalendarDate.whole(value)))
                }
            })
    }
}

/// A date and time of the Gregorian calendar in UTC.
struct CalendarDate {
    private(set) var year: Int64
    private(set) var month: Int
    private(set) var day: Int
    private(set) var dayOfYear: Int
    /// 0 is Sunday.
    private(set) var weekday: Int
    private(set) var hour: Int
    private(set) var minute: Int

    /// Seconds as a whole number, cut off towards zero; what no `Int64` holds is its least, as in Go on
    /// x86-64, whose calendar then turns over to 2^63 seconds.
    static func whole(_ value: Double) -> Int64 {
        Int64(exactly: value.rounded(.towardZero)) ?? .min
    }

    /// The date so many seconds after the epoch.
    init(seconds: Int64) {
        var days = seconds / 86_400
        var rest = seconds % 86_400
        if rest < 0 {
            rest += 86_400
            days -= 1
        }
        if seconds == .min { (days, rest) = (106_751_991_167_300, 55_808) }
        hour = Int(rest / 3_600)
        minute = Int(rest % 3_600 / 60)
        weekday = Int(((days % 7) + 11) % 7)
        // Days since 1 March of year 0, in eras of 400 years.
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayFromMarch = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayFromMarch + 2) / 153
        day = Int(dayFromMarch - (153 * monthFromMarch + 2) / 5 + 1)
        month = Int(monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9)
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        dayOfYear = 0
        let isLeap = Self.isLeap(year)
        for earlier in 1..<month { dayOfYear += Self.days(in: earlier, isLeap: isLeap) }
        dayOfYear += day
    }

    /// How many days the month has.
    var daysInMonth: Int { Self.days(in: month, isLeap: Self.isLeap(year)) }

    private static func isLeap(_ year: Int64) -> Bool {
        year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    }

    private static func days(in month: Int, isLeap: Bool) -> Int {
        switch month {
        case 2: isLeap ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}

import WeirConfig
import WeirCore

/// The parameters that every `<parse>` has, declared once.
enum ParseParameters {
    static let types = Parameter.text(
        "types", default: "", "Types of fields: `code:integer,size:float,tags:array:|`.")
    static let timeKey = Parameter.text("time_key", default: "", "The field of the event's time.")
    static let timeType = Parameter<ParseOptions.TimeType>.choice(
        "time_type", default: .string, "How the time is written.")
    static let timeFormat = Parameter.text(
        "time_format", default: "", "The time's form in strptime's sequences, or `%iso8601`.")
    static let fallbacks = Parameter.list(
        "time_format_fallbacks", default: [],
        "Further forms of the time, for `time_type mixed`: formats, `float` or `unixtime`.")
    static let keepTimeKey = Parameter.flag(
        "keep_time_key", default: false, "Whether the time's field stays in the record.")
    static let timeZone = Parameter.text(
        "timezone", default: "", "The zone of times without one, such as `+09:00`.")
    static let localTime = Parameter.flag(
        "localtime", default: true, "Whether times without a zone are of the machine's.")
    static let utc = Parameter.flag("utc", default: false, "Whether times without a zone are UTC.")
    static let estimate = Parameter.flag(
        "estimate_current_event", default: true, "Whether an event without a time happened now.")
    static let nullPattern = Parameter.text(
        "null_value_pattern", default: "", "A pattern of values that are null.")
    static let nullEmpty = Parameter.flag(
        "null_empty_string", default: false, "Whether an empty text is null.")

    static let all: [AnyParameter] = [
        AnyParameter(types), AnyParameter(timeKey), AnyParameter(timeType),
        AnyParameter(timeFormat), AnyParameter(fallbacks),
        AnyParameter(keepTimeKey), AnyParameter(timeZone), AnyParameter(localTime),
        AnyParameter(utc),
        AnyParameter(estimate), AnyParameter(nullPattern), AnyParameter(nullEmpty),
    ]

    static let ignored = [
        IgnoredParameter(
            "timeout", because: "patterns are limited in steps, so none runs for long"),
        IgnoredParameter(
            "json_parser", because: "Weir has one JSON reader, faster than those it chooses from"),
        IgnoredParameter("stream_buffer_size", because: "files are read in blocks"),
    ]
}

extension ParseOptions {
    /// Reads the options of a `<parse>`.
    init(
        _ section: Section, defaultTimeKey: String? = nil,
        defaultTimeType: TimeType = .string
    ) throws(SectionError) {
        self.init()
        typealias P = ParseParameters
        types = try Self.types(section)
        timeKey = section.isSet(P.timeKey) ? section[P.timeKey] : defaultTimeKey
        if timeKey == "" { timeKey = nil }
        if section.isSet(P.timeFormat) { timeFormat = section[P.timeFormat] }
        if section.isSet(P.timeType) {
            timeType = section[P.timeType]
        } else {
            timeType = timeFormat == nil ? defaultTimeType : .string
        }
        timeFormatFallbacks = section[P.fallbacks]
        if timeType == .mixed, timeFormat == nil, timeFormatFallbacks.isEmpty {
            throw SectionError(
                section.location(of: P.timeType), "`time_type mixed` has no form to try",
                help: "give `time_format` or `time_format_fallbacks`")
        }
        isTimeTypeAssumed = !section.isSet(P.timeType)
        keepsTimeKey = section[P.keepTimeKey]
        estimatesTime = section[P.estimate]
        emptyIsNull = section[P.nullEmpty]
        zone = try Self.zone(section)
        if !section[P.nullPattern].isEmpty {
            do {
                nullPattern = try Regex(section[P.nullPattern])
            } catch {
                throw SectionError(
                    section.location(of: P.nullPattern), error.message, help: error.help)
            }
        }
    }

    private static func types(
        _ section: Section
    ) throws(SectionError) -> [(key: String, type: FieldType, argument: String)] {
        var types: [(key: String, type: FieldType, argument: String)] = []
        for part in parts(section[ParseParameters.types]) {
            let pieces = part.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
                .map(String.init)
            guard pieces.count >= 2, let type = FieldType(rawValue: pieces[1]) else {
                let words = FieldType.allCases.map(\.rawValue).joined(separator: ", ")
                throw SectionError(
                    section.location(of: ParseParameters.types),
                    "`\(part)` does not give a field a type",
                    help: "write `field:type`; the types are \(words)")
            }
            types.append((pieces[0], type, pieces.count > 2 ? pieces[2] : ""))
        }
        return types
    }

    /// `field:type` of every field, from a list or a JSON object.
    private static func parts(_ text: String) -> [String] {
        if case .object(let record)? = JSONValueReader.value(of: text) {
            return record.fields.map { key, value in
                if case .string(let type) = value { "\(key):\(type)" } else { key }
            }
        }
        return text.split(separator: ",").map { String($0.drop { $0 == " " }) }
    }

    private static func zone(_ section: Section) throws(SectionError) -> TimeZone {
        typealias P = ParseParameters
        if section.isSet(P.timeZone) {
            guard let zone = TimeZone(named: section[P.timeZone]) else {
                throw SectionError(
                    section.location(of: P.timeZone),
                    "`\(section[P.timeZone])` is not a zone that Weir knows",
                    help:
                        "write the distance from UTC, such as `+09:00`, or a place: `Europe/Berlin`"
                )
            }
            return zone
        }
        return section[P.utc] || !section[P.localTime] ? .utc : .local
    }
}

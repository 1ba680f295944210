import WeirConfig
import WeirCore

/// The options that every `<parse>` has: types, the time's field and form, nulls.
public struct ParseOptions: Sendable {
    /// What a field is turned into.
    public enum FieldType: String, Sendable, CaseIterable {
        case string
        case integer
        case float
        case bool
        case time
        case array
    }

    /// How the time's field is written.
    public enum TimeType: String, Sendable, CaseIterable {
        case string
        case float
        case unixtime
        case mixed
    }

    /// Fields that are turned into another type.
    public var types: [(key: String, type: FieldType, argument: String)] = []
    /// The field that tells the event's time.
    public var timeKey: String?
    /// How it is written.
    public var timeType = TimeType.string
    /// Its form; `nil` for whatever a date looks like.
    public var timeFormat: String?
    /// Forms that are tried after it when `timeType` is mixed.
    public var timeFormatFallbacks: [String] = []
    /// Whether nobody said how the time is written: then a date is read where a number is due.
    public var isTimeTypeAssumed = false
    /// Whether the time's field stays in the record.
    public var keepsTimeKey = false
    /// Whether an event stays whose time cannot be read, as if it told none.
    public var keepsUnreadableTimes = false
    /// Whether an event without a time happened when it was read.
    public var estimatesTime = true
    /// A pattern of values that are null.
    public var nullPattern: Regex?
    /// Whether an empty text is null.
    public var emptyIsNull = false
    /// The zone of times that do not name theirs; `nil` for the machine's.
    public var zone: TimeZone = .local

    /// Fluentd's defaults.
    public init() {}
}

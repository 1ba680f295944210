import WeirCore

/// How events become Elasticsearch documents: index, id, operation, time and fields.
public struct DocumentOptions: Sendable {
    /// What a bulk action does.
    public enum Operation: String, Sendable, CaseIterable {
        case index
        case create
        case update
        case upsert
    }

    /// The index of documents, as a name or, with `logstash_format`, by day.
    public enum IndexNaming: Sendable {
        /// A name with `${tag}`, `${tag[N]}`, `${field}` and strftime sequences.
        case name(String)
        /// Prefix (with the same placeholders), separator and date format.
        case logstash(prefix: String, separator: String, dateFormat: String)
    }

    /// The index.
    public var index = IndexNaming.name("fluentd")
    /// Whether index dates are of UTC.
    public var usesUTCIndex = true
    /// A field that names the index itself, and is left out of the document.
    public var targetIndexKey: [String]?
    /// Whether the index stands in the request's path, not in each action. Each event then begins
    /// with a line that names its index.
    public var includesIndexInURL = false
    /// Whether `@timestamp` is written anew even where the record has one.
    public var alwaysSetsTimestamp = false
    /// An ingest pipeline, with the same placeholders as an index.
    public var pipeline: String?
    /// A mapping type, for Elasticsearch 7 and older.
    public var typeName: String?
    /// Whether `@timestamp` is added.
    public var includesTimestamp = false
    /// A field that tells the document's time.
    public var timeKey: String?
    /// The form of that field; `nil` for whatever a date looks like.
    public var timeKeyFormat: TimeFormat?
    /// Whether the time is used for the index only.
    public var leavesOutTimestamp = false
    /// Digits of the second's fraction in `@timestamp`.
    public var timePrecision = 9
    /// The tag of events whose time field cannot be read.
    public var timeParseErrorTag = "elasticsearch_plugin.output.time.error"
    /// A field that receives the tag.
    public var tagKey: String?
    /// Fields left out.
    public var removedKeys: [String] = []
    /// The separator with which nested objects are made flat; `nil` to keep them.
    public var flatSeparator: String?
    /// The field of the document's id, as a path.
    public var idPath: [String]?
    /// The field of the parent, as a path.
    public var parentPath: [String]?
    /// The field of the routing value, as a path.
    public var routingPath: [String]?
    /// What the bulk action does.
    public var operation = Operation.index
    /// Whether the user chose the operation; otherwise events with an identity are created once.
    public var operationIsChosen = false
    /// Whether an event without the `id_key` field is an error.
    public var refusesMissingID = false
    /// Fields that an update does not change.
    public var keysKeptOnUpdate: [String] = []
    /// Whether an update's body is the document itself, for writers of scripts.
    public var suppressesDocumentWrap = false
    /// A field that lists such fields instead, and is left out itself.
    public var keptOnUpdateKey: String?
    /// The zone of `@timestamp`.
    public var timeZone = TimeZone.utc

    /// Fluentd's defaults.
    public init() {}
}

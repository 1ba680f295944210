import WeirConfig
import WeirHost
import WeirPipeline

/// The parameters of `@type elasticsearch`, as the Fluentd plugin names them.
enum ElasticsearchParameters {
    // Where
    static let host = Parameter.text("host", default: "localhost", "The host's name or address.")
    static let port = Parameter.integer("port", default: 9200, in: 1...65_535, "The host's port.")
    static let scheme = Parameter<Scheme>.choice("scheme", default: .http, "The protocol.")
    static let path = Parameter.text("path", default: "", "A path before `/_bulk`.")
    static let hosts = Parameter.list(
        "hosts", default: [], "Hosts that take turns: `host:port` or whole URLs.")
    static let cloudID = Parameter.text("cloud_id", default: "", "An Elastic Cloud deployment.")
    static let cloudAuth = Parameter.text(
        "cloud_auth", default: "", "User and password of the deployment, with a colon between."
    ).secret
    static let user = Parameter.text("user", default: "", "The user's name.")
    static let password = Parameter.text("password", default: "", "The user's password.").secret
    static let apiKey = Parameter.text("api_key", default: "", "An API key, as `id:key`.").secret
    static let customHeaders = Parameter.map(
        "custom_headers", default: [:], "Headers added to every request.")
    static let requestTimeout = Parameter.duration(
        "request_timeout", default: .seconds(5), "How long a request may take.")
    // TLS
    static let sslVerify = Parameter.flag(
        "ssl_verify", default: true, "Whether the host's certificate is checked.")
    static let caFile = Parameter.text("ca_file", default: "", "A file of trusted authorities.")
    static let clientCert = Parameter.text("client_cert", default: "", "The client's certificate.")
    static let clientKey = Parameter.text("client_key", default: "", "The client's key.")
    static let clientKeyPass = Parameter.text(
        "client_key_pass", default: "", "The passphrase of the client's key."
    ).secret
    static let sslVersion = Parameter<TLSVersion>.choice(
        "ssl_version", default: .tls12, "The oldest TLS version.")
    static let sslMinVersion = Parameter<TLSVersion>.choice(
        "ssl_min_version", default: .tls12, "The oldest TLS version.")
    static let sslMaxVersion = Parameter<TLSVersion>.choice(
        "ssl_max_version", default: .tls13, "The newest TLS version.")
    // Index
    static let indexName = Parameter.text(
        "index_name", default: "fluentd", "The index; `${tag}`, `${field}` and dates are filled in."
    )
    static let logstashFormat = Parameter.flag(
        "logstash_format", default: false, "Whether there is an index a day, and `@timestamp`.")
    static let logstashPrefix = Parameter.text(
        "logstash_prefix", default: "logstash", "The beginning of a day's index.")
    static let logstashSeparator = Parameter.text(
        "logstash_prefix_separator", default: "-", "What stands between prefix and date.")
    static let logstashDate = Parameter.text(
        "logstash_dateformat", default: "%Y.%m.%d", "The date of an index, in strftime's sequences."
    )
    static let utcIndex = Parameter.flag(
        "utc_index", default: true, "Whether an index's date is of UTC.")
    static let targetIndexKey = Parameter.text(
        "target_index_key", default: "", "A field that names the index, and is left out.")
    static let typeName = Parameter.text(
        "type_name", default: "fluentd", "The mapping type, for Elasticsearch before 7.")
    static let suppressTypeName = Parameter.flag(
        "suppress_type_name", default: false, "Whether no mapping type is sent.")
    static let defaultVersion = Parameter.integer(
        "default_elasticsearch_version", default: 5, in: 1...99,
        "The version of Elasticsearch, if it is known: before 8 a mapping type is sent.")
    static let verifyVersion = Parameter.flag(
        "verify_es_version_at_startup", default: true,
        "Where false, `default_elasticsearch_version` counts; else Weir takes it to be 8 or newer.")
    static let targetTypeKey = Parameter.text(
        "target_type_key", default: "", "A field that is left out: there are no types since 7.")
    static let includeIndexInURL = Parameter.flag(
        "include_index_in_url", default: false,
        "Whether the index stands in the request's path, not in each action.")
    // Time
    static let includeTimestamp = Parameter.flag(
        "include_timestamp", default: false, "Whether `@timestamp` is added.")
    static let timeKey = Parameter.text(
        "time_key", default: "", "The field of a document's time; else the event's.")
    static let timeKeyFormat = Parameter.text(
        "time_key_format", default: "", "The form of `time_key`, in strptime's sequences.")
    static let timePrecision = Parameter.integer(
        "time_precision", default: 9, in: 0...9, "Digits of the second's fraction.")
    static let timeKeyExclude = Parameter.flag(
        "time_key_exclude_timestamp", default: false, "Whether `time_key` dates the index only.")
    static let timeParseErrorTag = Parameter.text(
        "time_parse_error_tag", default: "elasticsearch_plugin.output.time.error",
        "The tag of events whose time cannot be read.")
    // Record
    static let includeTagKey = Parameter.flag(
        "include_tag_key", default: false, "Whether the tag becomes a field.")
    static let tagKey = Parameter.text("tag_key", default: "tag", "The field of the tag.")
    static let removeKeys = Parameter.list("remove_keys", default: [], "Fields that are left out.")
    static let flattenHashes = Parameter.flag(
        "flatten_hashes", default: false, "Whether nested objects become flat fields.")
    static let flattenSeparator = Parameter.text(
        "flatten_hashes_separator", default: "_", "What stands between the names of flat fields.")
    // Ids and operations
    static let idKey = Parameter.text("id_key", default: "", "The field of the document's id.")
    static let parentKey = Parameter.text("parent_key", default: "", "The field of the parent.")
    static let routingKey = Parameter.text("routing_key", default: "", "The field of the routing.")
    static let writeOperation = Parameter<DocumentOptions.Operation>.choice(
        "write_operation", default: .index,
        "What a bulk action does; not written, events of files are created once.")
    static let emitErrorForMissingID = Parameter.flag(
        "emit_error_for_missing_id", default: false,
        "Whether an event without `id_key` is an error.")
    static let removeKeysOnUpdate = Parameter.list(
        "remove_keys_on_update", default: [], "Fields that an update does not change.")
    static let removeKeysOnUpdateKey = Parameter.text(
        "remove_keys_on_update_key", default: "", "A field that names such fields.")
    static let suppressDocWrap = Parameter.flag(
        "suppress_doc_wrap", default: false,
        "Whether an update's body is the record itself, without `doc` around it.")
    // Bulk
    static let requestThreshold = Parameter<Int>(
        "bulk_message_request_threshold", type: "size", default: -1,
        "The limit of one request in bytes; -1 for a chunk as a whole."
    ) { (text) throws(ValueError) in try ValueText.size(text) }
    static let compression = Parameter<Gzip.Level>.choice(
        "compression_level", default: Gzip.Level.none, "How bodies are compressed.")
    static let pipeline = Parameter.text(
        "pipeline", default: "", "An ingest pipeline; `${tag}` is filled in.")

    enum Scheme: String, Sendable, CaseIterable {
        case http
        case https
    }

    enum TLSVersion: String, Sendable, CaseIterable {
        case tls12 = "TLSv1_2"
        case tls13 = "TLSv1_3"
    }

    static let connection: [AnyParameter] =
        [
            AnyParameter(host), AnyParameter(port), AnyParameter(scheme), AnyParameter(path),
            AnyParameter(hosts), AnyParameter(cloudID), AnyParameter(cloudAuth),
            AnyParameter(user), AnyParameter(password), AnyParameter(apiKey),
            AnyParameter(customHeaders), AnyParameter(requestTimeout),
            AnyParameter(requestThreshold), AnyParameter(compression), AnyParameter(pipeline),
        ] + tls

    static let tls: [AnyParameter] = [
        AnyParameter(sslVerify), AnyParameter(caFile), AnyParameter(clientCert),
        AnyParameter(clientKey), AnyParameter(clientKeyPass), AnyParameter(sslVersion),
        AnyParameter(sslMinVersion), AnyParameter(sslMaxVersion),
    ]

    static let document: [AnyParameter] = [
        AnyParameter(includeTimestamp), AnyParameter(timeKey), AnyParameter(timeKeyFormat),
        AnyParameter(timePrecision), AnyParameter(timeKeyExclude), AnyParameter(timeParseErrorTag),
        AnyParameter(includeTagKey), AnyParameter(tagKey), AnyParameter(removeKeys),
        AnyParameter(flattenHashes), AnyParameter(flattenSeparator), AnyParameter(idKey),
        AnyParameter(parentKey), AnyParameter(routingKey), AnyParameter(emitErrorForMissingID),
    ]

    static let index: [AnyParameter] = [
        AnyParameter(indexName), AnyParameter(logstashFormat), AnyParameter(logstashPrefix),
        AnyParameter(logstashSeparator), AnyParameter(logstashDate), AnyParameter(utcIndex),
        AnyParameter(targetIndexKey), AnyParameter(typeName), AnyParameter(suppressTypeName),
        AnyParameter(defaultVersion), AnyParameter(verifyVersion), AnyParameter(targetTypeKey),
        AnyParameter(includeIndexInURL), AnyParameter(writeOperation),
        AnyParameter(removeKeysOnUpdate), AnyParameter(removeKeysOnUpdateKey),
        AnyParameter(suppressDocWrap),
    ]

    static let ignored: [IgnoredParameter] = [
        ("content_type", "bulk bodies are always `application/x-ndjson`"),
        ("reload_connections", "Weir never asks a cluster for other hosts"),
        ("reload_after", "Weir never asks a cluster for other hosts"),
        ("reload_on_failure", "Weir never asks a cluster for other hosts"),
        ("sniffer_class_name", "Weir never asks a cluster for other hosts"),
        ("reconnect_on_error", "a broken connection is always made anew"),
        ("resurrect_after", "a host that failed is tried again after 1 s, at most 60 s"),
        ("selector_class_name", "hosts take turns"),
        ("http_backend", "there is one HTTP client"),
        ("http_backend_excon_nonblock", "there is one HTTP client"),
        ("prefer_oj_serializer", "there is one JSON writer"),
        ("with_transporter_log", "failed requests are always told in the log"),
        ("log_es_400_reason", "the reason of every refusal is kept with the event"),
        ("exception_backup", "what is given up goes to the dead letter, event by event"),
        ("ignore_exceptions", "no failure is taken for a success"),
        ("unrecoverable_error_types", "only refusals with a status of 4xx are final"),
        ("unrecoverable_record_types", "only refusals with a status of 4xx are final"),
        ("retry_tag", "refused items alone are sent again, without a second way through filters"),
        ("max_retry_get_es_version", "Weir needs not to know the version"),
        ("fail_on_detecting_es_version_retry_exceed", "Weir needs not to know the version"),
        ("validate_client_version", "Weir needs not to know the version"),
        ("emit_error_label_event", "what is refused always goes to @ERROR or the dead letter"),
        ("catch_transport_exception_on_retry", "a failed request is always tried again"),
        ("truncate_caches_interval", "names of aliases and templates are not kept"),
        ("slow_flush_log_threshold", "delivery times are on `/metrics`"),
        ("compression_strategy", "`compression_level` says all"),
    ].map { IgnoredParameter($0.0, because: $0.1) }
}

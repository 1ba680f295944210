import Logging
import WeirConfig
import WeirCore

/// `<system>`: what concerns the process as a whole.
struct SystemSection {
    private enum P {
        static let logLevel = Parameter<LogLevel>.choice(
            "log_level", default: .info, "The least level of what is logged.")
        static let memoryLimit = Parameter.size(
            "buffer_memory_limit", default: 24 << 20,
            "Most bytes that all memory buffers hold together.")
        static let shutdownTimeout = Parameter.duration(
            "shutdown_timeout", default: .seconds(30), "How long stopping may take.")
        static let nodeName = Parameter.text(
            "node_name", default: "",
            "The node's name in identities; else `K8S_NODE_NAME` or the host's.")
        static let deadLetter = Parameter.text(
            "dead_letter_path", default: "",
            "The file of refused events; else beside the first `pos_file`.")
        static let seriesCheckpoint = Parameter.text(
            "series_checkpoint_path", default: "",
            "The file that counted series survive restarts in; else beside the first `pos_file`.")
        static let adminBind = Parameter.text(
            "admin_bind", default: "127.0.0.1", "The address of `/metrics` and health.")
        static let adminPort = Parameter.integer(
            "admin_port", default: 9470, in: 0...65_535,
            "The port of `/metrics` and health; 0 for any free one.")
        static let historyInterval = Parameter.duration(
            "history_interval", default: .seconds(15),
            "How often the node's own metrics are sampled for queries (`/api/v1/query`); 0 for never."
        )
        static let historyRetention = Parameter.duration(
            "history_retention", default: .seconds(3 * 3_600), "How long those samples are kept.")
        static let historyLimit = Parameter.size(
            "history_memory_limit", default: 256 << 20, "About the bytes that they may take.")
        static let historyPath = Parameter.text(
            "history_path", default: "",
            "The file that those samples survive restarts in; else beside the first `pos_file`.")
        static let historySnapshots = Parameter.duration(
            "history_snapshot_interval", default: .seconds(300),
            "How often that file is written, besides at the end.")
        static let experiments = Parameter.flag(
            "enable_promql_experiments", default: false,
            "Whether queries may use what Prometheus has behind feature flags.")
        static let queryTimeout = Parameter.duration(
            "query_timeout", default: .seconds(120), "How long a query may take.")
        static let queryMemory = Parameter.size(
            "query_memory_limit", default: 128 << 20,
            "About the bytes that a query may hold, its answer included.")
        static let queryConcurrency = Parameter.integer(
            "query_concurrency", default: 2, in: 1...64,
            "Queries that are evaluated at a time; others wait.")
        static let queryLookback = Parameter.duration(
            "query_lookback", default: .seconds(300),
            "How far back a selector looks for a series' last sample.")
        static let workers = Parameter.integer(
            "workers", default: 1, in: 1...1024, "Accepted: one process does all the work.")
    }

    /// Fluentd's log levels.
    enum LogLevel: String, Sendable, CaseIterable {
        case trace
        case debug
        case info
        case warn
        case error
        case fatal
    }

    private static let one = "one process does the work of all"

    /// The section as configurations are checked against it.
    static let declaration = SectionDeclaration(
        "system", .optional,
        parameters: [
            AnyParameter(P.logLevel), AnyParameter(P.memoryLimit), AnyParameter(P.shutdownTimeout),
            AnyParameter(P.nodeName), AnyParameter(P.deadLetter), AnyParameter(P.seriesCheckpoint),
            AnyParameter(P.adminBind),
            AnyParameter(P.adminPort), AnyParameter(P.historyInterval),
            AnyParameter(P.historyRetention), AnyParameter(P.historyLimit),
            AnyParameter(P.historyPath), AnyParameter(P.historySnapshots),
            AnyParameter(P.experiments), AnyParameter(P.queryTimeout), AnyParameter(P.queryMemory),
            AnyParameter(P.queryConcurrency), AnyParameter(P.queryLookback),
            AnyParameter(P.workers),
        ],
        ignored: [
            ("restart_worker_interval", one), ("root_dir", "each component names its own files"),
            ("suppress_repeated_stacktrace", "the log has no stack traces"),
            ("ignore_repeated_log_interval", "the log says nothing once per event"),
            ("ignore_same_log_interval", "the log says nothing once per event"),
            ("emit_error_log_interval", "the log says nothing once per event"),
            ("suppress_config_dump", "the configuration is never dumped"),
            ("log_event_verbose", "events are not logged"),
            ("process_name", "the process is called weir"),
            ("strict_config_value", "values are always read strictly"),
            ("enable_msgpack_time_support", "there is no msgpack here"),
            ("disable_shared_socket", one), ("enable_input_metrics", "metrics are always there"),
            ("enable_size_metrics", "metrics are always there"),
            ("enable_jit", "there is no Ruby here"),
            ("enable_get_dump", "the configuration is never dumped"),
            ("rpc_endpoint", "signals and the admin port do its work"),
            ("file_permission", "files are made with mode 0644"),
            ("dir_permission", "folders are made with mode 0755"),
        ].map { IgnoredParameter($0.0, because: $0.1) },
        sections: [
            SectionDeclaration(
                "log", takesAnyName: true, "Accepted: the log goes to standard error."),
            SectionDeclaration(
                "metrics", takesAnyName: true, "Accepted: metrics are on the admin port."),
        ],
        "What concerns the process as a whole.")

    /// The least level of what is logged.
    var logLevel = Logger.Level.info
    /// Most bytes that all memory buffers hold together.
    var bufferByteLimit = 24 << 20
    /// How long stopping may take.
    var shutdownTimeout: Duration = .seconds(30)
    /// The node's name, if the user gave one.
    var nodeName: String?
    /// The file of refused events, if the user named one.
    var deadLetterPath: String?
    /// The file of counted series, if it is named.
    var seriesCheckpointPath: String?
    /// The address of the admin server.
    var adminBind = "127.0.0.1"
    /// The port of the admin server.
    var adminPort = 9470

    /// How the node's own metrics are kept for queries; `nil` where they are not.
    var history: MetricsHistory.Options? = MetricsHistory.Options()

    /// What a section says, or the defaults.
    init(_ section: Section?) {
        guard let section else { return }
        switch section[P.logLevel] {
        case .trace: logLevel = .trace
        case .debug: logLevel = .debug
        case .info: logLevel = .info
        case .warn: logLevel = .warning
        case .error: logLevel = .error
        case .fatal: logLevel = .critical
        }
        bufferByteLimit = max(section[P.memoryLimit], 1 << 16)
        shutdownTimeout = section[P.shutdownTimeout]
        if !section[P.nodeName].isEmpty { nodeName = section[P.nodeName] }
        if !section[P.deadLetter].isEmpty { deadLetterPath = section[P.deadLetter] }
        if !section[P.seriesCheckpoint].isEmpty {
            seriesCheckpointPath = section[P.seriesCheckpoint]
        }
        adminBind = section[P.adminBind]
        adminPort = section[P.adminPort]
        history = nil
        if section[P.historyInterval] > .zero {
            var options = MetricsHistory.Options()
            options.interval = max(section[P.historyInterval], .seconds(1))
            options.retention = max(section[P.historyRetention], .seconds(60))
            options.byteLimit = max(section[P.historyLimit], 1 << 20)
            options.snapshotInterval = max(section[P.historySnapshots], .seconds(1))
            if !section[P.historyPath].isEmpty { options.path = section[P.historyPath] }
            options.queries.allowsExperiments = section[P.experiments]
            options.queries.time = max(section[P.queryTimeout], .milliseconds(1))
            options.queries.byteLimit = max(section[P.queryMemory], 1 << 16)
            options.queries.concurrency = section[P.queryConcurrency]
            options.queries.lookback = max(section[P.queryLookback], .milliseconds(1))
            history = options
        }
    }
}

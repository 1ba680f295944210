import WeirCore

/// A span on its way into the store of traces: what it is found by, and its JSON.
public struct StoredSpan: Sendable {
    /// The trace's id in two halves.
    public var traceHigh: Int64
    /// The lower half.
    public var traceLow: Int64
    /// When it began, in microseconds since 1970; 0 when unknown.
    public var timestamp: Int64
    /// How long it took, in microseconds; 0 when unknown.
    public var duration: Int64
    /// Where it was recorded.
    public var service: String
    /// The other side.
    public var remoteService: String
    /// What was done.
    public var name: String
    /// Whether it tells of an error.
    public var isError: Bool
    /// The span in Zipkin's JSON.
    public var text: String

    /// A span by its parts.
    public init(
        traceHigh: Int64, traceLow: Int64, timestamp: Int64, duration: Int64, service: String,
        remoteService: String, name: String, isError: Bool, text: String
    ) {
        self.traceHigh = traceHigh
        self.traceLow = traceLow
        self.timestamp = timestamp
        self.duration = duration
        self.service = service
        self.remoteService = remoteService
        self.name = name
        self.isError = isError
        self.text = text
    }
}

/// Which traces are looked for.
public struct TraceQuery: Sendable {
    /// Spans that began at or after this time, in microseconds since 1970.
    public var since: Int64 = 0
    /// Spans that began at or before this time.
    public var until: Int64 = .max
    /// The service that recorded a span.
    public var service: String?
    /// The other side of that span.
    public var remoteService: String?
    /// That span's name.
    public var name: String?
    /// How long that span took at least, in microseconds.
    public var minDuration: Int64?
    /// How long it took at most.
    public var maxDuration: Int64?
    /// Whether it must tell of an error.
    public var isError = false
    /// Most traces; the youngest are found.
    public var limit = 10

    /// Any trace.
    public init() {}
}

/// The embedded store of traces: one SQLite file that other processes can read meanwhile.
///
/// As with ``DocumentStore``, what was inserted survives the end of the process.
public final class TraceStore {
    static let schemaVersion = 1_001
    private static let expiryInterval = 20_000

    private let database: Database
    private let insertion: Statement
    private let retention: StoreRetention
    private var insertedSinceExpiry = 0

    /// Opens the store at `path`, making it when it is not there.
    public init(_ path: String, retention: StoreRetention) throws(DatabaseError) {
        database = try Database(path, isReadOnly: false)
        self.retention = retention
        try database.run(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-8192; "
                + "PRAGMA journal_size_limit=16777216;")
        let version = try database.number("PRAGMA user_version")
        guard version == 0 || version == Self.schemaVersion else {
            throw DatabaseError(
                description: "\(path) is no store of traces, or one of another Weir",
                isForeign: true)
        }
        if version == 0 { try database.run(Self.schema) }
        insertion = try database.statement(
            "INSERT OR IGNORE INTO spans (trace_low, trace_high, digest, timestamp, duration, "
                + "service, remote, name, error, span) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
    }

    private static let schema = """
        BEGIN;
        CREATE TABLE spans (
          number INTEGER PRIMARY KEY, trace_low INTEGER NOT NULL, trace_high INTEGER NOT NULL,
          digest INTEGER NOT NULL, timestamp INTEGER NOT NULL, duration INTEGER NOT NULL,
          service TEXT NOT NULL, remote TEXT NOT NULL, name TEXT NOT NULL, error INTEGER NOT NULL,
          span TEXT NOT NULL);
        CREATE UNIQUE INDEX spans_trace ON spans (trace_low, digest);
        CREATE INDEX spans_time ON spans (timestamp);
        CREATE INDEX spans_service ON spans (service, timestamp);
        PRAGMA user_version=\(schemaVersion);
        COMMIT;
        """

    /// Inserts spans in one transaction: all of them, or none and an error.
    ///
    /// The same span, sent again, is kept once.
    /// - Returns: How many were there already.
    public func insert(_ spans: [StoredSpan]) throws(DatabaseError) -> Int {
        try database.run("BEGIN IMMEDIATE")
        do throws(DatabaseError) {
            var inserted = 0
            for span in spans {
                insertion.reset()
                insertion.bind(1, span.traceLow)
                insertion.bind(2, span.traceHigh)
                var digest = FNV1a()
                digest.add(span.text)
                insertion.bind(3, Int64(bitPattern: digest.value))
                insertion.bind(4, span.timestamp)
                insertion.bind(5, span.duration)
                insertion.bind(6, span.service)
                insertion.bind(7, span.remoteService)
                insertion.bind(8, span.name)
                insertion.bind(9, span.isError ? 1 : Int64(0))
                insertion.bind(10, span.text)
                _ = try insertion.step()
                inserted += database.changedRowCount
            }
            try database.run("COMMIT")
            insertedSinceExpiry += spans.count
            return spans.count - inserted
        } catch {
            // Fails only when SQLite has ended the transaction by itself.
            try? database.run("ROLLBACK")
            throw error
        }
    }

    /// Lets go of what is too old or too much, now and then.
    /// - Returns: How many spans went.
    public func expire(now: Timestamp, always: Bool = false) throws(DatabaseError) -> Int {
        guard always || insertedSinceExpiry >= Self.expiryInterval else { return 0 }
        insertedSinceExpiry = 0
        var gone = 0
        if let age = retention.age {
            let limit = (now.nanosecondsSince1970 / 1_000) &- age.components.seconds &* 1_000_000
            gone += try delete("timestamp < \(limit)")
        }
        let used = try database.usedByteCount()
        if used > retention.byteLimit {
            let count = try database.number("SELECT count(*) FROM spans")
            let part = Double(used - retention.byteLimit) / Double(max(used, 1)) + 0.05
            let surplus = max(Int(Double(count) * min(part, 1)), 1)
            gone += try delete(
                "number IN (SELECT number FROM spans ORDER BY timestamp LIMIT \(surplus))")
        }
        return gone
    }

    private func delete(_ condition: String) throws(DatabaseError) -> Int {
        try database.run("DELETE FROM spans WHERE \(condition)")
        return database.changedRowCount
    }
}

/// Reads a store of traces, also while an agent writes it.
public final class TraceReader {
    /// Most spans of a trace, and most spans that a question for links looks through.
    public static let spanLimit = 100_000
    /// Most names in an answer.
    private static let nameLimit = 10_000

    private let database: Database

    /// Opens the store at `path`, which must be there.
    public init(_ path: String) throws(DatabaseError) {
        database = try Database(path, isReadOnly: true)
        guard try database.number("PRAGMA user_version") == TraceStore.schemaVersion else {
            throw DatabaseError(
                description: "\(path) is no store of traces, or one of another Weir",
                isForeign: true)
        }
    }

    /// The spans of a trace as JSON; an id of 64 bits finds those of 128 that end with it.
    public func trace(high: Int64, low: Int64) throws(DatabaseError) -> [String] {
        let condition = high == 0 ? "" : "AND (trace_high = ?2 OR trace_high = 0)"
        let statement = try database.statement(
            "SELECT span FROM spans WHERE trace_low = ?1 \(condition) ORDER BY timestamp "
                + "LIMIT \(Self.spanLimit)")
        statement.bind(1, low)
        if high != 0 { statement.bind(2, high) }
        return try texts(statement)
    }

    /// The lower halves of the ids of traces with a span that a query asks for, the youngest first.
    public func traces(_ query: TraceQuery) throws(DatabaseError) -> [Int64] {
        var clauses: [String] = []
        var values: [String] = []
        func add(_ column: String, _ value: String?) -> String? {
            guard let value else { return nil }
            values.append(value)
            return "\(column) = ?\(values.count)"
        }
        // Each condition may hold for another span of the service, as in Zipkin.
        let service = add("service", query.service)
        var duration: [String] = []
        if let least = query.minDuration { duration.append("duration >= \(least)") }
        if let most = query.maxDuration { duration.append("duration <= \(most)") }
        let conditions = [
            add("remote", query.remoteService), add("name", query.name),
            duration.isEmpty ? nil : duration.joined(separator: " AND "),
            query.isError ? "error = 1" : nil,
        ]
        for case let condition? in conditions {
            let both = [service, condition].compactMap(\.self).joined(separator: " AND ")
            clauses.append("trace_low IN (SELECT trace_low FROM spans WHERE \(both))")
        }
        let own = ["timestamp BETWEEN \(query.since) AND \(query.until)", service]
        let all = (own.compactMap(\.self) + clauses).joined(separator: " AND ")
        let statement = try database.statement(
            "SELECT trace_low FROM spans WHERE \(all) "
                + "GROUP BY trace_low ORDER BY min(timestamp) DESC LIMIT \(max(query.limit, 0))")
        for (index, value) in values.enumerated() { statement.bind(index + 1, value) }
        var ids: [Int64] = []
        while try statement.step() { ids.append(Int64(statement.integer(0))) }
        return ids
    }

    /// All spans of a time as JSON, those of one trace together.
    public func spans(since: Int64, until: Int64) throws(DatabaseError) -> [String] {
        try texts(
            try database.statement(
                "SELECT span FROM spans WHERE timestamp BETWEEN \(since) AND \(until) "
                    + "ORDER BY trace_low LIMIT \(Self.spanLimit)"))
    }

    /// The names of services.
    public func services() throws(DatabaseError) -> [String] {
        try texts(
            try database.statement(
                "SELECT DISTINCT service FROM spans WHERE service <> '' ORDER BY service "
                    + "LIMIT \(Self.nameLimit)"))
    }

    /// The names of spans of a service.
    public func spanNames(of service: String) throws(DatabaseError) -> [String] {
        try names("name", of: service)
    }

    /// The services on the other side of a service's spans.
    public func remoteServices(of service: String) throws(DatabaseError) -> [String] {
        try names("remote", of: service)
    }

    private func names(_ column: String, of service: String) throws(DatabaseError) -> [String] {
        let statement = try database.statement(
            "SELECT DISTINCT \(column) FROM spans WHERE service = ?1 AND \(column) <> '' "
                + "ORDER BY \(column) LIMIT \(Self.nameLimit)")
        statement.bind(1, service)
        return try texts(statement)
    }

    private func texts(_ statement: Statement) throws(DatabaseError) -> [String] {
        var texts: [String] = []
        while try statement.step() { texts.append(statement.text(0)) }
        return texts
    }
}

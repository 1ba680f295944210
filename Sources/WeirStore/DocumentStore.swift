import Glibc
import WeirCore

/// A document on its way into the store: where its parts are, valid until the insertion is over.
public struct StoredDocument {
    /// The event's identity: the same event is kept once. Identities that grow with a log's lines
    /// are found and kept at the end of their index, at a fraction of the cost of random ones.
    public var id: UnsafeRawBufferPointer
    /// When it happened, in nanoseconds since 1970.
    public var time: Int64
    /// The event's tag.
    public var tag: UnsafeRawBufferPointer
    /// The service, or nothing.
    public var service: UnsafeRawBufferPointer
    /// The response code, or `nil`.
    public var code: Int64?
    /// The record as a JSON object.
    public var text: UnsafeRawBufferPointer

    /// A document by its parts.
    public init(
        id: UnsafeRawBufferPointer, time: Int64, tag: UnsafeRawBufferPointer,
        service: UnsafeRawBufferPointer, code: Int64?, text: UnsafeRawBufferPointer
    ) {
        self.id = id
        self.time = time
        self.tag = tag
        self.service = service
        self.code = code
        self.text = text
    }
}

/// How long documents are kept.
public struct StoreRetention: Sendable {
    /// The age at which a document goes; `nil` for none.
    public var age: Duration?
    /// The size of the file at which the oldest go, in bytes.
    public var byteLimit: Int

    /// Seven days, one gibibyte.
    public init(age: Duration? = .seconds(7 * 86_400), byteLimit: Int = 1 << 30) {
        self.age = age
        self.byteLimit = byteLimit
    }
}

/// The embedded store of documents: one SQLite file that other processes can read meanwhile.
///
/// Writes go to SQLite's write-ahead log without a sync per transaction: what was inserted survives
/// the end of the process, also by `kill -9`; the loss of the machine's power can take the last
/// moments with it.
public final class DocumentStore {
    static let schemaVersion = 3
    /// Bytes of a page: a dozen documents to a page write less than three.
    private static let pageByteCount = 16_384
    /// Documents that one statement inserts: to run it costs as much as two documents.
    private static let rowsPerStatement = 8
    /// Documents are looked through for their age after so many insertions.
    private static let expiryInterval = 50_000

    private let database: Database
    private let kinds: KindTable
    private let insertion: Statement
    private let groupInsertion: Statement
    private let retention: StoreRetention
    private var insertedSinceExpiry = 0

    /// Opens the store at `path`, making it when it is not there.
    public init(_ path: String, retention: StoreRetention) throws(DatabaseError) {
        database = try Database(path, isReadOnly: false)
        self.retention = retention
        try database.run(
            "PRAGMA page_size=\(Self.pageByteCount); PRAGMA journal_mode=WAL; "
                + "PRAGMA synchronous=NORMAL; PRAGMA cache_size=-8192; PRAGMA journal_size_limit=16777216;"
        )
        let version = try database.number("PRAGMA user_version")
        guard version == 0 || version == Self.schemaVersion else {
            throw DatabaseError(
                description: "\(path) is a store of version \(version), made by another Weir",
                isForeign: true)
        }
        if version == 0 { try database.run(Self.schema) }
        kinds = try KindTable(database)
        insertion = try database.statement(Self.insertion(of: 1))
        groupInsertion = try database.statement(Self.insertion(of: Self.rowsPerStatement))
    }

    private static func insertion(of rowCount: Int) -> String {
        let rows = Array(repeating: "(?, ?, ?, ?)", count: rowCount).joined(separator: ", ")
        return "INSERT OR IGNORE INTO documents (id, time, kind, document) VALUES \(rows)"
    }

    private static let schema = """
        BEGIN;
        \(KindTable.schema)
        CREATE TABLE documents (
          number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, time INTEGER NOT NULL,
          kind INTEGER NOT NULL, document TEXT NOT NULL);
        CREATE INDEX documents_time ON documents (time);
        CREATE INDEX documents_kind ON documents (kind);
        PRAGMA user_version=\(schemaVersion);
        COMMIT;
        """

    /// Inserts documents in one transaction: all of them, or none and an error.
    /// - Returns: How many were there already.
    public func insert(
        count: Int, _ document: (Int) -> StoredDocument?
    ) throws(DatabaseError) -> Int {
        try database.run("BEGIN IMMEDIATE")
        do throws(DatabaseError) {
            var inserted = 0
            var asked = 0
            var group: [StoredDocument] = []
            group.reserveCapacity(Self.rowsPerStatement)
            for index in 0..<count {
                guard let document = document(index) else { continue }
                asked += 1
                group.append(document)
                guard group.count == Self.rowsPerStatement else { continue }
                inserted += try run(groupInsertion, group[...])
                group.removeAll(keepingCapacity: true)
            }
            for index in group.indices {
                inserted += try run(insertion, group[index...index])
            }
            try database.run("COMMIT")
            insertedSinceExpiry += count
            return asked - inserted
        } catch {
            // Fails only when SQLite has ended the transaction by itself.
            try? database.run("ROLLBACK")
            kinds.forget()
            throw error
        }
    }

    /// Inserts documents with the statement for so many.
    /// - Returns: How many were new.
    private func run(
        _ statement: Statement, _ documents: ArraySlice<StoredDocument>
    ) throws(DatabaseError) -> Int {
        statement.reset()
        var parameter = 1
        for document in documents {
            statement.bind(parameter, blob: document.id)
            statement.bind(parameter + 1, document.time)
            statement.bind(parameter + 2, try kinds.number(of: document))
            statement.bind(parameter + 3, text: document.text)
            parameter += 4
        }
        _ = try statement.step()
        return database.changedRowCount
    }

    /// Lets go of what is too old or too much, now and then.
    /// - Returns: How many documents went.
    public func expire(now: Timestamp, always: Bool = false) throws(DatabaseError) -> Int {
        guard always || insertedSinceExpiry >= Self.expiryInterval else { return 0 }
        insertedSinceExpiry = 0
        var gone = 0
        if let age = retention.age {
            let limit =
                now.nanosecondsSince1970
                &- age.components.seconds.multipliedReportingOverflow(by: 1_000_000_000)
                .partialValue
            gone += try delete("time < \(limit)")
        }
        let used = try database.usedByteCount()
        if used > retention.byteLimit {
            let count = try database.number("SELECT count(*) FROM documents")
            let part = Double(used - retention.byteLimit) / Double(max(used, 1)) + 0.05
            let surplus = Int(Double(count) * min(part, 1))
            gone += try delete(
                "number IN (SELECT number FROM documents ORDER BY time LIMIT \(max(surplus, 1)))")
        }
        if gone > 0 { try kinds.removeUnused() }
        // Free pages are filled again: the file keeps the size that it once had to have.
        return gone
    }

    private func delete(_ condition: String) throws(DatabaseError) -> Int {
        try database.run("DELETE FROM documents WHERE \(condition)")
        return database.changedRowCount
    }
}

extension Timestamp {
    /// Nanoseconds since 1970, as far as 64 bits reach.
    public var nanosecondsSince1970: Int64 {
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds < 0 ? .min : .max }
        return product.addingReportingOverflow(Int64(nanoseconds)).partialValue
    }
}

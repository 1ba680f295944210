import CSQLite

/// What SQLite answered instead of doing it.
public struct DatabaseError: Error, CustomStringConvertible, Sendable {
    /// SQLite's words, and what was asked.
    public var description: String
    /// Whether the file is not a database, or one of another make.
    public var isForeign: Bool
}

/// One connection to an SQLite file. Belongs to one thread at a time.
final class Database {
    /// Configures SQLite once, before the process uses it for the first time.
    private static let isConfigured = weir_sqlite_forgo_memory_counts() == SQLITE_OK

    private let handle: OpaquePointer

    /// Opens a file; `isReadOnly` for one that must be there already.
    init(_ path: String, isReadOnly: Bool) throws(DatabaseError) {
        // Where it cannot be configured, it is slower and nothing else.
        _ = Self.isConfigured
        var opened: OpaquePointer?
        let flags =
            isReadOnly
            ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
        let code = sqlite3_open_v2(path, &opened, flags | SQLITE_OPEN_NOMUTEX, nil)
        guard let opened, code == SQLITE_OK else {
            let text = opened.map { String(cString: sqlite3_errmsg($0)) } ?? "out of memory"
            sqlite3_close(opened)
            throw DatabaseError(description: "\(path): \(text)", isForeign: false)
        }
        handle = opened
        sqlite3_busy_timeout(handle, 5000)
    }

    deinit { sqlite3_close_v2(handle) }

    /// Runs statements without results.
    func run(_ text: String) throws(DatabaseError) {
        guard sqlite3_exec(handle, text, nil, nil, nil) == SQLITE_OK else { throw error(text) }
    }

    /// A statement, ready to be bound.
    func statement(_ text: String) throws(DatabaseError) -> Statement {
        var made: OpaquePointer?
        guard sqlite3_prepare_v2(handle, text, -1, &made, nil) == SQLITE_OK, let made else {
            throw error(text)
        }
        return Statement(made, self)
    }

    /// The first number of a statement's first row.
    func number(_ text: String) throws(DatabaseError) -> Int {
        let statement = try statement(text)
        return try statement.step() ? statement.integer(0) : 0
    }

    /// Bytes of the file that hold something.
    func usedByteCount() throws(DatabaseError) -> Int {
        let pages = try number("PRAGMA page_count")
        let free = try number("PRAGMA freelist_count")
        return (pages - free) * (try number("PRAGMA page_size"))
    }

    /// The number of the row that was inserted last.
    var lastRowNumber: Int64 { sqlite3_last_insert_rowid(handle) }

    /// How many rows the last statement changed.
    var changedRowCount: Int { Int(sqlite3_changes(handle)) }

    /// Makes a function of one argument known to statements.
    func add(function name: String, _ box: MatchFunction) {
        sqlite3_create_function_v2(
            handle, name, 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC,
            Unmanaged.passRetained(box).toOpaque(),
            { context, _, values in
                guard let context, let value = values?[0], let data = sqlite3_user_data(context)
                else { return }
                let box = Unmanaged<MatchFunction>.fromOpaque(data).takeUnretainedValue()
                guard let text = sqlite3_value_text(value) else {
                    sqlite3_result_int(context, 0)
                    return
                }
                let bytes = UnsafeRawBufferPointer(
                    start: text, count: Int(sqlite3_value_bytes(value)))
                sqlite3_result_int(context, box.matches(bytes) ? 1 : 0)
            }, nil, nil,
            { data in
                if let data { Unmanaged<MatchFunction>.fromOpaque(data).release() }
            })
    }

    fileprivate func error(_ text: String) -> DatabaseError {
        let code = sqlite3_errcode(handle)
        return DatabaseError(
            description: "\(String(cString: sqlite3_errmsg(handle))) (\(text.prefix(80)))",
            isForeign: code == SQLITE_NOTADB || code == SQLITE_CORRUPT)
    }
}

/// A pattern that statements can ask about.
final class MatchFunction {
    let matches: (UnsafeRawBufferPointer) -> Bool

    init(_ matches: @escaping (UnsafeRawBufferPointer) -> Bool) {
        self.matches = matches
    }
}

/// A prepared statement; parameters count from 1, columns from 0.
final class Statement {
    private let handle: OpaquePointer
    private let database: Database

    init(_ handle: OpaquePointer, _ database: Database) {
        self.handle = handle
        self.database = database
    }

    deinit { sqlite3_finalize(handle) }

    /// Makes it ready for the next run; bound values stay.
    func reset() { sqlite3_reset(handle) }

    /// Runs to the next row.
    /// - Returns: Whether there is one.
    func step() throws(DatabaseError) -> Bool {
        switch sqlite3_step(handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        default: throw database.error("step")
        }
    }

    func bind(_ index: Int, _ number: Int64) {
        sqlite3_bind_int64(handle, Int32(clamping: index), number)
    }

    func bind(_ index: Int, _ number: Double) {
        sqlite3_bind_double(handle, Int32(clamping: index), number)
    }

    func bindNull(_ index: Int) { sqlite3_bind_null(handle, Int32(clamping: index)) }

    /// Binds text that stays where it is until the statement is reset.
    func bind(_ index: Int, text bytes: UnsafeRawBufferPointer) {
        weir_sqlite_bind_text(
            handle, Int32(clamping: index), bytes.bindMemory(to: CChar.self).baseAddress,
            Int32(clamping: bytes.count))
    }

    /// Binds bytes that stay where they are until the statement is reset.
    func bind(_ index: Int, blob bytes: UnsafeRawBufferPointer) {
        weir_sqlite_bind_blob(
            handle, Int32(clamping: index), bytes.baseAddress, Int32(clamping: bytes.count))
    }

    func bind(_ index: Int, _ text: String) {
        weir_sqlite_bind_copy(
            handle, Int32(clamping: index), text, Int32(clamping: text.utf8.count))
    }

    func integer(_ column: Int) -> Int {
        Int(sqlite3_column_int64(handle, Int32(clamping: column)))
    }

    func text(_ column: Int) -> String {
        guard let text = sqlite3_column_text(handle, Int32(clamping: column)) else { return "" }
        let count = Int(sqlite3_column_bytes(handle, Int32(clamping: column)))
        return String(decoding: UnsafeRawBufferPointer(start: text, count: count), as: UTF8.self)
    }
}

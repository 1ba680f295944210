import WeirCore

/// What is asked of a store.
public struct StoreQuery: Sendable {
    /// Documents from this time on, in nanoseconds since 1970.
    public var since: Int64?
    /// Documents before this time.
    public var until: Int64?
    /// Which documents.
    public var condition: StoreCondition?
    /// Which tags.
    public var tag: TagPattern?
    /// Which service.
    public var service: String?
    /// Which response code.
    public var code: Int64?
    /// Most documents; the youngest are kept.
    public var limit: Int?

    /// All documents.
    public init() {}
}

/// A document that was found.
public struct FoundDocument: Sendable {
    /// Its place in the order of insertion.
    public var number: Int
    /// When it happened, in nanoseconds since 1970.
    public var time: Int64
    /// The event's tag.
    public var tag: String
    /// The service, or nothing.
    public var service: String
    /// The record as a JSON object.
    public var text: String
}

/// Reads a store, also while an agent writes it.
public final class StoreReader {
    private let database: Database
    private var functionCount = 0

    /// Opens the store at `path`, which must be there.
    public init(_ path: String) throws(DatabaseError) {
        database = try Database(path, isReadOnly: true)
        let version = try database.number("PRAGMA user_version")
        guard version == DocumentStore.schemaVersion else {
            throw DatabaseError(
                description: "\(path) is not a store, or one of another Weir", isForeign: true)
        }
    }

    /// The number of the youngest insertion.
    public func lastNumber() throws(DatabaseError) -> Int {
        try database.number("SELECT max(number) FROM documents")
    }

    /// How many documents have each code; those without one under `nil`.
    public func countsByCode() throws(DatabaseError) -> [(code: Int?, count: Int)] {
        let statement = try database.statement(
            "SELECT code IS NULL, code, count(*) FROM documents JOIN kinds USING (kind) "
                + "GROUP BY code ORDER BY code")
        var counts: [(code: Int?, count: Int)] = []
        while try statement.step() {
            let code = statement.integer(0) == 1 ? nil : statement.integer(1)
            counts.append((code, statement.integer(2)))
        }
        return counts
    }

    /// The documents that a query asks for, oldest first; with `after`, those inserted later only.
    public func documents(
        _ query: StoreQuery, after number: Int? = nil
    ) throws(DatabaseError) -> [FoundDocument] {
        var clauses: [String] = []
        var values: [StoreCondition.Operand] = []
        func parameter(_ value: StoreCondition.Operand) -> String {
            values.append(value)
            return "?\(values.count)"
        }
        if let since = query.since { clauses.append("time >= \(since)") }
        if let until = query.until { clauses.append("time < \(until)") }
        if let number { clauses.append("number > \(number)") }
        var ofKind: [String] = []
        if let service = query.service { ofKind.append("service = \(parameter(.text(service)))") }
        if let code = query.code { ofKind.append("code = \(code)") }
        if let tag = query.tag {
            functionCount += 1
            let name = "weir_match_\(functionCount)"
            database.add(
                function: name, MatchFunction { tag.matches(String(decoding: $0, as: UTF8.self)) })
            ofKind.append("\(name)(tag)")
        }
        if !ofKind.isEmpty {
            clauses.append(
                "kind IN (SELECT kind FROM kinds WHERE \(ofKind.joined(separator: " AND ")))")
        }
        if let condition = query.condition {
            clauses.append(
                condition.sql(parameter: parameter) { regex in
                    functionCount += 1
                    let name = "weir_match_\(functionCount)"
                    let matcher = RegexMatcher(regex)
                    database.add(
                        function: name, MatchFunction { matcher.match($0) == .matched })
                    return name
                })
        }
        let condition = clauses.isEmpty ? "" : "WHERE " + clauses.joined(separator: " AND ")
        let limit = query.limit.map { "LIMIT \(max($0, 0))" } ?? ""
        let statement = try database.statement(
            "SELECT number, time, tag, service, document FROM (SELECT * FROM documents \(condition) "
                + "ORDER BY time DESC, number DESC \(limit)) JOIN kinds USING (kind) "
                + "ORDER BY time, number")
        for (index, value) in values.enumerated() {
            switch value {
            case .number(let number): statement.bind(index + 1, number)
            case .text(let text): statement.bind(index + 1, text)
            }
        }
        var found: [FoundDocument] = []
        while try statement.step() {
            found.append(
                FoundDocument(
                    number: statement.integer(0), time: Int64(statement.integer(1)),
                    tag: statement.text(2), service: statement.text(3), text: statement.text(4)))
        }
        return found
    }
}

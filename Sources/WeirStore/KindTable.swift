import CSQLite
import WeirCore

/// The combinations of tag, service and code that documents have: each is one row, which a document
/// names by its number, so that one index serves what three would.
final class KindTable {
    /// Combinations that are remembered; there are as many as a node has services, a few times over.
    private static let cacheLimit = 1_024

    static let schema = """
        CREATE TABLE kinds (
          kind INTEGER PRIMARY KEY, tag TEXT NOT NULL, service TEXT NOT NULL, code INTEGER);
        CREATE INDEX kinds_key ON kinds (service, code, tag);
        """

    private struct Kind {
        var tag: [UInt8]
        var service: [UInt8]
        var code: Int64?
        var number: Int64

        func isOf(_ document: StoredDocument) -> Bool {
            code == document.code && tag.elementsEqual(document.tag)
                && service.elementsEqual(document.service)
        }
    }

    private let database: Database
    private let selection: Statement
    private let insertion: Statement
    private var known: [Kind] = []
    /// Places in `known` by the hash of the combination.
    private var places: [Int: [Int]] = [:]

    init(_ database: Database) throws(DatabaseError) {
        self.database = database
        selection = try database.statement(
            "SELECT kind FROM kinds WHERE service = ?1 AND code IS ?2 AND tag = ?3")
        insertion = try database.statement(
            "INSERT INTO kinds (service, code, tag) VALUES (?1, ?2, ?3)")
    }

    /// The number of a document's combination, which is made if there is none.
    func number(of document: StoredDocument) throws(DatabaseError) -> Int64 {
        var hasher = Hasher()
        hasher.combine(bytes: document.tag)
        hasher.combine(bytes: document.service)
        hasher.combine(document.code)
        let hash = hasher.finalize()
        for place in places[hash] ?? [] where known[place].isOf(document) {
            return known[place].number
        }
        let number = try storedNumber(of: document)
        if known.count >= Self.cacheLimit { forget() }
        places[hash, default: []].append(known.count)
        known.append(
            Kind(
                tag: Array(document.tag), service: Array(document.service), code: document.code,
                number: number))
        return number
    }

    private func storedNumber(of document: StoredDocument) throws(DatabaseError) -> Int64 {
        bind(document, to: selection)
        if try selection.step() {
            let number = Int64(selection.integer(0))
            selection.reset()
            return number
        }
        selection.reset()
        bind(document, to: insertion)
        _ = try insertion.step()
        insertion.reset()
        return database.lastRowNumber
    }

    private func bind(_ document: StoredDocument, to statement: Statement) {
        statement.reset()
        statement.bind(1, text: document.service)
        if let code = document.code {
            statement.bind(2, code)
        } else {
            statement.bindNull(2)
        }
        statement.bind(3, text: document.tag)
    }

    /// Forgets what it remembers: the transaction that made it is void, or rows were removed.
    func forget() {
        known.removeAll(keepingCapacity: true)
        places.removeAll(keepingCapacity: true)
    }

    /// Removes the combinations that no document has.
    func removeUnused() throws(DatabaseError) {
        try database.run(
            "DELETE FROM kinds WHERE NOT EXISTS "
                + "(SELECT 1 FROM documents WHERE documents.kind = kinds.kind)")
        forget()
    }
}

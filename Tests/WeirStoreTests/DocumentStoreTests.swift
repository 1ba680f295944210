import Testing
import WeirCore
import WeirTesting

@testable import WeirStore

/// Documents of a test, written as the store takes them.
private struct Draft {
    var number: UInt64
    var time: Int64 = 0
    var tag = "a.b"
    var service = "reviews"
    var code: Int64? = 200
    var text = "{}"
}

private func insert(_ drafts: [Draft], into store: DocumentStore) throws -> Int {
    var room: [ByteBufferBox] = []
    return try store.insert(count: drafts.count) { index in
        let draft = drafts[index]
        let box = ByteBufferBox(draft)
        room.append(box)
        return box.document(draft)
    }
}

/// Bytes of one document, kept while it is inserted.
private final class ByteBufferBox {
    private var bytes = ByteBuffer()

    init(_ draft: Draft) {
        withUnsafeBytes(of: (draft.number, draft.number)) { bytes.append($0) }
        bytes.append(draft.tag)
        bytes.append(draft.service)
        bytes.append(draft.text)
    }

    func document(_ draft: Draft) -> StoredDocument {
        func part(_ start: Int, _ count: Int) -> UnsafeRawBufferPointer {
            UnsafeRawBufferPointer(rebasing: bytes.bytes[start..<(start + count)])
        }
        let tagEnd = 16 + draft.tag.utf8.count
        let serviceEnd = tagEnd + draft.service.utf8.count
        return StoredDocument(
            id: part(0, 16), time: draft.time, tag: part(16, draft.tag.utf8.count),
            service: part(tagEnd, draft.service.utf8.count), code: draft.code,
            text: part(serviceEnd, draft.text.utf8.count))
    }
}

@Suite("The document store") struct DocumentStoreTests {
    private let folder: ScratchFolder
    private var path: String { folder.file("store.db") }

    init() throws { folder = try ScratchFolder() }

    private func open(_ retention: StoreRetention = StoreRetention()) throws -> DocumentStore {
        try DocumentStore(path, retention: retention)
    }

    @Test func `gives back what was inserted, oldest first`() throws {
        let store = try open()
        _ = try insert(
            [Draft(number: 1, time: 20, text: #"{"n":1}"#), Draft(number: 2, time: 10)], into: store
        )
        let found = try StoreReader(path).documents(StoreQuery())
        #expect(found.map(\.time) == [10, 20])
        #expect(found.last?.text == #"{"n":1}"#)
        #expect(found.last?.tag == "a.b")
        #expect(found.last?.service == "reviews")
    }

    @Test func `keeps a document once, however often it comes, also after it was opened anew`()
        throws
    {
        #expect(
            try insert([Draft(number: 1), Draft(number: 1), Draft(number: 2)], into: open()) == 1)
        #expect(try insert([Draft(number: 2), Draft(number: 3)], into: open()) == 1)
        #expect(try StoreReader(path).documents(StoreQuery()).count == 3)
    }

    @Test func `lets go of what is older than its age`() throws {
        let store = try open(StoreRetention(age: .seconds(60)))
        let second: Int64 = 1_000_000_000
        _ = try insert(
            (0..<100).map { Draft(number: UInt64($0), time: Int64($0) * second) }, into: store)
        #expect(try store.expire(now: Timestamp(seconds: 120), always: true) == 60)
        #expect(try StoreReader(path).documents(StoreQuery()).first?.time == 60 * second)
    }

    @Test func `lets go of the oldest when it grows beyond its limit`() throws {
        let store = try open(StoreRetention(age: nil, byteLimit: 1 << 20))
        let text = "{\"x\":\"" + String(repeating: "y", count: 1000) + "\"}"
        _ = try insert(
            (0..<4000).map { Draft(number: UInt64($0), time: Int64($0), text: text) }, into: store)
        let gone = try store.expire(now: Timestamp(seconds: 1), always: true)
        #expect(gone > 2500)
        let left = try StoreReader(path).documents(StoreQuery())
        #expect(left.count == 4000 - gone)
        #expect(left.last?.time == 3999)
        #expect(try store.expire(now: Timestamp(seconds: 1), always: true) == 0)
    }

    @Test func `finds documents by tag, service and code`() throws {
        _ = try insert(
            [
                Draft(number: 1, text: "1"), Draft(number: 2, service: "ratings", text: "2"),
                Draft(number: 3, code: 503, text: "3"), Draft(number: 4, code: nil, text: "4"),
                Draft(number: 5, tag: "b", code: 503, text: "5"), Draft(number: 6, text: "6"),
            ], into: open())
        func found(_ change: (inout StoreQuery) throws -> Void) throws -> [String] {
            var query = StoreQuery()
            try change(&query)
            return try StoreReader(path).documents(query).map(\.text)
        }
        #expect(try found { $0.service = "reviews" } == ["1", "3", "4", "5", "6"])
        #expect(try found { $0.code = 503 } == ["3", "5"])
        #expect(try found { $0.tag = try TagPattern("a.*") } == ["1", "2", "3", "4", "6"])
        #expect(
            try found {
                $0.service = "reviews"
                $0.code = 503
                $0.tag = try TagPattern("b")
            } == ["5"])
        #expect(try found { $0.service = "nobody" }.isEmpty)
    }

    @Test func `keeps each combination of tag, service and code once, however many there are`()
        throws
    {
        let store = try open()
        let drafts = (0..<5_000).map {
            Draft(number: UInt64($0), service: "service-\($0 % 2_500)", code: Int64($0 % 2))
        }
        _ = try insert(drafts, into: store)
        let kinds = try Database(path, isReadOnly: true).number("SELECT count(*) FROM kinds")
        #expect(kinds == 2_500)
        var query = StoreQuery()
        query.service = "service-7"
        #expect(try StoreReader(path).documents(query).count == 2)
    }

    @Test func `forgets the combinations that expired documents had`() throws {
        let store = try open(StoreRetention(age: .seconds(60)))
        let second: Int64 = 1_000_000_000
        _ = try insert(
            [Draft(number: 1, service: "old"), Draft(number: 2, time: second)], into: store)
        _ = try store.expire(now: Timestamp(seconds: 61), always: true)
        let reader = try Database(path, isReadOnly: true)
        #expect(try reader.number("SELECT count(*) FROM kinds") == 1)
        // The number of a combination that went may be another's by now.
        _ = try insert(
            [
                Draft(number: 3, time: second, service: "new"),
                Draft(number: 4, time: second, service: "old"),
            ],
            into: store)
        let found = try StoreReader(path).documents(StoreQuery())
        #expect(found.map(\.service) == ["reviews", "new", "old"])
    }

    @Test func `is read while it is written`() throws {
        let store = try open()
        _ = try insert([Draft(number: 1)], into: store)
        let reader = try StoreReader(path)
        let first = try reader.lastNumber()
        _ = try insert([Draft(number: 2, text: #"{"late":true}"#)], into: store)
        #expect(
            try reader.documents(StoreQuery(), after: first).map(\.text) == [#"{"late":true}"#])
    }

    @Test func `refuses a file that is no store`() throws {
        folder.write(String(repeating: "this is no database ", count: 100), to: "store.db")
        #expect(throws: DatabaseError.self) { try open() }
        #expect(throws: DatabaseError.self) { try StoreReader(path) }
        #expect(throws: DatabaseError.self) { try StoreReader(folder.file("absent.db")) }
    }

    @Test func `counts documents by code`() throws {
        _ = try insert(
            [
                Draft(number: 1), Draft(number: 2, code: 503), Draft(number: 3, code: 503),
                Draft(number: 4, code: nil),
            ], into: open())
        let counts = try StoreReader(path).countsByCode()
        #expect(counts.map(\.code) == [nil, 200, 503])
        #expect(counts.map(\.count) == [1, 1, 2])
    }

    // MARK: Conditions

    private static let documents = [
        #"{"n":1,"code":200,"path":"/api/a","ua":"curl","geo":{"city":"Bern"}}"#,
        #"{"n":2,"code":503,"path":"/api/b","ua":"it's \"me\""}"#,
        #"{"n":3,"code":404,"path":"/health","duration":1.5}"#,
        #"{"n":4,"code":null,"path":"/x"}"#,
    ]

    @Test(
        "finds what a condition says",
        arguments: [
            ("code >= 500", [2]), ("code = 200", [1]), ("code == 200 or code = 404", [1, 3]),
            ("code != 200", [2, 3, 4]), ("not code = 200", [2, 3, 4]),
            ("path =~ '^/api'", [1, 2]), ("path !~ '^/api' and code < 500", [3]),
            ("geo.city = 'Bern'", [1]), ("ua contains 'it'", [2]), ("duration > 1", [3]),
            ("(code = 200 or code = 503) and not ua = curl", [2]), ("ua = \"it's\"", []),
            ("NOT (path = '/x') AND code<=404", [1, 3]), ("n = 1 or n = 2 and code = 200", [1]),
        ])
    func conditions(_ text: String, _ wanted: [Int]) throws {
        let store = try open()
        _ = try insert(
            Self.documents.enumerated().map { Draft(number: UInt64($0), text: $1) }, into: store)
        var query = StoreQuery()
        query.condition = try StoreCondition(text)
        let found = try StoreReader(path).documents(query).compactMap { document -> Int? in
            guard case .object(let record)? = JSONValueReader.value(of: document.text) else {
                return nil
            }
            return record["n"]?.integer.map { Int($0) }
        }
        #expect(found == wanted)
    }

    @Test(
        "says where a condition is broken",
        arguments: [
            ("", 1, "a field is missing"), ("code", 5, "a comparison is missing behind `code`"),
            ("code >=", 8, "a value is missing"), ("code = 'x", 8, "the text has no end"),
            ("(code = 1", 10, "`)` is missing"),
            ("code = 1 path = 2", 10, "`path = 2` is left over"),
            ("path =~ 5", 10, "a pattern is a text"), ("= 5", 1, "`= 5` is not a field"),
            ("a. = 5", 3, "` = 5` is not a field"),
            (
                String(repeating: "(", count: 100) + "a=1" + String(repeating: ")", count: 100), 65,
                "conditions are nested too deep"
            ),
        ])
    func brokenConditions(_ text: String, _ column: Int, _ message: String) {
        do {
            _ = try StoreCondition(text)
            Issue.record("accepted")
        } catch {
            #expect(error.column == column)
            #expect(error.message == message)
            #expect(!error.help.isEmpty)
        }
    }

    @Test func `reads any text as a condition or refuses it`() {
        var random = SeededGenerator(announcing: "store conditions")
        let words = [
            "code", ">=", "500", "and", "or", "not", "(", ")", "'x'", "=~", "path", ".", " ", "\"",
            "'", "contains", "\u{0}", "é", "=", "!",
        ]
        let time = FuzzTime()
        while time.isLeft {
            let count = Int.random(in: 0..<30, using: &random)
            let text = (0..<count).map { _ in words.randomElement(using: &random) ?? "" }.joined(
                separator: Bool.random(using: &random) ? " " : "")
            do {
                _ = try StoreCondition(text)
            } catch {
                #expect(error.column >= 1 && error.column <= text.utf8.count + 1)
            }
        }
    }
}

import ArgumentParser
import Glibc
import WeirConfig
import WeirCore
import WeirHost
import WeirStore

/// `weir logs`
struct LogsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs",
        abstract: "Read the documents of the embedded store.",
        discussion: """
            A condition compares fields: response_code >= 500 and not path =~ '^/health'. \
            There are = != < <= > >= =~ !~ contains, and, or, not and parentheses.
            """)

    @Option(help: "The store's file.")
    var store = "/var/lib/weir/store.db"

    @Option(help: "Documents of so long ago and later (15m), or since a time.")
    var since: String?

    @Option(help: "Documents before so long ago (5m), or before a time.")
    var until: String?

    @Option(name: .customLong("where"), help: "Which documents: a condition.")
    var condition: String?

    @Option(help: "Which tags: a pattern as in <match>.")
    var tag: String?

    @Option(help: "Which service.")
    var service: String?

    @Option(help: "Which response code.")
    var code: Int64?

    @Option(help: "Most documents; the youngest are shown. 0 for all.")
    var limit = 100

    @Flag(name: .shortAndLong, help: "Go on with documents as they come.")
    var follow = false

    @Flag(help: "Print each document as JSON.")
    var json = false

    func run() throws {
        var query = StoreQuery()
        query.since = try since.map { try moment($0) }
        query.until = try until.map { try moment($0) }
        query.limit = limit > 0 ? limit : nil
        query.service = service
        query.code = code
        do {
            query.condition = try condition.map { (text) throws(StoreCondition.SyntaxError) in
                try StoreCondition(text)
            }
            query.tag = try tag.map { (text) throws(RegexError) in try TagPattern(text) }
            let reader = try StoreReader(store)
            var last = try reader.lastNumber()
            show(try reader.documents(query))
            guard follow else { return }
            query.limit = nil
            let watch = Inotify()
            watch.watch(store + "-wal")
            while true {
                watch.wait(milliseconds: 1000)
                let found = try reader.documents(query, after: last)
                last = max(last, found.map(\.number).max() ?? last)
                show(found)
            }
        } catch let error as StoreCondition.SyntaxError {
            throw ValidationError("\(error)")
        } catch let error as DatabaseError {
            print("\(error)\n  help: name the file that the output `store` writes by --store")
            throw ExitCode(2)
        }
    }

    /// `15m` as that long ago, or a written time.
    private func moment(_ text: String) throws -> Int64 {
        let now = SystemClock().now
        if let duration = try? ValueText.duration(text) {
            let ago = duration.components.seconds
            return Timestamp(seconds: now.seconds &- ago, nanoseconds: now.nanoseconds)
                .nanosecondsSince1970
        }
        var text = text
        let found = text.withUTF8 {
            TimeFormat.parseFreely(UnsafeRawBufferPointer($0), zone: .local, now: now)
        }
        guard let found else {
            throw ValidationError("`\(text)` is neither a duration (15m) nor a time")
        }
        return found.time.nanosecondsSince1970
    }

    private func show(_ documents: [FoundDocument]) {
        var text = ByteBuffer()
        for document in documents {
            text.append(json ? document.text : line(document))
            text.append(byte: 0x0a)
        }
        var place = 0
        while place < text.count {
            let count = write(STDOUT_FILENO, text.pointer + place, text.count - place)
            guard count > 0 else { return }
            place += count
        }
    }

    /// Time, code, method, path, service and duration of a request; any other document as JSON.
    private func line(_ document: FoundDocument) -> String {
        guard case .object(let record)? = JSONValueReader.value(of: document.text),
            case .string(let method)? = record["method"], case .string(let path)? = record["path"]
        else { return document.text }
        let time = Timestamp(
            seconds: document.time / 1_000_000_000,
            nanoseconds: UInt32(clamping: document.time % 1_000_000_000))
        let clock = TimeFormat.text(of: time, format: "%Y-%m-%d %H:%M:%S.%L", zone: .local)
        var parts = [clock]
        if let code = record["response_code"] { parts.append(JSONValueWriter.text(code)) }
        parts += [method, path, document.service]
        if case .integer(let duration)? = record["duration"] { parts.append("\(duration) ms") }
        if case .string(let flags)? = record["response_flags"], flags != "-" { parts.append(flags) }
        return parts.joined(separator: "  ").filter { !$0.isNewline }
    }
}

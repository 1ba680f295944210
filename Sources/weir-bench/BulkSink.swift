import Glibc
import Synchronization
import WeirCore

/// Takes bulk requests as fast as it can, counts their documents and says that all are stored.
final class BulkSink: Sendable {
    private let total = Atomic<Int>(0)
    /// The port that it listens on.
    let port: Int

    /// How many documents have come.
    var documentCount: Int { total.load(ordering: .relaxed) }

    init() {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                _ = bind(listener, address, size)
                listen(listener, 64)
                getsockname(listener, address, &size)
            }
        }
        _ = fcntl(listener, F_SETFD, FD_CLOEXEC)
        port = Int(UInt16(bigEndian: address.sin_port))
        WorkerThread.start("sink") { [self] in
            while true {
                let connection = accept(listener, nil, nil)
                guard connection >= 0 else { continue }
                _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
                WorkerThread.start("sink-client") { [self] in serve(connection) }
            }
        }
    }

    private func serve(_ connection: Int32) {
        defer { close(connection) }
        var room = [UInt8](repeating: 0, count: 1 << 20)
        var head: [UInt8] = []
        var answer = ByteBuffer()
        while true {
            // The head of a request, and what came of its body with it.
            head.removeAll(keepingCapacity: true)
            var bodyStart: Int?
            while bodyStart == nil {
                let count = read(connection, &room, room.count)
                guard count > 0 else { return }
                head += room[..<count]
                bodyStart = Self.headEnd(head)
            }
            guard let bodyStart else { return }
            let text = String(decoding: head[..<bodyStart], as: UTF8.self).lowercased()
            var lines = Self.lineCount(head[bodyStart...])
            var missing = Self.contentLength(text) - (head.count - bodyStart)
            if text.contains("expect: 100-continue") {
                _ = write(connection, "HTTP/1.1 100 Continue\r\n\r\n", 25)
            }
            while missing > 0 {
                let count = read(connection, &room, min(room.count, missing))
                guard count > 0 else { return }
                lines += Self.lineCount(room[..<count])
                missing -= count
            }
            let documents = lines / 2
            total.wrappingAdd(documents, ordering: .relaxed)
            Self.fill(&answer, documents)
            var place = 0
            while place < answer.count {
                let count = write(connection, answer.pointer + place, answer.count - place)
                guard count > 0 else { return }
                place += count
            }
        }
    }

    private static func headEnd(_ bytes: [UInt8]) -> Int? {
        bytes.withUnsafeBytes { all in
            guard let base = all.baseAddress else { return nil }
            var place = 0
            while place + 4 <= all.count,
                let found = memchr(base + place, 0x0d, all.count - place - 3)
            {
                let at = UnsafeRawPointer(found) - base
                if all[at + 1] == 0x0a, all[at + 2] == 0x0d, all[at + 3] == 0x0a { return at + 4 }
                place = at + 1
            }
            return nil
        }
    }

    private static func contentLength(_ head: String) -> Int {
        guard let range = head.firstRange(of: "content-length: ") else { return 0 }
        return Int(head[range.upperBound...].prefix { $0.isNumber }) ?? 0
    }

    private static func lineCount(_ bytes: ArraySlice<UInt8>) -> Int {
        bytes.withUnsafeBytes { all in
            guard let base = all.baseAddress else { return 0 }
            var count = 0
            var place = 0
            while place < all.count, let found = memchr(base + place, 0x0a, all.count - place) {
                count += 1
                place = UnsafeRawPointer(found) - base + 1
            }
            return count
        }
    }

    private static func fill(_ answer: inout ByteBuffer, _ documents: Int) {
        var body = ByteBuffer(capacity: documents * 28 + 64)
        body.append("{\"took\":1,\"errors\":false,\"items\":[")
        for number in 0..<documents {
            if number > 0 { body.append(",") }
            body.append("{\"create\":{\"status\":201}}")
        }
        body.append("]}")
        answer.truncate(to: 0)
        answer.append("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ")
        answer.append(decimal: body.count)
        answer.append("\r\n\r\n")
        answer.append(body.bytes)
    }
}

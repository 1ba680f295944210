import Glibc
import Synchronization
import WeirCore

/// A server that reads each request to its end, answers with bytes that a test wrote down, whole or
/// not, and closes the connection.
public final class CutOffPeer: Sendable {
    /// Why it cannot listen.
    public struct Problem: Error {}

    private let listener: Int32
    private let answers: Mutex<[String]>
    private let count = Atomic<Int>(0)
    /// The port that it listens on.
    public let port: Int

    /// How many requests were read.
    public var requestCount: Int { count.load(ordering: .acquiring) }

    /// A peer that gives these answers, one to a connection, and then takes no more.
    public init(answering answers: [String]) throws {
        self.answers = Mutex(answers)
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listener = self.listener
        let isBound = withUnsafeMutableBytes(of: &address) { bytes in
            let place = bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self)
            return bind(listener, place, length) == 0 && listen(listener, 8) == 0
                && getsockname(listener, place, &length) == 0
        }
        port = Int(UInt16(bigEndian: address.sin_port))
        guard isBound else {
            close(listener)
            throw Problem()
        }
        WorkerThread.start("cut-off-peer") { [self] in serve() }
    }

    private func serve() {
        defer { close(listener) }
        while let answer = answers.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) {
            let connection = accept(listener, nil, nil)
            guard connection >= 0 else { return }
            readRequest(connection)
            count.wrappingAdd(1, ordering: .releasing)
            var answer = answer
            answer.withUTF8 {
                _ = send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            close(connection)
        }
    }

    /// Reads head and body, so that closing does not break the connection before the answer is read.
    private func readRequest(_ connection: Int32) {
        var text: [UInt8] = []
        var room = [UInt8](repeating: 0, count: 1 << 16)
        var end: Int?
        while end.map({ text.count < $0 }) ?? true {
            let count = recv(connection, &room, room.count, 0)
            guard count > 0 else { return }
            text += room[..<count]
            if end == nil { end = requestEnd(text) }
        }
    }

    /// Where the request ends, once its head is there.
    private func requestEnd(_ text: [UInt8]) -> Int? {
        guard let head = text.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
        let lines = String(decoding: text[..<head.lowerBound], as: UTF8.self).lowercased()
            .split(separator: "\r\n")
        let length = lines.first { $0.hasPrefix("content-length:") }?.dropFirst(15)
        return head.upperBound + (length.flatMap { Int($0.filter(\.isNumber)) } ?? 0)
    }
}

import Glibc

/// A connection to a port of this host, for what no client library would send.
public final class RawConnection {
    private let connection: Int32

    /// Connects.
    /// - Returns: `nil` when nobody listens.
    public init?(port: Int, patience seconds: Int = 20) {
        connection = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        address.sin_port = UInt16(truncatingIfNeeded: port).bigEndian
        var patience = timeval(tv_sec: seconds, tv_usec: 0)
        setsockopt(
            connection, SOL_SOCKET, SO_RCVTIMEO, &patience,
            socklen_t(MemoryLayout<timeval>.size))
        let isConnected = withUnsafeBytes(of: &address) { bytes in
            connect(
                connection, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self),
                socklen_t(bytes.count)) == 0
        }
        guard isConnected else {
            close(connection)
            return nil
        }
    }

    deinit { close(connection) }

    /// Sends bytes.
    /// - Returns: Whether the other side took them.
    @discardableResult
    public func write(_ bytes: some Collection<UInt8>) -> Bool {
        let bytes = Array(bytes)
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    /// What comes until the other side closes, or has said `end`.
    public func read(upTo end: String = "\u{0}") -> String {
        var text: [UInt8] = []
        var room = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = recv(connection, &room, room.count, 0)
            guard count > 0 else { break }
            text += room[..<count]
            if String(decoding: text, as: UTF8.self).contains(end) { break }
        }
        return String(decoding: text, as: UTF8.self)
    }
}

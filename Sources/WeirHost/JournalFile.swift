import Glibc

/// A file that grows at its end, frame by frame, and is written anew when it has grown too much.
///
/// Belongs to one thread at a time.
public struct JournalFile: ~Copyable {
    /// Below this size the file grows without being written anew.
    private static let rewriteByteFloor = 1 << 20
    /// How many times its size after the last rewriting the file may have.
    private static let growthLimit = 4

    private let path: String
    /// Open for appending behind a whole frame; negative where the next write is to be a rewriting.
    private var descriptor: Int32 = -1
    private var byteCount = 0
    private var wholeByteCount = 0

    /// The journal at a path, which is not touched yet.
    public init(_ path: String) { self.path = path }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// The bytes of the file; none when there is no such file.
    public func bytes(limit: Int) -> [UInt8] { AtomicFile.read(path, limit: limit) ?? [] }

    /// Whether the file is to be written anew: at first, after a failure, and when it has grown.
    public var needsRewriting: Bool {
        descriptor < 0
            || byteCount > max(Self.rewriteByteFloor, wholeByteCount * Self.growthLimit)
    }

    /// Writes the whole file anew, or leaves it as it was.
    public mutating func rewrite(_ bytes: [UInt8]) throws(SystemError) {
        leave()
        AtomicFile.makeFolder(of: path)
        try AtomicFile.write(bytes, to: path)
        let opened = open(path, O_WRONLY | O_APPEND | O_CLOEXEC)
        guard opened >= 0 else { throw SystemError.last() }
        descriptor = opened
        byteCount = bytes.count
        wholeByteCount = bytes.count
    }

    /// Appends frames; they are on the disk when it returns.
    public mutating func append(_ bytes: [UInt8]) throws(SystemError) {
        guard descriptor >= 0 else { throw SystemError(number: EBADF) }
        var place = 0
        while place < bytes.count {
            let count = bytes.withUnsafeBytes { bytes in
                write(descriptor, bytes.baseAddress?.advanced(by: place), bytes.count - place)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw fail() }
            place += count
        }
        guard fdatasync(descriptor) == 0 else { throw fail() }
        byteCount += bytes.count
    }

    /// What is half written must not be followed by anything.
    private mutating func fail() -> SystemError {
        let error = SystemError.last()
        leave()
        return error
    }

    private mutating func leave() {
        if descriptor >= 0 { close(descriptor) }
        descriptor = -1
    }
}

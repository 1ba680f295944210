import Glibc

/// Files that are written whole or not at all.
public enum AtomicFile {
    /// Puts new bytes in a file's place: written beside it, synced, renamed.
    ///
    /// When that fails the former file is as it was, and nothing is left beside it.
    /// - Parameter isSynced: Whether the bytes are on the disk when it returns; else they outlive the process,
    ///   and after a loss of power the file may be damaged.
    public static func write(
        _ bytes: [UInt8], to path: String, isSynced: Bool = true
    ) throws(SystemError) {
        var isWritten = false
        try write(to: path, isSynced: isSynced) {
            defer { isWritten = true }
            return isWritten ? nil : bytes
        }
    }

    /// The same, of parts that need not all be there at once.
    /// - Parameter next: The next part; `nil` after the last.
    public static func write(
        to path: String, isSynced: Bool = true, next: () -> [UInt8]?
    ) throws(SystemError) {
        let part = path + ".part"
        let descriptor = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw SystemError.last() }
        var failure: SystemError?
        while failure == nil, let bytes = next() { failure = fill(descriptor, with: bytes) }
        if failure == nil, isSynced, fdatasync(descriptor) != 0 { failure = SystemError.last() }
        close(descriptor)
        if failure == nil, rename(part, path) != 0 { failure = SystemError.last() }
        guard let failure else { return }
        unlink(part)
        throw failure
    }

    private static func fill(_ descriptor: Int32, with bytes: [UInt8]) -> SystemError? {
        var place = 0
        while place < bytes.count {
            let count = bytes.withUnsafeBytes { bytes in
                Glibc.write(descriptor, bytes.baseAddress?.advanced(by: place), bytes.count - place)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return SystemError.last() }
            place += count
        }
        return nil
    }

    /// A file's bytes, or `nil` when it cannot be read or is larger than `limit`.
    public static func read(_ path: String, limit: Int = 64 * 1024 * 1024) -> [UInt8]? {
        guard let file = try? OpenFile(path), let status = try? file.status(),
            status.size <= UInt64(limit)
        else { return nil }
        return try? file.bytes(at: 0, count: Int(status.size))
    }

    /// Removes a file, if it is there.
    public static func remove(_ path: String) { unlink(path) }

    /// Makes the folder of a path, and those above it.
    public static func makeFolder(of path: String) {
        var folder = path.hasPrefix("/") ? "" : "."
        for part in FileNames.folder(of: path).split(separator: "/") {
            folder += "/" + part
            mkdir(folder, 0o755)
        }
    }
}

import Glibc
import WeirCore

/// Which file it is, whatever its name: device and inode.
public struct FileIdentity: Hashable, Sendable {
    /// The device.
    public var device: UInt64
    /// The inode on the device.
    public var inode: UInt64

    /// An identity by its parts.
    public init(device: UInt64, inode: UInt64) {
        self.device = device
        self.inode = inode
    }
}

/// What the file system says of a file.
public struct FileStatus: Sendable {
    /// Which file it is.
    public var identity: FileIdentity
    /// Bytes.
    public var size: UInt64
    /// The time of the last change.
    public var modified: Timestamp
    /// Whether it is an ordinary file.
    public var isRegular: Bool
    /// How many names it has; without one it is gone when it is closed.
    public var linkCount: UInt64

    init(_ status: stat) {
        identity = FileIdentity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
        size = UInt64(max(status.st_size, 0))
        modified = Timestamp(
            seconds: Int64(status.st_mtim.tv_sec), nanoseconds: UInt32(status.st_mtim.tv_nsec))
        isRegular = status.st_mode & S_IFMT == S_IFREG
        linkCount = UInt64(status.st_nlink)
    }

    /// The status behind a path, links followed, or why there is none.
    public static func of(_ path: String) -> Result<FileStatus, SystemError> {
        var status = stat()
        guard stat(path, &status) == 0 else { return .failure(SystemError.last()) }
        return .success(FileStatus(status))
    }
}

/// A failed call of the system's.
public struct SystemError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The number, such as `ENOENT`.
    public var number: Int32

    /// An error by its number.
    public init(number: Int32) {
        self.number = number
    }

    /// The error of the call that just failed.
    public static func last() -> SystemError { SystemError(number: errno) }

    /// Whether the file is not there.
    public var isAbsence: Bool { number == ENOENT || number == ENOTDIR }

    /// The system's words for it.
    public var description: String { String(cString: strerror(number)) }
}

/// A file open for reading.
public final class OpenFile: Sendable {
    private let descriptor: Int32

    /// Opens a file.
    public init(_ path: String) throws(SystemError) {
        descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        if descriptor < 0 { throw SystemError.last() }
    }

    deinit { close(descriptor) }

    /// The file's status now.
    public func status() throws(SystemError) -> FileStatus {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw SystemError.last() }
        return FileStatus(status)
    }

    /// Reads at a place.
    /// - Returns: How many bytes; 0 at the end.
    public func read(
        into room: UnsafeMutableRawBufferPointer, at offset: UInt64
    ) throws(SystemError) -> Int {
        // No file is that long; the kernel would call the place invalid.
        guard let place = off_t(exactly: offset), place <= off_t.max - room.count else { return 0 }
        while true {
            let count = pread(descriptor, room.baseAddress, room.count, place)
            if count >= 0 { return count }
            if errno != EINTR { throw SystemError.last() }
        }
    }

    /// The bytes at a place, at most `count`.
    public func bytes(at offset: UInt64, count: Int) throws(SystemError) -> [UInt8] {
        var failure: SystemError?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { room, filled in
            do throws(SystemError) {
                filled = try read(into: UnsafeMutableRawBufferPointer(room), at: offset)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }
}

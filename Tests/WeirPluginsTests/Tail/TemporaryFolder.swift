import Glibc
import WeirHost

/// A folder of a test's own, gone with its last user.
final class TemporaryFolder {
    let path: String

    /// Where a folder is made.
    enum Place {
        case disk
        /// Where many writes with their syncs cost little.
        case memory
    }

    init(_ place: Place = .disk) {
        let hasMemory = place == .memory && access("/dev/shm", W_OK) == 0
        var template = Array("\(hasMemory ? "/dev/shm" : "/tmp")/weir-test-XXXXXX".utf8CString)
        path = mkdtemp(&template).map { String(cString: $0) } ?? "/nonexistent"
    }

    deinit { Self.remove(path) }

    private static func remove(_ path: String) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        if status.st_mode & S_IFMT == S_IFDIR {
            chmod(path, 0o700)
            for name in FileNames.inFolder(path) { remove("\(path)/\(name)") }
            rmdir(path)
        } else {
            unlink(path)
        }
    }

    func place(_ name: String) -> String { "\(path)/\(name)" }

    /// Creates a file, or overwrites it in place.
    func write(_ name: String, _ bytes: some Sequence<UInt8>) { put(name, Array(bytes), O_TRUNC) }

    func write(_ name: String, _ text: String) { write(name, text.utf8) }

    func append(_ name: String, _ text: String) { put(name, Array(text.utf8), O_APPEND) }

    private func put(_ name: String, _ bytes: [UInt8], _ flag: Int32) {
        AtomicFile.makeFolder(of: place(name))
        let descriptor = open(place(name), O_WRONLY | O_CREAT | flag, 0o644)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var start = 0
        while start < bytes.count {
            let count = bytes[start...].withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress, $0.count)
            }
            guard count > 0 else { return }
            start += count
        }
    }

    func rename(_ old: String, _ new: String) { _ = Glibc.rename(place(old), place(new)) }

    func delete(_ name: String) { unlink(place(name)) }

    func truncate(_ name: String, _ size: Int) { _ = Glibc.truncate(place(name), off_t(size)) }

    func link(_ target: String, _ name: String) { symlink(place(target), place(name)) }

    func copy(_ name: String, _ new: String) { write(new, bytes(name) ?? []) }

    /// What logrotate's `copytruncate` does.
    func copyTruncate(_ name: String, _ new: String) {
        copy(name, new)
        truncate(name, 0)
    }

    func bytes(_ name: String) -> [UInt8]? { AtomicFile.read(place(name)) }

    func text(_ name: String) -> String? { bytes(name).map { String(decoding: $0, as: UTF8.self) } }

    func inode(_ name: String) -> UInt64 {
        if case .success(let status) = FileStatus.of(place(name)) {
            status.identity.inode
        } else {
            0
        }
    }
}

extension TemporaryFolder {
    /// Makes a file look as if it had not been changed for some time.
    func setModified(_ name: String, secondsAgo: Int) {
        let then = timespec(tv_sec: time(nil) - secondsAgo, tv_nsec: 0)
        utimensat(AT_FDCWD, place(name), [then, then], 0)
    }
}

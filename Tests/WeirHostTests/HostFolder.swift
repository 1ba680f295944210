import Glibc
import WeirHost

/// A folder of a test's own, gone with its last user.
final class HostFolder {
    let path: String

    init() {
        var template = Array("/tmp/weir-host-test-XXXXXX".utf8CString)
        path = mkdtemp(&template).map { String(cString: $0) } ?? "/nonexistent"
    }

    deinit { Self.remove(path) }

    private static func remove(_ path: String) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        if status.st_mode & S_IFMT == S_IFDIR {
            for name in FileNames.inFolder(path) { remove("\(path)/\(name)") }
            rmdir(path)
        } else {
            unlink(path)
        }
    }

    func place(_ name: String) -> String { "\(path)/\(name)" }

    /// Makes a file, and the folders that it stands in.
    func write(_ name: String, _ text: String = "") throws {
        AtomicFile.makeFolder(of: place(name))
        try AtomicFile.write(Array(text.utf8), to: place(name))
    }

    func link(_ target: String, _ name: String) { symlink(place(target), place(name)) }

    /// The names, in this folder, of the paths that a pattern stands for.
    func matching(_ pattern: String) -> [String] {
        FileNames.matching(place(pattern)).map { String($0.dropFirst(path.count + 1)) }
    }
}

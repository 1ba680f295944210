import Glibc

/// A folder that lives as long as a test needs it.
public final class ScratchFolder: Sendable {
    /// Why there is no folder.
    public struct Problem: Error {}

    /// The folder's path.
    public let path: String

    /// A new, empty folder.
    public init() throws {
        var template = Array("/tmp/weir-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Problem() }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { Self.remove(path) }

    /// The path of a file in the folder.
    public func file(_ name: String) -> String { "\(path)/\(name)" }

    /// Makes a folder within.
    public func makeFolder(_ name: String) { mkdir(file(name), 0o755) }

    /// Writes a file, in place when it is there.
    public func write(_ text: String, to name: String) {
        write(Array(text.utf8), to: name, O_TRUNC)
    }

    /// Appends to a file.
    public func append(_ text: String, to name: String) {
        write(Array(text.utf8), to: name, O_APPEND)
    }

    /// Writes a file of any bytes, in place when it is there.
    public func write(_ bytes: [UInt8], to name: String) { write(bytes, to: name, O_TRUNC) }

    private func write(_ bytes: [UInt8], to name: String, _ mode: Int32) {
        let descriptor = open(file(name), O_WRONLY | O_CREAT | mode, 0o644)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var place = 0
        while place < bytes.count {
            let count = bytes[place...].withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress, $0.count)
            }
            guard count > 0 else { return }
            place += count
        }
    }

    /// The bytes of a file, or `nil`.
    public func contents(of name: String) -> [UInt8]? {
        guard let opened = fopen(file(name), "r") else { return nil }
        defer { fclose(opened) }
        var bytes: [UInt8] = []
        var room = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = fread(&room, 1, room.count, opened)
            if count == 0 { return bytes }
            bytes += room[..<count]
        }
    }

    private static func remove(_ path: String) {
        if let folder = opendir(path) {
            while let entry = readdir(folder) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                if name == "." || name == ".." { continue }
                if entry.pointee.d_type == UInt8(DT_DIR) {
                    remove("\(path)/\(name)")
                } else {
                    unlink("\(path)/\(name)")
                }
            }
            closedir(folder)
        }
        rmdir(path)
    }
}

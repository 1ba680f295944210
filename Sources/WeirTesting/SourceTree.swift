import Glibc

/// The project's own files, for tests about their form.
public enum SourceTree {
    /// The project's folder.
    public static let root: String = {
        let parts = #filePath.split(separator: "/").dropLast(3)
        return "/" + parts.joined(separator: "/")
    }()

    /// The Swift files under a folder of the project, as paths from its root.
    public static func files(under folder: String) -> [String] {
        var found: [String] = []
        collect(folder, into: &found)
        return found.sorted()
    }

    private static func collect(_ folder: String, into found: inout [String]) {
        guard let directory = opendir("\(root)/\(folder)") else { return }
        defer { closedir(directory) }
        while let entry = readdir(directory) {
            let isFolder = entry.pointee.d_type == UInt8(DT_DIR)
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasPrefix(".") { continue }
            let path = "\(folder)/\(name)"
            if isFolder {
                collect(path, into: &found)
            } else if name.hasSuffix(".swift") {
                found.append(path)
            }
        }
    }

    /// The lines of a file of the project.
    public static func lines(of path: String) -> [String] {
        guard let file = fopen("\(root)/\(path)", "r") else { return [] }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var room = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = fread(&room, 1, room.count, file)
            if count == 0 { break }
            bytes += room[..<count]
        }
        if bytes.last == 0x0a { bytes.removeLast() }
        return bytes.split(separator: 0x0a, omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
    }
}

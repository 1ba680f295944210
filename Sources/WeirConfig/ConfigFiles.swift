import Glibc

/// How the configuration's reader comes by files: the real ones, or a test's.
public protocol ConfigFiles: Sendable {
    /// A file's bytes, or `nil` when it cannot be read.
    func contents(of path: String) -> [UInt8]?
    /// The paths that a pattern names, sorted.
    func paths(matching pattern: String) -> [String]
    /// An environment variable.
    func environment(_ name: String) -> String?
    /// The name of this host.
    var hostName: String { get }
}

/// The file system and environment of this process.
public struct RealConfigFiles: ConfigFiles {
    /// The largest configuration file, in bytes.
    public static let fileByteLimit = 16 * 1024 * 1024
    /// Deepest folder that `**` goes down to.
    private static let folderDepthLimit = 32

    /// The process's own.
    public init() {}

    public func contents(of path: String) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var room = [UInt8](repeating: 0, count: 64 * 1024)
        while bytes.count <= Self.fileByteLimit {
            let count = read(descriptor, &room, room.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { return nil }
            if count == 0 { return bytes }
            bytes += room[..<count]
        }
        return nil
    }

    public func paths(matching pattern: String) -> [String] {
        guard let stars = pattern.firstRange(of: "/**/") else { return listing(pattern) }
        var found: Set<String> = []
        for folder in foldersBelow(String(pattern[..<stars.lowerBound]), depth: 0) {
            found.formUnion(paths(matching: folder + "/" + pattern[stars.upperBound...]))
        }
        return found.sorted()
    }

    private func listing(_ pattern: String) -> [String] {
        var found = glob_t()
        defer { globfree(&found) }
        guard glob(pattern, 0, nil, &found) == 0 else { return [] }
        return (0..<Int(found.gl_pathc)).compactMap { index in
            found.gl_pathv[index].map { String(cString: $0) }
        }.sorted()
    }

    /// The folders that a pattern names and all below them, as `**` in a pattern means.
    private func foldersBelow(_ pattern: String, depth: Int) -> [String] {
        guard depth < Self.folderDepthLimit else { return [] }
        let below = listing(pattern + "/*/").map { String($0.dropLast()) }
        return listing(pattern) + below.flatMap { foldersBelow($0, depth: depth + 1) }
    }

    public func environment(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }

    public var hostName: String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "localhost" }
        return String(
            decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

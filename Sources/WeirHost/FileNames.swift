import Glibc

/// Names in the file system.
public enum FileNames {
    /// Deepest folder that `**` goes down to, against loops of mounts.
    private static let depthLimit = 64
    /// Most patterns that one with braces stands for.
    private static let expansionLimit = 1024

    /// The paths that a glob pattern names, sorted: `*`, `?`, `[…]`, `{a,b}`, and `**` for any folders.
    public static func matching(_ pattern: String) -> [String] {
        var found: Set<String> = []
        for plain in expandingBraces(pattern) { found.formUnion(listing(plain)) }
        return found.sorted()
    }

    /// Whether a glob pattern names a path.
    public static func pattern(_ pattern: String, names path: String) -> Bool {
        let parts = components(path)
        return expandingBraces(pattern).contains { names(components($0)[...], parts[...]) }
    }

    /// The names in a folder; empty when it cannot be read.
    public static func inFolder(_ path: String) -> [String] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    /// The folder that a path stands in.
    public static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// The path behind symbolic links, or the path itself.
    public static func resolved(_ path: String) -> String {
        guard let real = realpath(path, nil) else { return path }
        defer { free(real) }
        return String(cString: real)
    }

    // MARK: Listing

    private static func listing(_ pattern: String) -> [String] {
        guard let stars = pattern.range(ofFolders: "**/") else { return plainListing(pattern) }
        let head = String(pattern[..<stars.lowerBound])
        let rest = String(pattern[stars.upperBound...])
        let starts =
            head.isEmpty ? [""] : plainListing(head).map { $0.hasSuffix("/") ? $0 : $0 + "/" }
        var paths: [String] = []
        for start in starts {
            for folder in foldersBelow(start, depth: 0) { paths += listing(folder + rest) }
        }
        return paths
    }

    private static func plainListing(_ pattern: String) -> [String] {
        var found = glob_t()
        defer { globfree(&found) }
        guard glob(pattern, 0, nil, &found) == 0 else { return [] }
        return (0..<Int(found.gl_pathc)).compactMap { index in
            found.gl_pathv[index].map { String(cString: $0) }
        }
    }

    /// A folder and all below it, each with its slash; hidden ones and links are left out.
    private static func foldersBelow(_ folder: String, depth: Int) -> [String] {
        guard depth < depthLimit else { return [] }
        var folders = [escaped(folder)]
        for name in inFolder(folder.isEmpty ? "." : folder).sorted() where !name.hasPrefix(".") {
            var status = stat()
            guard lstat(folder + name, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
                continue
            }
            folders += foldersBelow(folder + name + "/", depth: depth + 1)
        }
        return folders
    }

    /// A path as a pattern that names it alone.
    private static func escaped(_ path: String) -> String {
        var text = ""
        for character in path {
            if "*?[\\".contains(character) { text.append("\\") }
            text.append(character)
        }
        return text
    }

    // MARK: Matching

    private static func components(_ path: String) -> [Substring] {
        path.split(separator: "/", omittingEmptySubsequences: false)
    }

    private static func names(
        _ patterns: ArraySlice<Substring>, _ parts: ArraySlice<Substring>
    ) -> Bool {
        guard let first = patterns.first else { return parts.isEmpty }
        let rest = patterns.dropFirst()
        if first == "**", !rest.isEmpty {
            if names(rest, parts) { return true }
            guard let part = parts.first, !part.hasPrefix(".") else { return false }
            return names(patterns, parts.dropFirst())
        }
        guard let part = parts.first, fnmatch(String(first), String(part), FNM_PERIOD) == 0 else {
            return false
        }
        return names(rest, parts.dropFirst())
    }

    /// The patterns that one with braces stands for.
    private static func expandingBraces(_ pattern: String) -> [String] {
        var open = [pattern]
        var plain: [String] = []
        while let next = open.popLast(), plain.count + open.count < expansionLimit {
            if let pieces = firstBrace(of: next) { open += pieces } else { plain.append(next) }
        }
        return plain
    }

    /// The patterns in which the first `{a,b}` is each of its words; `nil` without one.
    private static func firstBrace(of pattern: String) -> [String]? {
        guard let start = pattern.firstIndex(of: "{") else { return nil }
        var depth = 0
        var words: [Substring] = []
        var word = pattern.index(after: start)
        var place = start
        while place < pattern.endIndex {
            switch pattern[place] {
            case "{": depth += 1
            case ",":
                if depth == 1 {
                    words.append(pattern[word..<place])
                    word = pattern.index(after: place)
                }
            case "}":
                depth -= 1
                if depth == 0 {
                    words.append(pattern[word..<place])
                    let tail = pattern[pattern.index(after: place)...]
                    return words.map { String(pattern[..<start]) + $0 + tail }
                }
            default: break
            }
            place = pattern.index(after: place)
        }
        return nil
    }
}

extension String {
    /// Where a piece such as `**/` stands as a folder of its own.
    fileprivate func range(ofFolders piece: String) -> Range<String.Index>? {
        var rest = self[...]
        while let found = rest.firstRange(of: piece) {
            if found.lowerBound == startIndex || self[index(before: found.lowerBound)] == "/" {
                return found
            }
            rest = rest[found.upperBound...]
        }
        return nil
    }
}

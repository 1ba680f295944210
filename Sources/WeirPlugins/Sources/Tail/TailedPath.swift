import WeirCore
import WeirHost

/// One followed path: the file there now, and former ones that are not yet read and delivered.
final class TailedPath {
    let path: String
    let tag: String
    /// Files that the path has moved on from, oldest first.
    var older: [Generation] = []
    /// The file there now.
    var current: Generation?
    /// Whether that the file cannot be read has been reported.
    var isReportedUnreadable = false

    init(path: String, tag: String) {
        self.path = path
        self.tag = tag
    }

    /// All files in the order of their lines.
    var generations: [Generation] { older + (current.map { [$0] } ?? []) }

    /// The path moved on from its current file.
    func retireCurrent(now: UInt64) {
        guard let generation = current else { return }
        generation.rotatedAt = now
        older.append(generation)
        current = nil
    }
}

/// Finds the files that a path's name stood for before.
enum RotatedFiles {
    /// Endings of files that a rotation compressed: not lines any more.
    private static let compressedEndings = [".gz", ".zst", ".bz2", ".xz", ".lz4", ".part", ".tmp"]

    struct Found {
        var path: String
        var status: FileStatus
    }

    /// The files beside a path whose names begin with its own, oldest change first.
    static func siblings(of path: String) -> [Found] {
        var found: [Found] = []
        var seen: Set<FileIdentity> = []
        // A link's files rotate where it points to, as the kubelet's do.
        for place in Set([path, FileNames.resolved(path)]) {
            let folder = FileNames.folder(of: place)
            let base = place.split(separator: "/").last.map(String.init) ?? place
            for name in FileNames.inFolder(folder) where name.hasPrefix(base) && name != base {
                if compressedEndings.contains(where: { name.hasSuffix($0) }) { continue }
                let full = "\(folder)/\(name)"
                guard case .success(let status) = FileStatus.of(full), status.isRegular,
                    seen.insert(status.identity).inserted
                else { continue }
                found.append(Found(path: full, status: status))
            }
        }
        return found.sorted { $0.status.modified < $1.status.modified }
    }
}

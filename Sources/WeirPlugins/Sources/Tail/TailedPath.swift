import WeirCore
import WeirHost

/// One followed path: the file there now, and former ones that are not yet read and delivered.
final class TailedPath {
    let path: String
    let tag: String
    /// Whether the path appeared after the start, so that all of its file is new.
    let isNew: Bool
    /// Files that the path has moved on from, oldest first.
    var older: [Generation] = []
    /// The file there now.
    var current: Generation?
    /// Whether a file of the path has been opened yet.
    var isBegun = false
    /// Whether that the file cannot be read has been reported.
    var isReportedUnreadable = false
    /// The rotated files beside the path that are none of its unread ones.
    var siblings: Set<FileIdentity> = []
    /// When the path's last file had last been changed.
    var lastModified = Timestamp.epoch
    /// Since when no pattern names the path, in monotonic nanoseconds.
    var unmatchedSince: UInt64?
    /// When all whole lines had been read, in monotonic nanoseconds.
    var caughtUpAt: UInt64?
    /// The rule of the group that the path falls under.
    let rule: Int?
    /// How much may be read.
    var throttle: Throttle

    init(path: String, tag: String, isNew: Bool, options: TailOptions) {
        self.path = path
        self.tag = tag
        self.isNew = isNew
        rule = options.group?.rule(for: path)
        throttle = Throttle(byteLimit: options.bytesPerSecond)
    }

    /// All files in the order of their lines.
    var generations: [Generation] { older + (current.map { [$0] } ?? []) }

    /// Bytes that are not read yet.
    var unreadByteCount: UInt64 {
        generations.reduce(0) { $0 &+ $1.unreadByteCount }
    }

    /// Whether one of its files is this one.
    func holds(_ identity: FileIdentity) -> Bool {
        current?.identity == identity || older.contains { $0.identity == identity }
    }

    /// The path moved on from its current file.
    func retireCurrent(now: UInt64) {
        guard let generation = current else { return }
        generation.rotatedAt = now
        lastModified = generation.modified
        older.append(generation)
        current = nil
    }

    /// Notes which rotated files are there, to tell those that come later.
    func noteSiblings() { siblings = Set(RotatedFiles.siblings(of: path).map(\.status.identity)) }
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
            for name in FileNames.inFolder(folder) where isRotated(name, of: base) {
                let full = "\(folder)/\(name)"
                guard case .success(let status) = FileStatus.of(full), status.isRegular,
                    seen.insert(status.identity).inserted
                else { continue }
                found.append(Found(path: full, status: status))
            }
        }
        return found.sorted(by: isOlder)
    }

    /// Whether a name is another's with something behind that is not part of a word.
    private static func isRotated(_ name: String, of base: String) -> Bool {
        guard name.hasPrefix(base), let next = name.dropFirst(base.count).first else {
            return false
        }
        return !next.isLetter && !compressedEndings.contains { name.hasSuffix($0) }
    }

    /// Changes of one tick of the clock are told apart by the names: `.2` is older than `.1`, a date
    /// is older than a later one.
    private static func isOlder(_ left: Found, _ right: Found) -> Bool {
        if left.status.modified != right.status.modified {
            return left.status.modified < right.status.modified
        }
        if let first = shortNumber(left.path), let second = shortNumber(right.path) {
            return first > second
        }
        return left.path < right.path
    }

    private static func shortNumber(_ path: String) -> Int? {
        let digits = path.reversed().prefix { $0.isASCII && $0.isNumber }
        return digits.count <= 4 ? Int(String(digits.reversed())) : nil
    }
}

import WeirCore
import WeirHost

/// What is known of files between runs: where reading stopped, and which generation they were.
struct GenerationRegistry {
    /// How reading a file begins.
    enum Start: Equatable {
        case resume(position: UInt64, number: UInt64)
        /// Another file than the path's former one, or that one begun anew.
        case anew(number: UInt64)
        /// At a path that was never followed.
        case unknown(number: UInt64)
    }

    /// Most files remembered, so that a rotated name is not read again.
    private static let memoryLimit = 1024

    private let path: String?
    private let isKeyedByInode: Bool
    /// What the position file said of paths that have not been begun yet.
    private var positions: [PositionEntry] = []
    private var known: [FileIdentity: (entry: GenerationEntry, age: UInt64)] = [:]
    private var age: UInt64 = 0
    private var written: Written?

    /// What was written last.
    private struct Written {
        var text: [UInt8]
        var entries: [PositionEntry]
        var active: [GenerationEntry]
        var age: UInt64
    }

    init(positionFile: String?, isKeyedByInode: Bool = false) {
        path = positionFile
        self.isKeyedByInode = isKeyedByInode
    }

    // MARK: Files

    private static func companion(of path: String) -> String { path + ".weir" }

    /// Reads what an earlier run, or Fluentd, wrote.
    mutating func load() -> [TailReport] {
        guard let path else { return [] }
        AtomicFile.makeFolder(of: path)
        var problems: [TailReport] = []
        let bytes = AtomicFile.read(path) ?? []
        let (entries, bad) = PositionFile.parse(bytes)
        positions = entries.filter { $0.position != PositionEntry.unwatched }
        if bad > 0 { problems.append(.badPositionLines(path: path, count: bad)) }
        guard let companion = AtomicFile.read(Self.companion(of: path)) else { return problems }
        let generations = GenerationEntry.parse(companion)
        for entry in generations {
            let former = known[entry.identity]?.entry.generation
            if former.map({ entry.generation >= $0 }) ?? true { remember(entry) }
        }
        if GenerationHeader.parse(companion)?.isAheadOf(bytes) == true {
            // The run ended between the two files: the younger one knows.
            let newer = generations.filter { !$0.isRotated }.map {
                PositionEntry(path: $0.path, position: $0.position, inode: $0.inode)
            }
            let paths = Set(newer.map(\.path))
            positions = positions.filter { !paths.contains($0.path) } + newer
        }
        return problems
    }

    /// Writes the positions of all paths, if they changed.
    /// - Parameter prepare: Called before something is written.
    mutating func save(paths: [TailedPath], preparing prepare: () -> Void) -> TailReport? {
        guard let path else { return nil }
        var entries: [PositionEntry] = []
        var active: [GenerationEntry] = []
        for tailed in paths where tailed.isBegun {
            active += tailed.generations.map { entry($0, path: tailed.path) }
            let shown = isKeyedByInode ? tailed.generations[...] : tailed.generations.suffix(1)
            entries += shown.map {
                PositionEntry(
                    path: tailed.path, position: $0.tracker.position, inode: $0.identity.inode)
            }
        }
        entries += positions
        if let written, written.entries == entries, written.active == active, written.age == age {
            return nil
        }
        prepare()
        let identities = Set(active.map(\.identity))
        let remembered = known.values.filter { !identities.contains($0.entry.identity) }
            .sorted { $0.age < $1.age }.map(\.entry)
        let text = PositionFile.text(entries)
        let generations = GenerationEntry.text(remembered + active)
        let header = GenerationHeader(now: text, before: written?.text ?? AtomicFile.read(path))
        do throws(SystemError) {
            // The generations first: a position without its generation would be resumed under
            // another identity, a generation without its position is found by the header.
            try AtomicFile.write(header.text + generations, to: Self.companion(of: path))
            try AtomicFile.write(text, to: path)
            written = Written(text: text, entries: entries, active: active, age: age)
            return nil
        } catch {
            return .positionsNotWritten(path: path, reason: "\(error)")
        }
    }

    private func entry(_ generation: Generation, path: String) -> GenerationEntry {
        let position = generation.tracker.position
        return GenerationEntry(
            path: path, device: generation.identity.device, inode: generation.identity.inode,
            fingerprint: generation.fingerprint ?? 0, generation: generation.number,
            position: position, tail: generation.tailHash(at: position),
            isRotated: generation.rotatedAt != nil)
    }

    private mutating func remember(_ entry: GenerationEntry) {
        age += 1
        known[entry.identity] = (entry, age)
        guard known.count > Self.memoryLimit else { return }
        let ages = known.values.map(\.age).sorted()
        let oldest = ages[ages.count / 2]
        known = known.filter { $0.value.age >= oldest }
    }

    // MARK: Questions

    /// Whether a path was followed before.
    func knows(_ path: String) -> Bool {
        positions.contains { $0.path == path } || known.values.contains { $0.entry.path == path }
    }

    /// The paths that were being followed when the last run ended.
    var followedPaths: Set<String> {
        Set(positions.map(\.path) + known.values.map(\.entry.path))
    }

    /// How to begin with a path's file.
    func start(path: String, _ file: OpenFile, _ status: FileStatus) -> Start {
        let identity = status.identity
        let former = known[identity]?.entry
        let isSame = former?.isFollowed(by: file, size: status.size) ?? false
        let entry = positions.last {
            $0.inode == identity.inode && ($0.path == path || isKeyedByInode)
        }
        guard let entry else {
            if let former, isSame {
                return .resume(position: former.position, number: former.generation)
            }
            let number = nextNumber(of: identity)
            return knows(path) ? .anew(number: number) : .unknown(number: number)
        }
        let fits = entry.position <= status.size
        guard let former else {
            return fits ? .resume(position: entry.position, number: 0) : .anew(number: 0)
        }
        if isSame, fits { return .resume(position: entry.position, number: former.generation) }
        // Another program may have followed the file since; then it knows better.
        if fits, entry.position != former.position {
            return .resume(position: entry.position, number: nextNumber(of: identity))
        }
        return .anew(number: nextNumber(of: identity))
    }

    /// Where a rotated file of a path was left, or `nil` when it is not one of the path's.
    func rotated(
        _ path: String, _ file: OpenFile, _ status: FileStatus
    ) -> (position: UInt64, number: UInt64)? {
        let identity = status.identity
        if let former = known[identity]?.entry {
            guard former.path == path else { return nil }
            guard former.isFollowed(by: file, size: status.size) else {
                // Emptied before it was rotated, or another file in its inode: none of it is read.
                return (0, nextNumber(of: identity))
            }
            let moved = positions.last { $0.path == path && $0.inode == identity.inode }
            return (moved?.position ?? former.position, former.generation)
        }
        // Fluentd's file knows the inode only.
        guard let entry = positions.last(where: { $0.path == path && $0.inode == identity.inode }),
            entry.position <= status.size
        else { return nil }
        return (entry.position, 0)
    }

    /// Whether a file was followed before, up to whatever place.
    func hasFollowed(_ file: OpenFile, _ status: FileStatus) -> Bool {
        known[status.identity]?.entry.isFollowed(by: file, size: status.size) ?? false
    }

    /// The number of a file that takes an inode anew.
    func nextNumber(of identity: FileIdentity) -> UInt64 {
        known[identity].map { $0.entry.generation &+ 1 } ?? 0
    }

    // MARK: Changes

    /// A file is followed.
    mutating func note(_ generation: Generation, path: String) {
        remember(entry(generation, path: path))
    }

    /// A file was read to its end and delivered.
    mutating func noteFinished(_ generation: Generation, path: String) {
        var entry = entry(generation, path: path)
        // The end of an overlong line that never came is not waited for again.
        entry.position = generation.readOffset
        entry.tail = generation.tailHash(at: generation.readOffset)
        entry.isRotated = true
        if let status = try? generation.file.status(), status.linkCount == 0 {
            // Deleted: only its number is needed, for the next file in its inode.
            entry.position = .max
        }
        remember(entry)
    }

    /// A rotated file has been found at the place where it was left.
    mutating func noteRotated(
        _ path: String, _ file: OpenFile, _ status: FileStatus, position: UInt64, number: UInt64
    ) {
        let entry = GenerationEntry(
            path: path, device: status.identity.device, inode: status.identity.inode,
            fingerprint: Generation.fingerprint(of: file) ?? 0, generation: number,
            position: position, tail: Generation.tailHash(of: file, before: position),
            isRotated: true)
        if known[entry.identity]?.entry != entry { remember(entry) }
    }

    /// A path's files are open: what the position file said of them is not needed any more.
    mutating func forgetPositions(of path: String, inode: UInt64?) {
        positions.removeAll { isKeyedByInode ? $0.inode == inode : $0.path == path }
    }

    /// Forgets positions of files that are no more.
    mutating func forgetAbsent() {
        positions.removeAll { entry in
            if isKeyedByInode {
                let files = [entry.path] + RotatedFiles.siblings(of: entry.path).map(\.path)
                return !files.contains { file in
                    guard case .success(let status) = FileStatus.of(file) else { return false }
                    return status.identity.inode == entry.inode
                }
            }
            if case .failure(let error) = FileStatus.of(entry.path) { return error.isAbsence }
            return false
        }
    }
}

import WeirCore
import WeirHost

/// What is known of files between runs: where reading stopped, and which generation they were.
struct GenerationRegistry {
    /// How reading a file begins.
    enum Start: Equatable {
        case resume(position: UInt64, number: UInt64)
        /// The file was emptied or replaced; so many unread bytes are known to be lost.
        case anew(number: UInt64, lostByteCount: UInt64)
        /// Never seen.
        case unknown
    }

    /// Most finished files remembered, so that a rotated name is not read again.
    private static let finishedLimit = 4096

    private let path: String?
    private var positions: [PositionEntry] = []
    private var generations: [GenerationEntry] = []
    private var finished: [GenerationEntry] = []
    private var numbers: [FileIdentity: UInt64] = [:]
    private var written: (positions: [UInt8], generations: [UInt8]) = ([], [])

    init(positionFile: String?) {
        path = positionFile
    }

    // MARK: Files

    /// Reads what an earlier run, or Fluentd, wrote.
    mutating func load() -> [TailReport] {
        guard let path else { return [] }
        var problems: [TailReport] = []
        if let bytes = AtomicFile.read(path) {
            let (entries, bad) = PositionFile.parse(bytes)
            positions = entries.filter { $0.position != PositionEntry.unwatched }
            if bad > 0 { problems.append(.badPositionLines(path: path, count: bad)) }
        }
        if let bytes = AtomicFile.read(path + ".weir") {
            for entry in GenerationEntry.parse(bytes) {
                generations.append(entry)
                let identity = FileIdentity(device: entry.device, inode: entry.inode)
                numbers[identity] = max(numbers[identity] ?? 0, entry.generation)
                if entry.isRotated { finished.append(entry) }
            }
        }
        return problems
    }

    /// Writes the positions of all paths, if they changed.
    mutating func save(paths: [TailedPath]) -> TailReport? {
        guard let path else { return nil }
        var entries: [PositionEntry] = []
        var all: [GenerationEntry] = []
        for tailed in paths {
            for generation in tailed.generations {
                let isRotated = generation.rotatedAt != nil
                all.append(entry(generation, path: tailed.path, isRotated: isRotated))
                if !isRotated {
                    entries.append(
                        PositionEntry(
                            path: tailed.path, position: generation.tracker.position,
                            inode: generation.identity.inode))
                }
            }
            if tailed.current == nil, let old = positions.first(where: { $0.path == tailed.path }) {
                entries.append(old)
            }
        }
        let texts = (PositionFile.text(entries), GenerationEntry.text(all + finished))
        if texts == written { return nil }
        do throws(SystemError) {
            // The generations first: a position without its generation would be resumed under
            // another identity, a generation without its position is only not used.
            try AtomicFile.write(texts.1, to: path + ".weir")
            try AtomicFile.write(texts.0, to: path)
            written = texts
            return nil
        } catch {
            return .positionsNotWritten(path: path, reason: "\(error)")
        }
    }

    private func entry(_ generation: Generation, path: String, isRotated: Bool) -> GenerationEntry {
        GenerationEntry(
            path: path, device: generation.identity.device, inode: generation.identity.inode,
            fingerprint: generation.fingerprint ?? 0, generation: generation.number,
            position: generation.tracker.position, isRotated: isRotated)
    }

    // MARK: Questions

    /// Whether a path was followed by an earlier run.
    func knows(_ path: String) -> Bool { positions.contains { $0.path == path } }

    /// How to begin with a path's file.
    mutating func start(path: String, status: FileStatus, fingerprint: UInt64?) -> Start {
        let known = generations.filter {
            $0.device == status.identity.device && $0.inode == status.identity.inode
        }.max { $0.generation < $1.generation }
        guard let entry = positions.last(where: { $0.path == path }) else {
            // A rotated name that a pattern matches: read on where the file was left.
            if let known, known.fingerprint == fingerprint, known.position <= status.size {
                return .resume(position: known.position, number: known.generation)
            }
            return .unknown
        }
        guard entry.inode == status.identity.inode else {
            return .anew(number: nextNumber(of: status.identity), lostByteCount: 0)
        }
        if let known {
            if entry.position <= status.size,
                entry.position == 0 || known.fingerprint == 0 || known.fingerprint == fingerprint
            {
                return .resume(position: entry.position, number: known.generation)
            }
            return .anew(number: nextNumber(of: status.identity), lostByteCount: 0)
        }
        if entry.position <= status.size { return .resume(position: entry.position, number: 0) }
        return .anew(number: nextNumber(of: status.identity), lostByteCount: 0)
    }

    /// Where a rotated file of a path was left, or `nil` when it is not one of the path's.
    func rotated(
        _ path: String, _ identity: FileIdentity, _ fingerprint: UInt64?
    ) -> GenerationEntry? {
        let known = generations.last { entry in
            entry.path == path && entry.device == identity.device && entry.inode == identity.inode
                && (entry.fingerprint == 0 || entry.fingerprint == fingerprint)
        }
        if let known { return known }
        // Fluentd's file knows the inode only.
        guard let entry = positions.last(where: { $0.path == path && $0.inode == identity.inode })
        else { return nil }
        return GenerationEntry(
            path: path, device: identity.device, inode: identity.inode,
            fingerprint: fingerprint ?? 0, generation: 0, position: entry.position, isRotated: true)
    }

    /// Whether a file was read to its end and delivered.
    func isFinished(_ identity: FileIdentity, _ fingerprint: UInt64?) -> Bool {
        finished.contains {
            $0.device == identity.device && $0.inode == identity.inode
                && $0.fingerprint == fingerprint ?? 0
        }
    }

    /// The number of a file that takes an inode anew.
    mutating func nextNumber(of identity: FileIdentity) -> UInt64 {
        guard let former = numbers[identity] else {
            numbers[identity] = 0
            return 0
        }
        numbers[identity] = former + 1
        return former + 1
    }

    /// A file was emptied in place.
    mutating func noteTruncation(of identity: FileIdentity, number: UInt64) {
        numbers[identity] = max(numbers[identity] ?? 0, number + 1)
    }

    /// A rotated file was read to its end and delivered.
    mutating func noteFinished(_ generation: Generation, path: String) {
        finished.append(entry(generation, path: path, isRotated: true))
        if finished.count > Self.finishedLimit { finished.removeFirst(finished.count / 2) }
    }
}

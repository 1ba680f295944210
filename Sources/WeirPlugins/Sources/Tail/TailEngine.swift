import WeirCore
import WeirHost
import WeirMetrics
import WeirParse
import WeirPipeline

/// Follows files: finds them, notices their rotation, reads them in turns, keeps their positions.
///
/// Works in steps, each with the time passed in, so that tests need neither threads nor waits.
final class TailEngine {
    /// What the engine needs from outside.
    struct Surroundings {
        var options: TailOptions
        var node: String
        var parser: any LineParser
        var sink: any EventSink
        var metrics: TailMetrics
        var log: @Sendable (TailReport) -> Void
        /// Told of folders and files worth watching.
        var watch: (String) -> Void
    }

    /// The times of one step.
    struct Moment {
        var monotonic: UInt64
        var wall: Timestamp
    }

    /// What a step found.
    struct StepResult: Equatable {
        /// Whether lines were read; there may be more.
        var hasRead = false
        /// Whether an output had no room.
        var isBlocked = false
    }

    /// Positions are written at most this often, in nanoseconds.
    static let savingInterval: UInt64 = 250_000_000
    /// Patterns are looked through at least this often, in nanoseconds.
    static let discoveryLimit: UInt64 = 1_000_000_000

    let around: Surroundings
    var paths: [String: TailedPath] = [:]
    var order: [String] = []
    private var registry: GenerationRegistry
    private let batch: EventBatch
    private var nextDiscovery: UInt64 = 0
    private var nextSaving: UInt64 = 0
    private var isFirstDiscovery = true
    private var turn = 0

    init(_ around: Surroundings) {
        self.around = around
        registry = GenerationRegistry(positionFile: around.options.positionFile)
        batch = EventBatch(blockCapacity: around.options.turnByteLimit)
        for problem in registry.load() { around.log(problem) }
    }

    // MARK: Steps

    /// Looks at all files once and reads at most one block of each.
    func step(_ moment: Moment) -> StepResult {
        if moment.monotonic >= nextDiscovery {
            discover(moment)
            let interval = min(around.options.refreshInterval.nanoseconds, Self.discoveryLimit)
            nextDiscovery = moment.monotonic &+ interval
        }
        var result = StepResult()
        // Each step begins with another file, so that back-pressure starves none.
        turn = order.isEmpty ? 0 : (turn + 1) % order.count
        for index in order.indices {
            guard let path = paths[order[(index + turn) % order.count]] else { continue }
            checkRotation(path, moment)
            read(path, moment, &result)
        }
        if moment.monotonic >= nextSaving {
            savePositions()
            nextSaving = moment.monotonic &+ Self.savingInterval
        }
        return result
    }

    /// Writes down what is delivered.
    func savePositions() {
        if let problem = registry.save(paths: order.compactMap { paths[$0] }) {
            around.log(problem)
        }
    }

    // MARK: Finding files

    private func discover(_ moment: Moment) {
        for path in matchingPaths(moment.wall) where paths[path] == nil {
            let tailed = TailedPath(path: path, tag: tag(for: path))
            guard open(tailed, moment, isNew: !isFirstDiscovery) else { continue }
            paths[path] = tailed
            order.append(path)
            around.watch(path)
        }
        isFirstDiscovery = false
        around.metrics.files.set(order.count)
    }

    private func matchingPaths(_ wall: Timestamp) -> [String] {
        var found: [String] = []
        for pattern in around.options.paths {
            let pattern = TailPattern.expanded(pattern, at: wall)
            around.watch(FileNames.folder(of: pattern))
            found += TailPattern.isGlob(pattern) ? FileNames.matching(pattern) : [pattern]
        }
        let excluded = around.options.excludedPaths.map { TailPattern.expanded($0, at: wall) }
        return found.filter { path in
            !excluded.contains { FileNames.pattern($0, names: path) } && isRecent(path, wall)
        }
    }

    private func isRecent(_ path: String, _ wall: Timestamp) -> Bool {
        guard let limit = around.options.recentlyModified,
            case .success(let status) = FileStatus.of(path)
        else { return true }
        return wall.seconds - status.modified.seconds <= limit.components.seconds
    }

    private func tag(for path: String) -> String {
        let dotted = path.split(separator: "/").joined(separator: ".")
        return around.options.tag.replacing("*", with: dotted)
    }

    /// Opens a path's file where its reading was left, with the rotated ones before it.
    /// - Returns: Whether the path is worth following.
    private func open(_ tailed: TailedPath, _ moment: Moment, isNew: Bool) -> Bool {
        guard case .success(let status) = FileStatus.of(tailed.path) else {
            return registry.knows(tailed.path) && resumeRotated(tailed, nil, moment)
        }
        guard status.isRegular else { return false }
        // A rotated file under a name that a pattern matches as well.
        if holder(of: status.identity) != nil { return false }
        guard let file = openFile(tailed) else { return false }
        let start = registry.start(
            path: tailed.path, status: status, fingerprint: Generation.fingerprint(of: file))
        switch start {
        case .resume(let position, let number):
            tailed.current = Generation(
                file, identity: status.identity, number: number, offset: position)
            _ = resumeRotated(tailed, status.identity, moment)
        case .anew(let number, let lostCount):
            around.metrics.lost(lostCount, "truncated")
            tailed.current = Generation(file, identity: status.identity, number: number, offset: 0)
            _ = resumeRotated(tailed, status.identity, moment)
        case .unknown:
            let fromHead = isNew || around.options.readsFromHead
            tailed.current = Generation(
                file, identity: status.identity, number: 0, offset: fromHead ? 0 : status.size)
        }
        tailed.current?.knownSize = status.size
        return true
    }

    private func openFile(_ tailed: TailedPath, at path: String? = nil) -> OpenFile? {
        do throws(SystemError) {
            let file = try OpenFile(path ?? tailed.path)
            tailed.isReportedUnreadable = false
            return file
        } catch {
            if !error.isAbsence, !tailed.isReportedUnreadable {
                tailed.isReportedUnreadable = true
                around.log(.unreadable(path: tailed.path, reason: "\(error)"))
                around.metrics.unreadable.add()
            }
            return nil
        }
    }

    /// The path whose current or older file this is.
    private func holder(of identity: FileIdentity) -> TailedPath? {
        for path in paths.values
        where path.generations.contains(where: { $0.identity == identity }) {
            return path
        }
        return nil
    }

    /// Takes up the rotated files that were not read to their end before a restart, and those that
    /// came and went while nobody looked.
    private func resumeRotated(
        _ tailed: TailedPath, _ current: FileIdentity?, _ moment: Moment
    ) -> Bool {
        var newest: Timestamp?
        for found in RotatedFiles.siblings(of: tailed.path) where found.status.identity != current {
            guard let file = openFile(tailed, at: found.path) else { continue }
            let fingerprint = Generation.fingerprint(of: file)
            if let left = registry.rotated(tailed.path, found.status.identity, fingerprint) {
                newest = found.status.modified
                if left.position < found.status.size {
                    add(found, file, number: left.generation, offset: left.position, tailed, moment)
                }
            } else if newest != nil, holder(of: found.status.identity) == nil,
                !registry.isFinished(found.status.identity, fingerprint)
            {
                // Younger than a file that was being read: it came in between.
                add(found, file, number: 0, offset: 0, tailed, moment)
            }
        }
        return !tailed.older.isEmpty
    }

    private func add(
        _ found: RotatedFiles.Found, _ file: OpenFile, number: UInt64, offset: UInt64,
        _ tailed: TailedPath, _ moment: Moment
    ) {
        let generation = Generation(
            file, identity: found.status.identity, number: number, offset: offset)
        generation.rotatedAt = moment.monotonic
        generation.knownSize = found.status.size
        tailed.older.append(generation)
        around.metrics.rotations.add()
    }

    // MARK: Rotation

    private func checkRotation(_ tailed: TailedPath, _ moment: Moment) {
        guard case .success(let status) = FileStatus.of(tailed.path), status.isRegular else {
            if tailed.current != nil { rotate(tailed, to: nil, moment) }
            return
        }
        guard let current = tailed.current else {
            openNext(tailed, status)
            return
        }
        if status.identity != current.identity {
            rotate(tailed, to: status, moment)
        } else if status.size != current.readOffset, !current.isIntact(size: status.size) {
            truncated(tailed, current, status)
        } else {
            current.knownSize = status.size
        }
    }

    private func rotate(_ tailed: TailedPath, to status: FileStatus?, _ moment: Moment) {
        guard let former = tailed.current else { return }
        around.metrics.rotations.add()
        let formerModified = (try? former.file.status())?.modified
        tailed.retireCurrent(now: moment.monotonic)
        // Several rotations since the last look: the files in between were never seen.
        if let formerModified {
            for found in RotatedFiles.siblings(of: tailed.path)
            where found.status.modified > formerModified
                && found.status.identity != status?.identity
                && holder(of: found.status.identity) == nil
            {
                guard let file = openFile(tailed, at: found.path),
                    !registry.isFinished(found.status.identity, Generation.fingerprint(of: file))
                else { continue }
                add(found, file, number: 0, offset: 0, tailed, moment)
            }
        }
        if let status { openNext(tailed, status) }
    }

    private func openNext(_ tailed: TailedPath, _ status: FileStatus) {
        // Renamed back, or a link to an older file of its own.
        if let index = tailed.older.firstIndex(where: { $0.identity == status.identity }) {
            let generation = tailed.older.remove(at: index)
            generation.rotatedAt = nil
            tailed.current = generation
            return
        }
        guard holder(of: status.identity) == nil, let file = openFile(tailed),
            let opened = try? file.status()
        else { return }
        let fingerprint = Generation.fingerprint(of: file)
        let number = registry.nextNumber(of: opened.identity)
        let generation = Generation(
            file, identity: opened.identity, number: number, offset: 0, fingerprint: fingerprint)
        generation.knownSize = opened.size
        tailed.current = generation
        around.watch(tailed.path)
    }

    private func truncated(_ tailed: TailedPath, _ former: Generation, _ status: FileStatus) {
        let lost = former.knownSize > former.readOffset ? former.knownSize - former.readOffset : 0
        around.metrics.lost(lost, "truncated")
        around.metrics.rotations.add()
        around.log(.truncated(path: tailed.path, lostByteCount: lost))
        registry.noteTruncation(of: former.identity, number: former.number)
        guard let file = openFile(tailed) else {
            tailed.current = nil
            return
        }
        let generation = Generation(
            file, identity: status.identity, number: former.number + 1, offset: 0)
        generation.knownSize = status.size
        tailed.current = generation
    }

    // MARK: Reading

    private func read(_ tailed: TailedPath, _ moment: Moment, _ result: inout StepResult) {
        for generation in tailed.generations {
            var reader = BlockReader(around: around, batch: batch, path: tailed, generation)
            switch reader.readBlock(moment) {
            case .nothing: break
            case .read: result.hasRead = true
            case .blocked: result.isBlocked = true
            }
            // The lines of a file come before those of the file that took its place.
            if generation.readOffset < generation.knownSize, generation.rotatedAt != nil { break }
        }
        tailed.older.removeAll { generation in
            guard let rotatedAt = generation.rotatedAt,
                moment.monotonic >= rotatedAt &+ around.options.rotateWait.nanoseconds,
                generation.readOffset >= generation.knownSize, generation.tracker.isIdle
            else { return false }
            registry.noteFinished(generation, path: tailed.path)
            return true
        }
        if tailed.older.isEmpty, tailed.current == nil,
            case .failure(let error) = FileStatus.of(tailed.path), error.isAbsence,
            TailPattern.isGlobbed(tailed.path, around.options.paths)
        {
            paths[tailed.path] = nil
            order.removeAll { $0 == tailed.path }
        }
    }

    /// Whether everything that was read is delivered.
    var isDelivered: Bool {
        paths.values.allSatisfy { path in
            path.generations.allSatisfy { $0.tracker.isIdle }
        }
    }
}

/// What happens to followed files that a person may want to know.
public enum TailReport: Sendable {
    case unreadable(path: String, reason: String)
    case truncated(path: String, lostByteCount: UInt64)
    case badPositionLines(path: String, count: Int)
    case positionsNotWritten(path: String, reason: String)
    case droppedLongLine(path: String, byteCount: Int)
}

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
        /// Called before positions are written: what was counted of the lines up to there must be
        /// written down first.
        var beforeSaving: () -> Void = {}
        /// Told of origins that will not come again: files that were read to their end and are let go,
        /// once that is written down.
        var forget: ([Origin]) -> Void = { _ in }
        /// Opens a file.
        var open: (String) throws(SystemError) -> OpenFile = { (path) throws(SystemError) in
            try OpenFile(path)
        }
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
    private var order: [String] = []
    var registry: GenerationRegistry
    /// Whether files were opened or emptied whose generations are not written down yet: their
    /// events must not leave before, or a crash would give them other identities.
    var hasNewGenerations = false
    /// Whether this step looks for files as well.
    private(set) var isDiscovering = false
    /// The paths that the patterns named when they were looked through last.
    private(set) var matched: Set<String> = []
    private let batch: EventBatch
    private var nextDiscovery: UInt64 = 0
    private var nextSaving: UInt64 = 0
    private var isFirstDiscovery = true
    private var isReportedUnsaved = false
    /// Origins that are let go of, until that is written down.
    private var finished: [Origin] = []
    private var turn = 0

    init(_ around: Surroundings) {
        self.around = around
        registry = GenerationRegistry(
            positionFile: around.options.positionFile,
            isKeyedByInode: around.options.followsInodes)
        batch = EventBatch(blockCapacity: around.options.turnByteLimit)
        for problem in registry.load() { around.log(problem) }
    }

    // MARK: Steps

    /// Looks at all files once and reads at most one block of each.
    func step(_ moment: Moment) -> StepResult {
        isDiscovering = moment.monotonic >= nextDiscovery
        if isDiscovering {
            discover(moment)
            let interval = min(around.options.refreshInterval.nanoseconds, Self.discoveryLimit)
            nextDiscovery = moment.monotonic &+ interval
        }
        for path in paths.values where path.isBegun { checkRotation(path, moment) }
        if hasNewGenerations {
            savePositions()
            hasNewGenerations = false
        }
        var result = StepResult()
        // Each step begins with another file, so that back-pressure starves none.
        turn = order.isEmpty ? 0 : (turn + 1) % order.count
        for index in order.indices {
            guard let path = paths[order[(index + turn) % order.count]] else { continue }
            read(path, moment, &result)
        }
        removeAbandoned(moment)
        if moment.monotonic >= nextSaving {
            savePositions()
            nextSaving = moment.monotonic &+ Self.savingInterval
        }
        return result
    }

    /// Writes down what is delivered.
    func savePositions() {
        let problem = registry.save(
            paths: order.compactMap { paths[$0] }, preparing: around.beforeSaving)
        if let problem, !isReportedUnsaved { around.log(problem) }
        isReportedUnsaved = problem != nil
        guard problem == nil, !finished.isEmpty else { return }
        around.forget(finished)
        finished.removeAll()
    }

    /// Lets go of a generation that was read to its end.
    func finish(_ generation: Generation, path: String) {
        registry.noteFinished(generation, path: path)
        finished.append(generation.origin(node: around.node))
    }

    // MARK: Finding files

    private func discover(_ moment: Moment) {
        let found = matchingPaths(moment.wall)
        matched = Set(found)
        for path in found where paths[path] == nil { take(path, moment) }
        for path in paths.values {
            if !path.isBegun { begin(path, moment) }
            if matched.contains(path.path) {
                path.unmatchedSince = nil
            } else if path.unmatchedSince == nil {
                path.unmatchedSince = moment.monotonic
            }
        }
        if isFirstDiscovery { registry.forgetAbsent() }
        isFirstDiscovery = false
        around.metrics.files.set(order.count)
        tellLag(moment)
        shareGroupLimits()
    }

    private func tellLag(_ moment: Moment) {
        var sum: UInt64 = 0
        for path in paths.values {
            let unread = path.unreadByteCount
            sum &+= unread
            if let file = path.current {
                around.metrics.followed.note(
                    path.path, inode: file.identity.inode, position: file.readOffset)
            }
            let caughtUpAt = path.caughtUpAt ?? moment.monotonic
            around.metrics.setLag(
                of: path.path, byteCount: unread,
                seconds: unread == 0 ? 0 : (moment.monotonic &- caughtUpAt) / 1_000_000_000)
        }
        around.metrics.lagBytes.set(Int(clamping: sum))
    }

    private func matchingPaths(_ wall: Timestamp) -> [String] {
        let options = around.options
        let excluded = options.excludedPaths.map { TailPattern($0, at: wall, options) }
        var found: [String] = []
        for pattern in options.paths.map({ TailPattern($0, at: wall, options) }) {
            around.watch(FileNames.folder(of: pattern.text))
            var paths = pattern.paths
            if isFirstDiscovery, pattern.isGlob {
                // Files that are gone may be left to be read under the names of their rotation.
                paths += registry.followedPaths.filter { pattern.names($0) && !paths.contains($0) }
            }
            found += paths.filter { path in
                !excluded.contains { $0.names(path) } && (!pattern.isGlob || isRecent(path, wall))
            }
        }
        return found
    }

    private func isRecent(_ path: String, _ wall: Timestamp) -> Bool {
        guard let limit = around.options.recentlyModified,
            case .success(let status) = FileStatus.of(path)
        else { return true }
        return wall.seconds &- status.modified.seconds <= limit.components.seconds
    }

    /// Takes up a path, if there is something to read.
    private func take(_ path: String, _ moment: Moment) {
        let tailed = TailedPath(
            path: path, tag: tag(for: path), isNew: !isFirstDiscovery, options: around.options)
        switch FileStatus.of(path) {
        case .success(let status):
            // A rotated file may stand under a name that a pattern matches as well.
            guard status.isRegular, holder(of: status.identity) == nil else { return }
        case .failure:
            guard registry.knows(path) else { return }
            resumeAbsent(tailed, moment)
        }
        paths[path] = tailed
        order.append(path)
        around.watch(path)
        if !tailed.isBegun { begin(tailed, moment) }
    }

    private func tag(for path: String) -> String {
        let dotted = path.split { $0 == "/" || $0 == "." }.joined(separator: ".")
        // Fluentd squeezes dots but keeps one at the end.
        return around.options.tag.replacing("*", with: path.hasSuffix(".") ? dotted + "." : dotted)
    }

    /// The path whose current or older file this is.
    func holder(of identity: FileIdentity) -> TailedPath? {
        paths.values.first { $0.holds(identity) }
    }

    /// Gives each file its share of its group's lines.
    private func shareGroupLimits() {
        guard let group = around.options.group else { return }
        var counts: [Int: Int] = [:]
        for path in paths.values {
            if let rule = path.rule { counts[rule, default: 0] += 1 }
        }
        for path in paths.values {
            guard let rule = path.rule, let limit = group.rules[rule].lineLimit else { continue }
            path.throttle.lineLimit = limit == 0 ? 0 : max(1, limit / max(counts[rule] ?? 1, 1))
            path.throttle.period = group.period.nanoseconds
        }
    }

    // MARK: Reading

    private func read(_ tailed: TailedPath, _ moment: Moment, _ result: inout StepResult) {
        for generation in tailed.generations {
            let reader = BlockReader(around: around, batch: batch, path: tailed, generation)
            switch reader.readBlock(moment) {
            case .nothing: break
            case .read: result.hasRead = true
            case .blocked: result.isBlocked = true
            case .throttled:
                around.metrics.throttled.add()
                around.metrics.followed.noteThrottling(of: tailed.path)
            }
            // The lines of a file come before those of the file that took its place.
            if generation.unreadByteCount > 0, generation.rotatedAt != nil, !generation.hasFailed {
                break
            }
        }
        if tailed.caughtUpAt == nil || tailed.generations.allSatisfy(\.isCaughtUp) {
            tailed.caughtUpAt = moment.monotonic
        }
        tailed.older.removeAll { generation in
            guard let rotatedAt = generation.rotatedAt,
                moment.monotonic >= rotatedAt &+ around.options.rotateWait.nanoseconds,
                generation.tracker.isIdle, generation.unreadByteCount == 0 || generation.hasFailed
            else { return false }
            around.metrics.lost(generation.unreadByteCount, .unreadable)
            finish(generation, path: tailed.path)
            return true
        }
    }

    /// Lets go of paths that no pattern names any more, when all of them is read and delivered.
    private func removeAbandoned(_ moment: Moment) {
        var gone: Set<String> = []
        for tailed in paths.values {
            guard let since = tailed.unmatchedSince, tailed.older.isEmpty else { continue }
            if let current = tailed.current {
                guard moment.monotonic >= since &+ around.options.rotateWait.nanoseconds,
                    current.unreadByteCount == 0, current.tracker.isIdle
                else { continue }
                finish(current, path: tailed.path)
            }
            gone.insert(tailed.path)
        }
        guard !gone.isEmpty else { return }
        for path in gone {
            paths[path] = nil
            around.metrics.forget(path)
        }
        order.removeAll { gone.contains($0) }
    }

    /// Whether everything that was read is delivered.
    var isDelivered: Bool {
        paths.values.allSatisfy { path in
            path.generations.allSatisfy { $0.tracker.isIdle }
        }
    }
}

/// What happens to followed files that a person may want to know.
public enum TailReport: Sendable, Equatable {
    case unreadable(path: String, reason: String)
    case truncated(path: String, lostByteCount: UInt64)
    case badPositionLines(path: String, count: Int)
    case positionsNotWritten(path: String, reason: String)
    case longLine(path: String, byteCount: Int)
}

import Glibc
import Synchronization
import WeirCore
import WeirHost
import WeirMetrics

/// Keeps counted series on disk, so that they go on after a restart where they were.
///
/// Every frame of the file holds the series together with the place of each log up to which they
/// are counted. It is written before two things: before a tail writes its positions down, so that
/// a line which is not read again is counted in the file; and before a scrape's last byte leaves,
/// so that no scraper has seen more than the file knows. After a `kill -9` lines are read again,
/// and those that the file counts already are not counted twice.
public final class SeriesCheckpoint: Sendable {
    /// What happens to the file that a person may want to know.
    public enum Report: Sendable, Equatable {
        /// Label sets that live again.
        case restored(path: String, labelSetCount: Int)
        /// The end of the file, or all of it, could not be understood.
        case damaged(path: String, lostByteCount: Int)
        case notWritten(path: String, reason: String)
    }

    /// Below this size the file grows without being written anew.
    private static let rewriteByteFloor = 4 << 20
    /// How many times its size after the last rewriting the file may have.
    private static let growthLimit = 4
    /// The largest file that is read back.
    private static let fileByteLimit = 1 << 30

    private struct State {
        var path: String?
        var catalog: SeriesCatalog?
        /// Open for appending behind a whole frame of each group.
        var descriptor: Int32 = -1
        var byteCount = 0
        var wholeByteCount = 0
        var isFailing = false
        var hasBegun = false
    }

    private let state = Mutex(State())
    private let failures: Counter
    private let log: @Sendable (Report) -> Void

    /// A checkpoint that keeps nothing yet.
    public init(registry: Registry, log: @escaping @Sendable (Report) -> Void) {
        failures = registry.counter(
            MetricDescription(
                "weir_series_checkpoint_failures_total",
                "Times that counted series could not be written down."))
        self.log = log
    }

    deinit { state.withLock { if $0.descriptor >= 0 { close($0.descriptor) } } }

    /// Gives the series back that were written down, the first time that it is called, and keeps
    /// them from now on.
    ///
    /// To be called before anything is counted.
    /// - Parameter path: The file; without one, nothing is kept.
    public func begin(_ path: String?, _ catalog: SeriesCatalog) {
        keep(path, catalog)
        let isFirst = state.withLock { state in
            defer { state.hasBegun = true }
            return !state.hasBegun
        }
        guard isFirst, let path, !catalog.all.isEmpty,
            let bytes = AtomicFile.read(path, limit: Self.fileByteLimit)
        else { return }
        let report = bytes.withUnsafeBytes { catalog.restore($0) }
        log(.restored(path: path, labelSetCount: report.labelSetCount))
        if report.lostByteCount > 0 {
            log(.damaged(path: path, lostByteCount: report.lostByteCount))
        }
    }

    /// Keeps the series of another catalogue, perhaps in another file.
    public func keep(_ path: String?, _ catalog: SeriesCatalog) {
        state.withLock { state in
            if let former = state.path, former != path { unlink(former) }
            Self.leave(&state)
            state.path = path
            state.catalog = catalog
        }
    }

    /// Writes down what has changed since the last time.
    public func save() {
        state.withLock { state in
            guard let path = state.path, let catalog = state.catalog, !catalog.all.isEmpty else {
                return
            }
            let limit = max(Self.rewriteByteFloor, state.wholeByteCount * Self.growthLimit)
            let isNew = state.descriptor < 0 || state.byteCount > limit
            var frames = ByteBuffer(capacity: 4096)
            let extent = catalog.appendCheckpoint(isNew ? .all : .changes, to: &frames)
            do throws(SystemError) {
                if extent == .all {
                    try Self.rewrite(path, frames.bytes, &state)
                } else {
                    try Self.append(frames.bytes, &state)
                }
                state.isFailing = false
            } catch {
                Self.leave(&state)
                failures.add()
                if !state.isFailing { log(.notWritten(path: path, reason: "\(error)")) }
                state.isFailing = true
            }
        }
    }

    private static func rewrite(
        _ path: String, _ frames: UnsafeRawBufferPointer, _ state: inout State
    ) throws(SystemError) {
        leave(&state)
        try AtomicFile.write(Array(frames), to: path)
        state.descriptor = open(path, O_WRONLY | O_APPEND | O_CLOEXEC)
        guard state.descriptor >= 0 else { throw SystemError.last() }
        state.byteCount = frames.count
        state.wholeByteCount = frames.count
    }

    private static func append(
        _ frames: UnsafeRawBufferPointer, _ state: inout State
    ) throws(SystemError) {
        var place = 0
        while place < frames.count {
            let count = write(
                state.descriptor, frames.baseAddress?.advanced(by: place), frames.count - place)
            if count < 0, errno == EINTR { continue }
            // What is cut off here ends the journal for its reader; the next frames go elsewhere.
            guard count > 0 else { throw SystemError.last() }
            place += count
        }
        state.byteCount += frames.count
    }

    /// Lets go of the file; the next frames are whole ones in a new file.
    private static func leave(_ state: inout State) {
        if state.descriptor >= 0 { close(state.descriptor) }
        state.descriptor = -1
        state.byteCount = 0
        state.wholeByteCount = 0
    }
}

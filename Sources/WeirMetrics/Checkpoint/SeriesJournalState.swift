/// Where events come from whose counting must survive a restart: 128 bits that name a file's generation.
public struct CountedOrigin: Hashable, Sendable {
    /// The upper half.
    public var high: UInt64
    /// The lower half.
    public var low: UInt64

    /// An origin by its halves.
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
}

/// What a table knows of its journal: what changed since it was last written.
struct SeriesJournalState {
    /// Most removals that are remembered; beyond it the journal is written whole.
    static let removalLimit = 100_000

    /// Whether anybody writes a journal.
    var isKept = false
    /// The turn: a row of an older one has not changed since the last writing.
    var version: UInt32 = 1
    /// The journal file: a row of another one has not been written to it with its labels.
    var epoch: UInt32 = 1
    /// Rows that changed in this turn.
    var changed: [UInt32] = []
    /// Serials of series that were written and are gone.
    var removed: [UInt64] = []
    /// Origins whose position changed.
    var changedOrigins: Set<CountedOrigin> = []
    var forgottenOrigins: Set<CountedOrigin> = []
    /// Whether changes alone would not tell all.
    var mustBeWhole = true

    /// Notes that a row's series goes.
    mutating func noteRemoval(_ row: UnsafeMutableRawPointer) {
        guard isKept,
            row.load(fromByteOffset: SeriesLayout.epoch, as: UInt32.self) == epoch
        else { return }
        if removed.count < Self.removalLimit {
            removed.append(row.load(fromByteOffset: SeriesLayout.serial, as: UInt64.self))
        } else {
            mustBeWhole = true
        }
    }
}

extension SeriesTable {
    /// Notes up to where a source's events are counted, with the updates that say so.
    ///
    /// At most ``originLimit`` origins are remembered.
    /// - Returns: Whether there was room; without it, the origin's events may be counted twice after a crash.
    @discardableResult
    public mutating func setCounted(_ origin: CountedOrigin, upTo position: UInt64) -> Bool {
        guard positions.count < Self.originLimit || positions[origin] != nil else { return false }
        positions[origin] = position
        if journal.isKept {
            journal.changedOrigins.insert(origin)
            journal.forgottenOrigins.remove(origin)
        }
        return true
    }

    /// Up to where a source's events are counted.
    public func countedPosition(of origin: CountedOrigin) -> UInt64? { positions[origin] }

    /// Forgets an origin that will not come again: a file that is gone and was read to its end.
    public mutating func forget(_ origin: CountedOrigin) {
        guard positions.removeValue(forKey: origin) != nil, journal.isKept else { return }
        journal.changedOrigins.remove(origin)
        journal.forgottenOrigins.insert(origin)
    }

    /// Most origins that a table remembers.
    public static let originLimit = 16_384
}

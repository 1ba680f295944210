/// What a store keeps at most. Beyond it refuses, or forgets what is oldest, and counts both.
public struct StoreLimits: Sendable {
    /// How long samples are kept.
    public var retention: Duration = .seconds(3 * 60 * 60)
    /// About the bytes that series, samples and labels may take.
    public var byteLimit = 256 * 1_024 * 1_024
    /// Series at a time.
    public var seriesLimit = 1_000_000
    /// Labels of a series, with its name.
    public var labelCountLimit = 64
    /// Bytes of a label's name.
    public var labelNameByteLimit = 1_024
    /// Bytes of a label's value.
    public var labelValueByteLimit = 4_096
    /// Buckets of a native histogram, of each sign, and bounds of its own.
    public var histogramBucketLimit = 1_024
    /// How far ahead of the clock samples may be (Prometheus: scrape, `maxAheadTime`).
    public var aheadLimit: Duration = .seconds(10 * 60)
    /// Metrics whose type and help are kept.
    public var metadataLimit = 20_000
    /// Bytes of a help text or a unit; what is longer is cut.
    public var metadataByteLimit = 4_096
    /// Exemplars, the newest of all series together.
    public var exemplarLimit = 10_000
    /// Characters of an exemplar's labels, names and values together (OpenMetrics 1.0: 128).
    public var exemplarLabelLimit = 128

    /// The defaults.
    public init() {}
}

/// Why a series is not taken.
public enum SeriesRefusal: Error, Hashable, Sendable, CaseIterable {
    /// There are as many series as may be.
    case seriesLimit
    /// The store takes as many bytes as it may.
    case byteLimit
    /// It has too many labels.
    case labelCount
    /// A label's name is too long.
    case labelNameLength
    /// A label's value is too long.
    case labelValueLength
    /// It has no labels.
    case noLabels
    /// A label is there twice.
    case repeatedLabel
}

/// What became of a sample.
public enum AppendOutcome: Int, Sendable, CaseIterable {
    /// It was appended.
    case appended
    /// It is there already, at the same time with the same value.
    case alreadyThere
    /// There is another value at its time: `duplicate sample for timestamp`.
    case duplicateTimestamp
    /// It is older than the newest: `out of order sample`.
    case outOfOrder
    /// It is older than what is kept: `out of bounds`.
    case tooOld
    /// It is too far ahead of the clock: `out of bounds`.
    case tooFarAhead
    /// The series was removed; ask for its reference again.
    case unknownSeries
    /// A histogram's buckets are not what its spans say, or too many.
    case malformedHistogram

    /// Why a sample was refused, as a counter's label says it; `nil` where it was not.
    public var refusal: String? {
        switch self {
        case .appended, .alreadyThere: nil
        case .duplicateTimestamp: "duplicate_timestamp"
        case .outOfOrder: "out_of_order"
        case .tooOld: "too_old"
        case .tooFarAhead: "too_far_ahead"
        case .unknownSeries: "unknown_series"
        case .malformedHistogram: "malformed_histogram"
        }
    }
}

/// What a store has, and what became of what it was given.
public struct StoreTotals: Sendable {
    /// Series now.
    public internal(set) var seriesCount = 0
    /// Samples now, floats and histograms.
    public internal(set) var sampleCount = 0
    /// About the bytes that they take now.
    public internal(set) var byteCount = 0
    /// Series that were ever made.
    public internal(set) var createdSeriesCount: UInt64 = 0
    /// Series that were removed since they had no samples any more.
    public internal(set) var removedSeriesCount: UInt64 = 0
    /// Samples that were forgotten since they were too old.
    public internal(set) var expiredSampleCount: UInt64 = 0
    /// Samples that were forgotten since there was no room.
    public internal(set) var evictedSampleCount: UInt64 = 0
    /// How often symbols that nothing uses were forgotten.
    public internal(set) var symbolRebuildCount: UInt64 = 0
    /// Metadata that was left out since there was no room.
    public internal(set) var refusedMetadataCount: UInt64 = 0
    /// Exemplars that were left out: too long, or older than the newest of their series.
    public internal(set) var refusedExemplarCount: UInt64 = 0
    private var outcomes = [UInt64](repeating: 0, count: AppendOutcome.allCases.count)
    private var refusals: [SeriesRefusal: UInt64] = [:]

    /// Samples with this outcome.
    public func sampleCount(_ outcome: AppendOutcome) -> UInt64 { outcomes[outcome.rawValue] }

    /// Series that were refused for this reason.
    public func refusedSeriesCount(_ refusal: SeriesRefusal) -> UInt64 { refusals[refusal] ?? 0 }

    mutating func count(_ outcome: AppendOutcome, _ times: UInt64 = 1) {
        outcomes[outcome.rawValue] &+= times
    }

    mutating func count(_ refusal: SeriesRefusal) { refusals[refusal, default: 0] &+= 1 }
}

/// A series by its place in a store: valid until the store removes the series.
public struct SeriesReference: Hashable, Sendable {
    let slot: UInt32
    let generation: UInt32
}

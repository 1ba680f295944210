import WeirCore

/// What came of reading a journal.
public struct RestoreReport: Sendable, Equatable {
    /// Frames that were read.
    public var frameCount = 0
    /// Frames of groups that the configuration does not have, or declares otherwise.
    public var foreignFrameCount = 0
    /// Label sets that live again.
    public var labelSetCount = 0
    /// Bytes up to the end of the last whole frame: where a writer may go on.
    public var validByteCount = 0
    /// Bytes behind it: cut off by a crash, or broken.
    public var lostByteCount = 0
}

/// Reads a journal: bytes of any content, never trusted.
struct SeriesJournalReader {
    /// One series as the journal last told of it.
    struct Series {
        var labels: [[UInt8]]
        var created: UInt64
        var touched: UInt64
        var values: [Values?]
    }

    /// A metric's values.
    enum Values {
        case words([UInt64])
        case native(NativeHistogram)
    }

    /// A shard as the journal last told of it.
    struct Shard {
        var positions: [CountedOrigin: UInt64] = [:]
        var series: [UInt64: Series] = [:]
    }

    /// One group's part, by the names of its shards.
    struct Group {
        var shards: [String: Shard] = [:]
    }

    private let layouts: [String: (fingerprint: UInt64, layout: SeriesLayout)]
    private(set) var groups: [String: Group] = [:]
    private(set) var report = RestoreReport()

    /// A reader for the journals of these groups.
    init(_ groups: [SeriesGroup]) {
        var layouts: [String: (fingerprint: UInt64, layout: SeriesLayout)] = [:]
        for group in groups {
            layouts[group.declaration.name] = (group.fingerprint, group.layout)
        }
        self.layouts = layouts
    }

    /// Reads frames up to the first that is not whole.
    mutating func read(_ bytes: UnsafeRawBufferPointer) {
        var place = 0
        while let payload = SeriesJournal.frame.payload(of: bytes, at: place) {
            var cursor = ByteCursor(payload)
            do throws(ByteCursor.Broken) {
                try readPayload(&cursor)
            } catch {
                break
            }
            place += ChecksummedFrame.headByteCount + payload.count
            report.frameCount += 1
        }
        report.validByteCount = place
        report.lostByteCount = bytes.count - place
    }

    private mutating func readPayload(_ cursor: inout ByteCursor) throws(ByteCursor.Broken) {
        guard let kind = SeriesJournal.Kind(rawValue: try cursor.byte()) else {
            throw ByteCursor.Broken()
        }
        let fingerprint = try cursor.word()
        let name = try cursor.text()
        guard let known = layouts[name], known.fingerprint == fingerprint else {
            report.foreignFrameCount += 1
            return
        }
        // Taken over only when the whole payload makes sense.
        var group = kind == .whole ? Group() : groups[name] ?? Group()
        for _ in 0..<(try cursor.count(ofAtLeast: 5)) {
            let shardName = try cursor.text()
            var shard = group.shards[shardName] ?? Shard()
            try readShard(&shard, known.layout, &cursor)
            group.shards[shardName] = shard
        }
        guard cursor.isAtEnd else { throw ByteCursor.Broken() }
        groups[name] = group
    }

    private func readShard(
        _ shard: inout Shard, _ layout: SeriesLayout, _ cursor: inout ByteCursor
    ) throws(ByteCursor.Broken) {
        for _ in 0..<(try cursor.count(ofAtLeast: 17)) {
            let origin = CountedOrigin(high: try cursor.word(), low: try cursor.word())
            shard.positions[origin] = try cursor.varint()
        }
        for _ in 0..<(try cursor.count(ofAtLeast: 16)) {
            let origin = CountedOrigin(high: try cursor.word(), low: try cursor.word())
            shard.positions[origin] = nil
        }
        for _ in 0..<(try cursor.count(ofAtLeast: 1)) {
            shard.series[try cursor.varint()] = nil
        }
        for _ in 0..<(try cursor.count(ofAtLeast: 11)) {
            try readSeries(&shard, layout, &cursor)
        }
    }

    private func readSeries(
        _ shard: inout Shard, _ layout: SeriesLayout, _ cursor: inout ByteCursor
    ) throws(ByteCursor.Broken) {
        let serial = try cursor.varint()
        var series: Series
        switch try cursor.byte() {
        case 0:
            guard let known = shard.series[serial] else { throw ByteCursor.Broken() }
            series = known
        case 1:
            var labels: [[UInt8]] = []
            for _ in 0..<layout.labelCount { labels.append(try cursor.bytes()) }
            series = Series(
                labels: labels, created: try cursor.word(), touched: 0,
                values: Array(repeating: nil, count: layout.families.count))
        default: throw ByteCursor.Broken()
        }
        series.touched = try cursor.word()
        let present = try cursor.varint()
        for (number, family) in layout.families.enumerated()
        where present >> UInt64(number) & 1 == 1 {
            series.values[number] = try values(of: family, &cursor)
        }
        shard.series[serial] = series
    }

    private func values(
        of family: SeriesLayout.Family, _ cursor: inout ByteCursor
    ) throws(ByteCursor.Broken) -> Values {
        switch family.kind {
        case .counter: return .words([try cursor.varint()])
        case .floatCounter, .gauge: return .words([try cursor.word()])
        case .summary: return .words([try cursor.varint(), try cursor.word()])
        case .histogram:
            var words: [UInt64] = []
            for _ in 0...family.boundCount { words.append(try cursor.varint()) }
            words.append(try cursor.word())
            return .words(words)
        case .nativeHistogram(_, let bucketLimit):
            let schema = Int(truncatingIfNeeded: try cursor.varint()) &- 64
            guard (-4...8).contains(schema) else { throw ByteCursor.Broken() }
            let count = try cursor.varint()
            let sum = Double(bitPattern: try cursor.word())
            let zeroCount = try cursor.varint()
            let positive = try run(schema, bucketLimit, &cursor)
            let negative = try run(schema, bucketLimit, &cursor)
            return .native(
                NativeHistogram(
                    schema: schema, count: count, sum: sum, zeroCount: zeroCount,
                    positive: positive, negative: negative))
        }
    }

    private func run(
        _ schema: Int, _ bucketLimit: Int, _ cursor: inout ByteCursor
    ) throws(ByteCursor.Broken) -> NativeHistogram.Run {
        let first = Int64(bitPattern: try cursor.word())
        // Doubles reach from 2^-1074 to 2^1024.
        let limit = Int64(schema >= 0 ? 1100 << schema : 1100 >> -schema)
        guard (-limit...limit).contains(first) else { throw ByteCursor.Broken() }
        let count = try cursor.count(ofAtLeast: 1)
        guard count <= bucketLimit else { throw ByteCursor.Broken() }
        var run = NativeHistogram.Run(first: Int(first))
        for _ in 0..<count { run.counts.append(try cursor.varint()) }
        return run
    }
}

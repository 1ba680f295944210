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

    /// Why a payload cannot be read.
    private struct Broken: Error {}

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
        while let payload = frame(bytes, at: place) {
            var cursor = Cursor(payload)
            do throws(Broken) {
                try readPayload(&cursor)
            } catch {
                break
            }
            place += SeriesJournal.headByteCount + payload.count
            report.frameCount += 1
        }
        report.validByteCount = place
        report.lostByteCount = bytes.count - place
    }

    private func frame(_ bytes: UnsafeRawBufferPointer, at place: Int) -> UnsafeRawBufferPointer? {
        let head = SeriesJournal.headByteCount
        guard bytes.count - place >= head,
            bytes[place..<(place + 4)].elementsEqual(SeriesJournal.magic)
        else { return nil }
        func halfWord(_ place: Int) -> UInt32 {
            UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt32.self))
        }
        let count = Int(halfWord(place + 4))
        guard count <= SeriesJournal.payloadByteLimit, bytes.count - place - head >= count else {
            return nil
        }
        let start = place + head
        let payload = UnsafeRawBufferPointer(rebasing: bytes[start..<(start + count)])
        return CRC32C.checksum(payload) == halfWord(place + 8) ? payload : nil
    }

    private mutating func readPayload(_ cursor: inout Cursor) throws(Broken) {
        guard let kind = SeriesJournal.Kind(rawValue: try cursor.byte()) else { throw Broken() }
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
        guard cursor.isAtEnd else { throw Broken() }
        groups[name] = group
    }

    private func readShard(
        _ shard: inout Shard, _ layout: SeriesLayout, _ cursor: inout Cursor
    ) throws(Broken) {
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
        _ shard: inout Shard, _ layout: SeriesLayout, _ cursor: inout Cursor
    ) throws(Broken) {
        let serial = try cursor.varint()
        var series: Series
        switch try cursor.byte() {
        case 0:
            guard let known = shard.series[serial] else { throw Broken() }
            series = known
        case 1:
            var labels: [[UInt8]] = []
            for _ in 0..<layout.labelCount { labels.append(try cursor.bytes()) }
            series = Series(
                labels: labels, created: try cursor.word(), touched: 0,
                values: Array(repeating: nil, count: layout.families.count))
        default: throw Broken()
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
        of family: SeriesLayout.Family, _ cursor: inout Cursor
    ) throws(Broken) -> Values {
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
            guard (-4...8).contains(schema) else { throw Broken() }
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
        _ schema: Int, _ bucketLimit: Int, _ cursor: inout Cursor
    ) throws(Broken) -> NativeHistogram.Run {
        let first = Int64(bitPattern: try cursor.word())
        // Doubles reach from 2^-1074 to 2^1024.
        let limit = Int64(schema >= 0 ? 1100 << schema : 1100 >> -schema)
        guard (-limit...limit).contains(first) else { throw Broken() }
        let count = try cursor.count(ofAtLeast: 1)
        guard count <= bucketLimit else { throw Broken() }
        var run = NativeHistogram.Run(first: Int(first))
        for _ in 0..<count { run.counts.append(try cursor.varint()) }
        return run
    }

    /// A place in a payload; reading beyond its end throws.
    private struct Cursor {
        private let payload: UnsafeRawBufferPointer
        private var place = 0

        init(_ payload: UnsafeRawBufferPointer) {
            self.payload = payload
        }

        var isAtEnd: Bool { place == payload.count }

        mutating func byte() throws(Broken) -> UInt8 {
            guard place < payload.count else { throw Broken() }
            place += 1
            return payload[place - 1]
        }

        mutating func word() throws(Broken) -> UInt64 {
            guard payload.count - place >= 8 else { throw Broken() }
            place += 8
            return UInt64(
                littleEndian: payload.loadUnaligned(fromByteOffset: place - 8, as: UInt64.self))
        }

        mutating func varint() throws(Broken) -> UInt64 {
            var value: UInt64 = 0
            for shift in stride(from: UInt64(0), through: 63, by: 7) {
                let byte = try byte()
                if shift == 63, byte > 1 { throw Broken() }
                value |= UInt64(byte & 0x7f) << shift
                if byte < 0x80 { return value }
            }
            throw Broken()
        }

        /// A count of things that are at least so many bytes long: never more than the payload holds.
        mutating func count(ofAtLeast size: Int) throws(Broken) -> Int {
            let count = try varint()
            guard count <= UInt64((payload.count - place) / size) else { throw Broken() }
            return Int(count)
        }

        mutating func bytes() throws(Broken) -> [UInt8] {
            let count = try count(ofAtLeast: 1)
            defer { place += count }
            return Array(payload[place..<(place + count)])
        }

        mutating func text() throws(Broken) -> String {
            String(decoding: try bytes(), as: UTF8.self)
        }
    }
}

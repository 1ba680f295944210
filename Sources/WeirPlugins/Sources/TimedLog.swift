// Hot path of `weir replay`: once per block of lines.
import WeirCore
import WeirHost
import WeirParse

/// An old log, read in batches of which each holds the events of one stretch of time.
public final class TimedLog {
    /// The fields that tell an event's time where the parser finds none.
    public static let timeKeys = ["start_time", "@timestamp", "timestamp", "time", "ts"]

    /// Events of one stretch: those up to its end, in milliseconds, that are in no earlier one.
    public struct Piece {
        /// The end of the stretch: a multiple of its length.
        public var end: Int64
        /// The events.
        public var batch: EventBatch
    }

    private static let leastBlock = 8 * 1024
    private static let mostBlock = 256 * 1024
    /// Longest line; the rest of a longer one is a line of its own, which is none of the format.
    private static let lineByteLimit = 16 << 20
    /// More stretches than this in a block make the next one smaller.
    private static let stretchLimit = 8
    /// The years 1 to 9999, in milliseconds since 1970: no log is of another time.
    private static let knownTimes: ClosedRange<Int64> = -62_135_596_800_000...253_402_300_799_999
    /// Stands for a time that no line tells.
    private static let noTime = Timestamp(seconds: Int64.min / 4)

    private let reader: LogFileReader
    private let parser: any LineParser
    private let tag: String
    private let length: Int64
    private let keys: [String]
    private var bytes: [UInt8] = []
    private var size = mostBlock
    private var isAtEnd = false

    /// The log's path.
    public let path: String
    /// Lines that were read.
    public private(set) var lineCount = 0
    /// Lines that gave no event.
    public private(set) var failureCount = 0
    /// Events that tell no time.
    public private(set) var timelessCount = 0
    /// The earliest time that is still to be expected, in milliseconds, if no event is out of order.
    public private(set) var horizon = Int64.min
    /// The bytes of the file, and how many of them are read.
    public var progress: (read: UInt64, all: UInt64) {
        (reader.readByteCount, reader.fileByteCount)
    }

    /// A log that is read from its beginning.
    /// - Parameters:
    ///   - path: Its name.
    ///   - length: The length of a stretch, in milliseconds.
    ///   - key: The field that tells the time, if the parser does not.
    init(
        _ path: String, _ reader: LogFileReader, parser: any LineParser, tag: String, length: Int64,
        key: String?
    ) {
        self.path = path
        self.parser = parser
        self.tag = tag
        self.length = max(length, 1)
        keys = key.map { [$0] } ?? Self.timeKeys
        self.reader = reader
    }

    /// Reads the next block; `nil` at the end.
    public func next() throws(LogFileReader.Failure) -> [Piece]? {
        while true {
            if isAtEnd, bytes.isEmpty { return nil }
            try fill()
            let batch = EventBatch(blockCapacity: bytes.count + 1)
            bytes.withUnsafeBytes { batch.fillBlock(copying: $0) }
            batch.tag = tag
            batch.endsInput = isAtEnd
            var used = batch.cutLines(position: 0)
            guard used > 0 else {
                size = min(size * 2, Self.lineByteLimit)
                if bytes.count >= Self.lineByteLimit { bytes[bytes.count - 1] = 0x0a }
                continue
            }
            parser.parse(into: batch, now: Self.noTime)
            if let rest = batch.unfinishedPosition, !isAtEnd, rest > 0 {
                used = min(used, Int(clamping: rest))
            }
            lineCount += batch.lines.count
            failureCount += batch.failures.count
            let pieces = pieces(of: batch, used)
            bytes.removeFirst(used)
            return pieces
        }
    }

    private func fill() throws(LogFileReader.Failure) {
        let start = bytes.count
        guard !isAtEnd, start < size else { return }
        var block = [UInt8](repeating: 0, count: size)
        var count = start
        block.replaceSubrange(0..<start, with: bytes)
        while count < size {
            var outcome: Result<Int, LogFileReader.Failure> = .success(0)
            block.withUnsafeMutableBytes { room in
                do throws(LogFileReader.Failure) {
                    outcome = .success(
                        try reader.read(
                            into: UnsafeMutableRawBufferPointer(rebasing: room[count..<size])))
                } catch {
                    outcome = .failure(error)
                }
            }
            let read = try outcome.get()
            if read == 0 {
                isAtEnd = true
                break
            }
            count += read
        }
        block.removeLast(size - count)
        // The last line may have no end.
        if isAtEnd, let last = block.last, last != 0x0a { block.append(0x0a) }
        bytes = block
    }

    // MARK: Stretches

    /// The end of the stretch of each row; `nil` for one without a time.
    private func ends(of batch: EventBatch) -> [Int64?] {
        var readers: [ColumnReader] = []
        var earliest = Int64.max
        let ends = batch.rows.indices.map { row -> Int64? in
            // One that the parser refused, and counted.
            if batch.rows[row].isDropped { return nil }
            var time = batch.rows[row].time
            if time == Self.noTime {
                if readers.isEmpty { readers = keys.map { ColumnReader($0, in: batch) } }
                guard let found = Self.time(row, batch, &readers) else { return nil }
                time = found
                batch.setTime(time, row: row)
            }
            let milliseconds = time.millisecondsSince1970
            guard Self.knownTimes.contains(milliseconds) else { return nil }
            earliest = min(earliest, milliseconds)
            return Self.end(milliseconds, length)
        }
        if earliest < .max { horizon = max(horizon, earliest) }
        return ends
    }

    private static func time(
        _ row: Int, _ batch: EventBatch, _ readers: inout [ColumnReader]
    ) -> Timestamp? {
        for place in readers.indices {
            let slot = readers[place].slot(row: row, in: batch)
            guard slot.type != .absent, slot.length > 0 else { continue }
            let found = batch.withText(slot) {
                TimeFormat.parseFreely($0, zone: .utc, now: .epoch)
            }
            if let found { return found.time }
        }
        return nil
    }

    /// The first multiple of a length that is not before a time.
    static func end(_ time: Int64, _ length: Int64) -> Int64 {
        let rest = ((time % length) + length) % length
        return rest == 0 ? time : time &+ (length - rest)
    }

    private func pieces(of batch: EventBatch, _ used: Int) -> [Piece] {
        let ends = ends(of: batch)
        var distinct: [Int64] = []
        for (row, end) in ends.enumerated() {
            if batch.rows[row].isDropped { continue }
            guard let end else {
                timelessCount += 1
                batch.drop(row: row)
                continue
            }
            if distinct.last != end, !distinct.contains(end) { distinct.append(end) }
        }
        if distinct.count > Self.stretchLimit {
            size = max(size / 2, Self.leastBlock)
        } else if distinct.count <= 1 {
            size = min(max(size * 2, Self.leastBlock), Self.mostBlock)
        }
        if distinct.count <= 1 {
            return distinct.map { Piece(end: $0, batch: batch) }
        }
        return distinct.map { end in
            Piece(end: end, batch: part(of: batch, ends, end, used))
        }
    }

    /// The events of a batch that are of one stretch: their lines are read once more.
    private func part(
        of batch: EventBatch, _ ends: [Int64?], _ end: Int64, _ used: Int
    ) -> EventBatch {
        var lines: [UInt8] = []
        var last = -1
        for (row, other) in ends.enumerated() where other == end {
            let line = Int(batch.rows[row].line)
            guard line != last else { continue }
            last = line
            let start = Int(clamping: batch.lines[line].position)
            let next =
                line + 1 < batch.lines.count
                ? Int(clamping: batch.lines[line + 1].position) : used
            if start < next, next <= bytes.count { lines += bytes[start..<next] }
        }
        let part = EventBatch(blockCapacity: max(lines.count, 64))
        lines.withUnsafeBytes { part.fillBlock(copying: $0) }
        part.tag = tag
        part.endsInput = true
        _ = part.cutLines(position: 0)
        parser.parse(into: part, now: Timestamp(millisecondsSince1970: end))
        return part
    }
}

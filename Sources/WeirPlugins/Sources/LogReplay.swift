import WeirConfig
import WeirCore
import WeirHost
import WeirParse
import WeirPipeline

/// Sends the lines of a log through a pipeline without following it: for tests of pipelines, and for old logs.
public struct LogReplay {
    private static let blockByteLimit = 256 * 1024

    /// A file that stands for one of the machine.
    public struct InputFile: Sendable {
        /// The path that it stands for.
        public var path: String
        /// Its bytes.
        public var bytes: [UInt8]

        /// A file by its parts.
        public init(path: String, bytes: [UInt8]) {
            self.path = path
            self.bytes = bytes
        }
    }

    private let options: TailOptions
    private let parse: Section

    /// A replay in place of a tail.
    public init(_ section: Section) throws(SectionError) {
        options = try TailOptions(section)
        guard let parse = section.section("parse") else {
            throw SectionError(
                section.element.location, "`@type tail` needs a section `<parse>`",
                help: "add `<parse>` with `@type json`")
        }
        self.parse = parse
        _ = try ParserCatalog.parser(parse)
    }

    /// Whether the tail would follow a path at a time.
    public func follows(_ path: String, at time: Timestamp) -> Bool {
        options.paths.contains { TailPattern($0, at: time, options).names(path) }
            && !options.excludedPaths.contains { TailPattern($0, at: time, options).names(path) }
    }

    /// An old log, to be read by the times of its events.
    /// - Parameters:
    ///   - reader: Its bytes.
    ///   - length: The length of the stretches that events come in, in milliseconds.
    ///   - key: The field that tells the time, if the parser does not.
    public func log(
        _ path: String, _ reader: LogFileReader, stretch length: Int64, timeKey key: String?
    ) throws(SectionError) -> TimedLog {
        TimedLog(
            path, reader, parser: try ParserCatalog.parser(parse), tag: tag(of: path),
            length: length, key: key)
    }

    private func tag(of path: String) -> String {
        options.tag.replacing("*", with: path.split(separator: "/").joined(separator: "."))
    }

    /// Sends all lines of a file, the last one also without its line end.
    /// - Returns: How many lines gave no event.
    public func send(
        _ file: InputFile, to sink: any EventSink, now: Timestamp
    ) throws(SectionError) -> Int {
        let parser = try ParserCatalog.parser(parse)
        let tag = tag(of: file.path)
        let batch = EventBatch(blockCapacity: Self.blockByteLimit)
        // Of its own for each file: filters count each place of an origin once.
        let origin = Array(file.path.utf8).withUnsafeBytes { Origin(hashing: $0) }
        let bytes = file.bytes.last == 0x0a ? file.bytes : file.bytes + [0x0a]
        var failures = 0
        var place = 0
        var size = Self.blockByteLimit
        while place < bytes.count {
            let end = min(place + size, bytes.count)
            batch.reset()
            bytes[place..<end].withUnsafeBytes { batch.fillBlock(copying: $0) }
            batch.tag = tag
            batch.origin = origin
            var used = batch.cutLines(position: UInt64(place))
            guard used > 0 else {
                size *= 2
                continue
            }
            parser.parse(into: batch, now: now)
            if let rest = batch.unfinishedPosition, rest > UInt64(place) {
                used = Int(clamping: rest) - place
            }
            failures += batch.failures.count
            let ticket = DeliveryTicket(readAt: 0) {}
            sink.emit(batch, ticket: ticket)
            ticket.release()
            size = Self.blockByteLimit
            place += used
        }
        return failures
    }
}

// Hot path: once per line of a container's log.
import WeirCore

/// Cuts a container's log lines to their content, and joins those that the runtime has parted.
final class CRILineJoiner {
    /// The stream that a container wrote to.
    enum Stream: Int {
        case output
        case error
    }

    /// An event whose lines are all there.
    struct Event {
        var stream: Stream
        /// When the runtime got its first line.
        var time: Timestamp
        /// The lines' content, as a range of ``CRILineJoiner/pieces``.
        var pieces: Range<Int>
        var position: UInt64
        var lastPosition: UInt64
    }

    /// The content of one line.
    private struct Piece {
        var offset: UInt32
        var length: UInt32
    }

    /// An event whose last line has not come yet.
    private struct Open {
        var pieces: [Piece] = []
        var byteCount = 0
        var time = Timestamp.epoch
        var position: UInt64 = 0
        var lastPosition: UInt64 = 0
    }

    /// What was left unfinished in the batch before.
    private struct Rest {
        var position: UInt64
        var end: UInt64
    }

    /// Origins of which the rest is known; beyond them all is forgotten, at worst an event that
    /// never ends is waited for a little longer.
    private static let restLimit = 4096

    /// The events of the batch, one per line that is left in it.
    private(set) var events: [Event] = []
    /// Lines of another form.
    private(set) var malformed: [Line] = []
    private var pieces: [Piece] = []
    private var open = [Open(), Open()]
    private var rests: [Identity: Rest] = [:]
    private let eventByteLimit: Int
    private let timeFormat = try? TimeFormat("%iso8601")
    private var joined = ByteBuffer()

    private struct Identity: Hashable {
        var high: UInt64
        var low: UInt64
    }

    /// A joiner that cuts events longer than a limit.
    init(eventByteLimit: Int) {
        self.eventByteLimit = eventByteLimit
    }

    /// Replaces the batch's lines by the content of its events.
    func join(_ batch: EventBatch, now: Timestamp) {
        events.removeAll(keepingCapacity: true)
        malformed.removeAll(keepingCapacity: true)
        pieces.removeAll(keepingCapacity: true)
        for stream in open.indices { open[stream].pieces.removeAll(keepingCapacity: true) }
        var isJoined = false
        for line in batch.lines {
            guard let header = batch.withBytes(of: line, { header($0, now) }) else {
                malformed.append(line)
                continue
            }
            isJoined = add(line, header) || isJoined
        }
        isJoined = finishRest(batch) || isJoined
        if isJoined { copyContent(batch) }
        batch.lines.removeAll(keepingCapacity: true)
        for event in events {
            let piece = pieces[event.pieces.lowerBound]
            batch.lines.append(
                Line(offset: piece.offset, length: piece.length, position: event.position))
        }
    }

    // MARK: Lines

    private struct Header {
        var stream: Stream
        var isPartial: Bool
        var time: Timestamp
        /// Where the content begins.
        var content: Int
    }

    /// Reads `time stream tag `, where the tag begins with `P` or `F`.
    private func header(_ line: UnsafeRawBufferPointer, _ now: Timestamp) -> Header? {
        let space = UInt8(ascii: " ")
        var place = 0
        while place < line.count, line[place] != space { place &+= 1 }
        guard let format = timeFormat, place > 0, line.count - place >= 9,
            let time = format.parse(
                UnsafeRawBufferPointer(rebasing: line[..<place]), zone: .utc, now: now)?.time
        else { return nil }
        let stream: Stream
        switch (line[place + 4], line[place + 7]) {
        case (UInt8(ascii: "o"), space) where holds(line, place, " stdout "): stream = .output
        case (UInt8(ascii: "e"), space) where holds(line, place, " stderr "): stream = .error
        default: return nil
        }
        place += 8
        let isPartial = line[place] == UInt8(ascii: "P")
        guard isPartial || line[place] == UInt8(ascii: "F") else { return nil }
        place += 1
        // Further tags may follow behind colons; none is known yet.
        if place < line.count, line[place] == UInt8(ascii: ":") {
            while place < line.count, line[place] != space { place &+= 1 }
        }
        if place < line.count {
            guard line[place] == space else { return nil }
            place += 1
        }
        return Header(stream: stream, isPartial: isPartial, time: time, content: place)
    }

    private func holds(
        _ line: UnsafeRawBufferPointer, _ place: Int, _ text: StaticString
    ) -> Bool {
        for offset in 0..<text.utf8CodeUnitCount
        where line[place + offset] != text.utf8Start[offset] {
            return false
        }
        return true
    }

    /// Adds a line to its stream's event.
    /// - Returns: Whether it ended an event of several lines.
    private func add(_ line: Line, _ header: Header) -> Bool {
        let stream = header.stream.rawValue
        let piece = Piece(
            offset: line.offset + UInt32(header.content),
            length: line.length - UInt32(header.content))
        var isJoined = false
        if !open[stream].pieces.isEmpty,
            open[stream].byteCount + Int(piece.length) > eventByteLimit
        {
            isJoined = finish(header.stream)
        }
        if open[stream].pieces.isEmpty {
            open[stream].byteCount = 0
            open[stream].time = header.time
            open[stream].position = line.position
        }
        open[stream].pieces.append(piece)
        open[stream].byteCount += Int(piece.length)
        open[stream].lastPosition = line.position
        if header.isPartial { return isJoined }
        return finish(header.stream) || isJoined
    }

    /// Ends a stream's event.
    /// - Returns: Whether it has several lines.
    private func finish(_ stream: Stream) -> Bool {
        let event = open[stream.rawValue]
        let first = pieces.count
        pieces.append(contentsOf: event.pieces)
        events.append(
            Event(
                stream: stream, time: event.time, pieces: first..<pieces.count,
                position: event.position, lastPosition: event.lastPosition))
        open[stream.rawValue].pieces.removeAll(keepingCapacity: true)
        return pieces.count - first > 1
    }

    // MARK: The end of the batch

    /// Leaves events whose end has not come to the next batch, or ends them when their source
    /// has shown to have no more.
    /// - Returns: Whether it ended an event of several lines.
    private func finishRest(_ batch: EventBatch) -> Bool {
        let origin = Identity(high: batch.origin?.high ?? 0, low: batch.origin?.low ?? 0)
        let waiting = open.filter { !$0.pieces.isEmpty }
        guard var position = waiting.map(\.position).min(), let first = batch.lines.first,
            let last = batch.lines.last
        else {
            rests[origin] = nil
            return false
        }
        // Lines behind the first unfinished one are read again: no event may be of both sides.
        while let event = events.first(where: {
            $0.lastPosition >= position && $0.position < position
        }) {
            position = event.position
        }
        let end = last.position &+ UInt64(last.length)
        if let rest = rests[origin], rest.position == first.position, rest.end == end,
            position == first.position
        {
            // The same lines as before and not one more: waiting would last for ever.
            rests[origin] = nil
            let isOutput = !open[0].pieces.isEmpty && finish(.output)
            let isError = !open[1].pieces.isEmpty && finish(.error)
            return isOutput || isError
        }
        if rests.count >= Self.restLimit { rests.removeAll() }
        rests[origin] = Rest(position: position, end: end)
        batch.unfinishedPosition = position
        events.removeAll { $0.lastPosition >= position }
        malformed.removeAll { $0.position >= position }
        return false
    }

    /// Puts the pieces of every event together, one event behind the other.
    ///
    /// Lines of the two streams may alternate, so the content goes through a buffer of its own.
    private func copyContent(_ batch: EventBatch) {
        joined.truncate(to: 0)
        joined.reserve(batch.blockCount)
        for event in events {
            let start = joined.count
            for piece in pieces[event.pieces] {
                let line = Line(offset: piece.offset, length: piece.length, position: 0)
                batch.withBytes(of: line) { joined.append($0) }
            }
            pieces[event.pieces.lowerBound] = Piece(
                offset: UInt32(start), length: UInt32(joined.count - start))
        }
        for index in malformed.indices {
            let start = joined.count
            batch.withBytes(of: malformed[index]) { joined.append($0) }
            malformed[index].offset = UInt32(start)
        }
        batch.fillBlock(copying: joined.bytes)
    }
}

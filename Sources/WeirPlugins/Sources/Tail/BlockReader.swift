// Hot path: once per block of a file.
import WeirCore
import WeirHost
import WeirMetrics
import WeirParse
import WeirPipeline

/// Reads the next block of one file into a batch and hands it on.
struct BlockReader {
    enum Outcome {
        case nothing
        case read
        case blocked
    }

    private let around: TailEngine.Surroundings
    private let batch: EventBatch
    private let path: TailedPath
    private let generation: Generation

    init(
        around: TailEngine.Surroundings, batch: EventBatch, path: TailedPath,
        _ generation: Generation
    ) {
        self.around = around
        self.batch = batch
        self.path = path
        self.generation = generation
    }

    /// Reads one block, if there is a whole line and room for its events.
    mutating func readBlock(_ moment: TailEngine.Moment) -> Outcome {
        if generation.rotatedAt != nil, let status = try? generation.file.status() {
            generation.knownSize = status.size
        }
        guard generation.knownSize > generation.readOffset else { return .nothing }
        let mayEndHere = unfinishedLineIsDue(moment)
        if !mayEndHere, generation.searchedOffset >= generation.knownSize { return .nothing }
        guard around.sink.admits(tag: path.tag) else { return .blocked }
        guard let used = fill(mayEndHere: mayEndHere, moment) else { return .nothing }
        emit(used, moment)
        return .read
    }

    /// Whether the last line, which has no end, is to be taken as it is.
    private func unfinishedLineIsDue(_ moment: TailEngine.Moment) -> Bool {
        guard let since = generation.unfinishedSince else { return false }
        let wait: Duration? =
            generation.rotatedAt == nil
            ? around.options.partialLineTimeout : around.options.rotateWait
        guard let wait else { return false }
        return moment.monotonic >= since &+ wait.nanoseconds
    }

    /// Fills the batch with whole lines.
    /// - Returns: How many bytes of the file they take; `nil` when there is no whole line.
    private func fill(mayEndHere: Bool, _ moment: TailEngine.Moment) -> UInt64? {
        var capacity = around.options.turnByteLimit
        let limit = around.options.lineByteLimit
        while true {
            batch.reset()
            guard load(capacity) else { return nil }
            let used = batch.cutLines(position: generation.readOffset)
            let isAtEnd = generation.readOffset + UInt64(batch.blockCount) >= generation.knownSize
            if used > 0 {
                if isAtEnd, used < batch.blockCount {
                    generation.unfinishedSince = moment.monotonic
                } else {
                    generation.unfinishedSince = nil
                }
                return finishSkipping(UInt64(used))
            }
            if generation.isSkippingLine || batch.blockCount > limit {
                return skip()
            }
            if isAtEnd {
                if generation.unfinishedSince == nil {
                    generation.unfinishedSince = moment.monotonic
                }
                if mayEndHere, batch.blockCount > 0 { return takeUnfinished() }
                generation.searchedOffset = generation.readOffset + UInt64(batch.blockCount)
                return nil
            }
            capacity = min(capacity * 2, limit + 1)
        }
    }

    private func load(_ capacity: Int) -> Bool {
        do throws(SystemError) {
            try batch.fillBlock(capacity: capacity) { (room) throws(SystemError) in
                try generation.file.read(into: room, at: generation.readOffset)
            }
            return batch.blockCount > 0
        } catch {
            around.log(.unreadable(path: path.path, reason: "\(error)"))
            around.metrics.unreadable.add()
            return false
        }
    }

    /// Takes the rest of the file as its last line.
    private func takeUnfinished() -> UInt64 {
        batch.lines.append(
            Line(
                offset: 0, length: UInt32(truncatingIfNeeded: batch.blockCount),
                position: generation.readOffset))
        return UInt64(batch.blockCount)
    }

    /// Leaves out a piece of a line that is longer than the limit.
    private func skip() -> UInt64 {
        let isBeginning = !generation.isSkippingLine
        generation.isSkippingLine = true
        let limit = around.options.lineByteLimit
        if isBeginning {
            around.metrics.longLines.add()
            around.log(.droppedLongLine(path: path.path, byteCount: batch.blockCount))
            if around.options.longLineAction == .truncate {
                batch.lines = [
                    Line(
                        offset: 0, length: UInt32(truncatingIfNeeded: limit),
                        position: generation.readOffset)
                ]
            }
        }
        return UInt64(batch.blockCount)
    }

    /// Leaves out the end of an overlong line whose beginning was left out, and lines that are
    /// longer than the limit though they fit into the block.
    private func finishSkipping(_ used: UInt64) -> UInt64 {
        if generation.isSkippingLine {
            generation.isSkippingLine = false
            batch.lines.removeFirst()
        }
        let limit = around.options.lineByteLimit
        guard batch.lines.contains(where: { Int($0.length) > limit }) else { return used }
        for index in batch.lines.indices.reversed() where Int(batch.lines[index].length) > limit {
            around.metrics.longLines.add()
            switch around.options.longLineAction {
            case .drop: batch.lines.remove(at: index)
            case .truncate: batch.lines[index].length = UInt32(truncatingIfNeeded: limit)
            }
        }
        return used
    }

    /// Parses the lines and sends the events on their way.
    private func emit(_ used: UInt64, _ moment: TailEngine.Moment) {
        let end = generation.readOffset + used
        let blockBytes = Int(used)
        generation.completeFingerprint()
        batch.tag = path.tag
        batch.origin = generation.origin(node: around.node)
        around.metrics.lines.add(batch.lines.count)
        around.metrics.bytes.add(blockBytes)
        around.parser.parse(into: batch, now: moment.wall)
        settleFailures(moment)
        around.metrics.replaced.add(batch.replacedByteSequenceCount)
        addPath()
        let tracker = generation.tracker
        let resumed = batch.unfinishedPosition.map { max($0, generation.readOffset) }
        let number = tracker.begin(end: resumed ?? end)
        let ticket = DeliveryTicket(readAt: moment.monotonic) { tracker.deliver(number) }
        if !batch.rows.isEmpty { around.sink.emit(batch, ticket: ticket) }
        ticket.release()
        generation.advance(to: resumed ?? end)
        if resumed != nil { generation.searchedOffset = end }
    }

    /// Turns lines that did not parse into records, if wished, and counts them.
    private func settleFailures(_ moment: TailEngine.Moment) {
        guard !batch.failures.isEmpty else { return }
        for reason in ParseFailure.allCases {
            let count = batch.failures.count { $0.reason == reason }
            if count > 0 { around.metrics.parseFailures(count, reason.rawValue) }
        }
        guard around.options.emitsUnmatchedLines else { return }
        let shape = Shape(["unmatched_line"])
        for failure in batch.failures {
            let line = batch.lines[Int(failure.line)]
            guard
                let slot = batch.makeTextSlot(offset: Int(line.offset), length: Int(line.length))
            else { continue }
            batch.appendRow(
                shape: shape, slots: [slot], line: Int(failure.line), time: moment.wall)
        }
    }

    private func addPath() {
        guard let key = around.options.pathKey, let slot = batch.makeStringSlot(path.path) else {
            return
        }
        let column = batch.editColumn(key)
        for row in batch.rows.indices { batch.edit(column: column, row: row, to: slot) }
    }
}

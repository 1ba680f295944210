// Hot path: once per series of an instant `rate`.

/// What a counter did in a window: all that `rate` and `increase` need of its samples.
public struct CounterWindow: Sendable {
    /// Samples in the window.
    public var count = 0
    /// The first one's time in milliseconds.
    public var firstTime: Int64 = 0
    /// The first one.
    public var firstValue = 0.0
    /// The last one's time.
    public var lastTime: Int64 = 0
    /// The last one.
    public var lastValue = 0.0
    /// What was lost by resets: the sum of the values before each.
    public var lost = 0.0

    /// A window without samples.
    public init() {}

    /// Takes the next sample, which is a number.
    @inline(__always)
    mutating func add(_ value: Double, at time: Int64) {
        if count == 0 {
            (firstTime, firstValue) = (time, value)
        } else if value < lastValue {
            lost += lastValue
        }
        (lastTime, lastValue) = (time, value)
        count &+= 1
    }
}

extension SeriesPage {
    /// What the series did in a time range, where that can be told without every sample: it has no
    /// histograms and no starts, all its values there are numbers, and blocks that are not unpacked ascend.
    ///
    /// So a window's cost hardly depends on its length: of its blocks only the first and the last are
    /// unpacked, and of the others the head is read.
    func counterWindow(tailCount: Int, from first: Int64, through last: Int64) -> CounterWindow? {
        guard histograms.isEmpty, !hasStarts else { return nil }
        var window = CounterWindow()
        if tailCount == 0 || tailBase > first {
            guard addChunks(first, last, &window) else { return nil }
        }
        guard tailCount > 0, tailBase <= last else { return window }
        for place in 0..<tailCount {
            let time = tailTime(place)
            if time < first { continue }
            if time > last { break }
            let value = Double(bitPattern: values[place])
            if value.isNaN { return nil }
            window.add(value, at: time)
        }
        return window
    }

    private func addChunks(
        _ first: Int64, _ last: Int64, _ window: inout CounterWindow
    ) -> Bool {
        chunks.withUnsafeBufferPointer { chunks in
            var begin = chunks.count
            while begin > 0, chunks[begin &- 1].last >= first { begin &-= 1 }
            guard begin < chunks.count, chunks[begin].first <= last else { return true }
            return BlockRoom.withRoom { room in
                var scan = CounterScan(first: first, last: last, window: window)
                while begin < chunks.count, chunks[begin].first <= last, scan.isSure {
                    let chunk = chunks[begin]
                    begin &+= 1
                    chunk.eachBlock { block, head in
                        scan.take(block, head, origin: chunk.first, room.place)
                    }
                }
                scan.finish(newest: begin == chunks.count ? sealedValue : nil, room.place)
                window = scan.window
                return scan.isSure
            }
        }
    }
}

/// Walks over the blocks of a window, and unpacks as few as it can.
private struct CounterScan {
    let first: Int64
    let last: Int64
    var window: CounterWindow
    /// Whether all is known so far.
    var isSure = true
    /// The block before, if it ascends and was not unpacked: its last value is not known yet.
    private var unread: (block: UnsafeRawPointer, head: FloatBlock.Head, origin: Int64)?
    private var hasLaterBlocks = false

    init(first: Int64, last: Int64, window: CounterWindow) {
        self.first = first
        self.last = last
        self.window = window
    }

    /// Takes a block.
    /// - Returns: Whether the next one is of interest.
    @inline(__always)
    mutating func take(
        _ block: UnsafeRawPointer, _ head: FloatBlock.Head, origin: Int64, _ room: BlockRoom.Place
    ) -> Bool {
        let begin = origin &+ Int64(head.firstOffset)
        let end = origin &+ Int64(head.lastOffset)
        if end < first { return true }
        if begin > last {
            hasLaterBlocks = true
            return false
        }
        if head.hasStarts { return doubt() }
        if head.ascends, begin >= first, end <= last {
            // Inside the window, and nothing in it is below what was before it.
            if window.count == 0 {
                window.firstTime = begin
                window.firstValue = FloatBlock.firstValue(block, head)
            }
            window.count &+= head.count
            window.lastTime = end
            unread = (block, head, origin)
            return true
        }
        // The value before it is not known, and may matter.
        if unread != nil, !head.ascends { return doubt() }
        FloatBlock.decode(block, head, origin: origin, into: room)
        for place in 0..<head.count {
            let time = room.times[place]
            if time < first { continue }
            if time > last {
                hasLaterBlocks = true
                break
            }
            let value = Double(bitPattern: room.values[place])
            if value.isNaN { return doubt() }
            if unread != nil {
                // It ascends from the block before.
                unread = nil
                window.lastValue = value
            }
            window.add(value, at: time)
        }
        return true
    }

    private mutating func doubt() -> Bool {
        isSure = false
        return false
    }

    /// Finds the last value, where the last block was not unpacked.
    /// - Parameter newest: The last value of all blocks, if there is none behind those that were looked at.
    mutating func finish(newest: Double?, _ room: BlockRoom.Place) {
        guard isSure, let unread else { return }
        if let newest, !hasLaterBlocks {
            window.lastValue = newest
            return
        }
        FloatBlock.decode(unread.block, unread.head, origin: unread.origin, into: room)
        window.lastValue = Double(bitPattern: room.values[unread.head.count &- 1])
    }
}

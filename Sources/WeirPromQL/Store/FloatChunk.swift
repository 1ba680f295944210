// Hot path: every sample that a query reads passes through here.

/// A few blocks of one series' floats, one behind the other. Never changes: a longer one takes its place.
struct FloatChunk: Sendable {
    /// Blocks of a chunk: what retention drops at once, and what is kept track of at once.
    static let blockLimit = 4

    /// The first and the last time in milliseconds.
    let first: Int64
    let last: Int64
    /// The blocks, and the slack that reading them needs.
    let bytes: ContiguousArray<UInt8>
    /// Where each block begins; 0 also for those that are not there.
    private let places: SIMD4<UInt16>

    /// Bytes that it keeps, with what the allocator adds.
    var byteCount: Int { bytes.count + 80 }

    /// How many blocks it has.
    var blockCount: Int {
        var count = 1
        while count < Self.blockLimit, places[count] != 0 { count &+= 1 }
        return count
    }

    /// A chunk of one block.
    init(block: UnsafeRawBufferPointer, first: Int64, last: Int64) {
        self.first = first
        self.last = last
        bytes = Self.joined(UnsafeRawBufferPointer(start: nil, count: 0), block)
        places = SIMD4(repeating: 0)
    }

    /// The chunk with one more block, for which it must have room.
    init(_ chunk: FloatChunk, adding block: UnsafeRawBufferPointer, last: Int64) {
        first = chunk.first
        var places = chunk.places
        places[chunk.blockCount] = UInt16(
            truncatingIfNeeded: chunk.bytes.count - BitPacking.slack)
        self.places = places
        self.last = last
        bytes = chunk.bytes.withUnsafeBytes {
            Self.joined(UnsafeRawBufferPointer(rebasing: $0.dropLast(BitPacking.slack)), block)
        }
    }

    private init(
        first: Int64, last: Int64, bytes: ContiguousArray<UInt8>, places: SIMD4<UInt16>
    ) {
        self.first = first
        self.last = last
        self.bytes = bytes
        self.places = places
    }

    private static func joined(
        _ head: UnsafeRawBufferPointer, _ block: UnsafeRawBufferPointer
    ) -> ContiguousArray<UInt8> {
        let count = head.count + block.count
        return ContiguousArray(unsafeUninitializedCapacity: count + BitPacking.slack) {
            room, filled in
            let target = UnsafeMutableRawBufferPointer(room)
            target.copyMemory(from: head)
            UnsafeMutableRawBufferPointer(rebasing: target[head.count...]).copyMemory(from: block)
            for place in count..<(count + BitPacking.slack) { target[place] = 0 }
            filled = count + BitPacking.slack
        }
    }

    /// The last value.
    var lastValue: Double {
        var newest = Double.nan
        BlockRoom.withRoom { room in
            bytes.withUnsafeBytes { bytes in
                guard let base = bytes.baseAddress else { return }
                let block = base + Int(places[blockCount &- 1])
                let head = FloatBlock.Head(block)
                FloatBlock.decode(block, head, origin: first, into: room.place)
                newest = Double(bitPattern: room.place.values[head.count &- 1])
            }
        }
        return newest
    }

    /// Looks at the blocks in order, until it is enough.
    @inline(__always)
    func eachBlock(while body: (UnsafeRawPointer, FloatBlock.Head) -> Bool) {
        bytes.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            for number in 0..<blockCount {
                let block = base + Int(places[number])
                guard body(block, FloatBlock.Head(block)) else { return }
            }
        }
    }

    /// Looks at each block's head, in order.
    private func eachBlock(_ body: (FloatBlock.Head) -> Void) {
        bytes.withUnsafeBytes { bytes in
            guard var place = bytes.baseAddress else { return }
            let end = place + bytes.count - BitPacking.slack
            while place < end {
                let head = FloatBlock.Head(place)
                body(head)
                place += head.byteCount
            }
        }
    }

    /// Its samples.
    var sampleCount: Int {
        var count = 0
        eachBlock { count += $0.count }
        return count
    }

    /// Unpacks the blocks that have samples of a time range.
    @inline(__always)
    func read(
        from first: Int64, through last: Int64, room: inout BlockRoom,
        into buffer: inout SampleBuffer
    ) {
        bytes.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            let end = base + bytes.count - BitPacking.slack
            // From the end: the newest samples are asked for most.
            var newest = blockCount &- 1
            while newest > 0 {
                let head = FloatBlock.Head(base + Int(places[newest]))
                if self.first &+ Int64(head.firstOffset) <= first { break }
                newest &-= 1
            }
            var place = base + Int(places[newest])
            while place < end {
                let head = FloatBlock.Head(place)
                let block = place
                place += head.byteCount
                guard self.first &+ Int64(head.lastOffset) >= first else { continue }
                guard self.first &+ Int64(head.firstOffset) <= last else { return }
                if room.isFull { room.empty(into: &buffer, from: first, through: last) }
                room.add(block, head, origin: self.first)
            }
        }
    }

    /// A chunk of blocks from outside, if they are sound and their times ascend.
    init?(untrusted blocks: UnsafeRawBufferPointer, first: Int64) {
        var place = 0
        var blockCount = 0
        var places = SIMD4<UInt16>(repeating: 0)
        var former = first
        var isFirst = true
        var formerValue = -Double.infinity
        let padded = Self.joined(blocks, UnsafeRawBufferPointer(start: nil, count: 0))
        let isSound = padded.withUnsafeBytes { bytes in
            BlockRoom.withRoom { room in
                let room = room.place
                while place < blocks.count {
                    let rest = UnsafeRawBufferPointer(rebasing: bytes[place..<blocks.count])
                    guard blockCount < Self.blockLimit, let head = FloatBlock.soundHead(rest),
                        let base = rest.baseAddress,
                        !first.addingReportingOverflow(Int64(head.lastOffset)).overflow,
                        head.firstOffset == 0 || !isFirst
                    else { return false }
                    FloatBlock.decode(base, head, origin: first, into: room)
                    for index in 0..<head.count {
                        guard isFirst || room.times[index] > former else { return false }
                        isFirst = false
                        former = room.times[index]
                    }
                    guard former == first &+ Int64(head.lastOffset) else { return false }
                    if head.ascends,
                        !FloatBlock.ascends(room.values, head.count, after: formerValue)
                    {
                        return false
                    }
                    formerValue = Double(bitPattern: room.values[head.count &- 1])
                    places[blockCount] = UInt16(truncatingIfNeeded: place)
                    place += head.byteCount
                    blockCount += 1
                }
                return blockCount > 0
            }
        }
        guard isSound else { return nil }
        self.init(first: first, last: former, bytes: padded, places: places)
    }
}

// Hot path: every sample that a query reads passes through here.

/// Where blocks are unpacked to, a few at a time, before their samples go to a buffer.
struct BlockRoom {
    /// Samples that it has room for.
    static let capacity = 8 * FloatBlock.sampleLimit

    /// Where a block's samples go to.
    struct Place {
        var times: UnsafeMutablePointer<Int64>
        var values: UnsafeMutablePointer<UInt64>
        var starts: UnsafeMutablePointer<Int64>
    }

    /// The place of the first sample.
    let place: Place
    private var count = 0
    private var hasStarts = false

    private init(_ place: Place) { self.place = place }

    /// Room on the stack.
    @inline(__always)
    static func withRoom<R>(_ body: (inout BlockRoom) -> R) -> R {
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: capacity * 3) { room in
            guard let values = room.baseAddress else { preconditionFailure("room on the stack") }
            let times = UnsafeMutableRawPointer(values + capacity)
            let starts = UnsafeMutableRawPointer(values + capacity * 2)
            var room = BlockRoom(
                Place(
                    times: times.bindMemory(to: Int64.self, capacity: capacity), values: values,
                    starts: starts.bindMemory(to: Int64.self, capacity: capacity)))
            return body(&room)
        }
    }

    /// Whether there is no room for a block.
    var isFull: Bool { count &+ FloatBlock.sampleLimit > Self.capacity }

    /// Unpacks a block behind the others.
    @inline(__always)
    mutating func add(_ block: UnsafeRawPointer, _ head: FloatBlock.Head, origin: Int64) {
        if head.hasStarts, !hasStarts {
            hasStarts = true
            place.starts.update(repeating: 0, count: count)
        } else if hasStarts, !head.hasStarts {
            (place.starts + count).update(repeating: 0, count: head.count)
        }
        let free = Place(
            times: place.times + count, values: place.values + count, starts: place.starts + count)
        FloatBlock.decode(block, head, origin: origin, into: free)
        count &+= head.count
    }

    /// Gives the samples whose times are in a range to a buffer.
    @inline(__always)
    mutating func empty(into buffer: inout SampleBuffer, from first: Int64, through last: Int64) {
        var lower = 0
        var upper = count
        while lower < upper, place.times[lower] < first { lower &+= 1 }
        while upper > lower, place.times[upper &- 1] > last { upper &-= 1 }
        if hasStarts {
            buffer.padStarts()
            buffer.floatStarts.append(contentsOf: Self.part(place.starts, lower, upper))
        }
        buffer.floatTimes.append(contentsOf: Self.part(place.times, lower, upper))
        UnsafeRawPointer(place.values).withMemoryRebound(to: Double.self, capacity: count) {
            buffer.floats.append(contentsOf: Self.part($0, lower, upper))
        }
        count = 0
        hasStarts = false
    }

    @inline(__always)
    private static func part<T>(
        _ base: UnsafePointer<T>, _ lower: Int, _ upper: Int
    ) -> UnsafeBufferPointer<T> {
        UnsafeBufferPointer(start: base + lower, count: upper &- lower)
    }
}

extension SampleBuffer {
    /// Says of floats without a start that it is unknown.
    mutating func padStarts() {
        while floatStarts.count < floatTimes.count { floatStarts.append(0) }
    }
}

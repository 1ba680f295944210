// Hot path: once per sample, and once per series and query.
import Glibc

/// What is kept of one series: its labels, its packed chunks, and its newest floats as they came.
///
/// A query holds pages while it reads. So a page that is not the store's alone is never changed, except
/// that samples are added to the tail behind those that the query knows of; for every other change a copy
/// takes its place.
final class SeriesPage: @unchecked Sendable {
    // Safe because the store changes a page only under its lock, and only what no reader looks at.
    private static let valueBytes = FloatBlock.sampleLimit * 8
    private static let tailBytes = valueBytes + FloatBlock.sampleLimit * 4
    /// Bytes that a page takes beside its labels and chunks, with what the allocator adds.
    static let byteCount = tailBytes + 16 + 96

    var labels: LabelSet
    var chunks: ContiguousArray<FloatChunk> = []
    var histograms: ContiguousArray<HistogramChunk> = []
    /// The time of the tail's first float.
    var tailBase: Int64 = 0
    /// The newest float in the chunks: −∞ where there is none.
    var sealedValue = -Double.infinity
    /// The floats' bits, then their times as offsets.
    private let tail: UnsafeMutableRawPointer
    private var starts: UnsafeMutablePointer<Int64>?

    init(_ labels: LabelSet) {
        self.labels = labels
        guard let room = malloc(Self.tailBytes) else { fatalError("out of memory") }
        tail = room
    }

    /// A page like another, whose tail has so many floats.
    init(_ page: SeriesPage, tailCount: Int) {
        labels = page.labels
        chunks = page.chunks
        histograms = page.histograms
        tailBase = page.tailBase
        sealedValue = page.sealedValue
        guard let room = malloc(Self.tailBytes) else { fatalError("out of memory") }
        tail = room
        values.update(from: page.values, count: tailCount)
        times.update(from: page.times, count: tailCount)
        if let former = page.starts {
            let copy = makeStarts()
            copy.update(from: former, count: tailCount)
        }
    }

    deinit {
        free(tail)
        starts?.deallocate()
    }

    @inline(__always)
    var values: UnsafeMutablePointer<UInt64> {
        tail.assumingMemoryBound(to: UInt64.self)
    }

    @inline(__always)
    var times: UnsafeMutablePointer<UInt32> {
        (tail + Self.valueBytes).assumingMemoryBound(to: UInt32.self)
    }

    var hasStarts: Bool { starts != nil }

    /// Begins to keep starts; those of the tail are unknown. The page must be the store's alone.
    @discardableResult
    func makeStarts() -> UnsafeMutablePointer<Int64> {
        if let starts { return starts }
        let room = UnsafeMutablePointer<Int64>.allocate(capacity: FloatBlock.sampleLimit)
        room.initialize(repeating: 0, count: FloatBlock.sampleLimit)
        starts = room
        return room
    }

    /// Ends the keeping of starts, when the tail is empty.
    func forgetStarts() {
        starts?.deallocate()
        starts = nil
    }

    /// Writes a float into the tail's slot.
    @inline(__always)
    func put(_ bits: UInt64, offset: UInt32, start: Int64, at place: Int) {
        values[place] = bits
        times[place] = offset
        if let starts { starts[place] = start }
    }

    /// The time of a float in the tail.
    func tailTime(_ place: Int) -> Int64 { tailBase &+ Int64(times[place]) }

    /// The tail's first floats, to be packed.
    func tailSamples(_ count: Int) -> FloatBlock.Samples {
        FloatBlock.Samples(
            times: UnsafePointer(times), values: UnsafePointer(values),
            starts: starts.map { UnsafePointer($0) }, count: count)
    }

    /// Appends the samples of a time range.
    func read(
        tailCount: Int, from first: Int64, through last: Int64, into buffer: inout SampleBuffer
    ) {
        // The newest samples, which are asked for most, need no look at the chunks.
        if tailCount == 0 || tailBase > first { readChunks(first, last, &buffer) }
        if tailCount > 0, tailBase <= last { readTail(tailCount, first, last, &buffer) }
        if !buffer.floatStarts.isEmpty { buffer.padStarts() }
        if histograms.isEmpty { return }
        for chunk in histograms where chunk.last >= first && chunk.first <= last {
            chunk.read(from: first, through: last, into: &buffer)
        }
    }

    private func readChunks(_ first: Int64, _ last: Int64, _ buffer: inout SampleBuffer) {
        chunks.withUnsafeBufferPointer { chunks in
            var begin = chunks.count
            while begin > 0, chunks[begin &- 1].last >= first { begin &-= 1 }
            guard begin < chunks.count, chunks[begin].first <= last else { return }
            BlockRoom.withRoom { room in
                while begin < chunks.count, chunks[begin].first <= last {
                    chunks[begin].read(from: first, through: last, room: &room, into: &buffer)
                    begin &+= 1
                }
                room.empty(into: &buffer, from: first, through: last)
            }
        }
    }

    private func readTail(
        _ count: Int, _ first: Int64, _ last: Int64, _ buffer: inout SampleBuffer
    ) {
        var upper = count
        while upper > 0, tailTime(upper &- 1) > last { upper &-= 1 }
        var lower = upper
        while lower > 0, tailTime(lower &- 1) >= first { lower &-= 1 }
        if let starts {
            buffer.padStarts()
            buffer.floatStarts.append(
                contentsOf: UnsafeBufferPointer(start: starts + lower, count: upper &- lower))
        }
        let base = tailBase
        let offsets = UnsafeBufferPointer(start: times + lower, count: upper &- lower)
        withUnsafeTemporaryAllocation(of: Int64.self, capacity: FloatBlock.sampleLimit) { room in
            for place in 0..<offsets.count { room[place] = base &+ Int64(offsets[place]) }
            buffer.floatTimes.append(
                contentsOf: UnsafeBufferPointer(rebasing: room[0..<offsets.count]))
        }
        UnsafeRawPointer(values).withMemoryRebound(to: Double.self, capacity: count) {
            buffer.floats.append(
                contentsOf: UnsafeBufferPointer(start: $0 + lower, count: upper &- lower))
        }
    }
}

/// A series as it was when a query selected it.
struct StoredSeries: SelectedSeries, Sendable {
    let page: SeriesPage
    let tailCount: Int

    var labels: LabelSet { page.labels }

    func read(from first: Int64, through last: Int64, into buffer: inout SampleBuffer) {
        page.read(tailCount: tailCount, from: first, through: last, into: &buffer)
    }

    func counterWindow(from first: Int64, through last: Int64) -> CounterWindow? {
        page.counterWindow(tailCount: tailCount, from: first, through: last)
    }
}

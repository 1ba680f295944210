import Testing
import WeirTesting

@testable import WeirPromQL

@Suite("A block of floats") struct FloatBlockTests {
    /// A block's bytes.
    private func block(_ times: [UInt32], _ values: [Double]) -> [UInt8] {
        let bits = values.map(\.bitPattern)
        return times.withUnsafeBufferPointer { times in
            bits.withUnsafeBufferPointer { bits in
                [UInt8](unsafeUninitializedCapacity: FloatBlock.byteLimit) { room, count in
                    guard let times = times.baseAddress, let bits = bits.baseAddress,
                        let target = room.baseAddress
                    else { return }
                    let samples = FloatBlock.Samples(
                        times: times, values: bits, starts: nil, count: values.count)
                    count = FloatBlock.encode(samples, offset: 0, to: target)
                }
            }
        }
    }

    private static let scrape = (0..<32).map { UInt32($0) * 15_000 }

    /// Values and the bytes that they may cost with their block's head.
    struct Cost: Sendable {
        var name: String
        var byteCount: Int
        var values: [Double]

        init(_ name: String, _ byteCount: Int, _ value: (Int) -> Double) {
            self.name = name
            self.byteCount = byteCount
            values = (0..<32).map(value)
        }
    }

    private static let costs = [
        Cost("constant", 24) { _ in 3.75 },
        Cost("constant NaN", 24) { _ in SampleMark.stale },
        Cost("evenly growing", 32) { Double($0 * 250) },
        Cost("growing by 91 to 107", 32 + 20) { Double($0 * 100 + $0 * 7 % 16) },
        Cost("decimals", 32 + 20) { Double($0 % 16) / 100 },
        Cost("one change of few bits", 24 + 4 + 1) { $0 < 9 ? 0x1p60 : 0x1p61 },
    ]

    @Test("costs what its values tell, and no more", arguments: costs)
    func cost(_ cost: Cost) {
        let bytes = block(Self.scrape, cost.values)
        #expect(bytes.count <= cost.byteCount, "\(cost.name)")
        #expect(bytes.count >= 24)
    }

    /// What a block gives back.
    private func unpacked(_ bytes: [UInt8]) -> (times: [Int64], bits: [UInt64]) {
        var buffer = SampleBuffer()
        let chunk = bytes.withUnsafeBytes { FloatChunk(block: $0, first: 0, last: .max) }
        BlockRoom.withRoom { room in
            chunk.read(from: .min, through: .max, room: &room, into: &buffer)
            room.empty(into: &buffer, from: .min, through: .max)
        }
        return (Array(buffer.floatTimes), buffer.floats.map(\.bitPattern))
    }

    @Test("gives back differences of every width", arguments: 0...64)
    func width(_ width: Int) {
        var random = SeededGenerator(announcing: "FloatBlockTests.width \(width)")
        let largest: UInt64 = width == 0 ? 0 : ~0 >> UInt64(64 - width)
        for count in 1...32 {
            func step() -> UInt64 {
                random.once(in: 4) ? largest : UInt64.random(in: 0...largest, using: &random)
            }
            let times = (1..<count).reduce(into: [UInt32(0)]) { times, _ in
                times.append((times.last ?? 0) + 1 + UInt32(step() & 0x3ff_ffff))
            }
            var whole = [Int64(0)]
            var changes = [UInt64(0x4000_0000_0000_0000)]
            for _ in 1..<count {
                whole.append((whole.last ?? 0) + Int64(step() & 0xffff_ffff_ffff))
                changes.append((changes.last ?? 0) ^ step())
            }
            for bits in [whole.map { Double($0).bitPattern }, changes] {
                let result = unpacked(block(times, bits.map { Double(bitPattern: $0) }))
                #expect(result.times == times.map { Int64($0) })
                #expect(result.bits == bits)
            }
        }
    }

    @Test func `costs a few bits for times that are a little uneven`() {
        let times = Self.scrape.enumerated().map { $0.element + UInt32($0.offset % 3) }
        let values = [Double](repeating: 1, count: 32)
        #expect(block(times, values).count == 24 + 4 + 8)
    }

    @Test func `is never larger than its limit, whatever the values`() {
        var random = SeededGenerator(announcing: "FloatBlockTests")
        for _ in 0..<1_000 {
            let times = Set((0..<31).map { _ in UInt32.random(in: 1...(.max), using: &random) })
            let sorted = [0] + times.sorted()
            let values = sorted.map { _ in Double(bitPattern: random.next()) }
            let bytes = block(sorted, values)
            #expect(bytes.count <= FloatBlock.byteLimit - BitPacking.slack)
            let head = bytes.withUnsafeBytes { FloatBlock.soundHead($0) }
            #expect(head?.count == sorted.count)
            let isCutSound = bytes.dropLast().withUnsafeBytes { FloatBlock.soundHead($0) != nil }
            #expect(!isCutSound)
        }
    }

    @Test func `of a head that lies is refused`() {
        let whole = block(Self.scrape, (0..<32).map { Double($0 * $0) })
        for place in 0..<8 {
            for bit in 0..<8 {
                var bytes = whole
                bytes[place] ^= 1 << UInt8(bit)
                let chunk = bytes.withUnsafeBytes { FloatChunk(untrusted: $0, first: 0) }
                // The detail's bits choose another scale; byte 7 means nothing.
                let isHarmless = place == 7 || (place == 6 && bytes[6] <= 6)
                #expect((chunk != nil) == isHarmless, "byte \(place), bit \(bit)")
            }
        }
    }
}

import Testing
import WeirCore
import WeirMetrics
import WeirTesting

@Suite("A checkpoint of series") struct SeriesJournalTests {
    private static let families = [
        FamilyDeclaration(name: "a_total", help: "A.", kind: .counter),
        FamilyDeclaration(name: "b_total", help: "B.", kind: .floatCounter),
        FamilyDeclaration(name: "c", help: "C.", kind: .gauge),
        FamilyDeclaration(name: "d", help: "D.", kind: .summary),
        FamilyDeclaration(name: "e", help: "E.", kind: .histogram(bounds: [0.5, 1, 10])),
        FamilyDeclaration(name: "f", help: "F.", kind: .nativeHistogram()),
    ]

    /// A process's life: its catalogue, and one shard.
    private struct Life {
        let registry = Registry()
        let catalog: SeriesCatalog
        let group: SeriesGroup
        let shard: SeriesShard

        init(_ families: [FamilyDeclaration] = SeriesJournalTests.families) throws {
            catalog = SeriesCatalog(registry: registry)
            group = try catalog.group(
                SeriesGroup.Declaration(labelNames: ["l", "m"], families: families))
            catalog.activate()
            shard = group.shard(named: "filter")
        }

        func update(_ labels: [String], _ value: Double, upTo position: UInt64) {
            var values = LabelValues(labelCount: 2)
            for label in labels { values.append(label) }
            shard.update(now: Timestamp(seconds: 1000)) { table in
                let index = table.index(of: values)
                table.add(UInt64(value), to: index, family: 0)
                table.add(number: value, to: index, family: 1)
                table.set(value, at: index, family: 2)
                for family in 3...5 { table.observe(value, at: index, family: family) }
                table.setCounted(CountedOrigin(high: 1, low: 2), upTo: position)
            }
        }

        func restore(_ bytes: [UInt8]) -> RestoreReport {
            bytes.withUnsafeBytes { catalog.restore($0) }
        }

        func checkpoint(_ extent: CheckpointExtent) -> [UInt8] {
            var buffer = ByteBuffer()
            catalog.appendCheckpoint(extent, to: &buffer)
            return Array(buffer.bytes)
        }

        var readings: [[[String]: SeriesReading]] {
            group.declaration.families.indices.map { group.readings(ofFamily: $0) }
        }

        var position: UInt64? {
            shard.update(now: .epoch) {
                $0.countedPosition(of: CountedOrigin(high: 1, low: 2))
            }
        }
    }

    @Test func `brings values and positions back`() throws {
        let life = try Life()
        life.update(["x", "é\"\n"], 3, upTo: 10)
        life.update(["y", ""], 0.25, upTo: 20)
        let next = try Life()
        let report = next.restore(life.checkpoint(.all))
        #expect(next.readings == life.readings)
        #expect(next.position == 20)
        #expect(report.labelSetCount == 2)
        #expect(report.lostByteCount == 0)
        #expect(next.registry.exposition() == life.registry.exposition())
        #expect(
            next.registry.exposition(.openMetrics) == life.registry.exposition(.openMetrics))
    }

    @Test func `costs what changed, not what there is`() throws {
        let life = try Life()
        for number in 0..<2_000 { life.update(["value \(number)", ""], 1, upTo: 1) }
        let whole = life.checkpoint(.all)
        let idle = life.checkpoint(.changes)
        life.update(["value 7", ""], 1, upTo: 2)
        let changes = life.checkpoint(.changes)
        #expect(whole.count > 100_000)
        #expect(idle.count < 100)
        #expect(changes.count < 200)
        let next = try Life()
        _ = next.restore(whole + idle + changes)
        #expect(next.readings == life.readings)
        #expect(next.position == 2)
    }

    @Test func `has room for any number of origins, as long as those that end are forgotten`()
        throws
    {
        let catalog = SeriesCatalog(registry: Registry())
        let group = try catalog.group(
            SeriesGroup.Declaration(
                labelNames: [],
                families: [FamilyDeclaration(name: "n_total", help: "N.", kind: .counter)]))
        let shard = group.shard(named: "filter")
        func count(_ number: Int) -> Bool {
            shard.update(now: Timestamp(seconds: 1)) {
                $0.setCounted(CountedOrigin(high: 1, low: UInt64(number)), upTo: 1)
            }
        }
        for number in 0..<(SeriesTable.originLimit * 2) {
            #expect(count(number))
            if number > 0 { catalog.forget([CountedOrigin(high: 1, low: UInt64(number - 1))]) }
        }
        for number in 1..<SeriesTable.originLimit { #expect(count(-number & 0xffff_ffff)) }
        #expect(!count(.max), "too many at a time")
    }

    @Test func `forgets what expired and what was forgotten`() throws {
        let life = try Life()
        life.update(["x", ""], 1, upTo: 1)
        var bytes = life.checkpoint(.all)
        life.group.expire(now: Timestamp(seconds: 5000))
        life.shard.update(now: Timestamp(seconds: 5000)) {
            $0.forget(CountedOrigin(high: 1, low: 2))
        }
        bytes += life.checkpoint(.changes)
        let next = try Life()
        let report = next.restore(bytes)
        #expect(report.labelSetCount == 0)
        #expect(next.position == nil)
    }

    @Test func `tells the same as the life that wrote it, whatever happened`() throws {
        var random = SeededGenerator(announcing: "SeriesJournalTests")
        for _ in 0..<20 {
            let life = try Life()
            var bytes: [UInt8] = []
            for turn in 0..<40 {
                for _ in 0..<random.number(0...30) {
                    life.update(
                        ["\(random.number(0...50))", "m"], Double(random.number(0...800)) / 4,
                        upTo: UInt64(turn))
                }
                if random.once(in: 8) { bytes = [] }
                bytes += life.checkpoint(bytes.isEmpty ? .all : .changes)
            }
            let next = try Life()
            #expect(next.restore(bytes).lostByteCount == 0)
            #expect(next.readings == life.readings)
            // A restored life writes the same.
            let third = try Life()
            _ = third.restore(next.checkpoint(.changes))
            #expect(third.readings == life.readings)
        }
    }

    @Test func `of which a crash cut the end holds the last whole moment`() throws {
        let life = try Life()
        life.update(["x", ""], 1, upTo: 1)
        let first = life.checkpoint(.all)
        let before = life.readings
        life.update(["x", ""], 2, upTo: 2)
        life.update(["y", ""], 2, upTo: 3)
        let whole = first + life.checkpoint(.changes)
        for end in first.count..<whole.count {
            let next = try Life()
            let report = next.restore(Array(whole[..<end]))
            #expect(next.readings == before)
            #expect(next.position == 1)
            #expect(report.validByteCount == first.count)
            #expect(report.lostByteCount == end - first.count)
        }
    }

    @Test func `with a flipped bit is believed up to the frame that holds it`() throws {
        let life = try Life()
        life.update(["x", ""], 1, upTo: 1)
        let first = life.checkpoint(.all)
        let before = life.readings
        life.update(["y", ""], 2, upTo: 2)
        let whole = first + life.checkpoint(.changes)
        for place in whole.indices {
            for bit in [0, 7] {
                var bytes = whole
                bytes[place] ^= 1 << UInt8(bit)
                let next = try Life()
                let report = next.restore(bytes)
                #expect(report.frameCount == (place < first.count ? 0 : 1))
                if place >= first.count { #expect(next.readings == before) }
            }
        }
    }

    @Test func `of any content traps nothing, even with a right checksum`() throws {
        var random = SeededGenerator(announcing: "SeriesJournalTests.fuzz")
        let life = try Life()
        for number in 0..<5 { life.update(["x\(number)", ""], Double(number), upTo: 1) }
        let whole = life.checkpoint(.all)
        let time = FuzzTime()
        while time.isLeft {
            let payload = random.mutated(
                Array(whole[12...]), with: [0, 1, 2, 0x7f, 0x80, 0xff], byteLimit: 1 << 14)
            var bytes = ByteBuffer()
            bytes.append("WSJ1")
            for word in [
                UInt32(payload.count), payload.withUnsafeBytes { CRC32C.checksum($0) },
            ] {
                withUnsafeBytes(of: word.littleEndian) { bytes.append($0) }
            }
            bytes.append(payload)
            let next = try Life()
            _ = next.restore(Array(bytes.bytes))
            _ = next.registry.exposition(.protobuf)
        }
    }

    @Test func `of another declaration is left aside and said to be foreign`() throws {
        let life = try Life()
        life.update(["x", ""], 1, upTo: 1)
        let bytes = life.checkpoint(.all)
        var families = Self.families
        families[4].kind = .histogram(bounds: [1, 2])
        let next = try Life(families)
        let report = next.restore(bytes)
        #expect(report.foreignFrameCount == 1)
        #expect(report.labelSetCount == 0)
    }

    @Test func `keeps what a filter counted that is not there any more`() throws {
        let life = try Life()
        life.update(["x", ""], 1, upTo: 1)
        let registry = Registry()
        let catalog = SeriesCatalog(registry: registry)
        let group = try catalog.group(life.group.declaration)
        _ = group.shard(named: "another filter")
        _ = life.checkpoint(.all).withUnsafeBytes { catalog.restore($0) }
        #expect(group.readings(ofFamily: 0) == life.readings[0])
    }
}

import Testing
import WeirCore
import WeirHost
import WeirTesting

@Suite("Bytes in gzip's format") struct GzipTests {
    private func compressed(_ bytes: [UInt8], _ level: Gzip.Level = .fast) -> [UInt8]? {
        var buffer = ByteBuffer()
        let isDone = bytes.withUnsafeBytes { Gzip.compress($0, level: level, into: &buffer) }
        return isDone ? Array(buffer.bytes) : nil
    }

    private func restored(_ bytes: [UInt8], limit: Int = 1 << 20) -> [UInt8]? {
        var buffer = ByteBuffer()
        let isDone = bytes.withUnsafeBytes { Gzip.restore($0, limit: limit, into: &buffer) }
        return isDone ? Array(buffer.bytes) : nil
    }

    @Test(arguments: [GzipStream.Engine.best, .zlib])
    func `are restored as they were, when they come in pieces`(engine: GzipStream.Engine) {
        var chance = SeededGenerator(announcing: "GzipTests, pieces")
        for count in [0, 1, 40_000, 200_000] {
            // Half of it repeats, so that the pieces need each other.
            let bytes = (0..<count).map {
                $0 / 100 % 2 == 0 ? UInt8($0 % 97) : UInt8.random(in: 0...255, using: &chance)
            }
            guard var stream = GzipStream(level: .fast, by: engine) else {
                Issue.record("no stream")
                return
            }
            var small = ByteBuffer()
            var place = 0
            while place < count {
                let end = min(place + Int.random(in: 0...5_000, using: &chance), count)
                bytes[place..<end].withUnsafeBytes {
                    stream.append($0, isLast: false, into: &small)
                }
                place = end
            }
            stream.append(UnsafeRawBufferPointer(start: nil, count: 0), isLast: true, into: &small)
            #expect(restored(Array(small.bytes)) == bytes)
        }
    }

    @Test(arguments: Gzip.Level.allCases)
    func `are restored as they were`(level: Gzip.Level) throws {
        var chance = SeededGenerator(announcing: "GzipTests")
        for count in [0, 1, 1000, 65_536, 300_000] {
            let noise = (0..<count).map { _ in UInt8.random(in: 0...255, using: &chance) }
            let text = (0..<count).map { UInt8($0 % 7) }
            for bytes in [noise, text] {
                let small = try #require(compressed(bytes, level))
                #expect(small.starts(with: [0x1f, 0x8b]))
                #expect(restored(small) == bytes)
            }
        }
    }

    @Test func `are refused beyond the limit, however small they came`() throws {
        let bomb = try #require(compressed([UInt8](repeating: 0, count: 4 << 20)))
        #expect(bomb.count < 40_000)
        #expect(restored(bomb, limit: (4 << 20) - 1) == nil)
        #expect(restored(bomb, limit: 4 << 20)?.count == 4 << 20)
    }

    @Test func `are refused when they are cut or broken`() throws {
        let whole = try #require(compressed(Array("a line of a log".utf8)))
        for length in 0..<whole.count { #expect(restored(Array(whole[..<length])) == nil) }
        var broken = whole
        broken[whole.count - 6] ^= 1
        #expect(restored(broken) == nil, "its checksum is wrong")
        #expect(restored(Array("not gzip".utf8)) == nil)
    }

    @Test func `survive any change of a byte`() throws {
        var chance = SeededGenerator(announcing: "GzipTests, fuzz")
        let whole = try #require(compressed((0..<500).map { UInt8($0 % 11) }))
        let time = FuzzTime()
        repeat {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...3, using: &chance) {
                let place = Int.random(in: 0..<bytes.count, using: &chance)
                bytes[place] = UInt8.random(in: 0...255, using: &chance)
            }
            if let bytes = restored(bytes, limit: 10_000) { #expect(bytes.count <= 10_000) }
        } while time.isLeft
    }
}

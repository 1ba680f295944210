import Glibc
import Testing
import WeirCore
import WeirTesting

@testable import WeirMetrics

@Suite("Snappy") struct SnappyEncoderTests {
    private static func compressed(_ bytes: [UInt8]) -> [UInt8] {
        var encoder = SnappyEncoder()
        var buffer = ByteBuffer(capacity: 64)
        bytes.withUnsafeBytes { encoder.append($0, to: &buffer) }
        return Array(buffer.bytes)
    }

    @Test func `writes short texts as one literal`() {
        #expect(Self.compressed([]) == [0])
        #expect(Self.compressed(Array("a".utf8)) == [1, 0, 0x61])
        #expect(Self.compressed(Array("abc".utf8)) == [3, 2 << 2, 0x61, 0x62, 0x63])
    }

    @Test func `writes a repetition as copies`() {
        // A literal of one byte, then a copy of 64 from 1 back, then one of 35.
        let run: [UInt8] = [100, 0, 0x61, 63 << 2 | 2, 1, 0, 34 << 2 | 2, 1, 0]
        #expect(Self.compressed(Array(repeating: 0x61, count: 100)) == run)
        let twice = Array("0123456789abcdef0123456789abcdefXYZ".utf8)
        var expected: [UInt8] = [35, 15 << 2]
        expected += twice[..<16]
        expected += [15 << 2 | 2, 16, 0, 2 << 2]
        expected += twice[32...]
        #expect(Self.compressed(twice) == expected)
    }

    @Test func `makes samples of one label set much smaller`() {
        var text: [UInt8] = []
        for code in 200..<600 {
            text += Array(
                "istio_requests_total destination_service reviews.bookinfo code \(code);".utf8)
        }
        #expect(Self.compressed(text).count * 5 < text.count)
    }

    /// Bytes that repeat more or less.
    private static func bytes(_ generator: inout SeededGenerator) -> [UInt8] {
        let limit = [20, 300, 5_000, 70_000, 200_000][Int.random(in: 0..<5, using: &generator)]
        let count = Int.random(in: 0...limit, using: &generator)
        let alphabet = UInt8.random(in: 1...255, using: &generator)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        while bytes.count < count {
            if bytes.count > 4, Bool.random(using: &generator) {
                let from = Int.random(in: 0..<bytes.count, using: &generator)
                let length = Int.random(in: 1...200, using: &generator)
                bytes += Array(bytes[from..<min(from + length, bytes.count)])
            } else {
                for _ in 0..<Int.random(in: 1...100, using: &generator) {
                    bytes.append(UInt8.random(in: 0...alphabet, using: &generator))
                }
            }
        }
        return Array(bytes.prefix(count))
    }

    @Test func `is read back as it was, whatever it is`() {
        var generator = SeededGenerator(announcing: "SnappyEncoderTests")
        let time = FuzzTime()
        while time.isLeft {
            let bytes = Self.bytes(&generator)
            let compressed = Self.compressed(bytes)
            #expect(SnappyDecoder.bytes(of: compressed) == bytes)
            #expect(compressed.count <= SnappyEncoder.byteLimit(of: bytes.count) + 5)
        }
    }

    @Test func `is read by another implementation (python-cramjam)`() throws {
        let program = """
            import cramjam, sys
            folder, count = sys.argv[1], int(sys.argv[2])
            for i in range(count):
                plain = open(f'{folder}/{i}.plain', 'rb').read()
                snappy = open(f'{folder}/{i}.snappy', 'rb').read()
                if bytes(cramjam.snappy.decompress_raw(snappy)) != plain:
                    sys.exit(f'{i} differs')
            """
        guard let python = TestPrograms.python(with: "cramjam") else {
            print("skipped: python's cramjam is not there; run `make deps-test`")
            return
        }
        let folder = try ScratchFolder()
        var generator = SeededGenerator(seed: 7)
        let count = 200
        for index in 0..<count {
            let bytes = Self.bytes(&generator)
            folder.write(bytes, to: "\(index).plain")
            folder.write(Self.compressed(bytes), to: "\(index).snappy")
        }
        let check = try ChildProcess(
            python, ["-c", program, folder.path, "\(count)"], log: folder.file("python.log"))
        #expect(check.wait() == 0)
        #expect(folder.contents(of: "python.log") ?? [] == [])
    }
}

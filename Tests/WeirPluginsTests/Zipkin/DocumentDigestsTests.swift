import Testing
import WeirCore
import WeirTesting

@testable import WeirPlugins

@Suite("Digests of documents") struct DocumentDigestsTests {
    private func digests(_ texts: [String]) -> [String] {
        var all = ByteBuffer()
        var ranges: [Range<Int>] = []
        for text in texts {
            let start = all.count
            all.append(text)
            ranges.append(start..<all.count)
        }
        var digests = DocumentDigests()
        digests.take(ranges, in: all.bytes)
        return texts.indices.map { index in
            var buffer = ByteBuffer()
            digests.append(index, to: &buffer)
            return String(decoding: buffer.bytes, as: UTF8.self)
        }
    }

    /// The test suite of RFC 1321, A.5.
    @Test func `are those of the standard, side by side`() {
        let texts = [
            "", "a", "abc", "message digest", "abcdefghijklmnopqrstuvwxyz",
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
            String(repeating: "1234567890", count: 8),
        ]
        let expected = [
            "d41d8cd98f00b204e9800998ecf8427e", "0cc175b9c0f1b6a831c399e269772661",
            "900150983cd24fb0d6963f7d28e17f72", "f96b697d7cb7938d525a2f31aaf161d0",
            "c3fcd3d76192e4007dfb496cca67e13b", "d174ab98d277d9f5a5611c2c9f419d9f",
            "57edf4a22be3c955ac49da2e2107b67a",
        ]
        #expect(digests(texts) == expected)
        #expect(digests([]).isEmpty)
        #expect(digests(texts + texts + texts) == expected + expected + expected)
    }

    /// A document's digest is its own, whatever stands beside it, at every length about a block's.
    @Test func `do not depend on their neighbours`() {
        var generator = SeededGenerator(announcing: "digests")
        let texts = (0..<200).map { length in
            String(
                (0..<length).map { _ in Character(Unicode.Scalar(UInt8(generator.number(32...126))))
                })
        }
        let alone = texts.map { digests([$0])[0] }
        #expect(digests(texts) == alone)
        #expect(digests(texts.shuffled(using: &generator)).sorted() == alone.sorted())
        #expect(Set(alone).count == 200)
    }
}

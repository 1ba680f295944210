import Testing
import WeirCore
import WeirTesting

@testable import WeirHost

@Suite("Logs that are read to their end") struct LogFileReaderTests {
    private func contents(_ path: String, room: Int = 1_000) throws -> [UInt8] {
        let reader = try LogFileReader(path)
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: room)
        while true {
            let count = try buffer.withUnsafeMutableBytes { try reader.read(into: $0) }
            if count == 0 {
                #expect(reader.readByteCount == reader.fileByteCount)
                return all
            }
            all += buffer[..<count]
        }
    }

    private let text = (0..<30_000).map { "line \($0 * 7_919) of a log\n" }.joined()

    private func gzip(_ text: String) -> [UInt8] {
        var buffer = ByteBuffer()
        _ = Array(text.utf8).withUnsafeBytes {
            Gzip.compress($0, level: .standard, into: &buffer)
        }
        return Array(buffer.bytes)
    }

    @Test("plain, or compressed by gzip in one member or several", arguments: [1_000, 1 << 20])
    func formats(_ room: Int) throws {
        let folder = HostFolder()
        try folder.write("plain", text)
        #expect(try contents(folder.place("plain"), room: room) == Array(text.utf8))
        try AtomicFile.write(gzip(text), to: folder.place("gz"))
        #expect(try contents(folder.place("gz"), room: room) == Array(text.utf8))
        try AtomicFile.write(gzip(text) + gzip("more\n"), to: folder.place("two"))
        #expect(try contents(folder.place("two"), room: room) == Array((text + "more\n").utf8))
        try folder.write("empty", "")
        #expect(try contents(folder.place("empty")).isEmpty)
    }

    /// What zstd's library makes of two lines, in two frames.
    private static let zstd: [UInt8] = [
        0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x28, 0xfd, 0x00, 0x00, 0xc8, 0x6f, 0x6e,
        0x65, 0x20, 0x6c, 0x69, 0x6e, 0x65, 0x20, 0x6f, 0x66, 0x20, 0x61, 0x20,
        0x6c, 0x6f, 0x67, 0x0a, 0x61, 0x6e, 0x6f, 0x74, 0x68, 0x65, 0x72, 0x01,
        0x00, 0x65, 0x37, 0xc7, 0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x28, 0xfd, 0x00,
        0x00, 0xc8, 0x6f, 0x6e, 0x65, 0x20, 0x6c, 0x69, 0x6e, 0x65, 0x20, 0x6f,
        0x66, 0x20, 0x61, 0x20, 0x6c, 0x6f, 0x67, 0x0a, 0x61, 0x6e, 0x6f, 0x74,
        0x68, 0x65, 0x72, 0x01, 0x00, 0x65, 0x37, 0xc7,
    ]

    @Test("compressed by zstd, in frames one behind the other")
    func zstd() throws {
        let folder = HostFolder()
        try AtomicFile.write(Self.zstd, to: folder.place("zst"))
        let wanted = "one line of a log\nanother line of a log\n"
        #expect(try contents(folder.place("zst"), room: 5) == Array((wanted + wanted).utf8))
    }

    @Test("that are cut off or damaged say so, and never trap")
    func damage() throws {
        let folder = HostFolder()
        for (name, bytes) in [("gz", gzip("some lines\nof a log\n")), ("zst", Self.zstd)] {
            for count in 5..<bytes.count - 1 where !(name == "zst" && count == bytes.count / 2) {
                try AtomicFile.write(Array(bytes.prefix(count)), to: folder.place(name))
                #expect(throws: LogFileReader.Failure.self, "\(name) of \(count) bytes") {
                    try contents(folder.place(name))
                }
            }
            for place in 4..<bytes.count {
                var broken = bytes
                broken[place] ^= 0x55
                try AtomicFile.write(broken, to: folder.place(name))
                _ = try? contents(folder.place(name))
            }
        }
        #expect(throws: LogFileReader.Failure.self) { try LogFileReader("/nowhere/log") }
    }
}

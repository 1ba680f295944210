import Testing
import WeirCore
import WeirHost
import WeirTesting

@testable import WeirTraces

/// Reads and writes spans for tests.
enum SpanRig {
    /// The spans of a body, or what is wrong with it.
    static func decode(
        _ bytes: [UInt8], as format: SpanFormat, limits: SpanLimits = SpanLimits()
    ) throws(SpanDecodingError) -> [SpanRecord] {
        try batch(bytes, as: format, limits: limits).records
    }

    static func decode(
        _ text: String, as format: SpanFormat = .jsonV2
    ) throws(SpanDecodingError) -> [SpanRecord] {
        try decode(Array(text.utf8), as: format)
    }

    static func batch(
        _ bytes: [UInt8], as format: SpanFormat, limits: SpanLimits = SpanLimits()
    ) throws(SpanDecodingError) -> SpanBatch {
        let batch = SpanBatch(limits: limits)
        var buffer = ByteBuffer(capacity: bytes.count)
        buffer.append(bytes)
        try batch.decode(buffer.bytes, as: format)
        return batch
    }

    /// The list that Zipkin's writer would make.
    static func json(_ batch: SpanBatch) -> [UInt8] {
        var buffer = ByteBuffer()
        buffer.append("[")
        for span in batch.spans {
            if buffer.last != UInt8(ascii: "[") { buffer.append(byte: UInt8(ascii: ",")) }
            batch.appendJSON(of: span, to: &buffer)
        }
        buffer.append("]")
        return Array(buffer.bytes)
    }

    /// The list of one span, written anew.
    static func rewritten(_ text: String) throws -> String {
        String(decoding: json(try batch(Array(text.utf8), as: .jsonV2)), as: UTF8.self)
    }

    /// What Envoy posted, by the names of the files.
    static let envoyBodies: [(name: String, bytes: [UInt8])] = files(
        ofArchive: SharedCases.restored("corpus/envoy/zipkin/bodies.tar.gz"))

    /// The files of a tar archive (POSIX ustar: heads and contents in blocks of 512 bytes).
    private static func files(ofArchive bytes: [UInt8]) -> [(name: String, bytes: [UInt8])] {
        var files: [(name: String, bytes: [UInt8])] = []
        var place = 0
        while place + 512 <= bytes.count {
            let name = bytes[place..<(place + 100)].prefix { $0 != 0 }
            let digits = bytes[(place + 124)..<(place + 136)].prefix { $0 != 0 && $0 != 0x20 }
            guard !name.isEmpty,
                let size = Int(String(decoding: digits, as: UTF8.self), radix: 8),
                place + 512 + size <= bytes.count
            else { break }
            let isFile = bytes[place + 156] == UInt8(ascii: "0") || bytes[place + 156] == 0
            place += 512
            if isFile {
                let path = String(decoding: name, as: UTF8.self)
                files.append((path, Array(bytes[place..<(place + size)])))
            }
            place += (size + 511) / 512 * 512
        }
        return files
    }
}

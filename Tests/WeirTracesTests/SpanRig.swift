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
    static let envoyBodies = SharedCases.archive("corpus/envoy/zipkin/bodies.tar.gz")
}

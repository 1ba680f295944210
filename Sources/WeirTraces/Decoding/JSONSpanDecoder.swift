// Hot path: what Envoy, and most of Zipkin's clients, send.
import Glibc
import WeirCore

/// Reads Zipkin's JSON of version 2: a list of spans (zipkin.io/zipkin-api, `zipkin2-api.yaml`).
struct JSONSpanDecoder {
    private var reader: JSONReader
    private let batch: SpanBatch

    init(_ bytes: UnsafeRawBufferPointer, into batch: SpanBatch) {
        reader = JSONReader(bytes)
        self.batch = batch
    }

    mutating func decodeList() throws(SpanDecodingError) {
        try reader.expect(UInt8(ascii: "["))
        var isFirst = true
        while try reader.nextElement(&isFirst) { try decodeSpan() }
        try reader.finish()
    }

    /// Reads one span, which must be all there is.
    mutating func decodeOne() throws(SpanDecodingError) {
        try decodeSpan()
        try reader.finish()
    }

    private mutating func decodeSpan() throws(SpanDecodingError) {
        try reader.expect(UInt8(ascii: "{"))
        var span = TraceSpan()
        var isFirst = true
        while let key = try reader.nextKey(&isFirst) {
            try decodeMember(key, of: &span)
        }
        guard span.traceID != .none else { throw reader.broken("a span without `traceId`") }
        guard span.id != 0 else { throw reader.broken("a span without `id`") }
        try batch.append(span)
    }

    private mutating func decodeMember(
        _ key: JSONText, of span: inout TraceSpan
    ) throws(SpanDecodingError) {
        if reader.isText(key, "traceId") {
            span.traceID = try traceID()
        } else if reader.isText(key, "id") {
            span.id = try id("id")
        } else if try reader.takeNull() {
            return
        } else if reader.isText(key, "parentId") {
            span.parentID = try id("parentId", mayBeZero: true)
        } else if reader.isText(key, "tags") {
            try decodeTags()
        } else if reader.isText(key, "annotations") {
            try decodeAnnotations()
        } else if reader.isText(key, "name") {
            span.name = text(try reader.textOrNumber(), isSmall: true)
        } else if reader.isText(key, "timestamp") {
            span.timestamp = UInt64(clamping: try reader.integer())
        } else if reader.isText(key, "duration") {
            span.duration = UInt64(clamping: try reader.integer())
        } else if reader.isText(key, "kind") {
            span.kind = try kind()
        } else if reader.isText(key, "localEndpoint") {
            span.local = try endpoint()
        } else if reader.isText(key, "remoteEndpoint") {
            span.remote = try endpoint()
        } else if reader.isText(key, "debug") {
            span.isDebug = try reader.flag()
        } else if reader.isText(key, "shared") {
            span.isShared = try reader.flag()
        } else {
            try reader.skipValue()
        }
    }

    // MARK: Values

    /// Keeps a text in the batch.
    @inline(__always)
    private func text(_ text: JSONText, isSmall: Bool = false) -> SpanText {
        if text.isPlain, !isSmall { return batch.plainText(reader.bytes(text)) }
        return text.hasEscape
            ? batch.text(reader.string(text), isSmall: isSmall)
            : batch.text(reader.bytes(text), isSmall: isSmall)
    }

    private mutating func traceID() throws(SpanDecodingError) -> TraceID {
        let text = try reader.text()
        guard let id = TraceID(hex: reader.bytes(text)), id != .none else {
            throw reader.broken("`traceId` must be 1 to 32 hexadecimal digits in small letters")
        }
        return id
    }

    private mutating func id(
        _ name: StaticString, mayBeZero: Bool = false
    ) throws(SpanDecodingError) -> UInt64 {
        let text = try reader.text()
        guard let id = spanID(hex: reader.bytes(text)), id != 0 || mayBeZero else {
            throw reader.broken("`\(name)` must be 1 to 16 hexadecimal digits in small letters")
        }
        return id
    }

    private mutating func kind() throws(SpanDecodingError) -> SpanKind {
        let text = try reader.text()
        for kind in SpanKind.allCases where kind != .none && reader.isText(text, kind.name) {
            return kind
        }
        throw reader.broken("`kind` must be CLIENT, SERVER, PRODUCER or CONSUMER")
    }

    private mutating func endpoint() throws(SpanDecodingError) -> SpanEndpoint {
        try reader.expect(UInt8(ascii: "{"))
        var endpoint = SpanEndpoint()
        var isFirst = true
        while let key = try reader.nextKey(&isFirst) {
            if try reader.takeNull() { continue }
            if reader.isText(key, "serviceName") {
                endpoint.service = text(try reader.textOrNumber(), isSmall: true)
            } else if reader.isText(key, "ipv4") || reader.isText(key, "ipv6") {
                endpoint.setAddress(reader.string(try reader.text()))
            } else if reader.isText(key, "port") {
                let port = try reader.integer()
                guard port <= 0xffff else { throw reader.broken("`port` is above 65535") }
                endpoint.port = UInt16(clamping: port)
            } else {
                try reader.skipValue()
            }
        }
        return endpoint
    }

    private mutating func decodeTags() throws(SpanDecodingError) {
        try reader.expect(UInt8(ascii: "{"))
        var isFirst = true
        while let key = try reader.nextKey(&isFirst) {
            let name = text(key)
            batch.addTag(name, text(try reader.textOrNumber()))
        }
    }

    private mutating func decodeAnnotations() throws(SpanDecodingError) {
        try reader.expect(UInt8(ascii: "["))
        var isFirst = true
        while try reader.nextElement(&isFirst) {
            try reader.expect(UInt8(ascii: "{"))
            var timestamp: Int64 = 0
            var value: SpanText?
            var isFirstKey = true
            while let key = try reader.nextKey(&isFirstKey) {
                if reader.isText(key, "timestamp") {
                    timestamp = try reader.integer()
                } else if reader.isText(key, "value") {
                    value = text(try reader.textOrNumber())
                } else {
                    try reader.skipValue()
                }
            }
            guard timestamp > 0, let value else {
                throw reader.broken("an annotation needs `timestamp` and `value`")
            }
            batch.addAnnotation(UInt64(timestamp), value)
        }
    }
}

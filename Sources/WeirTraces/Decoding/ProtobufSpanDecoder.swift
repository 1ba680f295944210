// Hot path: what Envoy sends with `collector_endpoint_version: HTTP_PROTO`.
import WeirCore

/// Reads `zipkin.proto3.ListOfSpans` (zipkin.io/zipkin-api, `zipkin.proto`).
///
/// Texts need not be UTF-8, as a strict reader would demand: Envoy sends headers as they came.
struct ProtobufSpanDecoder {
    private let batch: SpanBatch

    init(into batch: SpanBatch) { self.batch = batch }

    func decodeList(_ bytes: UnsafeRawBufferPointer) throws(SpanDecodingError) {
        try fields(of: bytes) { (number, value) throws(SpanDecodingError) in
            if number == 1, let span = value.part { try decodeSpan(span) }
        }
    }

    private func decodeSpan(_ message: UnsafeRawBufferPointer) throws(SpanDecodingError) {
        var span = TraceSpan()
        try fields(of: message) { (number, value) throws(SpanDecodingError) in
            switch number {
            case 1: span.traceID = try traceID(value)
            case 2: span.parentID = try id(value, "parent_id")
            case 3: span.id = try id(value, "id")
            case 4:
                let code = value.whole ?? 0
                span.kind = code > 4 ? .none : SpanKind(rawValue: UInt8(code)) ?? .none
            case 5: span.name = try text(value, isSmall: true)
            case 6: span.timestamp = min(value.fixed ?? 0, UInt64(Int64.max))
            case 7: span.duration = min(value.whole ?? 0, UInt64(Int64.max))
            case 8: span.local = try endpoint(value)
            case 9: span.remote = try endpoint(value)
            case 10: try decodeAnnotation(value)
            case 11: try decodeTag(value)
            case 12: span.isDebug = value.whole == 1
            case 13: span.isShared = value.whole == 1
            default: break
            }
        }
        guard span.traceID != .none else { throw SpanDecodingError("a span without `trace_id`") }
        guard span.id != 0 else { throw SpanDecodingError("a span without `id`") }
        try batch.append(span)
    }

    private func traceID(_ value: ProtobufReader.Value) throws(SpanDecodingError) -> TraceID {
        guard let bytes = value.part, bytes.count == 8 || bytes.count == 16 else {
            throw SpanDecodingError("`trace_id` must have 8 or 16 bytes")
        }
        let first = UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self))
        guard bytes.count == 16 else { return TraceID(low: first) }
        return TraceID(
            high: first,
            low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
    }

    private func id(
        _ value: ProtobufReader.Value, _ name: StaticString
    ) throws(SpanDecodingError) -> UInt64 {
        guard let bytes = value.part, bytes.count == 8 else {
            throw SpanDecodingError("`\(name)` must have 8 bytes")
        }
        return UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self))
    }

    private func text(
        _ value: ProtobufReader.Value, isSmall: Bool = false
    ) throws(SpanDecodingError) -> SpanText {
        guard let bytes = value.part else { throw SpanDecodingError("a text that is a number") }
        return batch.text(bytes, isSmall: isSmall)
    }

    private func endpoint(
        _ value: ProtobufReader.Value
    ) throws(SpanDecodingError) -> SpanEndpoint {
        guard let message = value.part else { throw SpanDecodingError("an endpoint is a number") }
        var endpoint = SpanEndpoint()
        try fields(of: message) { (number, value) throws(SpanDecodingError) in
            switch number {
            case 1: endpoint.service = try text(value, isSmall: true)
            case 2, 3:
                let size = number == 2 ? 4 : 16
                guard let bytes = value.part, bytes.count == size || bytes.isEmpty else {
                    throw SpanDecodingError("an address must have \(size) bytes")
                }
                endpoint.setAddress(bytes)
            case 4:
                // An int32: negative numbers have ten bytes.
                guard let port = value.whole, port <= 0xffff else {
                    throw SpanDecodingError("`port` is above 65535")
                }
                endpoint.port = UInt16(port)
            default: break
            }
        }
        return endpoint
    }

    private func decodeAnnotation(_ value: ProtobufReader.Value) throws(SpanDecodingError) {
        guard let message = value.part else {
            throw SpanDecodingError("an annotation is a number")
        }
        var timestamp: UInt64 = 0
        var what: SpanText?
        try fields(of: message) { (number, value) throws(SpanDecodingError) in
            if number == 1 { timestamp = min(value.fixed ?? 0, UInt64(Int64.max)) }
            if number == 2 { what = try text(value) }
        }
        // Zipkin's reader leaves out what is not whole.
        if timestamp > 0, let what { batch.addAnnotation(timestamp, what) }
    }

    private func decodeTag(_ value: ProtobufReader.Value) throws(SpanDecodingError) {
        guard let message = value.part else { throw SpanDecodingError("a tag is a number") }
        var key = SpanText.none
        var what = SpanText.none
        try fields(of: message) { (number, value) throws(SpanDecodingError) in
            if number == 1 { key = try text(value) }
            if number == 2 { what = try text(value) }
        }
        batch.addTag(key, what)
    }
}

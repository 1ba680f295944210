import WeirCore

/// Reads `opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest`
/// (github.com/open-telemetry/opentelemetry-proto).
struct OTLPProtobufDecoder {
    /// Deepest nesting of an attribute's value.
    static let depthLimit = 16

    private let batch: SpanBatch

    init(into batch: SpanBatch) { self.batch = batch }

    func decode(_ bytes: UnsafeRawBufferPointer) throws(SpanDecodingError) {
        try fields(of: bytes) { (number, value) throws(SpanDecodingError) in
            if number == 1, let part = value.part { try decodeResource(part) }
        }
    }

    /// The spans of one resource, which may be told behind them.
    private func decodeResource(_ message: UnsafeRawBufferPointer) throws(SpanDecodingError) {
        var surroundings = OTLPSpan.Surroundings()
        try fields(of: message) { (number, value) throws(SpanDecodingError) in
            guard number == 1, let resource = value.part else { return }
            try fields(of: resource) { (number, value) throws(SpanDecodingError) in
                if number == 1 { try take(value, into: &surroundings.resource) }
            }
        }
        try fields(of: message) { (number, value) throws(SpanDecodingError) in
            if number == 2, let scope = value.part { try decodeScope(scope, surroundings) }
        }
    }

    private func decodeScope(
        _ message: UnsafeRawBufferPointer, _ surroundings: OTLPSpan.Surroundings
    ) throws(SpanDecodingError) {
        var surroundings = surroundings
        try fields(of: message) { (number, value) throws(SpanDecodingError) in
            guard number == 1, let scope = value.part else { return }
            try fields(of: scope) { (number, value) throws(SpanDecodingError) in
                if number == 1 { surroundings.scopeName = text(value) }
                if number == 2 { surroundings.scopeVersion = text(value) }
            }
        }
        try fields(of: message) { (number, value) throws(SpanDecodingError) in
            guard number == 2, let part = value.part else { return }
            try batch.append(try span(part).record(in: surroundings))
        }
    }

    private func span(_ message: UnsafeRawBufferPointer) throws(SpanDecodingError) -> OTLPSpan {
        var span = OTLPSpan()
        try fields(of: message) { (number, value) throws(SpanDecodingError) in
            switch number {
            case 1: span.traceID = try traceID(value)
            case 2: span.id = try spanID(value)
            case 3: span.state = text(value)
            case 4: span.parentID = try spanID(value)
            case 5: span.name = text(value)
            case 6: span.kind = value.whole ?? 0
            case 7: span.start = value.fixed ?? 0
            case 8: span.end = value.fixed ?? 0
            case 9: try take(value, into: &span.attributes)
            case 10: span.dropped.append(("otel.dropped_attributes_count", value.whole ?? 0))
            case 11:
                guard span.events.count < OTLPSpan.partLimit else {
                    batch.limited.annotations += 1
                    return
                }
                span.events.append(try event(value))
            case 12: span.dropped.append(("otel.dropped_events_count", value.whole ?? 0))
            case 13:
                guard span.links.count < OTLPSpan.partLimit else {
                    batch.limited.tags += 1
                    return
                }
                span.links.append(try link(value))
            case 14: span.dropped.append(("otel.dropped_links_count", value.whole ?? 0))
            case 15:
                guard let status = value.part else { return }
                try fields(of: status) { (number, value) throws(SpanDecodingError) in
                    if number == 2 { span.statusMessage = text(value) }
                    if number == 3 { span.statusCode = value.whole ?? 0 }
                }
            default: break
            }
        }
        return span
    }

    private func event(_ value: ProtobufReader.Value) throws(SpanDecodingError) -> OTLPSpan.Event {
        var event = OTLPSpan.Event()
        guard let message = value.part else { throw SpanDecodingError("an event is a number") }
        try fields(of: message) { (number, value) throws(SpanDecodingError) in
            switch number {
            case 1: event.time = value.fixed ?? 0
            case 2: event.name = text(value)
            case 3: try take(value, into: &event.attributes)
            default: break
            }
        }
        return event
    }

    private func link(_ value: ProtobufReader.Value) throws(SpanDecodingError) -> OTLPSpan.Link {
        var link = OTLPSpan.Link()
        guard let message = value.part else { throw SpanDecodingError("a link is a number") }
        try fields(of: message) { (number, value) throws(SpanDecodingError) in
            switch number {
            case 1: link.traceID = try traceID(value)
            case 2: link.spanID = try spanID(value)
            case 3: link.state = text(value)
            case 4: try take(value, into: &link.attributes)
            default: break
            }
        }
        return link
    }

    // MARK: Values

    private func text(_ value: ProtobufReader.Value) -> String {
        String(decoding: value.part ?? UnsafeRawBufferPointer(start: nil, count: 0), as: UTF8.self)
    }

    private func traceID(_ value: ProtobufReader.Value) throws(SpanDecodingError) -> TraceID {
        guard let bytes = value.part, bytes.count == 16 else {
            throw SpanDecodingError("`trace_id` must have 16 bytes")
        }
        return TraceID(
            high: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
            low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
    }

    private func spanID(_ value: ProtobufReader.Value) throws(SpanDecodingError) -> UInt64 {
        guard let bytes = value.part, bytes.count == 8 || bytes.isEmpty else {
            throw SpanDecodingError("a span's id must have 8 bytes")
        }
        return bytes.isEmpty ? 0 : UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self))
    }

    private func take(
        _ value: ProtobufReader.Value, into attributes: inout [OTLPSpan.Attribute]
    ) throws(SpanDecodingError) {
        guard attributes.count < OTLPSpan.partLimit else {
            batch.limited.tags += 1
            return
        }
        attributes.append(try attribute(value, depth: 0))
    }

    private func attribute(
        _ value: ProtobufReader.Value, depth: Int
    ) throws(SpanDecodingError) -> OTLPSpan.Attribute {
        var attribute: OTLPSpan.Attribute = ("", .null)
        guard let message = value.part else { throw SpanDecodingError("an attribute is a number") }
        try fields(of: message) { (number, value) throws(SpanDecodingError) in
            if number == 1 { attribute.key = text(value) }
            if number == 2, let part = value.part {
                attribute.value = try anyValue(part, depth: depth)
            }
        }
        return attribute
    }

    private func anyValue(
        _ message: UnsafeRawBufferPointer, depth: Int
    ) throws(SpanDecodingError) -> Value {
        guard depth < Self.depthLimit else { throw SpanDecodingError("nested too deeply") }
        var result = Value.null
        try fields(of: message) { (number, value) throws(SpanDecodingError) in
            switch number {
            case 1: result = .string(text(value))
            case 2: result = .bool(value.whole == 1)
            case 3: result = .integer(Int64(bitPattern: value.whole ?? 0))
            case 4: result = .float(value.double ?? 0)
            case 5, 6:
                var values: [Value] = []
                var record = Record()
                guard let list = value.part else { return }
                try fields(of: list) { (field, value) throws(SpanDecodingError) in
                    guard field == 1, let part = value.part else { return }
                    if number == 5 {
                        values.append(try anyValue(part, depth: depth + 1))
                    } else {
                        let (key, value) = try attribute(value, depth: depth + 1)
                        record[key] = value
                    }
                }
                result = number == 5 ? .array(values) : .object(record)
            case 7:
                result = .string(Base64.text(of: Array(value.part ?? .init(start: nil, count: 0))))
            default: break
            }
        }
        return result
    }
}

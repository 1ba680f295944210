import WeirCore

/// Reads OTLP's JSON: names in camelCase, ids in hexadecimal digits, numbers of 64 bits as texts
/// (opentelemetry.io/docs/specs/otlp, "JSON Protobuf Encoding").
struct OTLPJSONDecoder {
    private var reader: JSONReader
    private let batch: SpanBatch

    init(_ bytes: UnsafeRawBufferPointer, into batch: SpanBatch) {
        reader = JSONReader(bytes)
        self.batch = batch
    }

    mutating func decode() throws(SpanDecodingError) {
        try members { (decoder, key) throws(SpanDecodingError) in
            guard decoder.reader.isText(key, "resourceSpans") else {
                return try decoder.reader.skipValue()
            }
            try decoder.elements { (decoder) throws(SpanDecodingError) in
                try decoder.decodeResource()
            }
        }
        try reader.finish()
    }

    private mutating func members(
        _ body: (inout Self, JSONText) throws(SpanDecodingError) -> Void
    ) throws(SpanDecodingError) {
        try reader.expect(UInt8(ascii: "{"))
        var isFirst = true
        while let key = try reader.nextKey(&isFirst) {
            if try reader.takeNull() { continue }
            try body(&self, key)
        }
    }

    private mutating func elements(
        _ body: (inout Self) throws(SpanDecodingError) -> Void
    ) throws(SpanDecodingError) {
        try reader.expect(UInt8(ascii: "["))
        var isFirst = true
        while try reader.nextElement(&isFirst) { try body(&self) }
    }

    /// The spans of one resource, which may be told behind them.
    private mutating func decodeResource() throws(SpanDecodingError) {
        var surroundings = OTLPSpan.Surroundings()
        var scopes: [(name: String, version: String, spans: [OTLPSpan])] = []
        var count = 0
        try members { (decoder, key) throws(SpanDecodingError) in
            if decoder.reader.isText(key, "resource") {
                try decoder.members { (decoder, key) throws(SpanDecodingError) in
                    guard decoder.reader.isText(key, "attributes") else {
                        return try decoder.reader.skipValue()
                    }
                    surroundings.resource = try decoder.attributes()
                }
            } else if decoder.reader.isText(key, "scopeSpans") {
                try decoder.elements { (decoder) throws(SpanDecodingError) in
                    scopes.append(try decoder.scope(&count))
                }
            } else {
                try decoder.reader.skipValue()
            }
        }
        for scope in scopes {
            surroundings.scopeName = scope.name
            surroundings.scopeVersion = scope.version
            for span in scope.spans { try batch.append(try span.record(in: surroundings)) }
        }
    }

    private mutating func scope(
        _ count: inout Int
    ) throws(SpanDecodingError) -> (name: String, version: String, spans: [OTLPSpan]) {
        var result: (name: String, version: String, spans: [OTLPSpan]) = ("", "", [])
        try members { (decoder, key) throws(SpanDecodingError) in
            if decoder.reader.isText(key, "scope") {
                try decoder.members { (decoder, key) throws(SpanDecodingError) in
                    if decoder.reader.isText(key, "name") {
                        result.name = try decoder.string()
                    } else if decoder.reader.isText(key, "version") {
                        result.version = try decoder.string()
                    } else {
                        try decoder.reader.skipValue()
                    }
                }
            } else if decoder.reader.isText(key, "spans") {
                try decoder.elements { (decoder) throws(SpanDecodingError) in
                    count += 1
                    guard count <= decoder.batch.limits.spans else {
                        throw SpanDecodingError(
                            "more than \(decoder.batch.limits.spans) spans", isOverLimit: true)
                    }
                    result.spans.append(try decoder.span())
                }
            } else {
                try decoder.reader.skipValue()
            }
        }
        return result
    }

    private mutating func span() throws(SpanDecodingError) -> OTLPSpan {
        var span = OTLPSpan()
        try members { (decoder, key) throws(SpanDecodingError) in
            let reader = decoder.reader
            if reader.isText(key, "traceId") {
                span.traceID = try decoder.traceID()
            } else if reader.isText(key, "spanId") {
                span.id = try decoder.spanID()
            } else if reader.isText(key, "parentSpanId") {
                span.parentID = try decoder.spanID()
            } else if reader.isText(key, "traceState") {
                span.state = try decoder.string()
            } else if reader.isText(key, "name") {
                span.name = try decoder.string()
            } else if reader.isText(key, "kind") {
                span.kind = try decoder.number(
                    orNamed: [
                        "SPAN_KIND_INTERNAL": 1, "SPAN_KIND_SERVER": 2, "SPAN_KIND_CLIENT": 3,
                        "SPAN_KIND_PRODUCER": 4, "SPAN_KIND_CONSUMER": 5,
                    ])
            } else if reader.isText(key, "startTimeUnixNano") {
                span.start = UInt64(clamping: try decoder.reader.integer())
            } else if reader.isText(key, "endTimeUnixNano") {
                span.end = UInt64(clamping: try decoder.reader.integer())
            } else if reader.isText(key, "attributes") {
                span.attributes = try decoder.attributes()
            } else if reader.isText(key, "status") {
                try decoder.readStatus(of: &span)
            } else {
                try decoder.readParts(key, of: &span)
            }
        }
        return span
    }

    private mutating func readStatus(of span: inout OTLPSpan) throws(SpanDecodingError) {
        try members { (decoder, key) throws(SpanDecodingError) in
            if decoder.reader.isText(key, "code") {
                span.statusCode = try decoder.number(
                    orNamed: ["STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2])
            } else if decoder.reader.isText(key, "message") {
                span.statusMessage = try decoder.string()
            } else {
                try decoder.reader.skipValue()
            }
        }
    }

    private mutating func readParts(
        _ key: JSONText, of span: inout OTLPSpan
    ) throws(SpanDecodingError) {
        if reader.isText(key, "events") {
            try elements { (decoder) throws(SpanDecodingError) in
                let event = try decoder.event()
                if span.events.count < OTLPSpan.partLimit {
                    span.events.append(event)
                } else {
                    decoder.batch.limited.annotations += 1
                }
            }
        } else if reader.isText(key, "links") {
            try elements { (decoder) throws(SpanDecodingError) in
                let link = try decoder.link()
                if span.links.count < OTLPSpan.partLimit {
                    span.links.append(link)
                } else {
                    decoder.batch.limited.tags += 1
                }
            }
        } else if reader.isText(key, "droppedAttributesCount") {
            span.dropped.append(("otel.dropped_attributes_count", try count()))
        } else if reader.isText(key, "droppedEventsCount") {
            span.dropped.append(("otel.dropped_events_count", try count()))
        } else if reader.isText(key, "droppedLinksCount") {
            span.dropped.append(("otel.dropped_links_count", try count()))
        } else {
            try reader.skipValue()
        }
    }

    private mutating func event() throws(SpanDecodingError) -> OTLPSpan.Event {
        var event = OTLPSpan.Event()
        try members { (decoder, key) throws(SpanDecodingError) in
            if decoder.reader.isText(key, "timeUnixNano") {
                event.time = UInt64(clamping: try decoder.reader.integer())
            } else if decoder.reader.isText(key, "name") {
                event.name = try decoder.string()
            } else if decoder.reader.isText(key, "attributes") {
                event.attributes = try decoder.attributes()
            } else {
                try decoder.reader.skipValue()
            }
        }
        return event
    }

    private mutating func link() throws(SpanDecodingError) -> OTLPSpan.Link {
        var link = OTLPSpan.Link()
        try members { (decoder, key) throws(SpanDecodingError) in
            if decoder.reader.isText(key, "traceId") {
                link.traceID = try decoder.traceID()
            } else if decoder.reader.isText(key, "spanId") {
                link.spanID = try decoder.spanID()
            } else if decoder.reader.isText(key, "traceState") {
                link.state = try decoder.string()
            } else if decoder.reader.isText(key, "attributes") {
                link.attributes = try decoder.attributes()
            } else {
                try decoder.reader.skipValue()
            }
        }
        return link
    }

    // MARK: Values

    private mutating func string() throws(SpanDecodingError) -> String {
        reader.string(try reader.text())
    }

    private mutating func count() throws(SpanDecodingError) -> UInt64 {
        UInt64(clamping: try reader.integer())
    }

    private mutating func number(
        orNamed names: [String: UInt64]
    ) throws(SpanDecodingError) -> UInt64 {
        guard reader.peek() == UInt8(ascii: "\"") else { return try count() }
        return names[try string()] ?? 0
    }

    private mutating func traceID() throws(SpanDecodingError) -> TraceID {
        let digits = try string().lowercased()
        guard let id = TraceID(hex: digits.utf8) else {
            throw reader.broken("`traceId` must be 32 hexadecimal digits")
        }
        return id
    }

    private mutating func spanID() throws(SpanDecodingError) -> UInt64 {
        let digits = try string().lowercased()
        if digits.isEmpty { return 0 }
        guard let id = WeirTraces.spanID(hex: digits.utf8) else {
            throw reader.broken("a span's id must be 16 hexadecimal digits")
        }
        return id
    }

    private mutating func attributes() throws(SpanDecodingError) -> [OTLPSpan.Attribute] {
        var attributes: [OTLPSpan.Attribute] = []
        try elements { (decoder) throws(SpanDecodingError) in
            let attribute = try decoder.attribute(depth: 0)
            if attributes.count < OTLPSpan.partLimit {
                attributes.append(attribute)
            } else {
                decoder.batch.limited.tags += 1
            }
        }
        return attributes
    }

    private mutating func attribute(depth: Int) throws(SpanDecodingError) -> OTLPSpan.Attribute {
        var attribute: OTLPSpan.Attribute = ("", .null)
        try members { (decoder, key) throws(SpanDecodingError) in
            if decoder.reader.isText(key, "key") {
                attribute.key = try decoder.string()
            } else if decoder.reader.isText(key, "value") {
                attribute.value = try decoder.anyValue(depth: depth)
            } else {
                try decoder.reader.skipValue()
            }
        }
        return attribute
    }

    private mutating func anyValue(depth: Int) throws(SpanDecodingError) -> Value {
        guard depth < OTLPProtobufDecoder.depthLimit else {
            throw reader.broken("nested too deeply")
        }
        var result = Value.null
        try members { (decoder, key) throws(SpanDecodingError) in
            let reader = decoder.reader
            if reader.isText(key, "stringValue") || reader.isText(key, "bytesValue") {
                result = .string(try decoder.string())
            } else if reader.isText(key, "boolValue") {
                result = .bool(try decoder.reader.flag())
            } else if reader.isText(key, "intValue") {
                result = .integer(try decoder.reader.integer())
            } else if reader.isText(key, "doubleValue") {
                let text = decoder.reader.string(try decoder.reader.textOrNumber())
                result = Double(text).map { .float($0) } ?? .string(text)
            } else if reader.isText(key, "arrayValue") {
                result = .array(try decoder.values(depth: depth))
            } else if reader.isText(key, "kvlistValue") {
                result = .object(try decoder.record(depth: depth))
            } else {
                try decoder.reader.skipValue()
            }
        }
        return result
    }

    private mutating func values(depth: Int) throws(SpanDecodingError) -> [Value] {
        var values: [Value] = []
        try members { (decoder, key) throws(SpanDecodingError) in
            guard decoder.reader.isText(key, "values") else {
                return try decoder.reader.skipValue()
            }
            try decoder.elements { (decoder) throws(SpanDecodingError) in
                values.append(try decoder.anyValue(depth: depth + 1))
            }
        }
        return values
    }

    private mutating func record(depth: Int) throws(SpanDecodingError) -> Record {
        var record = Record()
        try members { (decoder, key) throws(SpanDecodingError) in
            guard decoder.reader.isText(key, "values") else {
                return try decoder.reader.skipValue()
            }
            try decoder.elements { (decoder) throws(SpanDecodingError) in
                let (key, value) = try decoder.attribute(depth: depth + 1)
                record[key] = value
            }
        }
        return record
    }
}

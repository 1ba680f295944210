import WeirCore

/// Reads Zipkin's JSON of version 1: a list of spans (zipkin.io/zipkin-api, `zipkin-api.yaml`).
struct JSONV1SpanDecoder {
    private var reader: JSONReader
    private let batch: SpanBatch

    init(_ bytes: UnsafeRawBufferPointer, into batch: SpanBatch) {
        reader = JSONReader(bytes)
        self.batch = batch
    }

    mutating func decodeList() throws(SpanDecodingError) {
        try reader.expect(UInt8(ascii: "["))
        var isFirst = true
        while try reader.nextElement(&isFirst) { try V1Conversion.append(try span(), to: batch) }
        try reader.finish()
    }

    private mutating func span() throws(SpanDecodingError) -> V1Span {
        try reader.expect(UInt8(ascii: "{"))
        var span = V1Span()
        var isFirst = true
        while let key = try reader.nextKey(&isFirst) {
            if reader.isText(key, "traceId") {
                guard let id = TraceID(hex: reader.bytes(try reader.text())) else {
                    throw reader.broken("`traceId` must be 1 to 32 hexadecimal digits")
                }
                span.traceID = id
            } else if reader.isText(key, "id") {
                span.id = try id()
            } else if try reader.takeNull() {
                continue
            } else if reader.isText(key, "parentId") {
                span.parentID = try id()
            } else if reader.isText(key, "name") {
                span.name = reader.string(try reader.textOrNumber())
            } else if reader.isText(key, "timestamp") {
                span.timestamp = UInt64(clamping: try reader.integer())
            } else if reader.isText(key, "duration") {
                span.duration = UInt64(clamping: try reader.integer())
            } else if reader.isText(key, "debug") {
                span.isDebug = try reader.flag()
            } else if reader.isText(key, "annotations") {
                span.annotations = try annotations()
            } else if reader.isText(key, "binaryAnnotations") {
                span.binaryAnnotations = try binaryAnnotations()
            } else {
                try reader.skipValue()
            }
        }
        guard span.traceID != .none, span.id != 0 else {
            throw reader.broken("a span without `traceId` or `id`")
        }
        return span
    }

    private mutating func id() throws(SpanDecodingError) -> UInt64 {
        guard let id = spanID(hex: reader.bytes(try reader.text())) else {
            throw reader.broken("an id must be 1 to 16 hexadecimal digits in small letters")
        }
        return id
    }

    private mutating func annotations() throws(SpanDecodingError) -> [V1Span.Annotation] {
        var annotations: [V1Span.Annotation] = []
        try reader.expect(UInt8(ascii: "["))
        var isFirst = true
        while try reader.nextElement(&isFirst) {
            try reader.expect(UInt8(ascii: "{"))
            var annotation = V1Span.Annotation(timestamp: 0, value: "")
            var hasValue = false
            var isFirstKey = true
            while let key = try reader.nextKey(&isFirstKey) {
                if reader.isText(key, "timestamp") {
                    annotation.timestamp = UInt64(clamping: try reader.integer())
                } else if reader.isText(key, "value") {
                    annotation.value = reader.string(try reader.textOrNumber())
                    hasValue = true
                } else if reader.isText(key, "endpoint") {
                    if try reader.takeNull() { continue }
                    annotation.endpoint = try endpoint()
                } else {
                    try reader.skipValue()
                }
            }
            guard annotation.timestamp > 0, hasValue else {
                throw reader.broken("an annotation needs `timestamp` and `value`")
            }
            if annotations.count < batch.limits.annotations {
                annotations.append(annotation)
            } else {
                batch.limited.annotations += 1
            }
        }
        return annotations
    }

    private mutating func binaryAnnotations() throws(SpanDecodingError) -> [V1Span.BinaryAnnotation]
    {
        var annotations: [V1Span.BinaryAnnotation] = []
        try reader.expect(UInt8(ascii: "["))
        var isFirst = true
        while try reader.nextElement(&isFirst) {
            try reader.expect(UInt8(ascii: "{"))
            var annotation = V1Span.BinaryAnnotation(key: "", value: "")
            var hasKey = false
            var isFirstKey = true
            while let key = try reader.nextKey(&isFirstKey) {
                if reader.isText(key, "key") {
                    annotation.key = reader.string(try reader.textOrNumber())
                    hasKey = true
                } else if reader.isText(key, "value") {
                    annotation.value = try value()
                } else if reader.isText(key, "endpoint") {
                    if try reader.takeNull() { continue }
                    annotation.endpoint = try endpoint()
                } else {
                    try reader.skipValue()
                }
            }
            guard hasKey else { throw reader.broken("a binary annotation needs a `key`") }
            if annotations.count < batch.limits.tags {
                annotations.append(annotation)
            } else {
                batch.limited.tags += 1
            }
        }
        return annotations
    }

    /// A value as text: addresses come with `true`.
    private mutating func value() throws(SpanDecodingError) -> String {
        let next = reader.peek()
        if next == UInt8(ascii: "t") || next == UInt8(ascii: "f") {
            return try reader.flag() ? "true" : "false"
        }
        return reader.string(try reader.textOrNumber())
    }

    private mutating func endpoint() throws(SpanDecodingError) -> SpanRecord.Endpoint {
        try reader.expect(UInt8(ascii: "{"))
        var address = SpanEndpoint()
        var record = SpanRecord.Endpoint()
        var isFirst = true
        while let key = try reader.nextKey(&isFirst) {
            if try reader.takeNull() { continue }
            if reader.isText(key, "serviceName") {
                record.service = reader.string(try reader.textOrNumber()).lowercased()
            } else if reader.isText(key, "ipv4") || reader.isText(key, "ipv6") {
                address.setAddress(reader.string(try reader.text()))
            } else if reader.isText(key, "port") {
                let port = try reader.integer()
                guard port <= 0xffff else { throw reader.broken("`port` is above 65535") }
                record.port = UInt16(clamping: port)
            } else {
                try reader.skipValue()
            }
        }
        record.ipv4 = address.ipv4
        record.ipv6 = address.ipv6
        return record
    }
}

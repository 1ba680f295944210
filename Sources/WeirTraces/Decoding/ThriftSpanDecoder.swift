import WeirCore

/// Reads Thrift's binary protocol (thrift.apache.org, `thrift-binary-protocol.md`); big-endian.
struct ThriftReader {
    /// Deepest nesting of values that are skipped.
    static let depthLimit = 32

    /// The type of a value, by its number in the protocol.
    enum Kind: UInt8 {
        case stop = 0
        case flag = 2
        case byte = 3
        case double = 4
        case short = 6
        case int = 8
        case long = 10
        case text = 11
        case structure = 12
        case map = 13
        case set = 14
        case list = 15
    }

    private let bytes: UnsafeRawBufferPointer
    private var place = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var isAtEnd: Bool { place == bytes.count }

    func broken(_ what: String) -> SpanDecodingError {
        SpanDecodingError("\(what) at byte \(place)")
    }

    mutating func number<T: FixedWidthInteger>(_ type: T.Type) throws(SpanDecodingError) -> T {
        let size = MemoryLayout<T>.size
        guard bytes.count - place >= size else { throw broken("the body ends early") }
        place += size
        return T(bigEndian: bytes.loadUnaligned(fromByteOffset: place - size, as: T.self))
    }

    mutating func kind() throws(SpanDecodingError) -> Kind {
        guard let kind = Kind(rawValue: try number(UInt8.self)) else {
            throw broken("a type that there is not")
        }
        return kind
    }

    mutating func text() throws(SpanDecodingError) -> UnsafeRawBufferPointer {
        let count = Int(try number(Int32.self))
        guard count >= 0, count <= bytes.count - place else {
            throw broken("a text of \(count) bytes, which are not there")
        }
        place += count
        return UnsafeRawBufferPointer(rebasing: bytes[(place - count)..<place])
    }

    mutating func string() throws(SpanDecodingError) -> String {
        String(decoding: try text(), as: UTF8.self)
    }

    /// The head of a list: how many elements of which type.
    mutating func list() throws(SpanDecodingError) -> (kind: Kind, count: Int) {
        let kind = try kind()
        let count = Int(try number(Int32.self))
        // Every element has a byte at least.
        guard count >= 0, count <= bytes.count - place else {
            throw broken("a list of \(count) elements, which are not there")
        }
        return (kind, count)
    }

    /// Calls `body` with each field of a structure; it must read or skip the field's value.
    mutating func fields(
        _ body: (inout ThriftReader, Int16, Kind) throws(SpanDecodingError) -> Void
    ) throws(SpanDecodingError) {
        while true {
            let kind = try kind()
            if kind == .stop { return }
            let number = try number(Int16.self)
            try body(&self, number, kind)
        }
    }

    mutating func skip(_ kind: Kind, depth: Int = 0) throws(SpanDecodingError) {
        guard depth < Self.depthLimit else { throw broken("nested too deeply") }
        switch kind {
        case .stop: throw broken("an end where a value should be")
        case .flag, .byte: _ = try number(UInt8.self)
        case .short: _ = try number(UInt16.self)
        case .int: _ = try number(UInt32.self)
        case .long, .double: _ = try number(UInt64.self)
        case .text: _ = try text()
        case .structure:
            try fields { (reader, _, kind) throws(SpanDecodingError) in
                try reader.skip(kind, depth: depth + 1)
            }
        case .list, .set:
            let (kind, count) = try list()
            for _ in 0..<count { try skip(kind, depth: depth + 1) }
        case .map:
            let key = try self.kind()
            let (value, count) = try list()
            for _ in 0..<count {
                try skip(key, depth: depth + 1)
                try skip(value, depth: depth + 1)
            }
        }
    }
}

/// Reads Zipkin's first model in Thrift: a list of spans (zipkin.io/zipkin-api,
/// `thrift/zipkinCore.thrift`).
struct ThriftSpanDecoder {
    private var reader: ThriftReader
    private let batch: SpanBatch

    init(_ bytes: UnsafeRawBufferPointer, into batch: SpanBatch) {
        reader = ThriftReader(bytes)
        self.batch = batch
    }

    mutating func decodeList() throws(SpanDecodingError) {
        let (kind, count) = try reader.list()
        guard kind == .structure || count == 0 else { throw reader.broken("no list of spans") }
        for _ in 0..<count { try V1Conversion.append(try span(), to: batch) }
        guard reader.isAtEnd else { throw reader.broken("something follows the list") }
    }

    private mutating func span() throws(SpanDecodingError) -> V1Span {
        var span = V1Span()
        let limits = batch.limits
        var limited = LimitedSpans()
        try reader.fields { (reader, number, kind) throws(SpanDecodingError) in
            switch (number, kind) {
            case (1, .long): span.traceID.low = try reader.number(UInt64.self)
            case (12, .long): span.traceID.high = try reader.number(UInt64.self)
            case (3, .text): span.name = try reader.string()
            case (4, .long): span.id = try reader.number(UInt64.self)
            case (5, .long): span.parentID = try reader.number(UInt64.self)
            case (9, .flag): span.isDebug = try reader.number(UInt8.self) == 1
            case (10, .long): span.timestamp = UInt64(clamping: try reader.number(Int64.self))
            case (11, .long): span.duration = UInt64(clamping: try reader.number(Int64.self))
            case (6, .list):
                for _ in 0..<(try Self.structures(&reader)) {
                    let annotation = try Self.annotation(&reader)
                    if span.annotations.count < limits.annotations {
                        span.annotations.append(annotation)
                    } else {
                        limited.annotations += 1
                    }
                }
            case (8, .list):
                for _ in 0..<(try Self.structures(&reader)) {
                    guard let annotation = try Self.binaryAnnotation(&reader) else { continue }
                    if span.binaryAnnotations.count < limits.tags {
                        span.binaryAnnotations.append(annotation)
                    } else {
                        limited.tags += 1
                    }
                }
            default: try reader.skip(kind)
            }
        }
        batch.limited.annotations += limited.annotations
        batch.limited.tags += limited.tags
        guard span.traceID != .none, span.id != 0 else {
            throw reader.broken("a span without `trace_id` or `id`")
        }
        return span
    }

    private static func structures(
        _ reader: inout ThriftReader
    ) throws(SpanDecodingError) -> Int {
        let (kind, count) = try reader.list()
        guard kind == .structure || count == 0 else { throw reader.broken("no list of structures") }
        return count
    }

    private static func annotation(
        _ reader: inout ThriftReader
    ) throws(SpanDecodingError) -> V1Span.Annotation {
        var annotation = V1Span.Annotation(timestamp: 0, value: "")
        try reader.fields { (reader, number, kind) throws(SpanDecodingError) in
            switch (number, kind) {
            case (1, .long): annotation.timestamp = UInt64(clamping: try reader.number(Int64.self))
            case (2, .text): annotation.value = try reader.string()
            case (3, .structure): annotation.endpoint = try endpoint(&reader)
            default: try reader.skip(kind)
            }
        }
        return annotation
    }

    /// An annotation with a key; `nil` for values that are neither text nor truth.
    private static func binaryAnnotation(
        _ reader: inout ThriftReader
    ) throws(SpanDecodingError) -> V1Span.BinaryAnnotation? {
        var annotation = V1Span.BinaryAnnotation(key: "", value: "")
        var bytes = ""
        var type: Int32 = 0
        try reader.fields { (reader, number, kind) throws(SpanDecodingError) in
            switch (number, kind) {
            case (1, .text): annotation.key = try reader.string()
            case (2, .text): bytes = try reader.string()
            case (3, .int): type = try reader.number(Int32.self)
            case (4, .structure): annotation.endpoint = try endpoint(&reader)
            default: try reader.skip(kind)
            }
        }
        switch type {
        case 0: annotation.value = bytes == "\u{1}" ? "true" : "false"
        case 6: annotation.value = bytes
        default: return nil
        }
        return annotation
    }

    private static func endpoint(
        _ reader: inout ThriftReader
    ) throws(SpanDecodingError) -> SpanRecord.Endpoint {
        var endpoint = SpanEndpoint()
        var service = ""
        try reader.fields { (reader, number, kind) throws(SpanDecodingError) in
            switch (number, kind) {
            case (1, .int):
                let address = try reader.number(UInt32.self)
                if address != 0 { endpoint.ipv4 = address }
            case (2, .short): endpoint.port = try reader.number(UInt16.self)
            case (3, .text): service = try reader.string()
            case (4, .text): endpoint.setAddress(try reader.text())
            default: try reader.skip(kind)
            }
        }
        var record = SpanRecord.Endpoint(service: service.lowercased())
        record.ipv4 = endpoint.ipv4
        record.ipv6 = endpoint.ipv6
        record.port = endpoint.port
        return record
    }
}

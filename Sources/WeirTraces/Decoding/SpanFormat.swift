import CShims

/// The forms in which spans come.
public enum SpanFormat: String, Sendable, CaseIterable {
    case jsonV2 = "JSON_V2"
    case jsonV1 = "JSON_V1"
    case thrift = "THRIFT"
    case protobuf = "PROTO3"
    case otlpJSON = "OTLP_JSON"
    case otlpProtobuf = "OTLP_PROTO"

    /// What the body is by its first bytes, as Zipkin looks at it
    /// (zipkin2.SpanBytesDecoderDetector); `nil` for none of Zipkin's lists.
    static func detected(_ bytes: UnsafeRawBufferPointer) -> SpanFormat? {
        guard bytes.count > 1 else { return nil }
        switch bytes[0] {
        case UInt8(ascii: "["): return isV1(bytes) ? .jsonV1 : .jsonV2
        // The field `spans`, and the length of the first.
        case 10: return bytes[1] != 0 ? .protobuf : nil
        // A list of structures.
        case 11, 12: return .thrift
        default: return nil
        }
    }

    /// Whether a list in JSON is of the first model: by names that only one of the two has.
    private static func isV1(_ bytes: UnsafeRawBufferPointer) -> Bool {
        contains(bytes, "yAnnotations\"")
    }

    /// Whether a list in JSON is of the second model.
    private static func isV2(_ bytes: UnsafeRawBufferPointer) -> Bool {
        contains(bytes, "Endpoint\"") || contains(bytes, "\"tags\"")
    }

    private static func contains(_ bytes: UnsafeRawBufferPointer, _ word: StaticString) -> Bool {
        guard let start = bytes.bindMemory(to: UInt8.self).baseAddress else { return false }
        return weir_holds(start, bytes.count, word.utf8Start, word.utf8CodeUnitCount)
    }

    /// Says of a body that is in another form than this one what Zipkin says.
    func complaint(about bytes: UnsafeRawBufferPointer) -> SpanDecodingError? {
        func wrong(_ found: SpanFormat?) -> SpanDecodingError {
            let received = found.map { ", but received: \($0.rawValue)" } ?? ""
            return SpanDecodingError("Expected a \(rawValue) encoded list\(received)\n")
        }
        let found = Self.detected(bytes)
        switch self {
        case .jsonV2: return found == .jsonV2 ? nil : wrong(found)
        case .jsonV1:
            guard found == .jsonV1 || found == .jsonV2 else { return wrong(found) }
            return Self.isV2(bytes) ? wrong(.jsonV2) : nil
        case .thrift, .protobuf: return found == self ? nil : wrong(found)
        case .otlpJSON, .otlpProtobuf: return nil
        }
    }
}

extension SpanBatch {
    /// Appends the spans of a body; on an error none of them counts.
    ///
    /// - Parameter bytes: Readable 16 bytes beyond their end, as those of a `ByteBuffer` are.
    public func decode(
        _ bytes: UnsafeRawBufferPointer, as format: SpanFormat
    ) throws(SpanDecodingError) {
        guard !format.isEmptyList(bytes) else { return }
        if let complaint = format.complaint(about: bytes) { throw complaint }
        do throws(SpanDecodingError) {
            switch format {
            case .jsonV2:
                var decoder = JSONSpanDecoder(bytes, into: self)
                try decoder.decodeList()
            case .jsonV1:
                var decoder = JSONV1SpanDecoder(bytes, into: self)
                try decoder.decodeList()
            case .thrift:
                var decoder = ThriftSpanDecoder(bytes, into: self)
                try decoder.decodeList()
            case .protobuf: try ProtobufSpanDecoder(into: self).decodeList(bytes)
            case .otlpJSON:
                var decoder = OTLPJSONDecoder(bytes, into: self)
                try decoder.decode()
            case .otlpProtobuf: try OTLPProtobufDecoder(into: self).decode(bytes)
            }
        } catch {
            throw SpanDecodingError(
                "Malformed reading List<Span> from \(format.rawValue): \(error.description)",
                isOverLimit: error.isOverLimit)
        }
    }

    /// Appends the one span of a JSON object of version 2.
    public func decodeJSON(_ bytes: UnsafeRawBufferPointer) throws(SpanDecodingError) {
        var decoder = JSONSpanDecoder(bytes, into: self)
        do throws(SpanDecodingError) {
            try decoder.decodeOne()
        } catch {
            abandon()
            throw error
        }
    }
}

extension SpanFormat {
    /// Whether a body holds no span, which every receiver takes: nothing at all, or `[]`.
    func isEmptyList(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.isEmpty
            || bytes.count == 2 && bytes[0] == UInt8(ascii: "[") && bytes[1] == UInt8(ascii: "]")
    }
}

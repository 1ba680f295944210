import WeirCore
import WeirTraces

/// Spans in the binary forms in which clients send them, written apart from Weir's readers.
public enum SpanMessages {
    /// `zipkin.proto3.ListOfSpans`.
    public static func protobuf(_ spans: [SpanRecord]) -> [UInt8] {
        var list = Message()
        for span in spans {
            list.add(1, span: span)
        }
        return list.bytes
    }

    /// A message of protocol buffers under construction.
    public struct Message {
        /// What was written.
        public var bytes: [UInt8] = []

        /// An empty message.
        public init() {}

        private mutating func varint(_ number: UInt64) {
            var rest = number
            while rest >= 0x80 {
                bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
                rest >>= 7
            }
            bytes.append(UInt8(truncatingIfNeeded: rest))
        }

        /// Adds a text, bytes or a message.
        public mutating func add(_ field: UInt64, _ part: some Collection<UInt8>) {
            varint(field << 3 | 2)
            varint(UInt64(part.count))
            bytes += part
        }

        /// Adds a whole number.
        public mutating func add(_ field: UInt64, whole number: UInt64) {
            varint(field << 3)
            varint(number)
        }

        /// Adds a number of eight bytes.
        public mutating func add(_ field: UInt64, fixed number: UInt64) {
            varint(field << 3 | 1)
            withUnsafeBytes(of: number.littleEndian) { bytes += $0 }
        }

        mutating func add(_ field: UInt64, span: SpanRecord) {
            var message = Message()
            var id = SpanMessages.bigEndian(span.traceID.low)
            if span.traceID.high != 0 { id = SpanMessages.bigEndian(span.traceID.high) + id }
            message.add(1, id)
            if span.parentID != 0 { message.add(2, SpanMessages.bigEndian(span.parentID)) }
            message.add(3, SpanMessages.bigEndian(span.id))
            if span.kind != .none { message.add(4, whole: UInt64(span.kind.rawValue)) }
            if !span.name.isEmpty { message.add(5, span.name.utf8) }
            if span.timestamp != 0 { message.add(6, fixed: span.timestamp) }
            if span.duration != 0 { message.add(7, whole: span.duration) }
            if !span.local.isEmpty { message.add(8, endpoint: span.local) }
            if !span.remote.isEmpty { message.add(9, endpoint: span.remote) }
            for annotation in span.annotations {
                var part = Message()
                part.add(1, fixed: annotation.timestamp)
                part.add(2, annotation.value.utf8)
                message.add(10, part.bytes)
            }
            for tag in span.tags {
                var part = Message()
                part.add(1, tag.key.utf8)
                part.add(2, tag.value.utf8)
                message.add(11, part.bytes)
            }
            if span.isDebug { message.add(12, whole: 1) }
            if span.isShared { message.add(13, whole: 1) }
            add(field, message.bytes)
        }

        private mutating func add(_ field: UInt64, endpoint: SpanRecord.Endpoint) {
            var message = Message()
            if !endpoint.service.isEmpty { message.add(1, endpoint.service.utf8) }
            if let address = endpoint.ipv4 { message.add(2, SpanMessages.bigEndian(address)) }
            if let address = endpoint.ipv6 { message.add(3, address.bytes) }
            if endpoint.port != 0 { message.add(4, whole: UInt64(endpoint.port)) }
            add(field, message.bytes)
        }
    }

    static func bigEndian(_ number: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: number.bigEndian) { Array($0) }
    }

    /// A span of Zipkin's first model in Thrift, field by field.
    public struct Thrift {
        /// What was written.
        public var bytes: [UInt8] = []

        /// An empty structure.
        public init() {}

        private mutating func head(_ type: UInt8, _ field: Int16) {
            bytes.append(type)
            bytes += SpanMessages.bigEndian(field)
        }

        /// Adds a number of eight bytes.
        public mutating func add(_ field: Int16, long number: UInt64) {
            head(10, field)
            bytes += SpanMessages.bigEndian(number)
        }

        /// Adds a number of four bytes.
        public mutating func add(_ field: Int16, int number: Int32) {
            head(8, field)
            bytes += SpanMessages.bigEndian(number)
        }

        /// Adds a number of two bytes.
        public mutating func add(_ field: Int16, short number: UInt16) {
            head(6, field)
            bytes += SpanMessages.bigEndian(number)
        }

        /// Adds a truth.
        public mutating func add(_ field: Int16, flag: Bool) {
            head(2, field)
            bytes.append(flag ? 1 : 0)
        }

        /// Adds a text or bytes.
        public mutating func add(_ field: Int16, _ text: some Collection<UInt8>) {
            head(11, field)
            bytes += SpanMessages.bigEndian(Int32(text.count))
            bytes += text
        }

        /// Adds a structure.
        public mutating func add(_ field: Int16, _ structure: Thrift) {
            head(12, field)
            bytes += structure.bytes + [0]
        }

        /// Adds a list of structures.
        public mutating func add(_ field: Int16, list: [Thrift]) {
            head(15, field)
            bytes += SpanMessages.list(list)
        }
    }

    /// A list of structures in Thrift.
    public static func list(_ structures: [Thrift]) -> [UInt8] {
        [12] + bigEndian(Int32(structures.count)) + structures.flatMap { $0.bytes + [0] }
    }
}

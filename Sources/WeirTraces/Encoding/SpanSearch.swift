// Hot path: once per document.
import Glibc
import WeirCore

/// What Zipkin's search finds a span by, as its Elasticsearch storage writes it into `_q`
/// (zipkin2.elasticsearch.internal.BulkIndexWriter): what happened, the tags' keys, and `key=value`.
public enum SpanSearch {
    /// Longest text that is found, in UTF-16 units: longer ones are not indexed.
    static let lengthLimit = 256

    /// Appends the member `"_q":[…]` for the JSON of a span's annotations and tags.
    ///
    /// - Parameters:
    ///   - annotations: The array, or nothing.
    ///   - tags: The object, or nothing.
    /// - Returns: Whether there was one: not for spans without both, nor for what cannot be read.
    public static func appendQuery(
        annotations: UnsafeRawBufferPointer, tags: UnsafeRawBufferPointer,
        to buffer: inout ByteBuffer
    ) -> Bool {
        guard !annotations.isEmpty || !tags.isEmpty else { return false }
        let start = buffer.count
        buffer.append("\"_q\":[")
        do throws(SpanDecodingError) {
            if !annotations.isEmpty { try append(annotations: annotations, to: &buffer) }
            if !tags.isEmpty { try append(tags: tags, to: &buffer) }
        } catch {
            buffer.truncate(to: start)
            return false
        }
        if buffer.last == UInt8(ascii: ",") { buffer.removeLast() }
        buffer.append(byte: UInt8(ascii: "]"))
        return true
    }

    private static func append(
        annotations: UnsafeRawBufferPointer, to buffer: inout ByteBuffer
    ) throws(SpanDecodingError) {
        var reader = JSONReader(annotations)
        try reader.expect(UInt8(ascii: "["))
        var isFirst = true
        while try reader.nextElement(&isFirst) {
            try reader.expect(UInt8(ascii: "{"))
            var isFirstKey = true
            while let key = try reader.nextKey(&isFirstKey) {
                guard reader.isText(key, "value"), reader.peek() == UInt8(ascii: "\"") else {
                    try reader.skipValue()
                    continue
                }
                let value = try reader.text()
                guard length(value, reader) <= lengthLimit else { continue }
                buffer.append(byte: UInt8(ascii: "\""))
                buffer.append(reader.bytes(value))
                buffer.append("\",")
            }
        }
    }

    private static func append(
        tags: UnsafeRawBufferPointer, to buffer: inout ByteBuffer
    ) throws(SpanDecodingError) {
        var reader = JSONReader(tags)
        try reader.expect(UInt8(ascii: "{"))
        var isFirst = true
        while let key = try reader.nextKey(&isFirst) {
            let value = try reader.tagValue()
            guard let value, length(key, reader) + length(value, reader) < lengthLimit else {
                continue
            }
            append(reader.bytes(key), reader.bytes(value), to: &buffer)
        }
    }

    /// Appends `"key","key=value",`.
    @inline(__always)
    private static func append(
        _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, to buffer: inout ByteBuffer
    ) {
        let size = 2 &* key.count &+ value.count &+ 7
        buffer.appendInPlace(maximum: size) { room in
            var out = room
            func put(_ byte: UInt8) {
                out[0] = byte
                out += 1
            }
            func put(_ bytes: UnsafeRawBufferPointer) {
                guard let start = bytes.baseAddress else { return }
                memcpy(out, start, bytes.count)
                out += bytes.count
            }
            put(UInt8(ascii: "\""))
            put(key)
            put(UInt8(ascii: "\""))
            put(UInt8(ascii: ","))
            put(UInt8(ascii: "\""))
            put(key)
            put(UInt8(ascii: "="))
            put(value)
            put(UInt8(ascii: "\""))
            put(UInt8(ascii: ","))
            return size
        }
    }

    @inline(__always)
    private static func length(_ text: JSONText, _ reader: JSONReader) -> Int {
        text.hasEscape || text.hasHigh ? reader.string(text).utf16.count : text.count
    }
}

extension JSONReader {
    /// A tag's value where it is a text or a number; other values are passed over.
    fileprivate mutating func tagValue() throws(SpanDecodingError) -> JSONText? {
        switch peek() {
        case UInt8(ascii: "\""), UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            return try textOrNumber()
        default:
            try skipValue()
            return nil
        }
    }
}

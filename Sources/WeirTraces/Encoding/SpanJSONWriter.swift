// Hot path: every span is written so once.
import Glibc
import WeirCore

extension SpanBatch {
    /// Appends a span as Zipkin writes it: members in Zipkin's order, absent ones left out, tags
    /// in the order of their keys (zipkin2.internal.V2SpanWriter).
    public func appendJSON(of span: TraceSpan, to buffer: inout ByteBuffer) {
        buffer.append("{\"traceId\":\"")
        span.traceID.append(to: &buffer)
        if span.parentID != 0 {
            buffer.append("\",\"parentId\":\"")
            appendHex(span.parentID, to: &buffer)
        }
        buffer.append("\",\"id\":\"")
        appendHex(span.id, to: &buffer)
        if span.kind != .none {
            buffer.append("\",\"kind\":\"")
            buffer.append(span.kind.name)
        }
        buffer.append(byte: UInt8(ascii: "\""))
        if !span.name.isEmpty {
            buffer.append(",\"name\":")
            appendText(span.name, to: &buffer)
        }
        if span.timestamp != 0 {
            buffer.append(",\"timestamp\":")
            buffer.append(decimal: Int(clamping: span.timestamp))
        }
        if span.duration != 0 {
            buffer.append(",\"duration\":")
            buffer.append(decimal: Int(clamping: span.duration))
        }
        if !span.local.isEmpty { append("localEndpoint", span.local, to: &buffer) }
        if !span.remote.isEmpty { append("remoteEndpoint", span.remote, to: &buffer) }
        appendAnnotations(of: span, to: &buffer)
        appendTags(of: span, to: &buffer)
        if span.isDebug { buffer.append(",\"debug\":true") }
        if span.isShared { buffer.append(",\"shared\":true") }
        buffer.append(byte: UInt8(ascii: "}"))
    }

    /// Appends a text between quotes.
    @inline(__always)
    private func appendText(_ text: SpanText, to buffer: inout ByteBuffer) {
        if text.isPlain {
            let count = Int(text.count)
            let source = texts.pointer + Int(text.offset)
            return buffer.appendInPlace(maximum: count &+ 2) { room in
                room[0] = UInt8(ascii: "\"")
                memcpy(room + 1, source, count)
                room[count &+ 1] = UInt8(ascii: "\"")
                return count &+ 2
            }
        }
        buffer.append(byte: UInt8(ascii: "\""))
        appendEscaped(padded: bytes(of: text), to: &buffer)
        buffer.append(byte: UInt8(ascii: "\""))
    }

    private func append(
        _ name: StaticString, _ endpoint: SpanEndpoint, to buffer: inout ByteBuffer
    ) {
        buffer.append(",\"")
        buffer.append(name)
        buffer.append("\":{")
        if !endpoint.service.isEmpty {
            buffer.append("\"serviceName\":")
            appendText(endpoint.service, to: &buffer)
        }
        func separate() {
            if buffer.last != UInt8(ascii: "{") { buffer.append(byte: UInt8(ascii: ",")) }
        }
        if let address = endpoint.ipv4 {
            separate()
            buffer.append("\"ipv4\":\"")
            appendAddress(address, to: &buffer)
            buffer.append(byte: UInt8(ascii: "\""))
        }
        if let address = endpoint.ipv6 {
            separate()
            buffer.append("\"ipv6\":\"")
            appendAddress(address, to: &buffer)
            buffer.append(byte: UInt8(ascii: "\""))
        }
        if endpoint.port != 0 {
            separate()
            buffer.append("\"port\":")
            buffer.append(decimal: Int(endpoint.port))
        }
        buffer.append(byte: UInt8(ascii: "}"))
    }

    private func appendAnnotations(of span: TraceSpan, to buffer: inout ByteBuffer) {
        guard span.annotationCount > 0 else { return }
        buffer.append(",\"annotations\":[")
        for annotation in annotations(of: span) {
            if buffer.last != UInt8(ascii: "[") { buffer.append(byte: UInt8(ascii: ",")) }
            buffer.append("{\"timestamp\":")
            buffer.append(decimal: Int(clamping: annotation.timestamp))
            buffer.append(",\"value\":")
            appendText(annotation.value, to: &buffer)
            buffer.append(byte: UInt8(ascii: "}"))
        }
        buffer.append(byte: UInt8(ascii: "]"))
    }

    private func appendTags(of span: TraceSpan, to buffer: inout ByteBuffer) {
        guard span.tagCount > 0 else { return }
        buffer.append(",\"tags\":{")
        var isFirst = true
        for tag in tags(of: span) {
            if !isFirst { buffer.append(byte: UInt8(ascii: ",")) }
            isFirst = false
            appendText(tag.key, to: &buffer)
            buffer.append(byte: UInt8(ascii: ":"))
            appendText(tag.value, to: &buffer)
        }
        buffer.append(byte: UInt8(ascii: "}"))
    }
}

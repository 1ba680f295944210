import WeirCore

/// A span of OpenTelemetry's model, as far as it becomes one of Zipkin's
/// (opentelemetry.io/docs/specs/otel/trace/sdk_exporters/zipkin).
struct OTLPSpan {
    typealias Attribute = (key: String, value: Value)

    struct Event {
        var time: UInt64 = 0
        var name = ""
        var attributes: [Attribute] = []
    }

    struct Link {
        var traceID = TraceID.none
        var spanID: UInt64 = 0
        var state = ""
        var attributes: [Attribute] = []
    }

    /// What all spans of one resource and one scope have in common.
    struct Surroundings {
        var resource: [Attribute] = []
        var scopeName = ""
        var scopeVersion = ""
    }

    /// Most attributes, events or links that are kept of one span while it is read.
    static let partLimit = 4096

    var traceID = TraceID.none
    var id: UInt64 = 0
    var parentID: UInt64 = 0
    var state = ""
    var name = ""
    /// 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
    var kind: UInt64 = 0
    var start: UInt64 = 0
    var end: UInt64 = 0
    var attributes: [Attribute] = []
    var events: [Event] = []
    var links: [Link] = []
    /// What the sender left out: attributes, events, links.
    var dropped: [(tag: String, count: UInt64)] = []
    /// 1 well, 2 an error.
    var statusCode: UInt64 = 0
    var statusMessage = ""

    /// The span in Zipkin's model.
    func record(in surroundings: Surroundings) throws(SpanDecodingError) -> SpanRecord {
        guard traceID != .none else { throw SpanDecodingError("a span without its trace's id") }
        guard id != 0 else { throw SpanDecodingError("a span without its id") }
        var record = SpanRecord()
        record.traceID = traceID
        record.id = id
        record.parentID = parentID
        record.name = name
        record.kind =
            switch kind {
            case 2: .server
            case 3: .client
            case 4: .producer
            case 5: .consumer
            default: .none
            }
        record.timestamp = start / 1_000
        if end > start { record.duration = max(1, (end - start) / 1_000) }
        let service = surroundings.resource.last { $0.key == "service.name" }
        record.local = SpanRecord.Endpoint(
            service: service.map { Self.text($0.value) } ?? "unknown_service")
        record.annotations = events.map { event in
            // An event without a time of its own is told at the span's beginning.
            let time = event.time >= 1_000 ? event.time / 1_000 : max(1, record.timestamp)
            return SpanRecord.Annotation(timestamp: time, value: Self.text(of: event))
        }
        record.tags = tags(in: surroundings)
        if record.kind == .client || record.kind == .producer { setPeer(of: &record) }
        return record
    }

    private func tags(in surroundings: Surroundings) -> [SpanRecord.Tag] {
        var tags: [SpanRecord.Tag] = []
        func add(_ key: String, _ value: String) { tags.append(SpanRecord.Tag(key, value)) }
        for (key, value) in surroundings.resource where key != "service.name" {
            add(key, Self.text(value))
        }
        if !surroundings.scopeName.isEmpty { add("otel.scope.name", surroundings.scopeName) }
        if !surroundings.scopeVersion.isEmpty {
            add("otel.scope.version", surroundings.scopeVersion)
        }
        // `error` says that the status is one: an attribute of that name must not.
        for (key, value) in attributes where key != "error" { add(key, Self.text(value)) }
        if !state.isEmpty { add("w3c.tracestate", state) }
        for (number, link) in links.enumerated() {
            var text = "\(link.traceID.hex)|"
            var digits = ByteBuffer(capacity: 16)
            appendHex(link.spanID, to: &digits)
            text += String(decoding: digits.bytes, as: UTF8.self)
            text += "|\(link.state)|" + Self.text(.object(Record(link.attributes)))
            add("otlp.link.\(number)", text)
        }
        for (tag, count) in dropped where count > 0 { add(tag, "\(count)") }
        if statusCode == 1 { add("otel.status_code", "OK") }
        if statusCode == 2 {
            add("otel.status_code", "ERROR")
            add("error", statusMessage)
        }
        return tags
    }

    /// Where the other side's name stands, the best first, and its port.
    private static let peers = [
        ("peer.service", ""), ("server.address", "server.port"), ("net.peer.name", "net.peer.port"),
        ("network.peer.address", "network.peer.port"), ("net.sock.peer.name", "net.sock.peer.port"),
        ("net.sock.peer.addr", "net.sock.peer.port"), ("peer.hostname", ""), ("peer.address", ""),
        ("db.name", ""),
    ]

    private func setPeer(of record: inout SpanRecord) {
        for (name, port) in Self.peers {
            guard let peer = attributes.last(where: { $0.key == name }) else { continue }
            let text = Self.text(peer.value)
            guard !text.isEmpty else { continue }
            var address = SpanEndpoint()
            address.setAddress(text)
            record.remote.ipv4 = address.ipv4
            record.remote.ipv6 = address.ipv6
            if address.isEmpty { record.remote.service = text.lowercased() }
            if case .integer(let number)? = attributes.last(where: { $0.key == port })?.value {
                record.remote.port = UInt16(exactly: number) ?? 0
            }
            return
        }
    }

    /// A value as a tag has it: texts as they are, all else as JSON.
    private static func text(_ value: Value) -> String {
        switch value {
        case .string(let text): text
        case .null: ""
        default: JSONValueWriter.text(value)
        }
    }

    /// An event as an annotation has it: its name, with its attributes as JSON where it has some.
    private static func text(of event: Event) -> String {
        event.attributes.isEmpty
            ? event.name : text(.object(Record([(event.name, .object(Record(event.attributes)))])))
    }
}

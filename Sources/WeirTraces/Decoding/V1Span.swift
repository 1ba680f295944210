/// A span of Zipkin's first model, in which both sides of a call write into one span and what
/// happened is told by annotations of two letters (zipkin.io/pages/data_model).
struct V1Span {
    struct Annotation {
        var timestamp: UInt64
        var value: String
        var endpoint: SpanRecord.Endpoint?
    }

    struct BinaryAnnotation {
        var key: String
        var value: String
        var endpoint: SpanRecord.Endpoint?
    }

    var traceID = TraceID.none
    var parentID: UInt64 = 0
    var id: UInt64 = 0
    var name = ""
    var timestamp: UInt64 = 0
    var duration: UInt64 = 0
    var isDebug = false
    var annotations: [Annotation] = []
    var binaryAnnotations: [BinaryAnnotation] = []
}

/// Makes spans of the second model out of one of the first: one for each side that wrote into it,
/// as Zipkin does (zipkin2.v1.V1SpanConverter).
struct V1Conversion {
    private let source: V1Span
    private var spans: [SpanRecord] = []
    /// The annotations with a meaning of their own, by their two letters.
    private var core: [String: V1Span.Annotation] = [:]

    /// Appends what a span becomes.
    static func append(_ source: V1Span, to batch: SpanBatch) throws(SpanDecodingError) {
        var conversion = V1Conversion(source)
        conversion.takeAnnotations()
        conversion.takeTags()
        for span in conversion.spans { try batch.append(span) }
    }

    private init(_ source: V1Span) {
        self.source = source
        spans = [fresh(at: nil)]
    }

    private func fresh(at endpoint: SpanRecord.Endpoint?) -> SpanRecord {
        var span = SpanRecord()
        span.traceID = source.traceID
        span.parentID = source.parentID
        span.id = source.id
        span.name = source.name
        span.isDebug = source.isDebug
        span.local = endpoint ?? SpanRecord.Endpoint()
        return span
    }

    /// The place of the span that an endpoint recorded, made where there is none.
    private mutating func span(at endpoint: SpanRecord.Endpoint?) -> Int {
        guard let endpoint, !endpoint.isEmpty else { return 0 }
        for index in spans.indices {
            if spans[index].local.isEmpty { spans[index].local = endpoint }
            if spans[index].local.service == endpoint.service { return index }
        }
        spans.append(fresh(at: endpoint))
        return spans.count - 1
    }

    // MARK: Annotations

    private static let kinds: [String: SpanKind] = [
        "cs": .client, "cr": .client, "sr": .server, "ss": .server, "ms": .producer,
        "mr": .consumer,
    ]

    private mutating func takeAnnotations() {
        for annotation in source.annotations {
            let index = span(at: annotation.endpoint)
            let isKnown = Self.kinds[annotation.value] != nil
            let isWire = annotation.value == "ws" || annotation.value == "wr"
            guard annotation.endpoint != nil, isKnown || isWire else {
                note(annotation, at: index)
                continue
            }
            if let kind = Self.kinds[annotation.value] { spans[index].kind = kind }
            core[annotation.value] = annotation
        }
        inferBeginnings()
        takeCall()
        takeMessage()
    }

    /// What happened at no time is left out, as by Zipkin's readers.
    private mutating func note(_ annotation: V1Span.Annotation, at index: Int) {
        guard annotation.timestamp > 0 else { return }
        spans[index].annotations.append(
            SpanRecord.Annotation(timestamp: annotation.timestamp, value: annotation.value))
    }

    /// Where only the end was written down, the span's own time tells the beginning.
    private mutating func inferBeginnings() {
        for (begin, end) in [("cs", "cr"), ("sr", "ss")] where core[begin] == nil {
            guard let last = core[end], source.timestamp != 0, source.duration != 0,
                source.timestamp &+ source.duration == last.timestamp
            else { continue }
            core[begin] = V1Span.Annotation(
                timestamp: source.timestamp, value: begin, endpoint: last.endpoint)
        }
    }

    private mutating func takeCall() {
        let (cs, cr, sr, ss) = (core["cs"], core["cr"], core["sr"], core["ss"])
        if let cs, let sr {
            setTime(from: cs, to: cr)
            let client = span(at: cs.endpoint)
            var server = span(at: sr.endpoint)
            if client == server {
                // A service that called itself: two spans all the same.
                spans[client].kind = .client
                var other = fresh(at: sr.endpoint)
                other.kind = .server
                spans.append(other)
                server = spans.count - 1
            }
            spans[server].isShared = true
            spans[server].timestamp = sr.timestamp
            if let ss, ss.timestamp > sr.timestamp {
                spans[server].duration = ss.timestamp - sr.timestamp
            }
            if cr == nil, source.duration == 0 { spans[client].duration = 0 }
        } else if let cs, let cr {
            setTime(from: cs, to: cr)
        } else if let sr, let ss {
            setTime(from: sr, to: ss)
        } else {
            takeIncompleteCall()
        }
        // Of two halves only the client told times in this model.
        if cs == nil, let sr, source.timestamp == 0 || ss != nil && source.duration == 0 {
            spans[span(at: sr.endpoint)].isShared = true
        }
    }

    private mutating func takeIncompleteCall() {
        for index in spans.indices {
            let letters: (begin: String, end: String)
            switch spans[index].kind {
            case .client: letters = ("cs", "cr")
            case .server: letters = ("sr", "ss")
            default: continue
            }
            if let begin = core[letters.begin] { spans[index].timestamp = begin.timestamp }
            if let end = core[letters.end] { note(end, at: index) }
        }
        if source.timestamp != 0 {
            spans[0].timestamp = source.timestamp
            spans[0].duration = source.duration
        }
    }

    private mutating func takeMessage() {
        let (ms, mr, ws, wr) = (core["ms"], core["mr"], core["ws"], core["wr"])
        if let ms, let mr {
            let producer = span(at: ms.endpoint)
            var consumer = span(at: mr.endpoint)
            if producer == consumer {
                spans[producer].kind = .producer
                var other = fresh(at: mr.endpoint)
                other.kind = .consumer
                spans.append(other)
                consumer = spans.count - 1
            }
            spans[consumer].isShared = true
            spans[consumer].timestamp = (wr ?? mr).timestamp
            spans[consumer].duration = wr.map { elapsed(from: $0, to: mr) } ?? 0
            spans[producer].timestamp = ms.timestamp
            spans[producer].duration = ws.map { elapsed(from: ms, to: $0) } ?? 0
        } else if let ms {
            setTime(from: ms, to: ws)
        } else if let mr {
            setTime(from: wr ?? mr, to: wr == nil ? nil : mr)
        } else {
            for wire in [ws, wr].compactMap({ $0 }) { note(wire, at: span(at: wire.endpoint)) }
        }
    }

    private func elapsed(from begin: V1Span.Annotation, to end: V1Span.Annotation) -> UInt64 {
        end.timestamp > begin.timestamp ? end.timestamp - begin.timestamp : 0
    }

    private mutating func setTime(from begin: V1Span.Annotation, to end: V1Span.Annotation?) {
        let index = span(at: begin.endpoint)
        if source.timestamp != 0, source.duration != 0 {
            spans[index].timestamp = source.timestamp
            spans[index].duration = source.duration
        } else {
            spans[index].timestamp = begin.timestamp
            if let end, end.timestamp > begin.timestamp {
                spans[index].duration = end.timestamp - begin.timestamp
            }
        }
    }

    // MARK: Tags and addresses

    private mutating func takeTags() {
        var addresses: [String: SpanRecord.Endpoint] = [:]
        for annotation in source.binaryAnnotations {
            if ["ca", "sa", "ma"].contains(annotation.key), let endpoint = annotation.endpoint {
                addresses[annotation.key] = endpoint
                continue
            }
            let index = span(at: annotation.endpoint)
            if annotation.key == "lc", annotation.value.isEmpty { continue }
            spans[index].tags.append(SpanRecord.Tag(annotation.key, annotation.value))
        }
        let (ca, sa, ma) = (addresses["ca"], addresses["sa"], addresses["ma"])
        let hasCall = ["cs", "cr", "sr", "ss"].contains { core[$0] != nil }
        if !hasCall, ca != nil || sa != nil {
            takeBareAddresses(client: ca, server: sa)
            return
        }
        if let ca, let server = (core["sr"] ?? core["ss"])?.endpoint, ca.service != server.service {
            spans[span(at: server)].remote = ca
        }
        if let sa, let client = core["cs"] ?? core["cr"] {
            spans[span(at: client.endpoint)].remote = sa
        }
        guard let ma else { return }
        for letters in ["ms", "mr"] {
            if let side = core[letters] { spans[span(at: side.endpoint)].remote = ma }
        }
    }

    private mutating func takeBareAddresses(
        client: SpanRecord.Endpoint?, server: SpanRecord.Endpoint?
    ) {
        if let client, let server {
            spans[span(at: client)].remote = server
        } else if let server {
            spans[0].remote = server
        } else if let client {
            spans[0].kind = .server
            spans[0].remote = client
        }
    }
}

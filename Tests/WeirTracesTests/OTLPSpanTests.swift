import Testing
import WeirTesting

@testable import WeirTraces

/// The mapping is that of opentelemetry.io/docs/specs/otel/trace/sdk_exporters/zipkin.
@Suite("OpenTelemetry's spans") struct OTLPSpanTests {
    private static let request = #"""
        {"resourceSpans":[{"scopeSpans":[{"scope":{"name":"lib","version":"2"},"spans":[
         {"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174",
          "parentSpanId":"EEE19B7EC3C1B173","name":"Query","kind":3,"traceState":"a=b",
          "startTimeUnixNano":"1544712660000000999","endTimeUnixNano":1544712661000000999,
          "attributes":[{"key":"peer.service","value":{"stringValue":"DB"}},
           {"key":"n","value":{"intValue":"7"}},{"key":"f","value":{"doubleValue":1.5}},
           {"key":"b","value":{"boolValue":true}},{"key":"error","value":{"stringValue":"x"}},
           {"key":"list","value":{"arrayValue":{"values":[{"intValue":1},{"stringValue":"z"}]}}}],
          "events":[{"timeUnixNano":"1544712660500000000","name":"plain"},
           {"timeUnixNano":"1544712660600000000","name":"ev",
            "attributes":[{"key":"k","value":{"stringValue":"v"}}]}],
          "links":[{"traceId":"5b8efff798038103d269b633813fc60d","spanId":"eee19b7ec3c1b175"}],
          "droppedEventsCount":2,"status":{"code":2,"message":"broken"},"flags":257}]}],
         "resource":{"attributes":[{"key":"service.name","value":{"stringValue":"Shop"}},
          {"key":"k8s.pod.name","value":{"stringValue":"shop-1"}}]}}]}
        """#

    private func check(_ span: SpanRecord) {
        #expect(span.traceID == TraceID(high: 0x5b8e_fff7_9803_8103, low: 0xd269_b633_813f_c60c))
        #expect(span.id == 0xeee1_9b7e_c3c1_b174 && span.parentID == 0xeee1_9b7e_c3c1_b173)
        #expect(span.name == "query" && span.kind == .client)
        #expect(span.timestamp == 1_544_712_660_000_000 && span.duration == 1_000_000)
        #expect(span.local.service == "shop" && span.remote.service == "db")
        #expect(
            span.annotations == [
                .init(timestamp: 1_544_712_660_500_000, value: "plain"),
                .init(timestamp: 1_544_712_660_600_000, value: #"{"ev":{"k":"v"}}"#),
            ])
        let tags = Dictionary(uniqueKeysWithValues: span.tags.map { ($0.key, $0.value) })
        #expect(
            tags == [
                "k8s.pod.name": "shop-1", "otel.scope.name": "lib", "otel.scope.version": "2",
                "peer.service": "DB", "n": "7", "f": "1.5", "b": "true", "list": #"[1,"z"]"#,
                "w3c.tracestate": "a=b", "otel.dropped_events_count": "2",
                "otel.status_code": "ERROR", "error": "broken",
                "otlp.link.0": "5b8efff798038103d269b633813fc60d|eee19b7ec3c1b175||{}",
            ])
    }

    @Test func `become Zipkin's, from JSON`() throws {
        check(try #require(try SpanRig.decode(Self.request, as: .otlpJSON).first))
    }

    @Test func `and the same from protocol buffers`() throws {
        let request = Self.message { request in
            request.add(
                1,
                Self.message { resource in
                    resource.add(
                        2,
                        Self.message { scope in
                            scope.add(2, Self.span)
                            scope.add(
                                1,
                                Self.message {
                                    $0.add(1, "lib".utf8)
                                    $0.add(2, "2".utf8)
                                })
                        })
                    resource.add(
                        1,
                        Self.message {
                            $0.add(1, Self.text("service.name", "Shop"))
                            $0.add(1, Self.text("k8s.pod.name", "shop-1"))
                        })
                })
        }
        check(try #require(try SpanRig.decode(request, as: .otlpProtobuf).first))
    }

    // MARK: The same span in protocol buffers

    private typealias Message = SpanMessages.Message

    private static func hex(_ digits: String) -> [UInt8] {
        stride(from: 0, to: digits.utf8.count, by: 2).map { place in
            UInt8(String(digits.dropFirst(place).prefix(2)), radix: 16) ?? 0
        }
    }

    private static func message(_ fill: (inout Message) -> Void) -> [UInt8] {
        var message = Message()
        fill(&message)
        return message.bytes
    }

    private static func attribute(_ key: String, _ fill: (inout Message) -> Void) -> [UInt8] {
        message {
            $0.add(1, key.utf8)
            $0.add(2, message(fill))
        }
    }

    private static func text(_ key: String, _ value: String) -> [UInt8] {
        attribute(key) { $0.add(1, value.utf8) }
    }

    private static func addAttributes(to span: inout Message) {
        span.add(9, text("peer.service", "DB"))
        span.add(9, attribute("n") { $0.add(3, whole: 7) })
        span.add(9, attribute("f") { $0.add(4, fixed: 1.5.bitPattern) })
        span.add(9, attribute("b") { $0.add(2, whole: 1) })
        span.add(9, text("error", "x"))
        let list = message {
            $0.add(1, message { $0.add(3, whole: 1) })
            $0.add(1, message { $0.add(1, "z".utf8) })
        }
        span.add(9, attribute("list") { $0.add(5, list) })
    }

    private static let span = message { span in
        span.add(1, hex("5B8EFFF798038103D269B633813FC60C"))
        span.add(2, hex("EEE19B7EC3C1B174"))
        span.add(3, "a=b".utf8)
        span.add(4, hex("EEE19B7EC3C1B173"))
        span.add(5, "Query".utf8)
        span.add(6, whole: 3)
        span.add(7, fixed: 1_544_712_660_000_000_999)
        span.add(8, fixed: 1_544_712_661_000_000_999)
        addAttributes(to: &span)
        let plain = message {
            $0.add(1, fixed: 1_544_712_660_500_000_000)
            $0.add(2, "plain".utf8)
        }
        let event = message {
            $0.add(1, fixed: 1_544_712_660_600_000_000)
            $0.add(2, "ev".utf8)
            $0.add(3, text("k", "v"))
        }
        span.add(11, plain)
        span.add(11, event)
        span.add(12, whole: 2)
        let link = message {
            $0.add(1, hex("5b8efff798038103d269b633813fc60d"))
            $0.add(2, hex("eee19b7ec3c1b175"))
        }
        let status = message {
            $0.add(2, "broken".utf8)
            $0.add(3, whole: 2)
        }
        span.add(13, link)
        span.add(15, status)
        // `flags`, of four bytes.
        span.bytes += [0x85, 0x01, 1, 1, 0, 0]
    }

    @Test(arguments: [
        (
            #"{"resourceSpans":[{"scopeSpans":[{"spans":[{"spanId":"0000000000000001"}]}]}]}"#,
            "trace's id"
        ),
        (
            #"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"zz"}]}]}]}"#,
            "`traceId` must be"
        ),
        (#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"1"}]}]}]}"#, "without its id"),
        (#"{"resourceSpans":{}}"#, "expected `[`"), ("[1]", "expected `{`"),
    ])
    func `what is wrong is said`(body: String, reason: String) {
        let error = #expect(throws: SpanDecodingError.self) {
            try SpanRig.decode(body, as: .otlpJSON)
        }
        #expect(error?.description.contains(reason) ?? false, "\(error?.description ?? "")")
    }

    @Test func `values within values end somewhere`() {
        let deep = String(repeating: #"{"arrayValue":{"values":["#, count: 5_000)
        let body =
            #"{"resourceSpans":[{"resource":{"attributes":[{"key":"a","value":"# + deep
        #expect(throws: SpanDecodingError.self) { try SpanRig.decode(body, as: .otlpJSON) }
    }
}

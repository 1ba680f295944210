import Testing
import WeirTesting

@testable import WeirTraces

@Suite("Zipkin's JSON of version 2") struct JSONSpanDecoderTests {
    private static let full = """
        [{"traceId":"7f3d8b78ae69f335043836885550f7e7","parentId":"043836885550f7e7",\
        "id":"ac6f93b47ab89501","kind":"CLIENT","name":"get /","timestamp":1795467479928826,\
        "duration":6209,"localEndpoint":{"serviceName":"reviews","ipv4":"192.0.2.2","port":80},\
        "remoteEndpoint":{"serviceName":"ratings","ipv6":"2001:db8::c001"},\
        "annotations":[{"timestamp":1795467479935034,"value":"cr"}],\
        "tags":{"a":"\\u003c\\"x\\n","http.path":"/größe"},"debug":true,"shared":true}]
        """

    @Test func `a span with everything is read`() throws {
        let span = try #require(try SpanRig.decode(Self.full).first)
        #expect(span.traceID == TraceID(high: 0x7f3d_8b78_ae69_f335, low: 0x0438_3688_5550_f7e7))
        #expect(span.parentID == 0x0438_3688_5550_f7e7)
        #expect(span.id == 0xac6f_93b4_7ab8_9501)
        #expect(span.kind == .client)
        #expect(span.name == "get /")
        #expect(span.timestamp == 1_795_467_479_928_826)
        #expect(span.duration == 6209)
        #expect(span.local.service == "reviews")
        #expect(span.local.ipv4 == 0xc000_0202)
        #expect(span.local.port == 80)
        #expect(span.remote.service == "ratings")
        #expect(span.remote.ipv6 == IPv6Address(high: 0x2001_0db8_0000_0000, low: 0xc001))
        #expect(span.annotations == [.init(timestamp: 1_795_467_479_935_034, value: "cr")])
        #expect(span.tags == [.init("a", "<\"x\n"), .init("http.path", "/größe")])
        #expect(span.isDebug)
        #expect(span.isShared)
    }

    @Test func `and written in Zipkin's order`() throws {
        #expect(
            try SpanRig.rewritten(Self.full)
                == Self.full.replacing("\\u003c", with: "<"))
    }

    @Test(arguments: [
        (
            #""traceId":"00000000000000000000000000000007","id":"1""#,
            #""traceId":"0000000000000007""#
        ),
        (#""traceId":"7","id":"1""#, #""traceId":"0000000000000007""#),
        (
            #""traceId":"17777777777777777","id":"1""#,
            #""traceId":"00000000000000017777777777777777""#
        ),
        (#""traceId":"7","id":"1","parentId":"1""#, #""id":"0000000000000001""#),
        (#""traceId":"7","id":"1","name":"GET /ÄÖ""#, #""name":"get /äö""#),
        (
            #""traceId":"7","id":"1","localEndpoint":{"serviceName":"Web","port":0}"#,
            #""localEndpoint":{"serviceName":"web"}"#
        ),
        (
            #""traceId":"7","id":"1","localEndpoint":{"ipv6":"::ffff:192.0.2.7"}"#,
            #""localEndpoint":{"ipv4":"192.0.2.7"}"#
        ),
        (#""traceId":"7","id":"1","timestamp":-5,"duration":0"#, #""id":"0000000000000001""#),
        (
            #""traceId":"7","id":"1","name":null,"kind":null,"x":[{"y":[1.5e3,null]}]"#,
            #""id":"0000000000000001""#
        ),
        (#""traceId":"7","id":"1","tags":{"b":"2","a":7,"b":"3"}"#, #""tags":{"a":"7","b":"3"}"#),
        (#""traceId":"7","id":"1","localEndpoint":{},"tags":{}"#, #""id":"0000000000000001""#),
    ])
    func `a span is put in order as Zipkin does`(members: String, expected: String) throws {
        let written = try SpanRig.rewritten("[{\(members)}]")
        #expect(written.contains(expected) && written.hasSuffix("}]"), "\(written)")
        if expected.hasPrefix(#""id""#) { #expect(written.hasSuffix(expected + "}]")) }
    }

    @Test func `annotations are in the order of their times, each once`() throws {
        let span = try SpanRig.decode(
            #"[{"traceId":"1","id":"1","annotations":[{"timestamp":5,"value":"b"},"#
                + #"{"value":"a","timestamp":5},{"timestamp":2,"value":"z"},"#
                + #"{"timestamp":5,"value":"b"}]}]"#)[0]
        #expect(span.annotations.map(\.value) == ["z", "a", "b"])
    }

    @Test(arguments: [
        (#"[{"id":"1"}]"#, "without `traceId`"),
        (#"[{"traceId":"1"}]"#, "without `id`"),
        (#"[{"traceId":"0","id":"1"}]"#, "`traceId` must be"),
        (#"[{"traceId":null,"id":"1"}]"#, "expected `\"`"),
        (#"[{"traceId":"ABC","id":"1"}]"#, "small letters"),
        (#"[{"traceId":"111111111111111111111111111111111","id":"1"}]"#, "1 to 32"),
        (#"[{"traceId":"1","id":"11111111111111111"}]"#, "1 to 16"),
        (#"[{"traceId":"1","id":"1","kind":"client"}]"#, "`kind` must be"),
        (#"[{"traceId":"1","id":"1","tags":{"a":null}}]"#, "expected `\"`"),
        (#"[{"traceId":"1","id":"1","tags":{"a":true}}]"#, "expected `\"`"),
        (#"[{"traceId":"1","id":"1","localEndpoint":{"port":65536}}]"#, "above 65535"),
        (#"[{"traceId":"1","id":"1","annotations":[{"timestamp":1}]}]"#, "needs `timestamp`"),
        (#"[{"traceId":"1","id":"1","timestamp":1.5}]"#, "whole number"),
        (#"[{"traceId":"1","id":"1","timestamp":99999999999999999999}]"#, "64 bits"),
        (#"[{"traceId":"1","id":"1"}"#, "expected `,`"),
        (#"[{"traceId":"1","id":"1"}] x"#, "something follows"),
        (#"[{"traceId":"1","id":"1","name":"a"#, "without its end"),
        (#"{"traceId":"1","id":"1"}"#, "Expected a JSON_V2 encoded list"),
        ("[]]", "something follows"),
        ("xx", "Expected a JSON_V2 encoded list"),
    ])
    func `what is wrong is said, and nothing of the list counts`(body: String, reason: String) {
        let error = #expect(throws: SpanDecodingError.self) { try SpanRig.decode(body) }
        #expect(error?.description.contains(reason) ?? false, "\(error?.description ?? "")")
    }

    @Test func `deep nesting is refused, not followed`() {
        let deep = String(repeating: "[", count: 100_000)
        #expect(throws: SpanDecodingError.self) {
            try SpanRig.decode("[{\"traceId\":\"1\",\"id\":\"1\",\"x\":\(deep)")
        }
    }

    @Test(arguments: ["", "[]"]) func `a list of nothing is taken in every form`(
        body: String
    ) throws {
        for format in SpanFormat.allCases {
            #expect(try SpanRig.decode(Array(body.utf8), as: format).isEmpty)
        }
    }

    @Test func `the two versions are told apart as Zipkin does`() {
        let v1 = #"[{"traceId":"1","id":"1","binaryAnnotations":[]}]"#
        let v2 = #"[{"traceId":"1","id":"1","tags":{}}]"#
        let first = #expect(throws: SpanDecodingError.self) { try SpanRig.decode(v1) }
        #expect(
            first?.description == "Expected a JSON_V2 encoded list, but received: JSON_V1\n")
        let second = #expect(throws: SpanDecodingError.self) {
            try SpanRig.decode(v2, as: .jsonV1)
        }
        #expect(
            second?.description == "Expected a JSON_V1 encoded list, but received: JSON_V2\n")
    }

    @Test func `limits cut and leave out, and count it`() throws {
        var limits = SpanLimits()
        limits.tags = 1
        limits.annotations = 1
        limits.textBytes = 4
        limits.spans = 2
        let body =
            #"[{"traceId":"1","id":"1","name":"abcdef","tags":{"a":"äöü","b":"2"},"#
            + #""annotations":[{"timestamp":1,"value":"x"},{"timestamp":2,"value":"y"}]}]"#
        let batch = try SpanRig.batch(Array(body.utf8), as: .jsonV2, limits: limits)
        let span = try #require(batch.records.first)
        #expect(span.name == "abcd")
        #expect(span.tags == [.init("a", "äö")])
        #expect(span.annotations.map(\.value) == ["x"])
        #expect(
            [batch.limited.texts, batch.limited.tags, batch.limited.annotations] == [2, 1, 1])
        let three =
            "["
            + Array(repeating: #"{"traceId":"1","id":"1"}"#, count: 3)
            .joined(separator: ",") + "]"
        let error = #expect(throws: SpanDecodingError.self) {
            try SpanRig.decode(Array(three.utf8), as: .jsonV2, limits: limits)
        }
        #expect(error?.isOverLimit == true)
    }

    @Test func `bytes that are no UTF-8 become replacement characters`() throws {
        let body =
            Array(#"[{"traceId":"1","id":"1","tags":{"a":"x"#.utf8) + [0xed, 0xa0, 0x80]
            + Array(#"y"}}]"#.utf8)
        let value = try #require(try SpanRig.decode(body, as: .jsonV2)[0][tag: "a"])
        #expect(value.hasPrefix("x\u{FFFD}") && value.hasSuffix("\u{FFFD}y"))
    }
}

import Testing
import WeirTesting

@testable import WeirTraces

/// Zipkin's first model, in JSON and in Thrift: the conversion's rules are those of
/// `zipkin2.v1.V1SpanConverter`.
@Suite("Spans of Zipkin's first model") struct V1SpanTests {
    private func convert(_ members: String) throws -> [SpanRecord] {
        try SpanRig.decode(#"[{"traceId":"1","id":"2","name":"GET",\#(members)}]"#, as: .jsonV1)
    }

    private func annotation(_ time: Int, _ value: String, _ service: String) -> String {
        #"{"timestamp":\#(time),"value":"\#(value)","endpoint":{"serviceName":"\#(service)"}}"#
    }

    private func list(_ parts: String...) -> String { "[" + parts.joined(separator: ",") + "]" }

    @Test func `both halves of a call become two spans of one id`() throws {
        let all = list(
            annotation(10, "cs", "web"), annotation(12, "sr", "App"), annotation(15, "ss", "app"),
            annotation(17, "foo", "app"), annotation(20, "cr", "web"))
        let spans = try convert(#""annotations":\#(all),"timestamp":10,"duration":10"#)
        #expect(spans.map(\.kind) == [.client, .server])
        #expect(spans.map(\.local.service) == ["web", "app"])
        #expect(spans.map(\.timestamp) == [10, 12])
        #expect(spans.map(\.duration) == [10, 3])
        #expect(spans.map(\.isShared) == [false, true])
        #expect(spans[1].annotations == [.init(timestamp: 17, value: "foo")])
        #expect(spans.allSatisfy { $0.name == "get" && $0.id == 2 })
    }

    @Test func `also where a service calls itself`() throws {
        let all = list(
            annotation(10, "cs", "web"), annotation(12, "sr", "web"), annotation(15, "ss", "web"),
            annotation(20, "cr", "web"))
        let spans = try convert(#""annotations":\#(all)"#)
        #expect(spans.map(\.kind) == [.client, .server])
        #expect(spans.map(\.duration) == [10, 3])
    }

    @Test func `a server that told no time of its own shares the client's span`() throws {
        let all = list(annotation(12, "sr", "app"), annotation(15, "ss", "app"))
        let span = try convert(#""annotations":\#(all)"#)[0]
        #expect(span.isShared && span.kind == .server && span.timestamp == 12 && span.duration == 3)
        let own = try convert(#""annotations":\#(all),"timestamp":12,"duration":3"#)[0]
        #expect(!own.isShared)
    }

    @Test func `a half without its end keeps what there is`() throws {
        let begun = try convert(#""annotations":\#(list(annotation(10, "cs", "web")))"#)[0]
        #expect(begun.kind == .client && begun.timestamp == 10 && begun.duration == 0)
        let ended = try convert(#""annotations":\#(list(annotation(15, "ss", "app")))"#)[0]
        #expect(ended.kind == .server && ended.timestamp == 0)
        #expect(ended.annotations == [.init(timestamp: 15, value: "ss")])
    }

    @Test func `addresses become the other side`() throws {
        let all = list(annotation(10, "cs", "web"), annotation(20, "cr", "web"))
        let sa =
            #"{"key":"sa","value":true,"endpoint":{"serviceName":"db","ipv4":"1.2.3.4","port":1}}"#
        let tag = #"{"key":"sql","value":"select","endpoint":{"serviceName":"web"}}"#
        let span = try convert(
            #""annotations":\#(all),"binaryAnnotations":[\#(sa),\#(tag),{"key":"lc","value":""}]"#)[
                0]
        #expect(span.remote.service == "db" && span.remote.ipv4 == 0x0102_0304)
        #expect(span.remote.port == 1)
        #expect(span.tags == [.init("sql", "select")])
    }

    @Test func `addresses alone tell who called whom`() throws {
        func address(_ key: String, _ service: String) -> String {
            #"{"key":"\#(key)","value":true,"endpoint":{"serviceName":"\#(service)"}}"#
        }
        let both = try convert(
            #""binaryAnnotations":[\#(address("ca", "web")),\#(address("sa", "db"))]"#)[0]
        #expect(both.local.service == "web" && both.remote.service == "db" && both.kind == .none)
        let client = try convert(#""binaryAnnotations":[\#(address("ca", "web"))]"#)[0]
        #expect(client.kind == .server && client.remote.service == "web")
    }

    @Test func `messages have a producer and a consumer`() throws {
        let all = list(
            annotation(10, "ms", "a"), annotation(11, "ws", "a"), annotation(20, "wr", "b"),
            annotation(25, "mr", "b"))
        let spans = try convert(#""annotations":\#(all)"#)
        #expect(spans.map(\.kind) == [.producer, .consumer])
        #expect(spans.map(\.timestamp) == [10, 20])
        #expect(spans.map(\.duration) == [1, 5])
        #expect(spans[1].isShared)
    }

    // MARK: Thrift

    private func thriftSpan() -> SpanMessages.Thrift {
        func endpoint(_ name: String) -> SpanMessages.Thrift {
            var endpoint = SpanMessages.Thrift()
            endpoint.add(1, int: 0x7f00_0001)
            endpoint.add(2, short: 65_535)
            endpoint.add(3, name.utf8)
            return endpoint
        }
        func annotation(_ time: UInt64, _ value: String, _ name: String) -> SpanMessages.Thrift {
            var annotation = SpanMessages.Thrift()
            annotation.add(1, long: time)
            annotation.add(2, value.utf8)
            annotation.add(3, endpoint(name))
            return annotation
        }
        var address = SpanMessages.Thrift()
        address.add(1, "sa".utf8)
        address.add(2, [1])
        address.add(3, int: 0)
        address.add(4, endpoint("db"))
        var tag = SpanMessages.Thrift()
        tag.add(1, "sql".utf8)
        tag.add(2, "select".utf8)
        tag.add(3, int: 6)
        tag.add(4, endpoint("web"))
        var number = SpanMessages.Thrift()
        number.add(1, "count".utf8)
        number.add(2, [0, 7])
        number.add(3, int: 2)
        var span = SpanMessages.Thrift()
        span.add(1, long: 0xfedc_ba98_7654_3210)
        span.add(12, long: 7)
        span.add(3, "Query".utf8)
        span.add(4, long: 0x8000_0000_0000_0001)
        span.add(5, long: 3)
        span.add(6, list: [annotation(10, "cs", "Web"), annotation(30, "cr", "web")])
        span.add(8, list: [address, tag, number])
        span.add(9, flag: true)
        span.add(10, long: 10)
        span.add(11, long: 20)
        return span
    }

    @Test func `a span in Thrift is read`() throws {
        let span = try #require(
            try SpanRig.decode(SpanMessages.list([thriftSpan()]), as: .thrift).first)
        #expect(span.traceID == TraceID(high: 7, low: 0xfedc_ba98_7654_3210))
        #expect(span.id == 0x8000_0000_0000_0001 && span.parentID == 3)
        #expect(span.name == "query" && span.kind == .client && span.isDebug)
        #expect(span.timestamp == 10 && span.duration == 20)
        #expect(span.local.service == "web" && span.local.port == 65_535)
        #expect(span.remote.service == "db" && span.remote.ipv4 == 0x7f00_0001)
        #expect(span.tags == [.init("sql", "select")])
    }

    @Test func `a list that claims more than there is is refused`() {
        for bytes: [UInt8] in [
            [12, 0x7f, 0xff, 0xff, 0xff], [12, 0xff, 0xff, 0xff, 0xff], [12, 0, 0, 0, 1],
            [12, 0, 0, 0, 1, 11, 0, 3, 0x7f, 0xff, 0xff, 0xff], [12, 0, 0, 0, 1, 99, 0, 1],
        ] {
            #expect(throws: SpanDecodingError.self) { try SpanRig.decode(bytes, as: .thrift) }
        }
    }

    @Test func `every prefix of a list is refused`() {
        let whole = SpanMessages.list([thriftSpan()])
        for count in 2..<whole.count {
            #expect(throws: SpanDecodingError.self) {
                try SpanRig.decode(Array(whole.prefix(count)), as: .thrift)
            }
        }
    }

    @Test func `structures within structures end somewhere`() {
        let deep =
            [UInt8](repeating: 0, count: 0) + (0..<10_000).flatMap { _ in [12, 0, 99] as [UInt8] }
        #expect(throws: SpanDecodingError.self) {
            try SpanRig.decode([12, 0, 0, 0, 1] + deep, as: .thrift)
        }
    }
}

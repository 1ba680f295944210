import Testing
import WeirCore
import WeirHost
import WeirTesting

@testable import WeirPlugins

/// Status codes and texts are those of Zipkin's server (`ZipkinHttpCollector`).
@Suite("A source of spans") struct ZipkinSourceTests {
    private static let span =
        #"[{"traceId":"1","id":"2","name":"GET","timestamp":1795467479928826,"tags":{"a":"b"}}]"#

    private func gzip(_ bytes: [UInt8]) -> [UInt8] {
        var buffer = ByteBuffer()
        let isDone = bytes.withUnsafeBytes {
            Gzip.compress($0, level: .small, into: &buffer)
        }
        #expect(isDone)
        return Array(buffer.bytes)
    }

    @Test func `takes spans, each an event`() throws {
        let rig = try ZipkinRig()
        #expect(try rig.post(Self.span.utf8) == .init(status: 202, body: ""))
        #expect(
            rig.events.records == [
                [
                    "traceId": .string("0000000000000001"), "id": .string("0000000000000002"),
                    "name": .string("get"), "timestamp": .integer(1_795_467_479_928_826),
                    "tags": .object(["a": .string("b")]),
                ]
            ])
        #expect(rig.events.tags == ["zipkin.span"])
        #expect(rig.count("weir_zipkin_spans_total", "JSON_V2") == 1)
    }

    @Test func `in every form`() throws {
        let rig = try ZipkinRig()
        let v1 = #"[{"traceId":"1","id":"2","name":"x","annotations":[]}]"#
        #expect(try rig.post(v1.utf8, to: "/api/v1/spans").status == 202)
        var thrift = SpanMessages.Thrift()
        thrift.add(1, long: 1)
        thrift.add(4, long: 2)
        #expect(
            try rig.post(
                SpanMessages.list([thrift]), to: "/api/v1/spans",
                headers: ["Content-Type: application/x-thrift"]
            ).status == 202)
        var message = SpanMessages.Message()
        message.add(1, [UInt8](repeating: 1, count: 8))
        message.add(3, [UInt8](repeating: 2, count: 8))
        var list = SpanMessages.Message()
        list.add(1, message.bytes)
        #expect(
            try rig.post(list.bytes, headers: ["Content-Type: application/x-protobuf"]).status
                == 202)
        #expect(
            try rig.post(#"{"resourceSpans":[]}"#.utf8, to: "/v1/traces")
                == .init(status: 200, body: "{}"))
        #expect(
            try rig.post([], to: "/v1/traces", headers: ["Content-Type: application/x-protobuf"])
                == .init(status: 200, body: ""))
        #expect(rig.events.records.count == 3)
    }

    @Test(arguments: [
        ("/api/v2/spans", "application/json", "[]", 202, ""),
        ("/api/v2/spans", "application/json", "", 202, ""),
        ("/api/v2/spans", "text/plain", "[]", 202, ""),
        ("/api/v2/spans", "application/json", "{}", 400, "Expected a JSON_V2 encoded list\n"),
        (
            "/api/v2/spans", "application/json",
            #"[{"traceId":"1","id":"1","binaryAnnotations":[]}]"#,
            400, "Expected a JSON_V2 encoded list, but received: JSON_V1\n"
        ),
        ("/api/v2/spans", "application/x-protobuf", "xx", 400, "Expected a PROTO3 encoded list\n"),
        ("/api/v1/spans", "application/x-thrift", "xx", 400, "Expected a THRIFT encoded list\n"),
        (
            "/api/v2/spans", "application/json", #"[{"id":"1"}]"#, 400,
            "Malformed reading List<Span> from JSON_V2: a span without `traceId` at byte 11"
        ),
        ("/v1/traces", "text/plain", "x", 415, "415 Unsupported Media Type"),
        ("/nowhere", "application/json", "[]", 404, "404 Not Found"),
    ])
    func `answers as Zipkin does`(
        path: String, type: String, body: String, status: Int, text: String
    ) throws {
        let rig = try ZipkinRig()
        #expect(
            try rig.post(body.utf8, to: path, headers: ["Content-Type: \(type)"])
                == .init(status: status, body: text))
        #expect(rig.events.records.isEmpty)
    }

    @Test func `asks for the body of a client that waits to be asked, unless it is too large`()
        throws
    {
        let rig = try ZipkinRig("body_size_limit 1k")
        func head(_ length: Int) -> String {
            "POST /api/v2/spans HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                + "Expect: 100-continue\r\nContent-Length: \(length)\r\n\r\n"
        }
        let connection = try #require(RawConnection(port: rig.source.port))
        connection.write(head(Self.span.utf8.count).utf8)
        #expect(connection.read(upTo: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
        connection.write(Self.span.utf8)
        #expect(connection.read(upTo: "\r\n\r\n").hasPrefix("HTTP/1.1 202 Accepted\r\n"))
        let other = try #require(RawConnection(port: rig.source.port))
        other.write(head(1_000_000).utf8)
        #expect(other.read(upTo: "\r\n\r\n").hasPrefix("HTTP/1.1 413 "))
        #expect(rig.events.records.count == 1)
    }

    @Test func `an OTLP client that waits for the delivery gets its protocol's answer`() throws {
        let rig = try ZipkinRig("ack delivered")
        #expect(
            try rig.post(#"{"resourceSpans":[]}"#.utf8, to: "/v1/traces")
                == .init(status: 200, body: "{}"))
    }

    @Test func `refuses what is no way to send spans`() throws {
        let rig = try ZipkinRig()
        #expect(try rig.ask("TRACE", "/api/v2/spans").status == 405)
        #expect(try rig.ask("PUT", "/api/v2/spans").status == 405)
        #expect(try rig.ask("GET", "/health").status == 200)
        #expect(try rig.ask("GET", "/health").body.hasPrefix(#"{"status":"UP""#))
    }

    @Test func `is open to pages of the origins named`() throws {
        let all = try ZipkinRig()
        let one = try ZipkinRig("allowed_origins http://grafana")
        func preflight(_ rig: ZipkinRig, _ origin: String) throws -> (Int, String) {
            let connection = try #require(RawConnection(port: rig.source.port))
            connection.write(
                "OPTIONS /api/v2/spans HTTP/1.1\r\nHost: x\r\nOrigin: \(origin)\r\n\r\n".utf8)
            let text = connection.read(upTo: "\r\n\r\n")
            let status = Int(text.split(separator: " ")[1]) ?? 0
            let allowed = text.split(separator: "\r\n").first {
                $0.hasPrefix("Access-Control-Allow-Origin: ")
            }
            return (status, String(allowed?.dropFirst(29) ?? "none"))
        }
        #expect(try preflight(all, "http://a") == (200, "*"))
        #expect(try preflight(one, "http://grafana") == (200, "http://grafana"))
        #expect(try preflight(one, "http://a") == (403, "none"))
    }

    @Test func `takes compressed bodies, but no bombs`() throws {
        let rig = try ZipkinRig("inflated_size_limit 1m")
        let headers = ["Content-Encoding: gzip"]
        #expect(try rig.post(gzip(Array(Self.span.utf8)), headers: headers).status == 202)
        #expect(rig.events.records.count == 1)
        #expect(
            try rig.post("no gzip".utf8, headers: headers)
                == .init(status: 400, body: "Cannot gunzip spans"))
        let bomb = gzip([UInt8](repeating: UInt8(ascii: " "), count: 20 << 20))
        #expect(try rig.post(bomb, headers: headers).status == 413)
        #expect(try rig.post(Self.span.utf8, headers: ["Content-Encoding: br"]).status == 415)
        #expect(rig.count("weir_zipkin_refused_requests_total", "compression") == 3)
    }

    @Test func `refuses what is too large, and says so`() throws {
        let rig = try ZipkinRig("body_size_limit 1k\nspan_limit 2")
        let large = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20)
        #expect(try rig.post(large).status == 413)
        let three =
            "["
            + Array(repeating: #"{"traceId":"1","id":"1"}"#, count: 3)
            .joined(separator: ",") + "]"
        #expect(try rig.post(three.utf8).status == 413)
        #expect(rig.count("weir_zipkin_refused_requests_total", "body_size") == 1)
        #expect(rig.count("weir_zipkin_refused_requests_total", "over_limit") == 1)
        #expect(rig.events.records.isEmpty)
    }

    @Test func `cuts what is too long, and counts it`() throws {
        let rig = try ZipkinRig("tag_limit 3\ntext_limit 10")
        let tags = (0..<10).map { #""k\#($0)":"0123456789abc""# }.joined(separator: ",")
        let body = #"[{"traceId":"1","id":"1","tags":{\#(tags)}}]"#
        #expect(try rig.post(body.utf8).status == 202)
        #expect(rig.events.records.first?["tags"]?.object?.fields.count == 3)
        #expect(rig.count("weir_zipkin_limited_total", "tag") == 7)
        #expect(rig.count("weir_zipkin_limited_total", "text") == 10)
    }

    @Test func `says when the outputs have no room`() throws {
        let rig = try ZipkinRig()
        rig.events.isFull = true
        #expect(try rig.post(Self.span.utf8).status == 503)
        rig.events.isFull = false
        #expect(try rig.post(Self.span.utf8).status == 202)
        #expect(rig.count("weir_zipkin_refused_requests_total", "overloaded") == 1)
    }

    @Test(arguments: ["buffered", "delivered"])
    func `tells a client of its spans only when they are safe`(ack: String) throws {
        let rig = try ZipkinRig("ack \(ack)")
        rig.events.holds = true
        let connection = try #require(RawConnection(port: rig.source.port))
        connection.write(request(Self.span))
        rig.events.release()
        #expect(connection.read(upTo: "\r\n\r\n").hasPrefix("HTTP/1.1 202 "))
    }

    @Test func `and to send again where that takes too long`() throws {
        let rig = try ZipkinRig("ack delivered\nack_timeout 0.2")
        rig.events.holds = true
        #expect(try rig.post(Self.span.utf8).status == 503)
        #expect(rig.count("weir_zipkin_refused_requests_total", "slow_answer") == 1)
        rig.events.release()
    }

    // MARK: Bad clients

    private func request(_ body: String) -> [UInt8] {
        Array(
            ("POST /api/v2/spans HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
                + body).utf8)
    }

    @Test func `a client that does not go on is told so, and others are served meanwhile`() throws {
        let rig = try ZipkinRig("request_timeout 4")
        let halves = try (0..<50).map { _ in
            try #require(RawConnection(port: rig.source.port))
        }
        for half in halves { half.write(request(Self.span).dropLast(20)) }
        let silent = try #require(RawConnection(port: rig.source.port))
        #expect(try rig.post(Self.span.utf8).status == 202)
        for half in halves { #expect(half.read().hasPrefix("HTTP/1.1 408 ")) }
        #expect(silent.read().isEmpty)
        #expect(rig.count("weir_zipkin_refused_requests_total", "slow_request") == 50)
    }

    @Test func `all clients together hold no more than the limit`() throws {
        let rig = try ZipkinRig("memory_limit 1m\nbody_size_limit 600k")
        let head = "POST /api/v2/spans HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n"
        let connections = try (0..<3).map { _ in
            try #require(RawConnection(port: rig.source.port))
        }
        let half = [UInt8](repeating: 0x20, count: 450_000)
        for connection in connections { connection.write(Array(head.utf8) + half) }
        // The third of them, whichever it is, finds no room.
        var refused = 0
        while refused == 0 { refused = rig.count("weir_zipkin_refused_requests_total", "memory") }
        #expect(refused == 1)
    }

    @Test func `no more connections are taken than the limit`() throws {
        let rig = try ZipkinRig("connection_limit 2")
        let first = try #require(RawConnection(port: rig.source.port))
        let second = try #require(RawConnection(port: rig.source.port))
        first.write(request("[]"))
        second.write(request("[]"))
        #expect(first.read(upTo: "\r\n\r\n").hasPrefix("HTTP/1.1 202"))
        #expect(second.read(upTo: "\r\n\r\n").hasPrefix("HTTP/1.1 202"))
        let third = try #require(RawConnection(port: rig.source.port))
        #expect(third.read().isEmpty)
        #expect(rig.count("weir_zipkin_refused_requests_total", "connections") == 1)
    }
}

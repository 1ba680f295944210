import Testing
import WeirConfig
import WeirCore
import WeirParse

/// What an Istio line of these parts looks like.
private func istioLine(
    path: String = "/", forwarded: String = "-", agent: String = "curl/8.5.0",
    authority: String = "reviews:9080"
) -> String {
    "[2026-11-23T20:58:05.532Z] \"GET \(path) HTTP/1.1\" 404 - via_upstream - \"-\" 0 93 9 9 "
        + "\"\(forwarded)\" \"\(agent)\" \"61b53d7c-a194-4680-af0c-f0062d73783b\" \"\(authority)\" "
        + "\"127.0.0.1:21180\" outbound|9080|v1|reviews.default.svc.cluster.local "
        + "127.0.0.1:50884 127.0.0.1:21080 127.0.0.1:35806 - -\n"
}

@Suite("The Envoy parser") struct EnvoyParserTests {
    @Test func `reads Istio's text with the keys and types of Istio's JSON`() throws {
        let record = try #require(try records(istioLine(), by: "@type envoy").first)
        #expect(
            record == [
                "start_time": .string("2026-11-23T20:58:05.532Z"), "method": .string("GET"),
                "path": .string("/"), "protocol": .string("HTTP/1.1"),
                "response_code": .integer(404), "response_flags": .string("-"),
                "response_code_details": .string("via_upstream"),
                "connection_termination_details": .null,
                "upstream_transport_failure_reason": .null, "bytes_received": .integer(0),
                "bytes_sent": .integer(93), "duration": .integer(9),
                "upstream_service_time": .string("9"), "x_forwarded_for": .null,
                "user_agent": .string("curl/8.5.0"),
                "request_id": .string("61b53d7c-a194-4680-af0c-f0062d73783b"),
                "authority": .string("reviews:9080"), "upstream_host": .string("127.0.0.1:21180"),
                "upstream_cluster": .string("outbound|9080|v1|reviews.default.svc.cluster.local"),
                "upstream_local_address": .string("127.0.0.1:50884"),
                "downstream_local_address": .string("127.0.0.1:21080"),
                "downstream_remote_address": .string("127.0.0.1:35806"),
                "requested_server_name": .null, "route_name": .null,
            ])
    }

    @Test func `takes the time from start_time, and keeps the field`() throws {
        let istio = batch(Array(istioLine().utf8), by: try parser("@type envoy"))
        #expect(
            istio.rows.first?.time == Timestamp(seconds: 1_795_467_485, nanoseconds: 532_000_000))
        let content = "@type envoy\nformat \"ts=%START_TIME(%s.%3f)% code=%RESPONSE_CODE%\\n\""
        let epoch = batch(Array("ts=1795467479.698 code=200\n".utf8), by: try parser(content))
        #expect(
            epoch.rows.first?.time == Timestamp(seconds: 1_795_467_479, nanoseconds: 698_000_000))
        #expect(
            epoch.record(row: 0) == [
                "start_time": .string("1795467479.698"), "response_code": .integer(200),
            ])
    }

    @Test(arguments: [
        "", "\"", "\"\" -", "\\", "quote \" inside", "{\"json\":\"in \\\"ua\\\"\"}", "tab\there",
        "日本語 🦊", "[2026-01-01T00:00:00.000Z] \"GET / HTTP/1.1\" 200 - via_upstream",
        "%START_TIME% %REQ(X)%", "ends with space ",
    ])
    func `keeps a user agent as it was sent`(agent: String) throws {
        let record = try records(istioLine(agent: agent), by: "@type envoy").first
        #expect(record?["user_agent"] == .string(agent))
        #expect(record?["authority"] == .string("reviews:9080"))
    }

    @Test(arguments: ["/q?x=\"y\"&z=\\", "/" + String(repeating: "long/", count: 4000), "*"])
    func `keeps a path as it was sent`(path: String) throws {
        #expect(
            try records(istioLine(path: path), by: "@type envoy").first?["path"] == .string(path))
    }

    @Test func `tells an empty header from a missing one`() throws {
        let record = try records(istioLine(authority: ""), by: "@type envoy").first
        #expect(record?["authority"] == .string(""))
        #expect(record?["x_forwarded_for"] == .null)
    }

    @Test func `reads bytes that are not UTF-8 as Envoy writes them in JSON`() throws {
        var line = Array(istioLine(agent: "~Z").utf8)
        let place = try #require(line.firstIndex(of: UInt8(ascii: "~")))
        line[place] = 0xe9
        let batch = batch(line, by: try parser("@type envoy"))
        #expect(batch.record(row: 0)["user_agent"] == .string("éZ"))
        #expect(batch.replacedByteSequenceCount == 1)
    }

    @Test func `recognizes JSON, Istio's text and Envoy's default line by line`() throws {
        let lines =
            istioLine()
            + "{\"response_code\":503,\"start_time\":\"2026-11-23T20:58:05.532Z\"}\n"
            + "[2026-11-23T20:57:59.698Z] \"GET /x HTTP/1.1\" 200 - 0 41 17 11 \"-\" "
            + "\"Prometheus/2.51.0\" \"c23dd063-aff3-4b36-8938-7734e2b0bf10\" \"details:9080\" "
            + "\"127.0.0.1:21401\"\n"
        let codes = try records(lines, by: "@type envoy").map { $0["response_code"] }
        #expect(codes == [.integer(404), .integer(503), .integer(200)])
    }

    @Test func `takes the likeliest reading of a forged line, and counts it`() throws {
        let reader = try #require(try parser("@type envoy") as? EnvoyParser)
        let lines = Array((istioLine() + istioLine(agent: "a\" \"b")).utf8)
        let batch = batch(lines, by: reader)
        #expect(batch.record(row: 1)["user_agent"] == .string("a\" \"b"))
        #expect(reader.ambiguousLineCount == 1)
        #expect(reader.ambiguousPositions == [UInt64(istioLine().utf8.count)])
    }

    @Test func `reads a long forged line without searching it for long`() throws {
        let agent = String(repeating: "\" \"", count: 100_000)
        let reader = try parser("@type envoy")
        var count = 0
        let time = ContinuousClock().measure {
            count = batch(Array(istioLine(agent: agent).utf8), by: reader).rows.count
        }
        #expect(count == 1 && time < .seconds(20))
    }

    @Test func `refuses lines of another form`() throws {
        let text =
            "\n-\n[] \"\"\nkube-proxy started\n{\"a\":}\n[2026-11-23] \"GET / HTTP/1.1\" 200\n"
        let batch = batch(Array(text.utf8), by: try parser("@type envoy"))
        #expect(batch.rows.isEmpty && batch.failures.count == 6)
    }

    @Test func `leaves missing values out where Envoy omits empty values`() throws {
        let content =
            "@type envoy\nomit_empty_values true\n"
            + "format \"%REQ(:METHOD)% [%REQ(X-A)%] %RESPONSE_CODE%|%RESPONSE_FLAGS%\\n\""
        #expect(
            try records("GET [] 200|-\n [-] |UF\n", by: content) == [
                [
                    "method": .string("GET"), "response_code": .integer(200),
                    "response_flags": .string("-"),
                ],
                ["req_x_a": .string("-"), "response_flags": .string("UF")],
            ])
    }

    @Test func `reads records that no line end parts`() throws {
        let content = "@type envoy\nformat \"<%RESPONSE_CODE%/%DURATION%>\""
        #expect(
            try records("<200/3><503/-><0/12>", by: content).map { $0["duration"] } == [
                .integer(3), .null, .integer(12),
            ])
    }

    @Test func `types metadata and filter state as Envoy's JSON does`() throws {
        let content =
            "@type envoy\nformat \"%FILTER_STATE(a)%|%UPSTREAM_METADATA(b)%|%DURATION%\\n\""
        #expect(
            try records("\"x\\u003c\"|{\"k\":[1,\"v\"]}|1\n-|true|2\n", by: content) == [
                [
                    "filter_state_a": .string("x<"),
                    "upstream_metadata_b": .object(["k": .array([.integer(1), .string("v")])]),
                    "duration": .integer(1),
                ],
                [
                    "filter_state_a": .null, "upstream_metadata_b": .bool(true),
                    "duration": .integer(2),
                ],
            ])
    }
}

@Suite("A format of Envoy's") struct EnvoyFormatTests {
    @Test(arguments: [
        ("%NOSUCH%", "no operator `NOSUCH`"), ("%req(A)%", "no operator at byte 1"),
        ("50% off", "byte 3"), ("%REQ%", "needs a parameter"), ("%REQ()%", "needs a parameter"),
        ("%REQ(A B)%", "not the name of a header"), ("%REQ(A?B?C)%", "more than one alternative"),
        ("%REQ(A):x%", "byte 1"), ("%DURATION:2%", "no parameter and no length"),
        ("%START_TIME(%s):4%", "no length"), ("%PATH(X)%", "does not know `X`"),
        ("trailing %DURATION", "byte 10"), ("%CEL(1 +)%", "not an expression"),
    ])
    func `is refused where Envoy refuses it`(text: String, message: String) throws {
        do {
            _ = try parser("@type envoy\nformat \(quoted(text))")
            Issue.record("\(text) was accepted")
        } catch let error as ConfigurationError {
            let diagnostic = try #require(error.diagnostics.first)
            #expect(diagnostic.message.contains(message))
            #expect(!diagnostic.help.isEmpty)
            #expect(diagnostic.location.line == 3)
        }
    }

    @Test func `names fields as Istio's JSON does, and others after their operator`() throws {
        let format = try EnvoyFormat(
            "%REQ(user-agent):80% %START_TIME(%s)% %START_TIME% %REQ(X-A?X-B)% %REQ(X-A?X-B)% "
                + "%UPSTREAM_CLUSTER% %GRPC_STATUS(NUMBER)%")
        #expect(
            format.fields.map(\.name) == [
                "user_agent", "start_time_s", "start_time", "req_x_a_x_b", "req_x_a_x_b_2",
                "upstream_cluster", "grpc_status_number",
            ])
    }

    @Test func `knows which of its fields cannot be told apart, and how to mend that`() throws {
        let format = try EnvoyFormat(
            "%DURATION% \"%REQ(REFERER)%\" \"%REQ(USER-AGENT)%\" %BYTES_SENT%\n")
        #expect(format.indistinctFields == ["req_referer", "user_agent"])
        #expect(format.advice?.contains("U+001F") == true)
        let plain = try EnvoyFormat("%DURATION% \"%REQ(USER-AGENT)%\" %BYTES_SENT%\n")
        #expect(plain.indistinctFields.isEmpty && plain.advice == nil)
        let parted = try EnvoyFormat("%REQ(REFERER)%\u{1f}%REQ(USER-AGENT)%\u{1f}%BYTES_SENT%\n")
        #expect(parted.indistinctFields.isEmpty)
    }
}

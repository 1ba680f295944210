import Testing
import WeirConfig
import WeirCore
import WeirMetrics
import WeirTesting

@testable import WeirPlugins

/// Lines of JSON as Istio's proxies write them.
enum IstioLine {
    /// A request of a client, with some fields otherwise.
    static func request(_ changes: [(String, String)] = []) -> String {
        var fields = [
            ("protocol", "\"HTTP/1.1\""), ("method", "\"GET\""), ("path", "\"/reviews/1?a=b\""),
            ("response_code", "200"), ("response_flags", "\"-\""), ("duration", "12"),
            ("bytes_received", "5"), ("bytes_sent", "70"),
            ("response_code_details", "\"via_upstream\""),
            ("upstream_cluster", "\"outbound|9080|v1|reviews.default.svc.cluster.local\""),
            ("upstream_host", "\"10.1.0.21:9080\""), ("authority", "\"reviews:9080\""),
            ("request_id", "\"00000001-1111-9222-8333-444455556666\""),
        ]
        for (key, value) in changes {
            if let index = fields.firstIndex(where: { $0.0 == key }) {
                fields[index].1 = value
            } else {
                fields.append((key, value))
            }
        }
        let members = fields.filter { !$0.1.isEmpty }.map { "\"\($0.0)\":\($0.1)" }
        return "{\(members.joined(separator: ","))}\n"
    }

    static let connection =
        "{\"protocol\":null,\"method\":null,\"response_code\":0,\"response_flags\":\"-\","
        + "\"duration\":9,\"bytes_received\":10,\"bytes_sent\":20,"
        + "\"upstream_cluster\":\"outbound|3306||db.default.svc.cluster.local\"}\n"
}

@Suite("The filter istio_metrics")
struct IstioMetricsFilterTests {
    private static let names = """
        reporter source_workload source_canonical_service source_canonical_revision \
        source_workload_namespace source_principal source_app source_version source_cluster \
        destination_workload destination_workload_namespace destination_principal \
        destination_app destination_version destination_service destination_canonical_service \
        destination_canonical_revision destination_service_name destination_service_namespace \
        destination_cluster request_protocol response_code grpc_response_status response_flags \
        connection_security_policy
        """
    private static let values = """
        source unknown unknown latest unknown unknown unknown unknown unknown unknown unknown \
        unknown unknown unknown reviews.default.svc.cluster.local unknown latest reviews default \
        unknown http 200  - unknown
        """

    @Test func `shows the labels in Envoy's order, with what is not known`() throws {
        let rig = try IstioRig()
        try rig.count(IstioLine.request() + IstioLine.connection)
        let http = try #require(rig.catalog.all.first)
        #expect(http.declaration.labelNames.joined(separator: " ") == Self.names)
        #expect(
            http.readings(ofFamily: 0).keys.first?.joined(separator: " ") == Self.values)
        #expect(rig.catalog.all.map(\.declaration.labelNames.count) == [25, 20, 23])
        #expect(
            rig.catalog.all.map { $0.declaration.families.map(\.name) } == [
                [
                    "istio_requests_total", "istio_request_duration_milliseconds",
                    "istio_request_bytes", "istio_response_bytes",
                ], ["istio_request_messages_total", "istio_response_messages_total"],
                [
                    "istio_tcp_connections_opened_total", "istio_tcp_connections_closed_total",
                    "istio_tcp_sent_bytes_total", "istio_tcp_received_bytes_total",
                ],
            ])
        #expect(rig.totals("istio_tcp_sent_bytes_total") == [[]: 20])
        #expect(rig.totals("istio_tcp_received_bytes_total") == [[]: 10])
    }

    @Test func `has Envoy's bounds, or the user's`() throws {
        let bounds = { (rig: IstioRig) in rig.catalog.all[0].declaration.families.map(\.kind) }
        let standard: [Double] = [
            0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000,
            600000, 1800000, 3600000,
        ]
        #expect(
            bounds(try IstioRig()) == [
                .counter, .histogram(bounds: standard), .histogram(bounds: standard),
                .histogram(bounds: standard),
            ])
        let own = try IstioRig("duration_buckets 1, 2.5, 10\nsize_buckets [100, 1e6]")
        #expect(
            bounds(own) == [
                .counter, .histogram(bounds: [1, 2.5, 10]), .histogram(bounds: [100, 1_000_000]),
                .histogram(bounds: [100, 1_000_000]),
            ])
        #expect(bounds(try IstioRig("histograms native"))[1] == .nativeHistogram())
    }

    @Test func `counts only the metrics asked for`() throws {
        let rig = try IstioRig("metrics istio_requests_total, REQUEST_DURATION")
        try rig.count(IstioLine.request() + IstioLine.connection)
        #expect(rig.catalog.all.count == 1)
        #expect(rig.totals("istio_requests_total") == [[]: 1])
        #expect(rig.samples("istio_request_bytes").isEmpty)
    }

    @Test func `takes gRPC from the content type, and counts its messages where they are told`()
        throws
    {
        let rig = try IstioRig()
        let grpc = [
            ("content_type", "\"application/grpc+proto\""), ("grpc_status", "14"),
            ("request_message_count", "3"), ("response_message_count", "\"4\""),
        ]
        try rig.count(IstioLine.request(grpc))
        try rig.count(
            IstioLine.request([("content_type", "\"text/html\""), ("grpc_status", "null")]))
        try rig.count(IstioLine.request([("content_type", "\"application/grpc-web\"")]))
        let names = ["request_protocol", "grpc_response_status"]
        #expect(
            rig.totals("istio_requests_total", by: names) == [["grpc", "14"]: 1, ["http", ""]: 2])
        #expect(rig.totals("istio_request_messages_total") == [[]: 3])
        #expect(rig.totals("istio_response_messages_total") == [[]: 4])
    }

    @Test func `adds and leaves out labels`() throws {
        let rig = try IstioRig(
            """
            roll_up workload
            remove_labels source_cluster, destination_cluster
            optional_labels subset, route_name, upstream_host
            <labels>
              tenant h_tenant
              team $.kubernetes.labels.team
            </labels>
            """)
        try rig.count(
            IstioLine.request([
                ("route_name", "\"canary\""), ("h_tenant", "\"a\\u00e9\\\"b\""),
                ("kubernetes", "{\"labels\":{\"team\":\"red\"}}"),
            ]))
        let labels = try #require(rig.samples("istio_requests_total").keys.first)
        #expect(labels.count == 25 - 8 - 2 + 3 + 2)
        #expect(labels["subset"] == "v1" && labels["route_name"] == "canary")
        #expect(labels["upstream_host"] == "10.1.0.21:9080")
        #expect(labels["tenant"] == "aé\"b" && labels["team"] == "red")
        #expect(labels["source_app"] == nil && labels["source_cluster"] == nil)
        #expect(labels["source_workload"] == "unknown")
    }

    @Test func `honours the overrides of a Telemetry resource, in order and by mode`() throws {
        let rig = try IstioRig(
            """
            <overrides>
              metric REQUEST_DURATION
              mode SERVER
              disabled true
            </overrides>
            <overrides>
              metric ALL_METRICS
              <tag_overrides>
                source_principal REMOVE
                z_port UPSERT string(upstream.port)
                a_method UPSERT request.method
                destination_app UPSERT 'fixed'
              </tag_overrides>
            </overrides>
            <overrides>
              metric REQUEST_COUNT
              mode CLIENT
              <tag_overrides>
                request_path UPSERT request.url_path
              </tag_overrides>
            </overrides>
            """)
        let server = IstioLine.request([("upstream_cluster", "\"inbound|9080||\"")])
        try rig.count(IstioLine.request() + server)
        let requests = rig.catalog.all[0].declaration
        #expect(requests.families.map(\.name) == ["istio_requests_total"])
        #expect(
            Array(requests.labelNames.suffix(4)) == [
                "connection_security_policy", "a_method", "z_port", "request_path",
            ])
        #expect(!requests.labelNames.contains("source_principal"))
        let names = ["reporter", "a_method", "z_port", "destination_app", "request_path"]
        #expect(
            rig.totals("istio_requests_total", by: names) == [
                ["source", "GET", "9080", "fixed", "/reviews/1"]: 1,
                ["destination", "GET", "9080", "fixed", ""]: 1,
            ])
        let durations = rig.observations("istio_request_duration_milliseconds", by: ["reporter"])
        #expect(Array(durations.keys) == [["source"]])
    }

    @Test func `leads from a duration to its trace, or to its request`() throws {
        let (section, _) = ComponentSection.read(
            "<filter **>\n  @type istio_metrics\n</filter>", as: .filter)
        let derivation = IstioDerivation(
            try IstioMetricsSettings(try #require(section)).options)
        func isSampled(_ changes: [(String, String)]) throws -> Bool? {
            let batch = try IstioRig.batch(Array(IstioLine.request(changes).utf8))
            derivation.look(at: batch)
            derivation.read(row: 0, of: batch)
            return derivation.isSampled
        }
        #expect(try isSampled([]) == true)
        #expect(
            try isSampled([("request_id", "\"00000001-1111-4222-8333-444455556666\"")]) == false)
        #expect(try isSampled([("b3_sampled", "\"0\"")]) == false)
        #expect(try isSampled([("request_id", "\"mine\"")]) == nil)
        #expect(try isSampled([("request_id", "null")]) == nil)
    }

    @Test func `counts alike rows of a block as it counts each alone`() throws {
        var generator = SeededGenerator(announcing: "istio_metrics alike rows")
        let choices: [(String, [String])] = [
            (
                "upstream_cluster",
                [
                    "\"outbound|80|v1|a.b.svc.cluster.local\"", "\"inbound|80||\"", "null",
                    "\"PassthroughCluster\"", "\"agent\"", "\"-\"",
                ]
            ), ("response_code", ["200", "503", "0", "\"200\"", "-7", "null"]),
            ("protocol", ["\"HTTP/2\"", "null"]), ("method", ["\"GET\"", "null"]),
            ("authority", ["\"a\"", "\"b:80\"", "\"\\u0061\"", "null"]),
            ("instance_ip", ["\"10.0.0.1\"", ""]),
            ("downstream_local_address", ["\"10.0.0.1:80\"", "\"10.0.0.2:80\""]),
            ("content_type", ["\"application/grpc\"", "null", ""]),
            ("request_message_count", ["", "", "3"]), ("user_agent", ["\"x\"", "\"y\""]),
            ("requested_server_name", ["\"outbound_.80_.v2_.c.d.svc.cluster.local\"", "null"]),
        ]
        let lines = (0..<600).map { _ in
            IstioLine.request(
                choices.map { ($0.0, $0.1.randomElement(using: &generator) ?? "null") })
        }
        let parameters = "optional_labels subset\n<labels>\n  agent user_agent\n</labels>"
        let together = try IstioRig(parameters)
        try together.count(lines.joined())
        let alone = try IstioRig(parameters)
        for line in lines { try alone.count(line) }
        for metric in IstioMetric.allCases.map(\.rawValue) {
            #expect(together.samples(metric) == alone.samples(metric), "\(metric)")
        }
        #expect(together.samples("istio_requests_total").count > 20)
    }

    // MARK: Restarts

    @Test func `counts each place of a file once, however often it is read`() throws {
        let rig = try IstioRig()
        let line = IstioLine.request()
        let origin = Origin(high: 1, low: 2)
        try rig.count(line + line, origin: origin)
        // Read again from its beginning, with more behind it.
        try rig.count(line + line + line, origin: origin)
        #expect(rig.totals("istio_requests_total") == [[]: 3])
        #expect(rig.own("weir_istio_metrics_repeated_total") == 2)
        try rig.count(line, origin: origin, position: UInt64(line.utf8.count * 3))
        try rig.count(line, origin: Origin(high: 1, low: 3))
        #expect(rig.totals("istio_requests_total") == [[]: 5])
        // Sources without positions do not repeat themselves.
        try rig.count(line)
        try rig.count(line)
        #expect(rig.totals("istio_requests_total") == [[]: 7])
    }

    @Test func `goes on where the filter before it stopped, by its name`() throws {
        let first = try IstioRig()
        let line = IstioLine.request() + IstioLine.connection
        let origin = Origin(high: 5, low: 6)
        try first.count(line, origin: origin)
        let next = try IstioRig(catalog: first.catalog)
        try next.count(line + line, origin: origin)
        #expect(next.totals("istio_requests_total") == [[]: 2])
        #expect(next.totals("istio_tcp_connections_closed_total") == [[]: 2])
        let other = try IstioRig(name: "another", catalog: first.catalog)
        try other.count(line, origin: origin)
        #expect(other.totals("istio_requests_total") == [[]: 3])
    }

    @Test func `does not count what was dropped before it, but its place`() throws {
        let rig = try IstioRig()
        let text = IstioLine.request() + IstioLine.request()
        let batch = try IstioRig.batch(Array(text.utf8), origin: Origin(high: 1, low: 1))
        batch.drop(row: 1)
        rig.count(batch)
        #expect(rig.totals("istio_requests_total") == [[]: 1])
        try rig.count(text, origin: Origin(high: 1, low: 1))
        #expect(rig.totals("istio_requests_total") == [[]: 1])
    }
}

@Suite("Bad input to istio_metrics")
struct IstioBadInputTests {
    @Test(arguments: [
        ("{\"message\":\"hello\"}\n", "not_an_access_log"),
        (IstioLine.request([("response_code", "")]), "no_response_code"),
        (IstioLine.request([("response_code", "\"abc\"")]), "bad_response_code"),
        (IstioLine.request([("response_code", "-1")]), "bad_response_code"),
        (IstioLine.request([("response_code", "70000")]), "bad_response_code"),
    ])
    func `is not counted, and that is`(line: String, reason: String) throws {
        let rig = try IstioRig()
        try rig.count(line)
        #expect(rig.totals("istio_requests_total").isEmpty)
        #expect(rig.own("weir_istio_metrics_skipped_total", reason) == 1)
    }

    @Test(arguments: [
        "-5", "1e300", "\"soon\"", "99999999999999", "9223372036854775808", "{}", "1.5",
    ])
    func `gives no duration, but counts the request`(duration: String) throws {
        let rig = try IstioRig()
        try rig.count(IstioLine.request([("duration", duration)]))
        #expect(rig.totals("istio_requests_total") == [[]: 1])
        #expect(rig.samples("istio_request_duration_milliseconds").isEmpty)
        #expect(rig.own("weir_istio_metrics_refused_values_total", "bad_duration") == 1)
    }

    @Test func `has no duration or no sizes`() throws {
        let rig = try IstioRig()
        try rig.count(
            IstioLine.request([("duration", ""), ("bytes_sent", "-1"), ("bytes_received", "")]))
        #expect(rig.own("weir_istio_metrics_refused_values_total", "no_duration") == 1)
        #expect(rig.own("weir_istio_metrics_refused_values_total", "bad_size") == 1)
        #expect(rig.totals("istio_requests_total") == [[]: 1])
        #expect(rig.samples("istio_response_bytes").isEmpty)
    }

    @Test func `cannot make a label longer than the limit, nor break UTF-8`() throws {
        let rig = try IstioRig("<labels>\n  agent user_agent\n</labels>")
        let long = String(repeating: "ä", count: 600_000)
        try rig.count(IstioLine.request([("user_agent", "\"\(long)\"")]))
        try rig.count(IstioLine.request([("user_agent", "\"\\\"\(long)\"")]))
        var broken = Array(IstioLine.request([("user_agent", "\"x\"")]).utf8)
        let place = try #require(broken.lastIndex(of: UInt8(ascii: "x")))
        broken[place] = 0xff
        try rig.count(broken)
        let agents = rig.samples("istio_requests_total").keys.compactMap { $0["agent"] }
        #expect(agents.count == 3)
        for agent in agents {
            #expect(agent.utf8.count <= SeriesGroup.Declaration.defaultLabelValueByteLimit)
        }
        #expect(agents.contains("\u{fffd}"))
    }

    @Test func `cannot blow up the number of series`() throws {
        let rig = try IstioRig("series_limit 1000\n<labels>\n  agent user_agent\n</labels>")
        let text = (0..<5000).map { IstioLine.request([("user_agent", "\"agent \($0)\"")]) }
        try rig.count(text.joined())
        #expect(rig.catalog.all[0].seriesCount <= 1000)
        #expect(rig.totals("istio_requests_total") == [[]: 5000])
    }

    @Test(arguments: 0..<4)
    func `of any bytes never stops it`(round: UInt64) throws {
        var generator = SeededGenerator(announcing: "istio_metrics \(round)")
        let rig = try IstioRig("optional_labels subset\n<labels>\n  x authority\n</labels>")
        let pieces = [
            "outbound|", "inbound|", "inbound-vip|", "|", "outbound_.", "_.", "svc", ".", ":", "[",
            "]", "-", "é", "\\u0000", "\\\"", "9080", "BlackHoleCluster", "block_all", "NR", ",",
            "filter_chain_not_found", "[{\\\"host\\\":\\\"", "/ns/", ";", "application/grpc",
        ]
        let keys = IstioField.allCases.flatMap(\.keys)
        var text = ""
        for _ in 0..<300 {
            var changes: [(String, String)] = []
            for _ in 0..<8 {
                let value = (0..<Int.random(in: 0...6, using: &generator))
                    .map { _ in pieces.randomElement(using: &generator) ?? "" }.joined()
                changes.append((keys.randomElement(using: &generator) ?? "x", "\"\(value)\""))
            }
            text += IstioLine.request(changes)
        }
        try rig.count(text)
        let records = try IstioFieldsRig.records(text)
        #expect(records.count == 300)
    }
}

import Glibc
import Testing
import WeirCore
import WeirHost
import WeirTesting

/// The whole chain: requests through a real Envoy, its log counted by Weir, scraped by a real Prometheus.
@Suite(
    "Requests through Envoy, counted in Prometheus", .serialized,
    .enabled(
        if: TestPrograms.envoy != nil && TestPrograms.prometheus != nil, "needs `make deps-test`"))
struct MeshChainTests {
    private static let services = ["reviews", "ratings", "details"]

    /// What a request is counted under.
    private struct Key: Hashable {
        var service: String
        var code: String
    }

    @Test func `are as many there as were sent, also when Weir is killed meanwhile`() throws {
        let folder = try ScratchFolder()
        let program = try #require(TestPrograms.envoy)
        let scraper = try #require(TestPrograms.prometheus)
        let envoy = try #require(
            try RunningEnvoy(program, config: Self.envoyConfiguration(folder), folder))
        folder.write(Self.configuration(folder), to: "weir.conf")
        let weir = try RunningWeir(folder)
        try point(to: weir, folder)
        let prometheus = try #require(
            try RunningPrometheus(
                scraper, config: Self.prometheusConfiguration(folder), folder))
        var random = SeededGenerator(announcing: "mesh chain")
        var sent: [Key: Int] = [:]
        // Each series once, so that Prometheus knows where it began.
        for number in 0..<9 { try send(number, to: envoy, &sent) }
        try expect(sent, in: prometheus)
        let before = sent
        for round in 0..<5 {
            for _ in 0..<Int.random(in: 50...300, using: &random) {
                try send(Int.random(in: 0..<9, using: &random), to: envoy, &sent)
            }
            // In the middle of what it reads, writes and shows.
            weir.process.kill9()
            for _ in 0..<Int.random(in: 1...100, using: &random) {
                try send(Int.random(in: 0..<9, using: &random), to: envoy, &sent)
            }
            if round == 2 {
                rename(folder.file("access.log"), folder.file("access.log.1"))
                try envoy.reopenLogs()
            }
            folder.write("", to: "weir.log")
            try weir.restart()
            try point(to: weir, folder)
        }
        try expect(sent, in: prometheus)
        // What Prometheus itself says of the time between: an increase, and never a counter's reset.
        let labels = ["destination_service_name", "response_code"]
        let now = prometheus.api.numbers(Self.total, by: labels)
        for (key, count) in sent {
            let increase = (now[[key.service, key.code]] ?? 0) - Double(before[key] ?? 0)
            #expect(increase == Double(count - (before[key] ?? 0)))
        }
        let resets = prometheus.api.numbers("sum(resets(istio_requests_total[1h]))", by: [])
        #expect(resets == [[]: 0])
        #expect(weir.terminate() == 0)
        print("mesh chain: \(sent.values.reduce(0, +)) requests, 5 kills")
    }

    private static let total =
        "sum by (destination_service_name, response_code) (istio_requests_total)"

    /// Sends one of nine kinds of request, and notes what it is counted under.
    private func send(
        _ number: Int, to envoy: RunningEnvoy, _ sent: inout [Key: Int]
    ) throws {
        let service = Self.services[number % 3]
        let code = service == "details" ? 503 : [200, 404, 503][number / 3]
        #expect(try envoy.get("/\(service)/\(code)") == code)
        sent[Key(service: service, code: "\(code)"), default: 0] += 1
    }

    /// Waits until Prometheus has counted just so many of each.
    private func expect(_ sent: [Key: Int], in prometheus: RunningPrometheus) throws {
        var expected: [[String]: Double] = [:]
        for (key, count) in sent { expected[[key.service, key.code]] = Double(count) }
        let clock = SystemClock()
        let start = clock.monotonicNanoseconds
        var found: [[String]: Double] = [:]
        while clock.monotonicNanoseconds - start < 60_000_000_000 {
            found = prometheus.api.numbers(
                Self.total, by: ["destination_service_name", "response_code"])
            if found == expected { return }
        }
        #expect(found == expected)
    }

    /// Tells Prometheus where Weir listens now; the target's name stays.
    private func point(to weir: RunningWeir, _ folder: ScratchFolder) throws {
        let port = try #require(weir.adminPort)
        folder.write(
            #"[{"targets":["127.0.0.1:\#(port)"],"labels":{"instance":"node"}}]"#,
            to: "targets.json.new")
        rename(folder.file("targets.json.new"), folder.file("targets.json"))
    }

    // MARK: Configurations

    private static func prometheusConfiguration(_ folder: ScratchFolder) -> String {
        """
        global:
          scrape_interval: 200ms
        scrape_configs:
          - job_name: weir
            file_sd_configs:
              - files: ['\(folder.file("targets.json"))']
                refresh_interval: 1s
        """
    }

    private static func configuration(_ folder: ScratchFolder) -> String {
        """
        <system>
          admin_port 0
          node_name node
        </system>
        \(TestConfigurations.counting(folder, parse: "@type envoy"))
        """
    }

    /// A listener that routes by path to Istio's kind of clusters; two of them are served by a second
    /// listener of the same Envoy, the third by nobody.
    private static func envoyConfiguration(_ folder: ScratchFolder) -> String {
        """
        admin:
          address: { socket_address: { address: 127.0.0.1, port_value: 0 } }
        static_resources:
          listeners:
          - name: main
            address: { socket_address: { address: 127.0.0.1, port_value: 0 } }
            filter_chains:
            - filters:
              - name: envoy.filters.network.http_connection_manager
                typed_config:
                  "@type": \(type)network.http_connection_manager.v3.HttpConnectionManager
                  stat_prefix: main
                  access_log:
                  - name: envoy.access_loggers.file
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
                      path: \(folder.file("access.log"))
                      log_format: { json_format: { \(logFields) } }
                  route_config:
                    virtual_hosts:
                    - name: all
                      domains: ["*"]
                      routes: [\(services.map(route).joined(separator: ", "))]
                  http_filters: [\(router)]
          - name: upstream
            address: { pipe: { path: "\(folder.file("upstream.sock"))" } }
            filter_chains:
            - filters:
              - name: envoy.filters.network.http_connection_manager
                typed_config:
                  "@type": \(type)network.http_connection_manager.v3.HttpConnectionManager
                  stat_prefix: upstream
                  route_config:
                    virtual_hosts:
                    - name: all
                      domains: ["*"]
                      routes: [\(["404", "503", "200"].map(answer).joined(separator: ", "))]
                  http_filters: [\(router)]
          clusters: [\(services.map { cluster($0, folder) }.joined(separator: ", "))]
        """
    }

    private static let type = "type.googleapis.com/envoy.extensions.filters."
    private static let router = """
        { name: envoy.filters.http.router, typed_config: { "@type": \(type)http.router.v3.Router } }
        """

    private static func route(_ service: String) -> String {
        """
        { match: { prefix: "/\(service)" }, \
        route: { cluster: "outbound|9080||\(service).default.svc.cluster.local" } }
        """
    }

    private static func answer(_ code: String) -> String {
        """
        { match: { safe_regex: { regex: ".*/\(code)" } }, direct_response: { status: \(code) } }
        """
    }

    private static func cluster(_ service: String, _ folder: ScratchFolder) -> String {
        let socket = folder.file(service == "details" ? "nobody.sock" : "upstream.sock")
        return """
            { name: "outbound|9080||\(service).default.svc.cluster.local", type: STATIC, \
            load_assignment: { cluster_name: \(service), endpoints: [{ lb_endpoints: [\
            { endpoint: { address: { pipe: { path: "\(socket)" } } } }] }] } }
            """
    }

    /// Istio's own JSON format, as far as these requests fill it.
    private static let logFields = [
        "start_time": "START_TIME", "method": "REQ(:METHOD)", "protocol": "PROTOCOL",
        "path": "REQ(X-ENVOY-ORIGINAL-PATH?:PATH)", "response_code": "RESPONSE_CODE",
        "response_flags": "RESPONSE_FLAGS", "bytes_received": "BYTES_RECEIVED",
        "response_code_details": "RESPONSE_CODE_DETAILS", "bytes_sent": "BYTES_SENT",
        "duration": "DURATION", "authority": "REQ(:AUTHORITY)", "request_id": "REQ(X-REQUEST-ID)",
        "upstream_host": "UPSTREAM_HOST", "upstream_cluster": "UPSTREAM_CLUSTER_RAW",
        "route_name": "ROUTE_NAME",
    ].sorted { $0.key < $1.key }.map { "\($0.key): \"%\($0.value)%\"" }.joined(separator: ", ")
}

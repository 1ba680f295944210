import Glibc
import WeirCore
import WeirHost
import WeirTesting

/// A `weir run` of a test, in a folder of its own.
final class RunningWeir {
    let folder: ScratchFolder
    private let arguments: [String]
    private let environment: [String: String]
    private(set) var process: ChildProcess

    /// Starts the agent on a configuration in the folder, or elsewhere.
    init(
        _ folder: ScratchFolder, config: String = "weir.conf", environment: [String: String] = [:]
    ) throws {
        self.folder = folder
        let path = config.hasPrefix("/") ? config : folder.file(config)
        arguments = ["run", "-c", path]
        self.environment = environment
        process = try ChildProcess(
            TestPrograms.weir, arguments, environment: environment, log: folder.file("weir.log"))
    }

    deinit { process.signal(SIGKILL) }

    /// Starts it again after its end.
    func restart() throws {
        process = try ChildProcess(
            TestPrograms.weir, arguments, environment: environment, log: folder.file("weir.log"))
    }

    /// Ends it as an orchestrator would.
    func terminate() -> Int32 {
        process.signal(SIGTERM)
        return process.wait()
    }

    /// What it has logged.
    var log: String { String(decoding: folder.contents(of: "weir.log") ?? [], as: UTF8.self) }

    /// Waits until the log holds a text so many times.
    func waitForLog(_ text: String, count: Int = 1, seconds: Int = 60) -> Bool {
        let watch = Inotify()
        watch.watch(folder.file("weir.log"))
        let start = SystemClock().monotonicNanoseconds
        while SystemClock().monotonicNanoseconds - start < UInt64(seconds) * 1_000_000_000 {
            if log.ranges(of: text).count >= count { return true }
            watch.wait(milliseconds: 1000)
        }
        return false
    }

    /// The port of its one source that listens, as the log tells it.
    var sourcePort: Int? {
        guard waitForLog("source listens"),
            let mark = log.firstRange(of: "source listens address=\"127.0.0.1:")
        else { return nil }
        return Int(log[mark.upperBound...].prefix { $0.isNumber })
    }

    /// The port of the admin server, as the log tells it.
    var adminPort: Int? {
        guard waitForLog("admin server listens"),
            let mark = log.ranges(of: "address=\"127.0.0.1:").last
        else { return nil }
        return Int(log[mark.upperBound...].prefix { $0.isNumber })
    }

    /// What the admin server answers.
    func ask(_ method: String, _ path: String) -> (status: Int, body: String)? {
        guard let port = adminPort else { return nil }
        let client = HTTPClient()
        guard
            let answer = try? client.send(
                method, "http://127.0.0.1:\(port)\(path)", headers: [],
                body: UnsafeRawBufferPointer(start: nil, count: 0))
        else { return nil }
        return (answer.status, String(decoding: client.body.bytes, as: UTF8.self))
    }

    /// The value of a metric, its labels left aside, as the sum of its series.
    func metric(_ name: String) -> Int? {
        guard let text = ask("GET", "/metrics")?.body else { return nil }
        let values = text.split(separator: "\n").filter {
            $0.hasPrefix("\(name) ") || $0.hasPrefix("\(name){")
        }.compactMap { $0.split(separator: " ").last.flatMap { Int($0) } }
        return values.isEmpty ? nil : values.reduce(0, +)
    }
}

/// Configurations of integration tests.
enum TestConfigurations {
    static func tailToElasticsearch(
        port: Int, path: String, parse: String = "@type json", more: String = "",
        output: String = ""
    ) -> String {
        """
        <system>
          admin_port 0
          node_name test-node
        </system>
        <source>
          @type tail
          path \(path)
          pos_file \(path.replacing("*", with: "all")).pos
          tag test.log
          read_from_head true
          <parse>
            \(parse)
          </parse>
          \(more)
        </source>
        <match **>
          @type elasticsearch
          host 127.0.0.1
          port \(port)
          logstash_format true
          <buffer tag>
            flush_interval 0.05
            retry_wait 0.05
            retry_max_interval 0.2
          </buffer>
          \(output)
        </match>
        """
    }

    /// A tail of `access.log` in a folder, whose lines are counted by `istio_metrics` and go nowhere.
    static func counting(_ folder: ScratchFolder, parse: String = "@type json") -> String {
        """
        <source>
          @type tail
          path \(folder.file("access.log"))
          pos_file \(folder.file("access.pos"))
          tag mesh
          read_from_head true
          <parse>
            \(parse)
          </parse>
        </source>
        <filter mesh>
          @type istio_metrics
        </filter>
        <match mesh>
          @type null
        </match>
        """
    }

    /// An Envoy that answers by itself.
    /// - Parameters:
    ///   - logs: Its access logs: each a path, and the fields of its `json_format` or nothing.
    ///   - routes: A path's beginning and the answer's status, the first that fits; 200 has a body.
    ///   - tracing: Where it reports the spans of all requests, and in which version of the endpoint.
    static func envoy(
        logs: [(path: String, fields: [String])], routes: [(prefix: String, status: Int)],
        tracing: (port: Int, version: String)? = nil
    ) -> String {
        let accessLogs = logs.map { log in
            let format =
                log.fields.isEmpty
                ? "" : ", log_format: { json_format: { \(log.fields.joined(separator: ", ")) } }"
            return """
                { name: envoy.access_loggers.file, typed_config: \
                { "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, \
                path: "\(log.path)"\(format) } }
                """
        }
        let answers = routes.map { route in
            let body = route.status == 200 ? ", body: { inline_string: ok }" : ""
            return """
                { match: { prefix: "\(route.prefix)" }, \
                direct_response: { status: \(route.status)\(body) } }
                """
        }
        let reporting = tracing.map { "tracing: \(tracer($0.version))" } ?? ""
        let clusters = tracing.map { "clusters: [\(collector($0.port))]" } ?? ""
        return """
            admin:
              address: { socket_address: { address: 127.0.0.1, port_value: 0 } }
            node: { id: shop-1, cluster: Shop }
            layered_runtime:
              layers:
              - name: static
                static_layer: { tracing.zipkin.min_flush_spans: 3, \
            tracing.zipkin.flush_interval_ms: 200 }
            static_resources:
              \(clusters)
              listeners:
              - name: main
                address: { socket_address: { address: 127.0.0.1, port_value: 0 } }
                filter_chains:
                - filters:
                  - name: envoy.filters.network.http_connection_manager
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                      stat_prefix: main
                      \(reporting)
                      access_log: [\(accessLogs.joined(separator: ", "))]
                      route_config:
                        virtual_hosts:
                        - name: all
                          domains: ["*"]
                          routes: [\(answers.joined(separator: ", "))]
                      http_filters:
                      - name: envoy.filters.http.router
                        typed_config:
                          "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
            """
    }

    private static func tracer(_ version: String) -> String {
        """
        { random_sampling: { value: 100 }, provider: { name: envoy.tracers.zipkin, typed_config: { \
        "@type": type.googleapis.com/envoy.config.trace.v3.ZipkinConfig, collector_cluster: spans, \
        collector_endpoint: /api/v2/spans, trace_id_128bit: true, \
        collector_endpoint_version: \(version) } } }
        """
    }

    private static func collector(_ port: Int) -> String {
        """
        { name: spans, type: STATIC, connect_timeout: 5s, load_assignment: { cluster_name: spans, \
        endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { \
        address: 127.0.0.1, port_value: \(port) } } } }] }] } }
        """
    }
}

/// The whole number of a field in documents, as `"n":123`.
func numbers(_ field: String, in documents: [ElasticsearchStandIn.Document]) -> [Int] {
    let mark = "\"\(field)\":"
    return documents.compactMap { document in
        guard let range = document.source.firstRange(of: mark) else { return nil }
        return Int(
            document.source[range.upperBound...].drop { $0 == "\"" }.prefix { $0.isNumber })
    }
}

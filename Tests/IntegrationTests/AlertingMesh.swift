import Glibc
import Testing
import WeirCore
import WeirHost
import WeirTesting

/// A mesh of one log file, whose alerts a running agent tells: what tests of notifiers have in common.
final class AlertingMesh {
    let folder: ScratchFolder

    /// A mesh with a rule that fires for a service with more errors than good answers.
    /// - Parameter hold: The rule's `for`.
    init(hold: String = "0s") throws {
        folder = try ScratchFolder()
        folder.write("", to: "access.log")
        folder.write(
            """
            groups:
            - name: mesh
              rules:
              - alert: Errors
                expr: >
                  sum by (destination_service_name) (istio_requests_total{response_code="503"})
                  > ignoring (response_code)
                  sum by (destination_service_name) (istio_requests_total{response_code="200"})
                for: \(hold)
                labels: {severity: page}
                annotations: {summary: "{{ $labels.destination_service_name }} <is> bad"}
            """, to: "rules.yml")
    }

    /// Starts an agent.
    /// - Parameters:
    ///   - notify: What stands in `<alerting>` besides the rules.
    ///   - parse: How lines of the log are read.
    func start(_ notify: String, parse: String = "@type json") throws -> RunningWeir {
        folder.write(
            """
            <system>
              admin_port 0
            </system>
            <alerting>
              rule_files \(folder.file("rules.yml"))
              evaluation_interval 1s
              external_url http://weir.example.org
              <external_labels>
                cluster here
              </external_labels>
              \(notify)
            </alerting>
            \(TestConfigurations.counting(folder, parse: parse))
            """, to: "weir.conf")
        return try RunningWeir(folder)
    }

    /// Writes lines of requests to a service, or to several at once.
    func log(_ code: Int, count: Int, service: String...) {
        let services = service.isEmpty ? ["reviews"] : service
        folder.append(
            services.map { Self.lines(code, count, $0) }.joined(), to: "access.log")
    }

    private static func lines(_ code: Int, _ count: Int, _ service: String) -> String {
        let line = """
            {"upstream_cluster":"outbound|9080||\(service).default.svc.cluster.local",\
            "response_code":\(code),"method":"GET","protocol":"HTTP/1.1","duration":5,\
            "bytes_sent":1,"bytes_received":1,"response_flags":"-",\
            "start_time":"2026-11-23T20:58:05.532Z","request_id":"r"}

            """
        return String(repeating: line, count: count)
    }

    /// Writes what makes the rule fire for a service.
    func turnBad(_ services: String...) {
        let services = services.isEmpty ? ["reviews"] : services
        let lines = services.map { Self.lines(200, 1, $0) + Self.lines(503, 3, $0) }
        folder.append(lines.joined(), to: "access.log")
    }

    /// Asks until something is so.
    static func wait(_ seconds: UInt64 = 60, until isSo: () -> Bool) -> Bool {
        let clock = SystemClock()
        let start = clock.monotonicNanoseconds
        while clock.monotonicNanoseconds - start < seconds * 1_000_000_000 {
            if isSo() { return true }
        }
        return false
    }

    /// Starts a real Alertmanager on a configuration.
    ///
    /// Debian's was unpacked and not installed: it looks for its templates at one place of the system, so it
    /// gets them there, that nobody else sees.
    /// - Returns: The process, and its address.
    func startAlertmanager(
        _ program: String, config: String
    ) throws -> (process: ChildProcess, url: String) {
        folder.write(config, to: "am.yml")
        let place = "/usr/share/prometheus/alertmanager"
        let root = program.replacing("/usr/bin/prometheus-alertmanager", with: "")
        let script = """
            mount -t tmpfs none /usr/share && mkdir -p \(place) \
            && cp "$1"/*.tmpl \(place)/ && shift && exec "$@"
            """
        let process = try ChildProcess(
            "/usr/bin/unshare",
            [
                "--map-root-user", "--mount", "/bin/sh", "-c", script, "sh",
                "\(root)\(place)", program, "--config.file=\(folder.file("am.yml"))",
                "--storage.path=\(folder.file("am"))", "--web.listen-address=127.0.0.1:0",
                "--web.external-url=http://weir.example.org", "--web.route-prefix=/",
                "--cluster.listen-address=",
            ], log: folder.file("am.log"))
        var port: Int?
        #expect(
            Self.wait {
                let text = String(decoding: folder.contents(of: "am.log") ?? [], as: UTF8.self)
                guard let mark = text.firstRange(of: "Listening on"),
                    let address = text[mark.upperBound...].firstRange(of: "127.0.0.1:")
                else { return false }
                port = Int(text[address.upperBound...].prefix { $0.isNumber })
                return port != nil
            })
        return (process, "http://127.0.0.1:\(try #require(port))")
    }
}

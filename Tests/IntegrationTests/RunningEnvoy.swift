import Glibc
import WeirCore
import WeirHost
import WeirTesting

/// A real Envoy of a test, in a folder of its own.
final class RunningEnvoy {
    private let process: ChildProcess
    private let client = HTTPClient()
    private let adminPort: Int
    /// The port of its listener `main`.
    let port: Int

    /// Starts it with a configuration whose ports are 0.
    /// - Returns: `nil` when it does not say where it listens.
    init?(_ program: String, config: String, _ folder: ScratchFolder) throws {
        folder.write(config, to: "envoy.yaml")
        process = try ChildProcess(
            program,
            [
                "-c", folder.file("envoy.yaml"), "--admin-address-path", folder.file("admin"),
                "--use-dynamic-base-id", "--concurrency", "1", "--file-flush-interval-msec", "100",
                "--log-level", "warning",
            ], log: folder.file("envoy.out"))
        guard let found = Self.ports(folder, client) else {
            process.kill9()
            return nil
        }
        (adminPort, port) = found
    }

    deinit { process.kill9() }

    /// Sends a request.
    /// - Returns: The status of the answer.
    func get(_ path: String, headers: [String] = []) throws -> Int {
        try client.send(
            "GET", "http://127.0.0.1:\(port)\(path)", headers: headers,
            body: UnsafeRawBufferPointer(start: nil, count: 0)
        ).status
    }

    /// Makes it open its log files anew.
    func reopenLogs() throws {
        _ = try client.send(
            "POST", "http://127.0.0.1:\(adminPort)/reopen_logs", headers: [],
            body: UnsafeRawBufferPointer(start: nil, count: 0))
    }

    /// The ports of its admin and of its listener `main`, once it has written them.
    private static func ports(
        _ folder: ScratchFolder, _ client: HTTPClient
    ) -> (admin: Int, main: Int)? {
        let watch = Inotify()
        watch.watch(folder.path)
        for _ in 0..<600 {
            let address = String(decoding: folder.contents(of: "admin") ?? [], as: UTF8.self)
            if let admin = address.split(separator: ":").last.flatMap({ Int($0) }),
                let answer = try? client.send(
                    "GET", "http://127.0.0.1:\(admin)/listeners", headers: [],
                    body: UnsafeRawBufferPointer(start: nil, count: 0)), answer.status == 200
            {
                let text = String(decoding: client.body.bytes, as: UTF8.self)
                let line = text.split(separator: "\n").first { $0.hasPrefix("main::") }
                if let port = line?.split(separator: ":").last.flatMap({
                    Int($0.prefix { $0.isNumber })
                }) {
                    return (admin, port)
                }
            }
            watch.wait(milliseconds: 100)
        }
        return nil
    }
}

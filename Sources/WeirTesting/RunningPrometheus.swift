import Glibc
import WeirCore
import WeirHost

/// A real Prometheus of a test, in a folder of its own.
public final class RunningPrometheus {
    private let folder: ScratchFolder
    private let program: String
    private let options: [String]
    private var process: ChildProcess
    /// Its number as a process.
    public var pid: pid_t { process.pid }
    private let client = HTTPClient()
    /// The port that it listens on, also after a restart.
    public private(set) var port = 0

    /// Starts it with a configuration and further options.
    public init?(
        _ program: String, config: String, _ folder: ScratchFolder, options: [String] = []
    ) throws {
        self.folder = folder
        self.program = program
        self.options = options
        folder.write(config, to: "prometheus.yml")
        process = try Self.start(program, folder, options, port: 0)
        guard let found = waitUntilItListens() else { return nil }
        port = found
    }

    private static func start(
        _ program: String, _ folder: ScratchFolder, _ options: [String], port: Int
    ) throws -> ChildProcess {
        folder.write("", to: "prometheus.log")
        return try ChildProcess(
            program,
            [
                "--config.file=\(folder.file("prometheus.yml"))",
                "--storage.tsdb.path=\(folder.file("tsdb"))",
                "--web.listen-address=127.0.0.1:\(port)",
                "--enable-feature=native-histograms,exemplar-storage",
            ] + options, log: folder.file("prometheus.log"))
    }

    /// Ends it in good order.
    public func stop() {
        process.signal(SIGTERM)
        process.wait()
    }

    /// Starts it again at the same port.
    /// - Returns: Whether it is there again.
    public func restart() throws -> Bool {
        process = try Self.start(program, folder, options, port: port)
        return waitUntilItListens() != nil
    }

    /// The port, as the log tells it.
    private func waitUntilItListens() -> Int? {
        let watch = Inotify()
        watch.watch(folder.file("prometheus.log"))
        let clock = SystemClock()
        let start = clock.monotonicNanoseconds
        let marks = ["msg=\"Listening on\"", "address=127.0.0.1:"]
        while clock.monotonicNanoseconds - start < 60_000_000_000 {
            let log = log
            if let range = log.firstRange(of: marks[0]),
                let address = log[range.upperBound...].firstRange(of: marks[1])
            {
                let port = Int(log[address.upperBound...].prefix { $0.isNumber })
                return port.flatMap { isReady($0) ? $0 : nil }
            }
            watch.wait(milliseconds: 1000)
        }
        return nil
    }

    /// Waits until it has read what it had stored: before it answers no queries.
    private func isReady(_ port: Int) -> Bool {
        let none = UnsafeRawBufferPointer(start: nil, count: 0)
        let clock = SystemClock()
        let start = clock.monotonicNanoseconds
        while clock.monotonicNanoseconds - start < 60_000_000_000 {
            let answer = try? client.send(
                "GET", "http://127.0.0.1:\(port)/-/ready", headers: [], body: none)
            if answer?.status == 200 { return true }
        }
        return false
    }

    deinit {
        process.signal(SIGKILL)
        process.wait()
    }

    /// Gives it a request of remote write.
    /// - Returns: The status of the answer.
    public func write(_ body: [UInt8]) -> Int? {
        body.withUnsafeBytes { body in
            try? client.send(
                "POST", "http://127.0.0.1:\(port)/api/v1/write",
                headers: [
                    "Content-Encoding: snappy", "Content-Type: application/x-protobuf",
                    "X-Prometheus-Remote-Write-Version: 0.1.0",
                ], body: body
            ).status
        }
    }

    /// Its query API.
    public var api: QueryClient { QueryClient(port: port) }

    /// What it has logged.
    public var log: String {
        String(decoding: folder.contents(of: "prometheus.log") ?? [], as: UTF8.self)
    }
}

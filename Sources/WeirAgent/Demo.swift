import Glibc
import Logging
import WeirConfig
import WeirCore
import WeirHost
import WeirMetrics
import WeirPipeline
import WeirStore

/// `weir demo`: real Envoy lines, appended live, through the guide's pipeline into the store.
public struct Demo {
    /// Where the demo works and for how long.
    public struct Options: Sendable {
        /// The folder with `weir.conf` and `input/`.
        public var pipeline: String
        /// The folder that it writes into.
        public var folder: String
        /// How many lines are appended.
        public var lineCount: Int
        /// How many of them a second; `nil` for as many as it can.
        public var linesPerSecond: Int?

        /// Options by name.
        public init(pipeline: String, folder: String, lineCount: Int, linesPerSecond: Int?) {
            self.pipeline = pipeline
            self.folder = folder
            self.lineCount = lineCount
            self.linesPerSecond = linesPerSecond
        }
    }

    /// The configuration's files, with the demo's folder in its environment.
    private struct Files: ConfigFiles {
        let real = RealConfigFiles()
        let folder: String

        var hostName: String { real.hostName }

        func contents(of path: String) -> [UInt8]? { real.contents(of: path) }

        func paths(matching pattern: String) -> [String] { real.paths(matching: pattern) }

        func environment(_ name: String) -> String? {
            name == "WEIR_DEMO" ? folder : real.environment(name)
        }
    }

    private static let inputPath = "/var/log/istio/access.log"

    private let options: Options
    private let clock = SystemClock()

    /// A demo that has not begun.
    public init(_ options: Options) {
        self.options = options
    }

    /// Runs the demo and prints what it did.
    /// - Returns: Whether every line arrived.
    public func run() -> Bool {
        let input = "\(options.pipeline)/input\(Self.inputPath)"
        guard let bytes = AtomicFile.read(input) else {
            print(
                "\(input) cannot be read\n  help: run it from the project's folder, or name --pipeline"
            )
            return false
        }
        let lines = bytes.split(separator: 0x0a)
        let log = options.folder + Self.inputPath
        AtomicFile.makeFolder(of: log)
        guard let file = fopen(log, "w") else {
            print("\(log) cannot be written")
            return false
        }
        defer { fclose(file) }
        let registry = Registry()
        do {
            let agent = try makeAgent(registry)
            try agent.start()
            print("Weir runs the guide's pipeline: \(log) -> \(options.folder)/store.db")
            let delivered = registry.counter(
                MetricDescription("weir_output_delivered_events_total", ""),
                [Label("output", "store")])
            let seconds = append(lines, to: file, delivered)
            let isDelivered = agent.stop()
            report(lines, seconds, registry)
            return isDelivered && delivered.value == UInt64(options.lineCount)
        } catch {
            print("\(error)")
            return false
        }
    }

    private func makeAgent(_ registry: Registry) throws -> Agent {
        let files = Files(folder: options.folder)
        let configuration = Agent.read("\(options.pipeline)/weir.conf", files: files)
        return try Agent(
            configuration, registry: registry, files: files,
            logger: Logger(label: "weir") { _ in AgentLogHandler() })
    }

    /// Appends the lines in turn and waits until they are stored.
    /// - Returns: The seconds that it took.
    private func append(
        _ lines: [ArraySlice<UInt8>], to file: UnsafeMutablePointer<FILE>, _ delivered: Counter
    ) -> Double {
        let start = clock.monotonicNanoseconds
        for number in 0..<options.lineCount {
            var line = Array(lines[number % lines.count])
            line.append(0x0a)
            fwrite(line, 1, line.count, file)
            if let rate = options.linesPerSecond, number % max(rate / 20, 1) == 0 {
                fflush(file)
                let due = start + UInt64(number) * 1_000_000_000 / UInt64(max(rate, 1))
                let now = clock.monotonicNanoseconds
                if due > now { usleep(UInt32(clamping: (due - now) / 1000)) }
            }
        }
        fflush(file)
        let deadline = clock.monotonicNanoseconds + 60_000_000_000
        while delivered.value < UInt64(options.lineCount), clock.monotonicNanoseconds < deadline {
            usleep(5000)
        }
        return Double(clock.monotonicNanoseconds - start) / 1e9
    }

    private func report(_ lines: [ArraySlice<UInt8>], _ seconds: Double, _ registry: Registry) {
        let rate = Int(Double(options.lineCount) / max(seconds, 0.001))
        print("\n\(options.lineCount) lines in \(Int(seconds * 1000)) ms: \(rate) lines a second\n")
        do throws(DatabaseError) {
            let reader = try StoreReader("\(options.folder)/store.db")
            print("requests by response code:")
            for (code, count) in try reader.countsByCode() {
                print("  \(code.map { "\($0)" } ?? "none")  \(count)")
            }
            var query = StoreQuery()
            query.limit = 1
            print("\none line as it came:\n  \(String(decoding: lines.first ?? [], as: UTF8.self))")
            if let document = try reader.documents(query).first {
                print("\none document as it is stored:\n  \(document.text)")
            }
        } catch {
            print("the store cannot be read: \(error)")
        }
        let weir = CommandLine.arguments.first ?? "weir"
        print(
            """

            look further:
              \(weir) logs --store \(options.folder)/store.db --where 'response_code >= 500'
              \(weir) logs --store \(options.folder)/store.db --where "path =~ '^/reviews'" --json
              \(weir) run -c pipelines/istio-guide/weir.conf     then http://127.0.0.1:9470/metrics
            """)
        let interesting = [
            "weir_tail_lines_total", "weir_router_events_total",
            "weir_output_delivered_events_total",
            "weir_store_duplicates_absorbed_total",
        ]
        print("\nwhat /metrics says:")
        for line in registry.textExposition().split(separator: "\n")
        where interesting.contains(where: { line.hasPrefix($0) }) {
            print("  \(line)")
        }
    }
}

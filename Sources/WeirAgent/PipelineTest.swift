import Glibc
import Synchronization
import WeirConfig
import WeirCore
import WeirHost
import WeirMetrics
import WeirPipeline
import WeirPlugins

/// The test of a pipeline folder: `weir.conf`, `input/` and `expected/`.
///
/// A file under `input/` stands for the file of the machine with that path: `input/var/log/a.log`
/// is what a tail of `/var/log/a.log` reads. What reaches an output is compared, event by event, with
/// `expected/<output>.jsonl`, where `<output>` is its `@id` or its type; what filters and outputs
/// counted is compared with `expected/metrics.txt`, if it is there: Prometheus' text without comments,
/// buckets and Weir's own metrics. Time stands still at ``PipelineTest/now``.
public struct PipelineTest {
    /// The time of events that do not tell theirs: 2026-01-01T00:00:00Z.
    public static let now = Timestamp(seconds: 1_767_225_600)
    /// The largest input in bytes.
    private static let inputByteLimit = 256 << 20

    /// What a test found.
    public enum Outcome: Sendable {
        case passed(eventCount: Int)
        /// What differs, or cannot be tested.
        case failed([String])
        /// The expected files were written.
        case updated([String])
    }

    private let folder: String
    private let files: any ConfigFiles

    /// The test in a folder.
    public init(folder: String, files: any ConfigFiles = RealConfigFiles()) {
        self.folder = folder
        self.files = files
    }

    /// Runs the pipeline on its input.
    /// - Parameter updates: Whether the expected files are written, not compared.
    public func run(updates: Bool = false) -> Outcome {
        let configuration = Agent.read("\(folder)/weir.conf", files: files)
        if configuration.diagnostics.hasErrors {
            return .failed(configuration.diagnostics.map(\.description))
        }
        let recorder = EventRecorder()
        let inputs = inputFiles()
        if inputs.isEmpty { return .failed(["\(folder)/input has no file"]) }
        do throws(ConfigurationError) {
            try send(inputs, through: configuration, to: recorder)
        } catch {
            return .failed(error.diagnostics.map(\.description))
        }
        return updates ? write(recorder) : compare(recorder)
    }

    private func send(
        _ inputs: [LogReplay.InputFile], through configuration: PipelineConfiguration,
        to recorder: EventRecorder
    ) throws(ConfigurationError) {
        let registry = Registry()
        let context = PluginContext(
            hostName: "localhost", nodeName: "localhost", registry: registry,
            refusals: recorder.output("dead-letter"), outputByteLimit: 1 << 20, outputLog: { _ in },
            tailLog: { _ in })
        var builder = PipelineBuilder(configuration, context: context)
        builder.standIn = { recorder.output($0) }
        let pipeline = try builder.build(deadLetter: recorder.output("dead-letter"), log: { _ in })
        pipeline.relay.point(to: pipeline.router)
        do throws(SectionError) {
            for source in configuration.sources where source.section.type == "tail" {
                let replay = try LogReplay(source.section)
                let sink = pipeline.router.entry(label: source.section.label ?? Router.rootLabel)
                for input in inputs where replay.follows(input.path, at: Self.now) {
                    _ = try replay.send(input, to: sink, now: Self.now)
                }
            }
        } catch {
            throw ConfigurationError([error.diagnostic])
        }
        context.series.activate()
        recorder.setMetrics(Self.metricLines(registry))
    }

    /// What the pipeline counted, a line each: without comments, buckets and Weir's own metrics.
    private static func metricLines(_ registry: Registry) -> [String] {
        registry.textExposition().split(separator: "\n").filter { line in
            let name = line.prefix { $0 != "{" && $0 != " " }
            return !line.hasPrefix("#") && !name.hasPrefix("weir_") && !name.hasSuffix("_bucket")
        }.map(String.init)
    }

    // MARK: Files

    private func inputFiles() -> [LogReplay.InputFile] {
        var found: [LogReplay.InputFile] = []
        collect("", &found)
        return found.sorted { $0.path < $1.path }
    }

    private func collect(_ path: String, _ found: inout [LogReplay.InputFile]) {
        let full = "\(folder)/input\(path)"
        if case .success(let status) = FileStatus.of(full), status.isRegular {
            if let bytes = AtomicFile.read(full, limit: Self.inputByteLimit) {
                found.append(LogReplay.InputFile(path: path, bytes: bytes))
            }
            return
        }
        for name in FileNames.inFolder(full) where !name.hasPrefix(".") {
            collect("\(path)/\(name)", &found)
        }
    }

    /// The file that holds what the pipeline counts.
    private var metricsPath: String { "\(folder)/expected/metrics.txt" }

    private func write(_ recorder: EventRecorder) -> Outcome {
        var written: [String] = []
        var files = recorder.lines.sorted { $0.key < $1.key }.map { name, lines in
            (path: "\(folder)/expected/\(name).jsonl", lines: lines)
        }
        files.append((metricsPath, recorder.metrics))
        for (path, lines) in files where !lines.isEmpty {
            AtomicFile.makeFolder(of: path)
            let text = lines.map { $0 + "\n" }.joined()
            do throws(SystemError) {
                try AtomicFile.write(Array(text.utf8), to: path)
            } catch {
                return .failed(["\(path) cannot be written: \(error)"])
            }
            written.append(path)
        }
        return .updated(written)
    }

    private func compare(_ recorder: EventRecorder) -> Outcome {
        var problems: [String] = []
        var eventCount = 0
        var names = Set(recorder.lines.filter { !$0.value.isEmpty }.keys)
        for name in FileNames.inFolder("\(folder)/expected") where name.hasSuffix(".jsonl") {
            names.insert(String(name.dropLast(6)))
        }
        for name in names.sorted() {
            let path = "\(folder)/expected/\(name).jsonl"
            let found = recorder.lines[name] ?? []
            guard let bytes = AtomicFile.read(path, limit: Self.inputByteLimit) else {
                problems.append("\(name) received \(found.count) events, and \(path) is not there")
                continue
            }
            let wanted = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
            eventCount += found.count
            if let problem = difference(found, wanted, path) { problems.append(problem) }
        }
        if let bytes = AtomicFile.read(metricsPath, limit: Self.inputByteLimit) {
            let wanted = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
            if let problem = metricsDifference(recorder.metrics, wanted) {
                problems.append(problem)
            }
        }
        return problems.isEmpty ? .passed(eventCount: eventCount) : .failed(problems)
    }

    private func metricsDifference(_ found: [String], _ wanted: [Substring]) -> String? {
        for index in 0..<max(found.count, wanted.count) {
            let left = index < wanted.count ? String(wanted[index]) : "nothing more"
            let right = index < found.count ? found[index] : "nothing more"
            if left != right {
                return "\(metricsPath):\(index + 1): another sample\n  expected \(left)\n"
                    + "  found    \(right)"
            }
        }
        return nil
    }

    private func difference(_ found: [String], _ wanted: [Substring], _ path: String) -> String? {
        for index in 0..<max(found.count, wanted.count) {
            guard index < wanted.count else {
                return "\(path):\(index + 1): one event too many\n  found    \(found[index])"
            }
            guard index < found.count else {
                return "\(path):\(index + 1): an event is missing\n  expected \(wanted[index])"
            }
            let isSame =
                found[index] == wanted[index]
                || JSONValueReader.value(of: found[index])
                    == JSONValueReader.value(of: String(wanted[index]))
            if !isSame {
                return "\(path):\(index + 1): another event\n  expected \(wanted[index])\n"
                    + "  found    \(found[index])"
            }
        }
        return nil
    }
}

/// Keeps what reaches each output, as lines of JSON.
final class EventRecorder: Sendable {
    private let state = Mutex<[String: [String]]>([:])
    private let counted = Mutex<[String]>([])

    /// What the pipeline counted, as lines of Prometheus' text.
    var metrics: [String] { counted.withLock { $0 } }

    func setMetrics(_ lines: [String]) { counted.withLock { $0 = lines } }

    /// The lines of each output.
    var lines: [String: [String]] { state.withLock { $0 } }

    func add(_ lines: [String], to name: String) {
        state.withLock { $0[name, default: []] += lines }
    }

    /// The stand-in for an output.
    func output(_ name: String) -> RecordingOutput { RecordingOutput(name, self) }
}

/// Stands for an output in a pipeline's test.
final class RecordingOutput: Output, RefusalSink {
    private let name: String
    private let recorder: EventRecorder

    init(_ name: String, _ recorder: EventRecorder) {
        self.name = name
        self.recorder = recorder
    }

    var admits: Bool { true }

    func write(_ batch: EventBatch, ticket: DeliveryTicket) {
        var encoder = BatchEncoder(batch)
        var timestamp = ISO8601Writer(digits: 9)
        var lines: [String] = []
        for row in batch.rows.indices where !batch.rows[row].isDropped {
            var text = ByteBuffer(capacity: 1024)
            text.append("{\"tag\":\"")
            appendEscaped(batch.tag, to: &text)
            text.append("\",\"time\":\"")
            timestamp.append(batch.rows[row].time, offsetSeconds: 0, to: &text)
            text.append("\",\"record\":")
            encoder.append(row: row, to: &text)
            text.append("}")
            lines.append(String(decoding: text.bytes, as: UTF8.self))
        }
        recorder.add(lines, to: name)
    }

    func start() throws(ComponentError) {}

    func flush() {}

    func stop(deadline: UInt64) -> Bool { true }

    func refuse(_ events: [RefusedEvent], ticket: DeliveryTicket) {
        recorder.add(
            events.map { event in
                var text = ByteBuffer(capacity: 1024)
                text.append("{\"tag\":\"")
                appendEscaped(event.tag, to: &text)
                text.append("\",\"reason\":\"")
                appendEscaped(event.reason, to: &text)
                text.append("\",\"record\":")
                text.append(event.recordText)
                text.append("}")
                return String(decoding: text.bytes, as: UTF8.self)
            }, to: name)
    }
}

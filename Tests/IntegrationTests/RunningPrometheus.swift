import Glibc
import WeirCore
import WeirHost
import WeirTesting

/// A real Prometheus of a test, in a folder of its own.
final class RunningPrometheus {
    private let folder: ScratchFolder
    private let process: ChildProcess
    private let port: Int
    private let client = HTTPClient()

    /// Starts it with a configuration.
    init?(_ program: String, config: String, _ folder: ScratchFolder) throws {
        self.folder = folder
        folder.write(config, to: "prometheus.yml")
        process = try ChildProcess(
            program,
            [
                "--config.file=\(folder.file("prometheus.yml"))",
                "--storage.tsdb.path=\(folder.file("tsdb"))", "--web.listen-address=127.0.0.1:0",
                "--enable-feature=native-histograms,exemplar-storage",
            ], log: folder.file("prometheus.log"))
        let watch = Inotify()
        watch.watch(folder.file("prometheus.log"))
        let clock = SystemClock()
        let start = clock.monotonicNanoseconds
        let marks = ["msg=\"Listening on\"", "address=127.0.0.1:"]
        var found: Int?
        while found == nil, clock.monotonicNanoseconds - start < 60_000_000_000 {
            let log = String(
                decoding: folder.contents(of: "prometheus.log") ?? [], as: UTF8.self)
            if let range = log.firstRange(of: marks[0]),
                let address = log[range.upperBound...].firstRange(of: marks[1])
            {
                found = Int(log[address.upperBound...].prefix { $0.isNumber })
            } else {
                watch.wait(milliseconds: 1000)
            }
        }
        guard let found else { return nil }
        port = found
    }

    deinit {
        process.signal(SIGKILL)
        process.wait()
    }

    /// What the API answers: the value of `data`.
    func ask(_ path: String) -> Value? {
        let none = UnsafeRawBufferPointer(start: nil, count: 0)
        guard
            let answer = try? client.send(
                "GET", "http://127.0.0.1:\(port)/api/v1/\(path)", headers: [], body: none),
            answer.status == 200
        else { return nil }
        return JSONValueReader.value(of: client.body.bytes)?.object?["data"]
    }

    /// The series that an instant query finds.
    func query(_ expression: String) -> [Record] {
        guard
            case .array(let found)? = ask("query?query=\(Self.escaped(expression))")?
                .object?["result"]
        else { return [] }
        return found.compactMap(\.object)
    }

    /// The numbers that an instant query finds, by the values of some labels.
    func numbers(_ expression: String, by labels: [String]) -> [[String]: Double] {
        var numbers: [[String]: Double] = [:]
        for series in query(expression) {
            let metric = series["metric"]?.object ?? Record()
            let key = labels.map { label -> String in
                if case .string(let text)? = metric[label] { text } else { "" }
            }
            guard case .array(let value)? = series["value"], value.count == 2,
                case .string(let text) = value[1], let number = Double(text)
            else { continue }
            numbers[key] = number
        }
        return numbers
    }

    /// Asks until so many series are found.
    func wait(for expression: String, count: Int, seconds: UInt64 = 60) -> Bool {
        let clock = SystemClock()
        let start = clock.monotonicNanoseconds
        while clock.monotonicNanoseconds - start < seconds * 1_000_000_000 {
            if query(expression).count >= count { return true }
        }
        return false
    }

    static func escaped(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF")
        return text.utf8.map { byte in
            let isPlain = (byte | 0x20) &- 0x61 < 26 || byte &- 0x30 < 10 || byte == 0x5f
            return isPlain
                ? String(UnicodeScalar(byte))
                : "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
        }.joined()
    }
}

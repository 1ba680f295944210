import WeirCore
import WeirHost

/// Asks the query API of a Prometheus, or of an agent.
public final class QueryClient {
    private let port: Int
    private let client = HTTPClient()

    /// A client of who listens at a port.
    public init(port: Int) { self.port = port }

    /// What the API answers: the value of `data`.
    public func ask(_ path: String) -> Value? {
        let none = UnsafeRawBufferPointer(start: nil, count: 0)
        guard
            let answer = try? client.send(
                "GET", "http://127.0.0.1:\(port)/api/v1/\(path)", headers: [], body: none),
            answer.status == 200
        else { return nil }
        return JSONValueReader.value(of: client.body.bytes)?.object?["data"]
    }

    /// What the API answers, an error as well.
    public func answer(_ path: String) -> Record? {
        let none = UnsafeRawBufferPointer(start: nil, count: 0)
        guard
            (try? client.send(
                "GET", "http://127.0.0.1:\(port)/api/v1/\(path)", headers: [], body: none)) != nil
        else { return nil }
        return JSONValueReader.value(of: client.body.bytes)?.object
    }

    /// The series that an instant query finds.
    public func query(_ expression: String) -> [Record] {
        guard
            case .array(let found)? = ask("query?query=\(expression.asQueryPart)")?
                .object?["result"]
        else { return [] }
        return found.compactMap(\.object)
    }

    /// The numbers that an instant query finds, by the values of some labels.
    public func numbers(_ expression: String, by labels: [String]) -> [[String]: Double] {
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

    /// Looks until something is so.
    public func wait(seconds: UInt64 = 60, until isSo: () -> Bool) -> Bool {
        let clock = SystemClock()
        let start = clock.monotonicNanoseconds
        while clock.monotonicNanoseconds - start < seconds * 1_000_000_000 {
            if isSo() { return true }
        }
        return false
    }

    /// Asks until so many series are found.
    public func wait(for expression: String, count: Int, seconds: UInt64 = 60) -> Bool {
        wait(seconds: seconds) { query(expression).count >= count }
    }
}

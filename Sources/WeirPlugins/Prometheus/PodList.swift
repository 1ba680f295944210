import WeirCore
import WeirHost

/// The pods of a node that want to be scraped, as their annotations say: `prometheus.io/scrape`, `port`,
/// `path` and `scheme`, which Istio's sidecar injector sets as well.
struct PodList {
    private static let byteLimit = 32 << 20

    private let pods: ScrapeSection.Pods
    let client: HTTPClient

    init(_ pods: ScrapeSection.Pods) {
        self.pods = pods
        var options = pods.client
        options.answerByteLimit = Self.byteLimit
        client = HTTPClient(options)
    }

    /// The targets now, or why they are not known.
    func targets() -> Result<[ScrapeTarget.Place], Problem> {
        var headers = ["Accept: application/json"]
        if let token = ScrapeTarget.token(pods.tokenFile) {
            headers.append("Authorization: Bearer \(token)")
        }
        let none = UnsafeRawBufferPointer(start: nil, count: 0)
        do throws(HTTPError) {
            let answer = try client.send("GET", pods.url, headers: headers, body: none)
            guard answer.status == 200 else {
                return .failure(Problem(reason: "status \(answer.status)"))
            }
        } catch {
            return .failure(Problem(reason: "\(error)"))
        }
        guard case .object(let list)? = JSONValueReader.value(of: client.body.bytes),
            case .array(let items)? = list["items"]
        else { return .failure(Problem(reason: "the answer is no list of pods")) }
        return .success(items.compactMap(Self.target))
    }

    /// Why the pods are not known.
    struct Problem: Error {
        var reason: String
    }

    /// The target that a pod is, if it wants to be one and has an address.
    static func target(_ pod: Value) -> ScrapeTarget.Place? {
        guard case .object(let pod) = pod, case .object(let metadata)? = pod["metadata"],
            case .object(let status)? = pod["status"],
            case .object(let annotations)? = metadata["annotations"],
            text(annotations["prometheus.io/scrape"]) == "true",
            let address = text(status["podIP"]), text(status["phase"]) == "Running",
            let port = text(annotations["prometheus.io/port"]).flatMap({ UInt16($0) }), port > 0
        else { return nil }
        let host = address.contains(":") ? "[\(address)]" : address
        let scheme = text(annotations["prometheus.io/scheme"]) == "https" ? "https" : "http"
        let path = text(annotations["prometheus.io/path"]) ?? "/metrics"
        var labels = ["instance": "\(host):\(port)"]
        labels["namespace"] = text(metadata["namespace"])
        labels["pod"] = text(metadata["name"])
        if case .object(let own)? = metadata["labels"] {
            labels["app"] = text(own["app"]) ?? text(own["app.kubernetes.io/name"])
        }
        let slash = path.hasPrefix("/") ? "" : "/"
        return ScrapeTarget.Place(
            url: "\(scheme)://\(host):\(port)\(slash)\(path)", labels: labels)
    }

    private static func text(_ value: Value?) -> String? {
        if case .string(let text)? = value, !text.isEmpty { text } else { nil }
    }
}

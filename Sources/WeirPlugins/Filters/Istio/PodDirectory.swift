import WeirCore

/// The pods that records tell of in the field `kubernetes`, as Fluentd's filter
/// `kubernetes_metadata` writes it, by that field's text and by the pod's address.
///
/// A pod's texts live until another row's field is learnt.
final class PodDirectory {
    /// Most pods known; beyond them all are forgotten and learnt again.
    static let podLimit = 4096

    /// A pod's names.
    final class Pod {
        fileprivate let source: [UInt8]
        fileprivate let address: [UInt8]
        private let memory: UnsafeMutableRawPointer
        let workload: ByteText
        let namespace: ByteText
        let service: ByteText
        let revision: ByteText
        let app: ByteText
        let version: ByteText

        fileprivate init(_ source: [UInt8], _ names: PodNames) {
            self.source = source
            address = Array(names.address.utf8)
            let texts = [
                names.workload, names.namespace, names.service, names.revision, names.app,
                names.version,
            ].map { Array($0.utf8) }
            memory = .allocate(
                byteCount: texts.reduce(ByteBuffer.padding) { $0 + $1.count }, alignment: 1)
            var place = memory
            var parts: [ByteText] = []
            for text in texts {
                place.copyMemory(from: text, byteCount: text.count)
                parts.append(ByteText(start: place, count: text.count))
                place += text.count
            }
            workload = parts[0]
            namespace = parts[1]
            service = parts[2]
            revision = parts[3]
            app = parts[4]
            version = parts[5]
        }

        deinit { memory.deallocate() }
    }

    private var bySource: [Int: Pod] = [:]
    private var byAddress: [Int: Pod] = [:]

    /// Whether no pod is known.
    var isEmpty: Bool { byAddress.isEmpty }

    /// The pod that a record's field tells of.
    func learn(_ field: ByteText) -> Pod? {
        let hash = Self.hash(field)
        if let known = bySource[hash],
            known.source.withUnsafeBytes({ field.isSame(as: $0) })
        {
            return known
        }
        guard case .object(let record)? = JSONValueReader.value(of: field) else { return nil }
        if bySource.count >= Self.podLimit {
            bySource.removeAll(keepingCapacity: true)
            byAddress.removeAll(keepingCapacity: true)
        }
        let pod = Pod(Array(field), PodNames(record))
        bySource[hash] = pod
        if !pod.address.isEmpty {
            byAddress[pod.address.withUnsafeBytes { Self.hash($0) }] = pod
        }
        return pod
    }

    /// The pod of an address.
    func pod(at address: ByteText) -> Pod? {
        guard !address.isEmpty, let pod = byAddress[Self.hash(address)],
            pod.address.withUnsafeBytes({ address.isSame(as: $0) })
        else { return nil }
        return pod
    }

    private static func hash(_ bytes: ByteText) -> Int {
        var hasher = Hasher()
        hasher.combine(bytes: bytes)
        return hasher.finalize()
    }
}

/// What the metadata of a pod says of its workload and service, as Istio reads it.
struct PodNames {
    var address = ""
    var workload = ""
    var namespace = ""
    var service = ""
    var revision = ""
    var app = ""
    var version = ""

    /// Characters of the random ends of pods' names (Kubernetes: `k8s.io/apimachinery/pkg/util/rand`).
    private static let randomCharacters = Set("bcdfghjklmnpqrstvwxz2456789")

    /// The names in a record's field `kubernetes`.
    init(_ record: Record) {
        func text(_ value: Value?) -> String {
            if case .string(let text)? = value { text } else { "" }
        }
        address = text(record["pod_ip"])
        namespace = text(record["namespace_name"])
        var labels = Record()
        if case .object(let found)? = record["labels"] { labels = found }
        func label(_ names: String...) -> String {
            for name in names {
                // Elasticsearch's users have the dots of labels replaced.
                let plain = String(name.map { $0 == "." ? "_" : $0 })
                let found = text(labels[name] ?? labels[plain])
                if !found.isEmpty { return found }
            }
            return ""
        }
        app = label("app")
        version = label("version")
        workload = Self.owner(record) ?? Self.workload(ofPod: text(record["pod_name"]))
        service = label("service.istio.io/canonical-name", "app.kubernetes.io/name", "app")
        if service.isEmpty { service = workload }
        revision = label(
            "service.istio.io/canonical-revision", "app.kubernetes.io/version", "version")
    }

    private static func owner(_ record: Record) -> String? {
        guard case .array(let owners)? = record["ownerrefs"],
            case .object(let owner)? = owners.first,
            case .string(let name)? = owner["name"], case .string(let kind)? = owner["kind"]
        else { return nil }
        return kind == "ReplicaSet" ? withoutEnd(name, lengths: 5...10) ?? name : name
    }

    /// The name of the workload that a pod's name begins with.
    static func workload(ofPod name: String) -> String {
        if let end = name.lastIndex(of: "-"),
            name[name.index(after: end)...].allSatisfy(\.isNumber),
            name.index(after: end) != name.endIndex
        {
            return String(name[..<end])
        }
        guard let set = withoutEnd(name, lengths: 5...5) else { return name }
        return withoutEnd(set, lengths: 8...10) ?? set
    }

    private static func withoutEnd(_ name: String, lengths: ClosedRange<Int>) -> String? {
        guard let dash = name.lastIndex(of: "-"), dash != name.startIndex else { return nil }
        let end = name[name.index(after: dash)...]
        guard lengths.contains(end.count), end.allSatisfy(randomCharacters.contains) else {
            return nil
        }
        return String(name[..<dash])
    }
}

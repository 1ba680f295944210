// Hot path: once per event.
import WeirCore

/// Whose view of a request a line is.
enum IstioReporter: String, CaseIterable {
    case source, destination, waypoint

    /// The label's value.
    @inline(__always)
    var text: ByteText {
        switch self {
        case .source: .literal("source")
        case .destination: .literal("destination")
        case .waypoint: .literal("waypoint")
        }
    }

    /// The place among all.
    @inline(__always)
    var index: Int {
        switch self {
        case .source: 0
        case .destination: 1
        case .waypoint: 2
        }
    }
}

/// What a line of an access log is about.
enum IstioLineKind {
    case http
    case tcp
    /// A connection that its listener refused: no metric of Istio's counts it.
    case listener
    /// Not an access log's record.
    case foreign
}

/// Derives from the fields of an access log what Istio's metrics say of a request, by the rules of
/// Envoy's own filter (envoy: `contrib/istio/filters/http/istio_stats/source/istio_stats.cc`).
///
/// Texts are parts of the row's own bytes, or literals; nothing is allocated per row. What a log
/// does not tell stays `unknown`, as in Envoy: nothing is guessed.
final class IstioDerivation {
    /// What the user may say about a log.
    struct Options {
        /// Whose view all lines are, or `nil` to tell by the line.
        var reporter: IstioReporter?
        /// The namespace of short host names where the record does not tell its own; may be empty.
        var namespace = ""
        /// What short host names are completed with.
        var domain = "cluster.local"
        /// Keys of fields that are called otherwise in the user's format.
        var keys: [IstioField: [String]] = [:]
        /// Keys of more fields, for labels of the user's own.
        var extraKeys: [[String]] = []
        /// The places of fields besides those of the derivation that labels depend on.
        var labelFields: [Int] = []
    }

    /// The fields, those of ``IstioField`` first and then the extra ones.
    let table: FieldTable
    private let forcedReporter: IstioReporter?
    private let defaultNamespace: [UInt8]
    private let hostEnding: [UInt8]
    private var scratch = ScratchText()

    // What was derived of the row that was read last.

    private(set) var kind = IstioLineKind.foreign
    private(set) var reporter = IstioReporter.source
    private(set) var cluster = ByteText.none
    private(set) var host = ByteText.none
    private(set) var serviceName = ByteText.none
    private(set) var serviceNamespace = ByteText.none
    private(set) var subset = ByteText.none
    /// Whether the client proved who it is by Istio's mutual TLS, as far as the line tells.
    private(set) var hasIstioServerName = false
    /// The pods that this node knows by their addresses.
    let pods = PodDirectory()

    /// A derivation over one kind of log.
    init(_ options: Options) {
        table = FieldTable(
            IstioField.allCases.map { options.keys[$0] ?? $0.keys } + options.extraKeys,
            key: Self.keyFields.map(\.rawValue) + options.labelFields)
        forcedReporter = options.reporter
        defaultNamespace = Array(options.namespace.utf8)
        hostEnding = Array(".svc.\(options.domain)".utf8)
    }

    /// Before the rows of a batch.
    func look(at batch: EventBatch) { table.look(at: batch) }

    /// Fields that decide the labels of a line that names its cluster, where no pods are known.
    private static let keyFields: [IstioField] = [
        .upstreamCluster, .routeName, .protocol, .method, .responseCode, .responseFlags, .authority,
        .serverName, .workload, .namespace, .cluster, .canonicalService, .canonicalRevision, .app,
        .version, .downstreamWorkload, .downstreamNamespace, .downstreamCluster,
        .downstreamService, .downstreamRevision, .downstreamApp, .downstreamVersion,
        .upstreamWorkload, .upstreamNamespace, .upstreamCluster_, .upstreamService,
        .upstreamRevision, .upstreamApp, .upstreamVersion, .upstreamEndpoint, .services,
        .downstreamPeerSAN, .downstreamLocalSAN, .upstreamPeerSAN, .upstreamLocalSAN, .grpcStatus,
        .contentType,
    ]

    /// Whether lines with the same key have the same labels: the row that was loaded names its
    /// cluster, no pod's names complete it, and it tells no messages of gRPC, which not every line
    /// of a key does.
    @inline(__always)
    var isDecidedByKey: Bool {
        guard slot(.upstreamCluster).length > 1, !slot(.kubernetes).isPresent, pods.isEmpty,
            !slot(.requestMessages).isPresent
        else { return false }
        // Clusters that are no service's leave it to addresses whose view the line is.
        return !slot(.instanceIP).isPresent
            || table.text(IstioField.upstreamCluster.rawValue).place(of: UInt8(ascii: "|")) != nil
    }

    /// Reads a row: what it is, whose view, and of which service.
    @inline(__always)
    func read(row: Int, of batch: EventBatch) {
        table.load(row: row, of: batch)
        readLoaded()
    }

    /// Reads the row that the table has loaded.
    func readLoaded() {
        scratch.clear()
        cluster = text(.upstreamCluster)
        readKind()
        let name = IstioClusterName(cluster)
        let server = IstioServerName(text(.serverName))
        hasIstioServerName = server != nil
        readReporter(name)
        host = .none
        serviceName = .none
        serviceNamespace = .none
        subset = name.direction == .outbound ? name.subset : .none
        if reporter == .destination, let server { subset = server.subset }
        readService(name, server)
    }

    @inline(__always)
    private func readKind() {
        if !text(.protocol).isEmpty || !text(.method).isEmpty {
            kind = .http
        } else if !cluster.isEmpty || !text(.upstreamHost).isEmpty {
            kind = .tcp
        } else if slot(.responseFlags).isPresent && slot(.responseCode).isPresent {
            kind = .listener
        } else {
            kind = .foreign
        }
    }

    @inline(__always)
    private func readReporter(_ name: IstioClusterName) {
        if let forcedReporter {
            reporter = forcedReporter
            return
        }
        switch name.direction {
        case .outbound: reporter = .source
        case .inbound: reporter = .destination
        case .waypoint: reporter = .waypoint
        case .other: reporter = reporterOfOther()
        }
    }

    /// Whose view a line without a service's cluster is.
    private func reporterOfOther() -> IstioReporter {
        if cluster.begins(with: "InboundPassthroughCluster") { return .destination }
        if cluster.isSame(as: "PassthroughCluster") || cluster.isSame(as: "BlackHoleCluster") {
            return .source
        }
        let route = text(.routeName)
        if route.isSame(as: "block_all") || route.isSame(as: "allow_any") { return .source }
        if hasIstioServerName { return .destination }
        let own = text(.instanceIP)
        if !own.isEmpty, text(.downstreamLocalAddress).withoutPort.isSame(as: own) {
            return .destination
        }
        // A listener without a fitting chain is an inbound one that speaks mutual TLS only.
        return kind == .listener && isRefusedByListener ? .destination : .source
    }

    /// Whether no filter chain of a listener fitted the connection.
    var isRefusedByListener: Bool {
        text(.responseFlags).isSame(as: "NR")
            && text(.responseCodeDetails).isSame(as: "filter_chain_not_found")
    }

    // MARK: The service

    @inline(__always)
    private func readService(_ name: IstioClusterName, _ server: IstioServerName?) {
        let metadata = text(.services)
        if !metadata.isEmpty {
            let service = IstioServiceMetadata(metadata)
            host = service.host
            serviceName = service.name
            serviceNamespace = service.namespace
        }
        if host.isEmpty { host = name.host }
        if host.isEmpty, reporter == .destination, let server { host = server.host }
        // Only HTTP has an authority; a cluster of services that are not known has none to trust.
        if host.isEmpty, kind == .http { host = wholeName(text(.authority).withoutPort) }
        if let special = specialServiceName() {
            serviceName = special
            serviceNamespace = .none
            return
        }
        guard !host.isEmpty else { return }
        let parts = IstioServiceName(host)
        if serviceName.isEmpty { serviceName = parts.name }
        if serviceNamespace.isEmpty { serviceNamespace = parts.namespace }
    }

    /// The name that stands for all services that the mesh does not know.
    @inline(__always)
    private func specialServiceName() -> ByteText? {
        let route = text(.routeName)
        if route.isSame(as: "block_all") { return .literal("BlackHoleCluster") }
        if route.isSame(as: "allow_any") { return .literal("PassthroughCluster") }
        guard !cluster.isEmpty, cluster[0] < UInt8(ascii: "a") else { return nil }
        let isSpecial =
            cluster.isSame(as: "BlackHoleCluster") || cluster.isSame(as: "PassthroughCluster")
            || cluster.begins(with: "InboundPassthroughCluster")
        return isSpecial ? cluster : nil
    }

    /// A short host name with the namespace and domain that it leaves out.
    ///
    /// `name` is completed where the namespace is known, `name.namespace` where the namespace is
    /// that one, `name.namespace.svc` always; other names are whole.
    private func wholeName(_ authority: ByteText) -> ByteText {
        guard !authority.isEmpty else { return .none }
        let dot = UInt8(ascii: ".")
        if authority.ends(with: ".svc") {
            return scratch.write(authority, domainOfServices.part(from: 4))
        }
        let namespace = ownNamespace
        guard !namespace.isEmpty, authority[0] &- UInt8(ascii: "0") > 9 else { return authority }
        guard let first = authority.place(of: dot) else {
            if authority.isSame(as: "localhost") { return authority }
            return scratch.write(authority, .literal("."), namespace, domainOfServices)
        }
        if authority.part(from: first &+ 1).isSame(as: namespace) {
            return scratch.write(authority, domainOfServices)
        }
        return authority
    }

    private var domainOfServices: ByteText { scratch.write(hostEnding) }

    /// The namespace of who logged the line, as far as it is known.
    @inline(__always)
    var ownNamespace: ByteText {
        let own = text(.namespace)
        if !own.isEmpty { return own }
        return defaultNamespace.isEmpty ? .none : scratch.write(defaultNamespace)
    }

    /// Whether the request is traced; `nil` where the line does not tell.
    ///
    /// A header of B3 says so or, without one, the 15th character of Envoy's request id (envoy:
    /// `source/extensions/request_id/uuid/config.h`).
    @inline(__always)
    var isSampled: Bool? {
        let header = text(.sampled)
        if header.count == 1 {
            if header[0] == UInt8(ascii: "1") || header[0] == UInt8(ascii: "d") { return true }
            if header[0] == UInt8(ascii: "0") { return false }
        }
        let id = text(.requestID)
        guard id.count == 36, id[13] == UInt8(ascii: "-") else { return nil }
        switch id[14] {
        case UInt8(ascii: "9"), UInt8(ascii: "a"), UInt8(ascii: "b"): return true
        case UInt8(ascii: "4"), UInt8(ascii: "7"): return false
        default: return nil
        }
    }

    // MARK: Texts

    /// Whether the texts that services are named by need no escapes in JSON.
    @inline(__always)
    var isPlain: Bool {
        func isPlain(_ field: IstioField) -> Bool {
            let type = slot(field).type
            return type != .raw && type != .escaped
        }
        return isPlain(.upstreamCluster) && isPlain(.serverName) && isPlain(.authority)
            && !slot(.services).isPresent
    }

    /// A field's slot.
    @inline(__always)
    func slot(_ field: IstioField) -> Slot { table.slot(field.rawValue) }

    /// A field's text; empty where it is absent, null or Envoy's `-` for a missing value.
    @inline(__always)
    func text(_ field: IstioField) -> ByteText {
        let text = rawText(field.rawValue)
        return text.count == 1 && text[0] == UInt8(ascii: "-") ? .none : text
    }

    /// The text of a field by its place in the table, `-` as it stands.
    @inline(__always)
    func rawText(_ field: Int) -> ByteText { table.readyText(field) ?? decodedText(field) }

    @inline(never)
    private func decodedText(_ field: Int) -> ByteText {
        switch table.slot(field).type {
        case .escaped: scratch.write(unescaping: table.text(field))
        case .yes: .literal("true")
        case .no: .literal("false")
        default: .none
        }
    }

    /// Text that lives until the next row is read.
    func keep(_ text: String) -> ByteText { scratch.write(Array(text.utf8)) }
}

/// A little memory for texts that a row's bytes do not hold as they are needed.
struct ScratchText: ~Copyable {
    /// Bytes for the texts of one row; what does not fit is left out.
    private static let byteLimit = 64 * 1024
    /// Most bytes of one text; no label is longer.
    static let textByteLimit = 1024

    private let base: UnsafeMutableRawPointer
    private var used = 0

    init() {
        base = .allocate(byteCount: Self.byteLimit + ByteBuffer.padding, alignment: 16)
        base.initializeMemory(
            as: UInt8.self, repeating: 0, count: Self.byteLimit + ByteBuffer.padding)
    }

    deinit { base.deallocate() }

    /// Forgets all texts.
    @inline(__always)
    mutating func clear() { used = 0 }

    /// Writes parts, one behind the other.
    mutating func write(_ parts: ByteText...) -> ByteText {
        let start = used
        for part in parts { append(part) }
        return ByteText(start: base + start, count: used - start)
    }

    /// Writes bytes.
    mutating func write(_ bytes: [UInt8]) -> ByteText {
        let start = used
        bytes.withUnsafeBytes { append($0) }
        return ByteText(start: base + start, count: used - start)
    }

    /// Writes the string that an escaped JSON text stands for.
    mutating func write(unescaping text: ByteText) -> ByteText {
        let cut = text.part(0, min(text.count, Self.textByteLimit))
        return write(Array(unescapedJSON(cut.bindMemory(to: UInt8.self)).utf8))
    }

    private mutating func append(_ bytes: ByteText) {
        let count = min(bytes.count, Self.byteLimit - used)
        guard count > 0, let start = bytes.baseAddress else { return }
        (base + used).copyMemory(from: start, byteCount: count)
        used += count
    }
}

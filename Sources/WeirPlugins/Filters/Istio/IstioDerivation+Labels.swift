// Hot path: once per event that is counted.
import WeirCore

/// What is known of one end of a request; empty where nothing is.
struct IstioPeer {
    var workload = ByteText.none
    var namespace = ByteText.none
    var cluster = ByteText.none
    var service = ByteText.none
    var revision = ByteText.none
    var app = ByteText.none
    var version = ByteText.none

    /// Whether anything is known.
    @inline(__always)
    var isKnown: Bool {
        !workload.isEmpty || !namespace.isEmpty || !service.isEmpty || !app.isEmpty
    }
}

extension IstioDerivation {
    /// Whether a request is gRPC's: its content type says so or, where the log has none, its status.
    @inline(__always)
    var isGRPC: Bool {
        guard slot(.contentType).isPresent else { return !text(.grpcStatus).isEmpty }
        let type = text(.contentType)
        guard type.begins(with: "application/grpc") else { return false }
        return type.count == 16 || type[16] == UInt8(ascii: "+") || type[16] == UInt8(ascii: ";")
    }

    /// Writes the values of all labels, by ``IstioLabel/index``.
    func writeLabels(to values: UnsafeMutablePointer<ByteText>) {
        set(values, .reporter, reporter.text)
        let own = ownPeer()
        switch reporter {
        case .source:
            setSource(values, own, identity: text(.upstreamLocalSAN), namespace: own.namespace)
            let identity = text(.upstreamPeerSAN).part(before: UInt8(ascii: ","))
            let peer = upstreamPeer()
            let namespace = identity.namespaceOfIdentity.or(peer.namespace)
            setDestination(values, peer, identity: identity, namespace: namespace)
            setService(values, .none, namespace: namespace)
        case .destination:
            setSourceOfServer(values)
            setDestination(
                values, own, identity: text(.downstreamLocalSAN), namespace: own.namespace)
            setService(values, own.service, namespace: own.namespace)
            if !own.namespace.isEmpty {
                set(values, .destinationServiceNamespace, own.namespace)
            }
        case .waypoint:
            setSourceOfServer(values)
            let peer = upstreamPeer()
            setDestination(
                values, peer, identity: text(.upstreamPeerSAN), namespace: peer.namespace)
            if peer.revision.isEmpty { set(values, .destinationCanonicalRevision, .none) }
            setService(values, .none, namespace: .none)
        }
        setRequest(values)
    }

    @inline(__always)
    private func set(
        _ values: UnsafeMutablePointer<ByteText>, _ label: IstioLabel, _ text: ByteText
    ) {
        values[label.index] = text.isEmpty ? .literal("unknown") : text
    }

    @inline(__always)
    private func setSource(
        _ values: UnsafeMutablePointer<ByteText>, _ peer: IstioPeer, identity: ByteText,
        namespace: ByteText
    ) {
        set(values, .sourceWorkload, peer.workload)
        set(values, .sourceCanonicalService, peer.service)
        set(values, .sourceCanonicalRevision, peer.revision.or(.literal("latest")))
        set(values, .sourceWorkloadNamespace, namespace)
        set(values, .sourcePrincipal, identity.part(before: UInt8(ascii: ",")))
        set(values, .sourceApp, peer.app)
        set(values, .sourceVersion, peer.version)
        set(values, .sourceCluster, peer.cluster)
    }

    @inline(__always)
    private func setSourceOfServer(_ values: UnsafeMutablePointer<ByteText>) {
        let identity = text(.downstreamPeerSAN).part(before: UInt8(ascii: ","))
        let peer = peer(from: .downstreamWorkload, at: .downstreamRemoteAddress)
        // The namespace that a certificate names wins over what the peer says of itself.
        let namespace = identity.namespaceOfIdentity.or(peer.namespace)
        setSource(values, peer, identity: identity, namespace: namespace)
    }

    @inline(__always)
    private func setDestination(
        _ values: UnsafeMutablePointer<ByteText>, _ peer: IstioPeer, identity: ByteText,
        namespace: ByteText
    ) {
        set(values, .destinationWorkload, peer.workload)
        set(values, .destinationWorkloadNamespace, namespace)
        set(values, .destinationPrincipal, identity.part(before: UInt8(ascii: ",")))
        set(values, .destinationApp, peer.app)
        set(values, .destinationVersion, peer.version)
        set(values, .destinationCanonicalService, peer.service)
        set(values, .destinationCanonicalRevision, peer.revision.or(.literal("latest")))
        set(values, .destinationCluster, peer.cluster)
    }

    @inline(__always)
    private func setService(
        _ values: UnsafeMutablePointer<ByteText>, _ fallback: ByteText, namespace: ByteText
    ) {
        set(values, .destinationService, host.or(fallback))
        set(values, .destinationServiceName, serviceName.or(fallback))
        set(values, .destinationServiceNamespace, serviceNamespace.or(namespace))
    }

    @inline(__always)
    private func setRequest(_ values: UnsafeMutablePointer<ByteText>) {
        let isGRPC = kind == .http && isGRPC
        set(
            values, .requestProtocol,
            kind != .http ? .literal("tcp") : isGRPC ? .literal("grpc") : .literal("http"))
        let code = text(.responseCode)
        values[IstioLabel.responseCode.index] = code.or(.literal("0"))
        values[IstioLabel.grpcResponseStatus.index] =
            isGRPC ? GRPCStatus.number(text(.grpcStatus)) : .none
        values[IstioLabel.responseFlags.index] = rawText(IstioField.responseFlags.rawValue)
            .or(.literal("-"))
        set(values, .connectionSecurityPolicy, securityPolicy)
    }

    /// Whether the connection was secured, as a server sees it; clients do not tell.
    @inline(__always)
    var securityPolicy: ByteText {
        if reporter == .source { return .none }
        if slot(.downstreamPeerSAN).isPresent || slot(.downstreamLocalSAN).isPresent {
            let isMutual = !text(.downstreamPeerSAN).isEmpty && !text(.downstreamLocalSAN).isEmpty
            return isMutual ? .literal("mutual_tls") : .literal("none")
        }
        if hasIstioServerName { return .literal("mutual_tls") }
        // Only Istio's own formats tell by their silence.
        return cluster.isEmpty ? .none : .literal("none")
    }

    // MARK: The two ends

    /// Who logged the line.
    @inline(__always)
    func ownPeer() -> IstioPeer {
        var peer = readPeer(from: .workload)
        let metadata = slot(.kubernetes)
        if metadata.type == .object {
            complete(&peer, from: pods.learn(text(.kubernetes)))
        }
        if peer.namespace.isEmpty { peer.namespace = ownNamespace }
        // As Istio completes the labels of pods.
        if peer.service.isEmpty { peer.service = peer.app.or(peer.workload) }
        if peer.revision.isEmpty { peer.revision = peer.version }
        return peer
    }

    /// Where the request was sent: the peer's own words, or what the endpoint's metadata says.
    @inline(__always)
    private func upstreamPeer() -> IstioPeer {
        let peer = peer(from: .upstreamWorkload, at: .upstreamHost)
        if peer.isKnown { return peer }
        let endpoint = text(.upstreamEndpoint)
        return endpoint.isEmpty ? peer : Self.endpoint(endpoint)
    }

    @inline(__always)
    private func peer(from first: IstioField, at address: IstioField) -> IstioPeer {
        var peer = readPeer(from: first)
        if !peer.isKnown, !pods.isEmpty {
            complete(&peer, from: pods.pod(at: text(address).withoutPort))
        }
        return peer
    }

    @inline(__always)
    private func readPeer(from first: IstioField) -> IstioPeer {
        @inline(__always)
        func part(_ part: PeerPart) -> ByteText { known(first.rawValue &+ part.rawValue) }
        return IstioPeer(
            workload: part(.workload), namespace: part(.namespace), cluster: part(.cluster),
            service: part(.service), revision: part(.revision), app: part(.app),
            version: part(.version))
    }

    private func complete(_ peer: inout IstioPeer, from pod: PodDirectory.Pod?) {
        guard let pod else { return }
        peer.workload = peer.workload.or(pod.workload)
        peer.namespace = peer.namespace.or(pod.namespace)
        peer.service = peer.service.or(pod.service)
        peer.revision = peer.revision.or(pod.revision)
        peer.app = peer.app.or(pod.app)
        peer.version = peer.version.or(pod.version)
    }

    /// The parts of `workload;namespace;canonical name;canonical revision;cluster`
    /// (istio: `pilot/pkg/networking/util/util.go`).
    private static func endpoint(_ text: ByteText) -> IstioPeer {
        var rest = text
        func next() -> ByteText {
            let part = rest.part(before: UInt8(ascii: ";"))
            rest = rest.part(from: part.count &+ 1)
            return part
        }
        var peer = IstioPeer()
        peer.workload = next()
        peer.namespace = next()
        peer.service = next()
        peer.revision = next()
        peer.cluster = next()
        return peer
    }
}

/// The status codes of gRPC (grpc: `doc/statuscodes.md`).
enum GRPCStatus {
    private static let names: [(camel: StaticString, snake: StaticString, number: StaticString)] = [
        ("OK", "OK", "0"), ("Canceled", "CANCELLED", "1"), ("Unknown", "UNKNOWN", "2"),
        ("InvalidArgument", "INVALID_ARGUMENT", "3"),
        ("DeadlineExceeded", "DEADLINE_EXCEEDED", "4"), ("NotFound", "NOT_FOUND", "5"),
        ("AlreadyExists", "ALREADY_EXISTS", "6"), ("PermissionDenied", "PERMISSION_DENIED", "7"),
        ("ResourceExhausted", "RESOURCE_EXHAUSTED", "8"),
        ("FailedPrecondition", "FAILED_PRECONDITION", "9"), ("Aborted", "ABORTED", "10"),
        ("OutOfRange", "OUT_OF_RANGE", "11"), ("Unimplemented", "UNIMPLEMENTED", "12"),
        ("Internal", "INTERNAL", "13"), ("Unavailable", "UNAVAILABLE", "14"),
        ("DataLoss", "DATA_LOSS", "15"), ("Unauthenticated", "UNAUTHENTICATED", "16"),
    ]

    /// The number of a status that Envoy wrote as a number or, as `%GRPC_STATUS%` does, by its name;
    /// what is neither stays as it is.
    static func number(_ text: ByteText) -> ByteText {
        guard let first = text.first, first &- UInt8(ascii: "0") > 9 else { return text }
        for name in names where text.isSame(as: name.camel) || text.isSame(as: name.snake) {
            return .literal(name.number)
        }
        return text
    }
}

extension UnsafeRawBufferPointer {
    /// The text, or another one where it is empty.
    @inline(__always)
    func or(_ other: ByteText) -> ByteText { isEmpty ? other : self }
}

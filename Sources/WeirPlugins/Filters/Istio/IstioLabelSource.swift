import WeirConfig

/// Where a label's value comes from.
enum IstioLabelSource: Equatable {
    /// What the derivation says.
    case standard(IstioLabel)
    /// The subset that the request was sent to.
    case subset
    /// A field, by its place in the table.
    case field(Int)
    /// The address in a field that holds an address and a port.
    case address(Int)
    /// The port in such a field.
    case port(Int)
    /// The path in a field that may hold a query as well.
    case path(Int)
    /// Always the same.
    case literal(String)
    /// What a way leads to that begins at a field.
    case way(RecordAccessor, field: Int)
    /// No value: as if the label were not there.
    case removed

    /// The field that the value is read from, besides those of the derivation.
    var field: Int? {
        switch self {
        case .field(let place), .address(let place), .port(let place), .path(let place): place
        case .way(_, let place): place
        case .standard, .subset, .literal, .removed: nil
        }
    }

    /// Whether the value is the same for all rows with the same bytes in the field.
    var followsKey: Bool {
        // Values within objects are rare, and their objects large.
        if case .way = self { false } else { true }
    }
}

/// The fields that labels are read from besides those of ``IstioField``.
struct ExtraFields {
    private(set) var keys: [[String]] = []

    /// The place in the table of a field of one of these names.
    mutating func place(of names: [String]) -> Int {
        let known = IstioField.allCases.first { $0.keys.contains(names[0]) }
        if let known { return known.rawValue }
        if let index = keys.firstIndex(of: names) { return IstioField.allCases.count + index }
        keys.append(names)
        return IstioField.allCases.count + keys.count - 1
    }
}

/// An attribute of Envoy's expressions, as Telemetry's `tagOverrides` may name it.
struct IstioAttribute {
    /// Attributes whose value is one field, and the field's keys.
    private static let fields: [String: [String]] = [
        "request.method": ["method"], "request.host": ["authority"], "request.path": ["path"],
        "request.useragent": ["user_agent"], "request.id": ["request_id"],
        "request.protocol": ["protocol"], "response.code": ["response_code"],
        "response.flags": ["response_flags"], "response.code_details": ["response_code_details"],
        "response.grpc_status": IstioField.grpcStatus.keys,
        "connection.requested_server_name": ["requested_server_name"],
        "connection.termination_details": ["connection_termination_details"],
        "connection.tls_version": ["downstream_tls_version"],
        "connection.uri_san_peer_certificate": ["downstream_peer_uri_san"],
        "connection.uri_san_local_certificate": ["downstream_local_uri_san"],
        "upstream.uri_san_peer_certificate": ["upstream_peer_uri_san"],
        "upstream.uri_san_local_certificate": ["upstream_local_uri_san"],
        "upstream.transport_failure_reason": ["upstream_transport_failure_reason"],
        "xds.cluster_name": ["upstream_cluster"], "xds.route_name": ["route_name"],
        "request.url_path": ["path"],
    ]

    private static let addresses: [String: String] = [
        "source": "downstream_remote_address", "destination": "downstream_local_address",
        "upstream": "upstream_host",
    ]

    /// All attributes that have a name of their own.
    private static var names: [String] {
        fields.keys.sorted() + addresses.keys.sorted().flatMap { ["\($0).address", "\($0).port"] }
            + PeerPart.allCases.flatMap {
                ["filter_state.downstream_peer.\($0)", "filter_state.upstream_peer.\($0)"]
            }
    }

    /// Reads a value of `UPSERT`: a literal, or the name of an attribute.
    static func source(
        _ text: String, _ extra: inout ExtraFields, at location: SourceLocation
    ) throws(SectionError) -> IstioLabelSource {
        var text = text
        if text.hasPrefix("string("), text.hasSuffix(")") {
            text = String(text.dropFirst(7).dropLast())
        }
        if let literal = literal(text) { return .literal(literal) }
        if text == "request.url_path" { return .path(extra.place(of: ["path"])) }
        if let keys = fields[text] { return .field(extra.place(of: keys)) }
        let parts = text.split(separator: ".", maxSplits: 1).map(String.init)
        if parts.count == 2, let key = addresses[parts[0]] {
            if parts[1] == "address" { return .address(extra.place(of: [key])) }
            if parts[1] == "port" { return .port(extra.place(of: [key])) }
        }
        if let field = peerField(text) { return .field(field.rawValue) }
        if let header = header(text) { return .field(extra.place(of: header)) }
        throw SectionError(
            location, "`\(text)` is no literal and no attribute that a log tells",
            help: nearest(to: text, in: names).map { "did you mean `\($0)`?" }
                ?? "write a text in quotes, `request.headers['name']`, or one of "
                + names.map { "`\($0)`" }.joined(separator: ", "))
    }

    private static func literal(_ text: String) -> String? {
        if let quote = text.first, quote == "'" || quote == "\"", text.last == quote,
            text.count >= 2
        {
            return String(text.dropFirst().dropLast())
        }
        return Int(text) == nil ? nil : text
    }

    /// The field of `filter_state.downstream_peer.workload`, also with brackets.
    private static func peerField(_ text: String) -> IstioField? {
        var rest = text.replacing("filter_state['", with: "filter_state.").replacing("']", with: "")
        guard rest.hasPrefix("filter_state.") else { return nil }
        rest.removeFirst(13)
        let parts = rest.split(separator: ".").map(String.init)
        guard parts.count == 2, let first = parts.first else { return nil }
        let start: IstioField
        switch first {
        case "downstream_peer": start = .downstreamWorkload
        case "upstream_peer": start = .upstreamWorkload
        default: return nil
        }
        guard let part = PeerPart.allCases.first(where: { "\($0)" == parts[1] }) else { return nil }
        return IstioField(rawValue: start.rawValue + part.rawValue)
    }

    /// The keys of a request header: `h_end_user`, as the recommended format has it, or as the
    /// `envoy` parser names the operator.
    private static func header(_ text: String) -> [String]? {
        guard text.hasPrefix("request.headers["), text.hasSuffix("]") else { return nil }
        guard let name = literal(String(text.dropFirst(16).dropLast())), !name.isEmpty else {
            return nil
        }
        let plain = String(name.lowercased().map { $0.isLetter || $0.isNumber ? $0 : "_" })
        return ["h_\(plain)", "req_\(plain)"]
    }
}

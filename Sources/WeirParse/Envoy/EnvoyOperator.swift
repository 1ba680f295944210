/// One operator of Envoy's access log, such as `%REQ(USER-AGENT):10%`, taken apart.
struct EnvoyOperator: Sendable, Equatable {
    /// The operator as it was written, percent signs included.
    var text: String
    /// The name before the parameter.
    var name: String
    /// What stood between the parentheses; `nil` without any.
    var parameter: String?
    /// The number behind the colon: most bytes of a value.
    var limit: Int?

    /// The name, with long names of headers made short.
    var shortName: String {
        switch name {
        case "REQUEST_HEADER": "REQ"
        case "RESPONSE_HEADER": "RESP"
        case "RESPONSE_TRAILER": "TRAILER"
        default: name
        }
    }

    /// The header's names, in lower case, of an operator that reads headers.
    var headers: [String] {
        (parameter ?? "").lowercased().split(separator: "?", omittingEmptySubsequences: false)
            .map(String.init)
    }
}

/// What an operator's value looks like in text.
struct EnvoyValueForm: Sendable, Equatable {
    /// What a value becomes.
    enum Kind: Sendable {
        case string
        /// A whole number, perhaps negative.
        case integer
        /// Whatever the configuration or a filter put there; objects, lists and numbers are JSON.
        case metadata
        /// A string in JSON's quotes, or an object.
        case quoted
    }

    /// What a likely value looks like: decides between several readings of a line.
    enum Likeness: Sendable {
        case anything
        case userAgent
        case requestID
        case addressList
        case address
        case host
        case path
        case name
        case number
    }

    var kind = Kind.string
    /// The bytes that a value may hold.
    var bytes = ByteSet.headerText
    /// The shortest value, in bytes; a missing one (`-`) counts as a value of one byte.
    var shortest = 0
    /// The longest value.
    var longest = Int.max
    /// Whether a lone `-` says that there is no value.
    var dashIsMissing = true
    var likeness = Likeness.anything

    /// Text of any content.
    static let text = EnvoyValueForm()
    /// A whole number.
    static let integer = EnvoyValueForm(
        kind: .integer, bytes: ByteSet("-0123456789"), shortest: 1, longest: 21, likeness: .number)

    /// A text of certain bytes.
    static func word(
        _ bytes: ByteSet, dashIsMissing: Bool = true, _ likeness: Likeness = .anything
    ) -> EnvoyValueForm {
        var bytes = bytes
        bytes.insert(UInt8(ascii: "-"))
        return EnvoyValueForm(bytes: bytes, dashIsMissing: dashIsMissing, likeness: likeness)
    }

    /// Whether it may hold any text.
    var isFree: Bool { bytes == .headerText || bytes == .all }
}

extension EnvoyOperator {
    private static let addressBytes = ByteSet {
        ByteSet.unspaced.contains($0) && !ByteSet("\"|<>").contains($0)
    }
    private static let wordBytes = ByteSet.letters.union(.digits).union(ByteSet("_-.,+:"))
    private static let methodBytes = ByteSet.letters.union(.digits)
        .union(ByteSet("!#$%&'*+-.^_`|~"))

    /// What its values look like.
    var form: EnvoyValueForm {
        var form = unlimitedForm
        if let limit { form.longest = min(form.longest, max(limit, 1)) }
        return form
    }

    private var unlimitedForm: EnvoyValueForm {
        if Self.integers.contains(name) {
            var form = EnvoyValueForm.integer
            if name == "RESPONSE_CODE" { form.longest = 3 }
            return form
        }
        switch shortName {
        case "REQ", "RESP", "TRAILER", "REQ_WITHOUT_QUERY": return headerForm
        case "START_TIME", "START_TIME_LOCAL", "EMIT_TIME", "EMIT_TIME_LOCAL":
            return EnvoyTimeShape(self).form
        case "GRPC_STATUS":
            return parameter == "NUMBER" ? .integer : .word(Self.wordBytes)
        case "PROTOCOL", "UPSTREAM_PROTOCOL":
            return .word(ByteSet("HTP/.0123456789"))
        case "RESPONSE_FLAGS", "RESPONSE_FLAGS_LONG":
            var form = EnvoyValueForm.word(Self.wordBytes, dashIsMissing: false)
            form.shortest = 1
            return form
        case "RESPONSE_CODE_DETAILS":
            return parameter == "ALLOW_WHITESPACES" ? .text : .word(.unspaced)
        case "QUERY_PARAM": return EnvoyValueForm(bytes: .all)
        case "ENVIRONMENT":
            return EnvoyValueForm(dashIsMissing: false, likeness: .name)
        case "DYNAMIC_METADATA", "CLUSTER_METADATA", "UPSTREAM_METADATA", "METADATA":
            return EnvoyValueForm(kind: .metadata)
        case "FILTER_STATE", "UPSTREAM_FILTER_STATE": return filterStateForm
        case "UPSTREAM_CLUSTER", "UPSTREAM_CLUSTER_RAW", "ROUTE_NAME", "VIRTUAL_CLUSTER_NAME",
            "FILTER_CHAIN_NAME", "REQUESTED_SERVER_NAME", "HOSTNAME",
            "UPSTREAM_HOST_NAMES_ATTEMPTED", "UPSTREAM_HOST_NAME":
            return EnvoyValueForm(likeness: .name)
        case "STREAM_ID": return EnvoyValueForm(likeness: .requestID)
        case "PATH", "QUERY_PARAMS":
            return name == "PATH" ? EnvoyValueForm(likeness: .path) : .word(.unspaced)
        default: return namedForm
        }
    }

    /// The forms of operators whose names tell them.
    private var namedForm: EnvoyValueForm {
        if Self.words.contains(name) { return .word(Self.wordBytes) }
        if name.contains("_ADDRESS") || name.contains("UPSTREAM_HOST") {
            return .word(Self.addressBytes, .address)
        }
        if name.contains("FINGERPRINT") || name.contains("SERIAL") || name.contains("_TLS_")
            || name.hasSuffix("_TYPE")
        {
            return .word(Self.wordBytes)
        }
        if name.contains("_CERT_V_") { return EnvoyTimeShape(self).form }
        if name.hasSuffix("_REASON") || name.hasSuffix("_DETAILS") { return .word(.unspaced) }
        if ["URI_SAN", "EMAIL_SAN", "IP_SAN"].contains(where: name.hasSuffix)
            || name.hasSuffix("_CERT")
        {
            return .word(Self.addressBytes)
        }
        return .text
    }

    private var headerForm: EnvoyValueForm {
        if shortName == "REQ" {
            switch headers {
            case [":method"]: return .word(Self.methodBytes)
            case [":path"]: return .word(.unspaced, .path)
            case [":authority"], ["host"]:
                return .word(
                    ByteSet { ByteSet.unspaced.contains($0) && $0 != UInt8(ascii: "\"") }, .host)
            case [":scheme"]: return .word(Self.wordBytes)
            case ["user-agent"]: return EnvoyValueForm(likeness: .userAgent)
            case ["x-request-id"]: return EnvoyValueForm(likeness: .requestID)
            case ["x-forwarded-for"]: return EnvoyValueForm(likeness: .addressList)
            default: break
            }
        }
        if headers.last == ":path" { return EnvoyValueForm(likeness: .path) }
        let isTime = headers == ["x-envoy-upstream-service-time"]
        return EnvoyValueForm(likeness: isTime ? .number : .anything)
    }

    private var filterStateForm: EnvoyValueForm {
        let parts = (parameter ?? "").split(separator: ":")
        let isPlain = parts.count > 1 && (parts[1] == "PLAIN" || parts[1] == "FIELD")
        return EnvoyValueForm(kind: isPlain || limit != nil ? .string : .quoted)
    }

    /// Operators whose values are whole numbers, in JSON too.
    static let integers: Set<String> = [
        "RESPONSE_CODE", "BYTES_RECEIVED", "BYTES_SENT", "BYTES_RETRANSMITTED",
        "PACKETS_RETRANSMITTED", "DURATION", "COMMON_DURATION", "REQUEST_DURATION",
        "REQUEST_TX_DURATION", "RESPONSE_DURATION", "RESPONSE_TX_DURATION", "ROUNDTRIP_DURATION",
        "DOWNSTREAM_HANDSHAKE_DURATION", "UPSTREAM_CONNECTION_POOL_READY_DURATION",
        "DOWNSTREAM_CX_RTT", "CONNECTION_ID", "UPSTREAM_CONNECTION_ID", "GRPC_STATUS_NUMBER",
        "UPSTREAM_REQUEST_ATTEMPT_COUNT", "REQUEST_HEADERS_BYTES", "RESPONSE_HEADERS_BYTES",
        "RESPONSE_TRAILERS_BYTES", "DOWNSTREAM_WIRE_BYTES_RECEIVED", "DOWNSTREAM_WIRE_BYTES_SENT",
        "UPSTREAM_WIRE_BYTES_RECEIVED", "UPSTREAM_WIRE_BYTES_SENT",
        "DOWNSTREAM_HEADER_BYTES_RECEIVED", "DOWNSTREAM_HEADER_BYTES_SENT",
        "UPSTREAM_HEADER_BYTES_RECEIVED", "UPSTREAM_HEADER_BYTES_SENT",
        "DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED",
        "DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_SENT", "UPSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED",
        "UPSTREAM_DECOMPRESSED_HEADER_BYTES_SENT", "DOWNSTREAM_LOCAL_PORT",
        "DOWNSTREAM_REMOTE_PORT", "DOWNSTREAM_DIRECT_LOCAL_PORT", "DOWNSTREAM_DIRECT_REMOTE_PORT",
        "UPSTREAM_LOCAL_PORT", "UPSTREAM_REMOTE_PORT",
    ]

    private static let words: Set<String> = [
        "ACCESS_LOG_TYPE", "UNIQUE_ID", "TRACE_ID", "SPAN_ID", "CUSTOM_FLAGS",
        "UPSTREAM_CONNECTION_IDS_ATTEMPTED", "TLS_JA3_FINGERPRINT", "TLS_JA4_FINGERPRINT",
    ]
}

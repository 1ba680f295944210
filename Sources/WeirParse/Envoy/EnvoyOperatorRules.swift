import WeirCore

/// Which operators Envoy knows, and what it lets them be given (measured with `--mode validate`
/// on Envoy 1.40).
enum EnvoyOperatorRules {
    /// What an operator takes.
    private enum Parameters {
        /// Neither parameter nor length.
        case none
        /// A parameter that is not checked, but no length.
        case free
        /// A parameter, and perhaps a length.
        case required
        /// Perhaps a parameter of these words, parted by colons, and perhaps a length.
        case words([[String]])
    }

    /// Refuses what Envoy refuses.
    static func check(_ operation: EnvoyOperator) throws(EnvoyFormatError) {
        guard let parameters = parameters(of: operation.name) else {
            throw EnvoyFormatError(
                message: "Envoy has no operator `\(operation.name)`",
                help: near(operation.name).map { "did you mean `%\($0)%`?" }
                    ?? "see \"access log operators\" in Envoy's manual; names are in capitals")
        }
        switch parameters {
        case .none:
            if operation.parameter != nil || operation.limit != nil {
                throw EnvoyFormatError(
                    message: "`\(operation.name)` takes no parameter and no length",
                    help: "write `%\(operation.name)%`")
            }
        case .free:
            if operation.limit != nil {
                throw EnvoyFormatError(
                    message: "`\(operation.name)` takes no length",
                    help: "leave out `:\(operation.limit ?? 0)`")
            }
        case .required:
            if (operation.parameter ?? "").isEmpty {
                throw EnvoyFormatError(
                    message: "`\(operation.name)` needs a parameter",
                    help: "write `%\(operation.name)(…)%`")
            }
        case .words(let words): try check(operation, words)
        }
        try checkParameter(operation)
    }

    private static func check(
        _ operation: EnvoyOperator, _ words: [[String]]
    ) throws(EnvoyFormatError) {
        guard let parameter = operation.parameter, !parameter.isEmpty else { return }
        let parts = parameter.split(separator: ":", omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated()
        where index >= words.count || !words[index].contains(String(part)) {
            let known = index < words.count ? words[index] : []
            throw EnvoyFormatError(
                message: "`\(operation.name)` does not know `\(part)`",
                help: known.isEmpty
                    ? "leave it out" : "write \(known.map { "`\($0)`" }.joined(separator: " or "))")
        }
    }

    private static func checkParameter(_ operation: EnvoyOperator) throws(EnvoyFormatError) {
        let parameter = operation.parameter ?? ""
        let parts = parameter.split(separator: ":", omittingEmptySubsequences: false)
        switch operation.shortName {
        case "REQ", "RESP", "TRAILER", "REQ_WITHOUT_QUERY":
            let headers = operation.headers
            try require(
                headers.count <= 2, "`\(parameter)` names more than one alternative header",
                "write `A?B`")
            try require(
                parameter.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f },
                "`\(parameter)` is not the name of a header", "leave out the spaces")
        case "COMMON_DURATION":
            try require(
                parts.count == 2 || parts.count == 3 && ["ms", "us", "ns"].contains(parts[2]),
                "`\(parameter)` is not a duration", "write `START:END`, and `:ms`, `:us` or `:ns`")
        case "METADATA":
            let kinds = [
                "DYNAMIC", "CLUSTER", "ROUTE", "UPSTREAM_HOST", "LISTENER", "LISTENER_FILTER_CHAIN",
                "VIRTUAL_HOST",
            ]
            try require(
                parts.first.map { kinds.contains(String($0)) } ?? false,
                "`\(parts.first ?? "")` is no kind of metadata",
                "the kinds are \(kinds.joined(separator: ", "))")
        case "FILTER_STATE", "UPSTREAM_FILTER_STATE":
            try require(
                parts.count < 2 || ["PLAIN", "TYPED", "FIELD"].contains(parts[1]),
                "`\(parts.last ?? "")` is no form of filter state", "write PLAIN, TYPED or FIELD")
        case "COALESCE":
            var isList = false
            if case .object(let record)? = JSONValueReader.value(of: parameter) {
                if case .array? = record["operators"] { isList = true }
            }
            try require(
                isList, "`COALESCE` needs a JSON object with `operators`",
                "write `%COALESCE({\"operators\":[…]})%`")
        case "CEL", "TYPED_CEL":
            try require(
                isExpression(parameter), "`\(parameter)` is not an expression",
                "write a CEL expression, such as `response.code`")
        case "FILE_CONTENT":
            try require(
                parameter.contains("/"), "`\(parameter)` is not the path of a file",
                "write a path with a slash, such as `./motd.txt`")
        default: break
        }
    }

    private static func require(
        _ holds: Bool, _ message: @autoclosure () -> String, _ help: @autoclosure () -> String
    ) throws(EnvoyFormatError) {
        if !holds { throw EnvoyFormatError(message: message(), help: help()) }
    }

    /// Whether a text can be a CEL expression: brackets and quotes are closed, and it does not
    /// end where an operand is due. The rest is for Envoy to say.
    private static func isExpression(_ text: String) -> Bool {
        var open: [UInt8] = []
        var quote: UInt8?
        var last: UInt8 = 0
        for byte in text.utf8 where byte != 0x20 {
            if let mark = quote {
                if byte == mark, last != UInt8(ascii: "\\") { quote = nil }
            } else {
                switch byte {
                case UInt8(ascii: "'"), UInt8(ascii: "\""): quote = byte
                case UInt8(ascii: "("): open.append(UInt8(ascii: ")"))
                case UInt8(ascii: "["): open.append(UInt8(ascii: "]"))
                case UInt8(ascii: "{"): open.append(UInt8(ascii: "}"))
                case UInt8(ascii: ")"), UInt8(ascii: "]"), UInt8(ascii: "}"):
                    if open.popLast() != byte { return false }
                default: break
                }
            }
            last = byte
        }
        return quote == nil && open.isEmpty && !"+-*/%<>=!&|.,?:".utf8.contains(last)
    }

    private static func parameters(of name: String) -> Parameters? {
        if let special = special[name] { return special }
        if EnvoyOperator.integers.contains(name) || plain.contains(name) { return Parameters.none }
        let isPeer = ["DOWNSTREAM_LOCAL_", "DOWNSTREAM_PEER_", "UPSTREAM_LOCAL_", "UPSTREAM_PEER_"]
            .contains(where: name.hasPrefix)
        let certificate = [
            "_SUBJECT", "_ISSUER", "_CERT", "_SERIAL", "_SERIALS", "_DNS_SAN", "_URI_SAN",
            "_EMAIL_SAN", "_IP_SAN", "_OTHERNAME_SAN", "_FINGERPRINT_1", "_FINGERPRINT_256",
            "_FINGERPRINTS_1", "_FINGERPRINTS_256",
        ]
        if isPeer, certificate.contains(where: name.hasSuffix) { return Parameters.none }
        if isPeer, name.hasSuffix("_CERT_V_START") || name.hasSuffix("_CERT_V_END") { return .free }
        let address = [
            "DOWNSTREAM_LOCAL", "DOWNSTREAM_REMOTE", "DOWNSTREAM_DIRECT_LOCAL",
            "DOWNSTREAM_DIRECT_REMOTE", "UPSTREAM_LOCAL", "UPSTREAM_REMOTE",
        ]
        for prefix in address {
            switch name {
            case "\(prefix)_ADDRESS", "\(prefix)_ADDRESS_ENDPOINT_ID": return Parameters.none
            case "\(prefix)_ADDRESS_WITHOUT_PORT": return .free
            default: break
            }
        }
        return nil
    }

    private static let special: [String: Parameters] = [
        "REQ": .required, "RESP": .required, "TRAILER": .required, "REQUEST_HEADER": .required,
        "RESPONSE_HEADER": .required, "RESPONSE_TRAILER": .required,
        "REQ_WITHOUT_QUERY": .required, "FILE_CONTENT": .required, "QUERY_PARAM": .required,
        "ENVIRONMENT": .required, "DYNAMIC_METADATA": .required, "CLUSTER_METADATA": .required,
        "UPSTREAM_METADATA": .required, "METADATA": .required, "FILTER_STATE": .required,
        "UPSTREAM_FILTER_STATE": .required, "CEL": .required, "TYPED_CEL": .required,
        "COALESCE": .required, "XFCC_VALUE": .required, "COMMON_DURATION": .required,
        "START_TIME": .free, "START_TIME_LOCAL": .free, "EMIT_TIME": .free,
        "EMIT_TIME_LOCAL": .free, "RESPONSE_CODE_DETAILS": .free,
        "GRPC_STATUS": .words([["CAMEL_STRING", "SNAKE_STRING", "NUMBER"]]),
        "PATH": .words([["WQ", "NQ"], ["ORIG", "PATH", "ORIG_OR_PATH"]]),
        "QUERY_PARAMS": .words([["ORIG", "DECODED"]]),
        "REQUESTED_SERVER_NAME": .words([
            ["SNI_ONLY", "SNI_FIRST", "HOST_FIRST"], ["ORIG", "HOST", "ORIG_OR_HOST"],
        ]),
    ]

    private static let plain: Set<String> = [
        "PROTOCOL", "UPSTREAM_PROTOCOL", "CONNECTION_TERMINATION_DETAILS", "RESPONSE_FLAGS",
        "RESPONSE_FLAGS_LONG", "ROUTE_NAME", "VIRTUAL_CLUSTER_NAME", "FILTER_CHAIN_NAME",
        "ACCESS_LOG_TYPE", "UNIQUE_ID", "STREAM_ID", "TRACE_ID", "SPAN_ID", "HOSTNAME",
        "LOCAL_REPLY_BODY", "CUSTOM_FLAGS", "TLS_JA3_FINGERPRINT", "TLS_JA4_FINGERPRINT",
        "UPSTREAM_CLUSTER", "UPSTREAM_CLUSTER_RAW", "UPSTREAM_HOST", "UPSTREAM_HOSTS_ATTEMPTED",
        "UPSTREAM_HOST_NAMES_ATTEMPTED", "UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT",
        "UPSTREAM_HOST_NAMES_ATTEMPTED_WITHOUT_PORT", "UPSTREAM_HOST_NAME",
        "UPSTREAM_HOST_NAME_WITHOUT_PORT", "UPSTREAM_CONNECTION_IDS_ATTEMPTED",
        "UPSTREAM_DETECTED_CLOSE_TYPE", "DOWNSTREAM_DETECTED_CLOSE_TYPE",
        "UPSTREAM_LOCAL_CLOSE_REASON", "DOWNSTREAM_LOCAL_CLOSE_REASON",
        "UPSTREAM_TRANSPORT_FAILURE_REASON", "DOWNSTREAM_TRANSPORT_FAILURE_REASON",
        "DOWNSTREAM_TLS_VERSION", "DOWNSTREAM_TLS_CIPHER", "DOWNSTREAM_TLS_GROUP",
        "DOWNSTREAM_TLS_SESSION_ID", "UPSTREAM_TLS_VERSION", "UPSTREAM_TLS_CIPHER",
        "UPSTREAM_TLS_GROUP", "UPSTREAM_TLS_SESSION_ID", "UPSTREAM_SERVER_NAME",
    ]

    private static func near(_ name: String) -> String? {
        let upper = name.uppercased()
        let known = plain.union(EnvoyOperator.integers).union(special.keys)
        return known.sorted().first { $0 == upper || $0.hasPrefix(upper) || upper.hasPrefix($0) }
    }
}

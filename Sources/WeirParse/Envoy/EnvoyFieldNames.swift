/// Names of a text format's fields: those that Istio's JSON format gives the same operators.
enum EnvoyFieldNames {
    /// The names, one per operator; each is unique.
    static func names(for operators: [EnvoyOperator]) -> [String] {
        var names: [String?] = operators.map { _ in nil }
        var taken: Set<String> = []
        for (index, operation) in operators.enumerated()
        where operation.limit == nil && (operation.parameter == nil || isHeader(operation)) {
            if let name = istioName(operation), taken.insert(name).inserted { names[index] = name }
        }
        // A variant, such as `%REQ(USER-AGENT):80%`, has the plain name if it is the only one.
        for (index, operation) in operators.enumerated() where names[index] == nil {
            guard let name = istioName(operation), !taken.contains(name),
                operators.filter({ istioName($0) == name }).count == 1
            else { continue }
            taken.insert(name)
            names[index] = name
        }
        for (index, operation) in operators.enumerated() where names[index] == nil {
            let plain = plainName(operation)
            var name = plain
            var number = 2
            while !taken.insert(name).inserted {
                name = "\(plain)_\(number)"
                number += 1
            }
            names[index] = name
        }
        return names.compactMap(\.self)
    }

    private static func isHeader(_ operation: EnvoyOperator) -> Bool {
        ["REQ", "RESP"].contains(operation.shortName)
    }

    /// The key of Istio's JSON format (istio: `pilot/pkg/model/telemetry_logging.go`).
    private static func istioName(_ operation: EnvoyOperator) -> String? {
        switch operation.shortName {
        case "REQ":
            switch operation.headers {
            case [":method"]: return "method"
            case [":authority"]: return "authority"
            case ["x-envoy-original-path", ":path"], [":path"]: return "path"
            case ["x-forwarded-for"]: return "x_forwarded_for"
            case ["user-agent"]: return "user_agent"
            case ["x-request-id"]: return "request_id"
            default: return nil
            }
        case "RESP":
            return operation.headers == ["x-envoy-upstream-service-time"]
                ? "upstream_service_time" : nil
        case "UPSTREAM_CLUSTER_RAW", "UPSTREAM_CLUSTER": return "upstream_cluster"
        case "START_TIME", "ROUTE_NAME", "PROTOCOL", "RESPONSE_CODE", "RESPONSE_FLAGS",
            "RESPONSE_CODE_DETAILS", "CONNECTION_TERMINATION_DETAILS", "BYTES_RECEIVED",
            "BYTES_SENT", "DURATION", "UPSTREAM_HOST", "UPSTREAM_LOCAL_ADDRESS",
            "DOWNSTREAM_LOCAL_ADDRESS", "DOWNSTREAM_REMOTE_ADDRESS", "REQUESTED_SERVER_NAME",
            "UPSTREAM_TRANSPORT_FAILURE_REASON":
            return operation.name.lowercased()
        default: return nil
        }
    }

    /// The operator in lower case, everything but letters and digits an underscore.
    private static func plainName(_ operation: EnvoyOperator) -> String {
        var name = ""
        for byte in operation.text.lowercased().utf8 {
            if byte &- 0x61 < 26 || byte &- 0x30 < 10 {
                name.append(Character(Unicode.Scalar(byte)))
            } else if !name.isEmpty, name.last != "_" {
                name.append("_")
            }
        }
        if name.last == "_" { name.removeLast() }
        return name
    }
}

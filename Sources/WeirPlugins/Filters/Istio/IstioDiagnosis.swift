// Hot path: once per event of `istio_fields`.
import WeirCore

/// One word for what became of a request: what Envoy's flags and details mean together.
enum IstioDiagnosis: Int, CaseIterable {
    case ok, clientError, serverError, directResponse, tlsEgress, passthrough, egressBlocked
    case plaintextAccepted, plaintextRefused, listenerUnmatched, routeNotFound, clusterNotFound
    case noHealthyUpstream, circuitOpen, routeTimeout, tryTimeout, streamTimeout, retriesExhausted
    case connectFailed, tlsFailed, dnsFailed, upstreamReset, upstreamBroken, clientBroken
    case clientGone, noRuleAllows, ruleDenies, authorizerDenies, authorizerFailed, rateLimited
    case overloaded, faultInjected, delayInjected, localReset

    /// The word that records show.
    var word: String { Self.words[rawValue] }

    private static let words = [
        "ok", "client_error", "server_error", "direct_response", "tls_egress", "passthrough",
        "egress_blocked", "plaintext_accepted", "plaintext_refused", "listener_unmatched",
        "route_not_found", "cluster_not_found", "no_healthy_upstream", "circuit_open",
        "route_timeout", "try_timeout", "stream_timeout", "retries_exhausted", "connect_failed",
        "tls_failed", "dns_failed", "upstream_reset", "upstream_protocol_error",
        "client_protocol_error", "client_gone", "no_rule_allows", "rule_denies",
        "authorizer_denies", "authorizer_failed", "rate_limited", "overloaded", "fault_injected",
        "delay_injected", "local_reset",
    ]

    /// What the word means.
    var meaning: String {
        switch self {
        case .ok: "the request was answered, or the connection ended, as it should"
        case .clientError: "the application answered 400 to 499"
        case .serverError: "the application answered 500 to 599"
        case .directResponse: "the proxy itself answered, as a route told it to"
        case .tlsEgress:
            "a TLS connection to a host outside of the cluster, as a ServiceEntry allows"
        case .passthrough: "to a host that the mesh does not know, as ALLOW_ANY permits"
        case .egressBlocked: "to a host that the mesh does not know, refused by REGISTRY_ONLY"
        case .plaintextAccepted: "a server took a request without mutual TLS"
        case .plaintextRefused: "a server's listener refused a connection without mutual TLS"
        case .listenerUnmatched: "no filter chain of the listener fitted the TLS connection"
        case .routeNotFound: "no route fitted the request"
        case .clusterNotFound: "the route leads to a subset or cluster that is not there"
        case .noHealthyUpstream: "no endpoint is healthy: all ejected, or the subset is empty"
        case .circuitOpen: "a connection pool's limit was reached"
        case .routeTimeout: "the route's timeout ended the request"
        case .tryTimeout: "the last try allowed ran into the timeout for each try"
        case .streamTimeout: "a stream was idle or open for too long"
        case .retriesExhausted: "the last try allowed failed"
        case .connectFailed: "the connection to the endpoint failed"
        case .tlsFailed: "the TLS handshake with the endpoint failed"
        case .dnsFailed: "the host's name could not be resolved"
        case .upstreamReset: "the endpoint ended the connection or the stream"
        case .upstreamBroken: "the endpoint's answer was not HTTP"
        case .clientBroken: "the client's request was not HTTP as the proxy takes it"
        case .clientGone: "the client went away before the end"
        case .noRuleAllows: "AuthorizationPolicy: no ALLOW rule matched"
        case .ruleDenies: "AuthorizationPolicy: a DENY rule matched"
        case .authorizerDenies: "the external authorizer refused the request"
        case .authorizerFailed: "the external authorizer could not be asked"
        case .rateLimited: "a rate limit was reached"
        case .overloaded: "the proxy dropped the request to protect itself"
        case .faultInjected: "a VirtualService's fault ended the request"
        case .delayInjected: "a VirtualService's fault delayed the request, which then went well"
        case .localReset: "the proxy itself ended the stream"
        }
    }
}

/// Envoy's response flags of a line (envoy: `envoy/stream_info/stream_info.h`).
struct ResponseFlags: OptionSet {
    let rawValue: UInt32

    static let DC = ResponseFlags(rawValue: 1 << 0)
    static let DF = ResponseFlags(rawValue: 1 << 1)
    static let DI = ResponseFlags(rawValue: 1 << 2)
    static let DPE = ResponseFlags(rawValue: 1 << 3)
    static let DR = ResponseFlags(rawValue: 1 << 4)
    static let DT = ResponseFlags(rawValue: 1 << 5)
    static let FI = ResponseFlags(rawValue: 1 << 6)
    static let IH = ResponseFlags(rawValue: 1 << 7)
    static let LR = ResponseFlags(rawValue: 1 << 8)
    static let NC = ResponseFlags(rawValue: 1 << 9)
    static let NR = ResponseFlags(rawValue: 1 << 10)
    static let overload = ResponseFlags(rawValue: 1 << 11)
    static let rateLimit = ResponseFlags(rawValue: 1 << 12)
    static let SI = ResponseFlags(rawValue: 1 << 13)
    static let UAEX = ResponseFlags(rawValue: 1 << 14)
    static let UC = ResponseFlags(rawValue: 1 << 15)
    static let UF = ResponseFlags(rawValue: 1 << 16)
    static let UH = ResponseFlags(rawValue: 1 << 17)
    static let UMSDR = ResponseFlags(rawValue: 1 << 18)
    static let UO = ResponseFlags(rawValue: 1 << 19)
    static let UPE = ResponseFlags(rawValue: 1 << 20)
    static let UR = ResponseFlags(rawValue: 1 << 21)
    static let URX = ResponseFlags(rawValue: 1 << 22)
    static let UT = ResponseFlags(rawValue: 1 << 23)

    /// The flags of a text such as `URX,UF`; others are left out.
    @inline(__always)
    init(_ text: ByteText) {
        var flags: ResponseFlags = []
        var word: UInt64 = 0
        for byte in text {
            if byte == UInt8(ascii: ",") {
                flags.formUnion(Self.flag(word))
                word = 0
            } else {
                word = word &<< 8 | UInt64(byte)
            }
        }
        self = flags.union(Self.flag(word))
    }

    init(rawValue: UInt32) { self.rawValue = rawValue }

    private static func flag(_ word: UInt64) -> ResponseFlags {
        switch word {
        case 0x4443: .DC
        case 0x4446: .DF
        case 0x4449: .DI
        case 0x44_5045: .DPE
        case 0x4452: .DR
        case 0x4454: .DT
        case 0x4649: .FI
        case 0x4948: .IH
        case 0x4c52: .LR
        case 0x4e43: .NC
        case 0x4e52: .NR
        case 0x444f, 0x4f4d, 0x55_444f: .overload  // DO, OM, UDO
        case 0x524c, 0x524c_5345: .rateLimit  // RL, RLSE
        case 0x5349: .SI
        case 0x5541_4558: .UAEX
        case 0x5543: .UC
        case 0x5546: .UF
        case 0x5548: .UH
        case 0x55_4d53_4452: .UMSDR
        case 0x554f: .UO
        case 0x55_5045: .UPE
        case 0x5552: .UR
        case 0x55_5258: .URX
        case 0x5554: .UT
        default: []
        }
    }
}

extension IstioDerivation {
    /// What became of the request or connection of the row that was read.
    @inline(__always)
    var diagnosis: IstioDiagnosis {
        let flags = ResponseFlags(text(.responseFlags))
        let details = text(.responseCodeDetails)
        if flags.isEmpty, details.isSame(as: "via_upstream") { return answered }
        return flags.isEmpty ? unflagged(details) : flagged(flags, details)
    }

    /// What an answer without flags comes to.
    @inline(__always)
    private var answered: IstioDiagnosis {
        let code = text(.responseCode).wholeNumber ?? 0
        if code >= 500 { return .serverError }
        if code >= 400 { return .clientError }
        if code == 0, kind == .http { return .clientGone }
        if reporter == .source {
            return serviceName.isSame(as: "PassthroughCluster") ? .passthrough : .ok
        }
        return isPlaintext ? .plaintextAccepted : .ok
    }

    /// Whether a server took the request without mutual TLS.
    @inline(__always)
    private var isPlaintext: Bool {
        reporter == .destination && kind == .http && securityPolicy.isSame(as: "none")
    }

    private func unflagged(_ details: ByteText) -> IstioDiagnosis {
        if kind == .tcp { return ofConnection }
        if details.isEmpty { return answered }
        if details.begins(with: "rbac_access_denied_matched_policy") {
            return details.ends(with: "[none]") ? .noRuleAllows : .ruleDenies
        }
        if details.isSame(as: "direct_response") {
            return serviceName.isSame(as: "BlackHoleCluster") ? .egressBlocked : .directResponse
        }
        if details.begins(with: "ext_authz") {
            return details.isSame(as: "ext_authz_error") ? .authorizerFailed : .authorizerDenies
        }
        if details.begins(with: "downstream_") || details.begins(with: "http2.remote_re") {
            return .clientGone
        }
        if details.begins(with: "http1.") || details.begins(with: "http2.")
            || details.begins(with: "http.") || details.begins(with: "path_normalization")
            || details.begins(with: "low_version") || details.begins(with: "missing_")
        {
            return .clientBroken
        }
        if details.holds("rate_limited") { return .rateLimited }
        if details.begins(with: "max_duration") || details.holds("timeout") {
            return .streamTimeout
        }
        return answered
    }

    /// What a TCP connection without flags comes to.
    private var ofConnection: IstioDiagnosis {
        if serviceName.isSame(as: "BlackHoleCluster") { return .egressBlocked }
        if serviceName.isSame(as: "PassthroughCluster") { return .passthrough }
        let ending = text(.terminationDetails)
        if ending.begins(with: "rbac_access_denied_matched_policy") {
            return ending.ends(with: "[none]") ? .noRuleAllows : .ruleDenies
        }
        let isExternal =
            reporter == .source && !text(.serverName).isEmpty && serviceNamespace.isEmpty
        return isExternal ? .tlsEgress : .ok
    }

    private func flagged(_ flags: ResponseFlags, _ details: ByteText) -> IstioDiagnosis {
        if !flags.isDisjoint(with: [.DC, .DR]) {
            // A connection that was upgraded ends so.
            return text(.responseCode).isSame(as: "101") ? .ok : .clientGone
        }
        if flags.contains(.NR) {
            guard isRefusedByListener else { return .routeNotFound }
            return text(.serverName).isEmpty ? .plaintextRefused : .listenerUnmatched
        }
        if flags.contains(.NC) { return .clusterNotFound }
        if serviceName.isSame(as: "BlackHoleCluster") { return .egressBlocked }
        if flags.contains(.UO) { return .circuitOpen }
        if flags.contains(.UH) { return .noHealthyUpstream }
        if flags.contains(.UT) || details.isSame(as: "upstream_per_try_timeout") {
            return details.isSame(as: "upstream_per_try_timeout") ? .tryTimeout : .routeTimeout
        }
        if flags.contains(.URX) { return .retriesExhausted }
        if flags.contains(.DF) { return .dnsFailed }
        if flags.contains(.UF) {
            let isTLS = details.holds("TLS_error") || text(.failureReason).holds("TLS_error")
            return isTLS ? .tlsFailed : .connectFailed
        }
        if !flags.isDisjoint(with: [.UC, .UR]) { return .upstreamReset }
        if flags.contains(.UPE) { return .upstreamBroken }
        if !flags.isDisjoint(with: [.DPE, .IH]) { return .clientBroken }
        if flags.contains(.UAEX) {
            return details.isSame(as: "ext_authz_error") ? .authorizerFailed : .authorizerDenies
        }
        if flags.contains(.rateLimit) { return .rateLimited }
        if flags.contains(.overload) { return .overloaded }
        if flags.contains(.FI) { return .faultInjected }
        if !flags.isDisjoint(with: [.SI, .UMSDR, .DT]) { return .streamTimeout }
        if flags.contains(.LR) { return .localReset }
        if flags.contains(.DI) {
            let plain = answered
            return plain == .ok ? .delayInjected : plain
        }
        return answered
    }
}

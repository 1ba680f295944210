/// The labels of Istio's standard metrics, in the order in which Envoy writes them
/// (envoy: `contrib/istio/filters/http/istio_stats/source/istio_stats.cc`).
enum IstioLabel: Int, CaseIterable {
    case reporter
    case sourceWorkload, sourceCanonicalService, sourceCanonicalRevision, sourceWorkloadNamespace
    case sourcePrincipal, sourceApp, sourceVersion, sourceCluster
    case destinationWorkload, destinationWorkloadNamespace, destinationPrincipal
    case destinationApp, destinationVersion, destinationService
    case destinationCanonicalService, destinationCanonicalRevision
    case destinationServiceName, destinationServiceNamespace, destinationCluster
    case requestProtocol, responseCode, grpcResponseStatus, responseFlags
    case connectionSecurityPolicy

    /// The label's place among the derived values.
    @inline(__always)
    var index: Int { rawValue }

    /// The name, as Prometheus shows it.
    var name: String { Self.names[rawValue] }

    private static let names = [
        "reporter",
        "source_workload",
        "source_canonical_service",
        "source_canonical_revision",
        "source_workload_namespace",
        "source_principal",
        "source_app",
        "source_version",
        "source_cluster",
        "destination_workload",
        "destination_workload_namespace",
        "destination_principal",
        "destination_app",
        "destination_version",
        "destination_service",
        "destination_canonical_service",
        "destination_canonical_revision",
        "destination_service_name",
        "destination_service_namespace",
        "destination_cluster",
        "request_protocol",
        "response_code",
        "grpc_response_status",
        "response_flags",
        "connection_security_policy",
    ]

    /// The label of a name.
    init?(named name: String) {
        guard let index = Self.names.firstIndex(of: name) else { return nil }
        self.init(rawValue: index)
    }

    /// The labels of HTTP's metrics: all 25.
    static let http = allCases
    /// The labels of the message counters of gRPC: the 20 of the two ends.
    static let messages = Array(allCases.prefix(20))
    /// The labels of TCP's metrics: all but code and status.
    static let tcp = allCases.filter { $0 != .responseCode && $0 != .grpcResponseStatus }

    /// Labels that come from the labels and certificates of pods.
    static let ofPods: [IstioLabel] = [
        .sourceCanonicalRevision, .sourcePrincipal, .sourceApp, .sourceVersion,
        .destinationPrincipal, .destinationApp, .destinationVersion,
        .destinationCanonicalRevision,
    ]

    /// Labels that name workloads.
    static let ofWorkloads: [IstioLabel] = [.sourceWorkload, .destinationWorkload]
}

/// What Istio's standard metrics are.
enum IstioMetric: String, CaseIterable {
    case requests = "istio_requests_total"
    case requestDuration = "istio_request_duration_milliseconds"
    case requestBytes = "istio_request_bytes"
    case responseBytes = "istio_response_bytes"
    case requestMessages = "istio_request_messages_total"
    case responseMessages = "istio_response_messages_total"
    case connectionsOpened = "istio_tcp_connections_opened_total"
    case connectionsClosed = "istio_tcp_connections_closed_total"
    case sentBytes = "istio_tcp_sent_bytes_total"
    case receivedBytes = "istio_tcp_received_bytes_total"

    /// The name in Istio's Telemetry resource.
    var telemetryName: String {
        switch self {
        case .requests: "REQUEST_COUNT"
        case .requestDuration: "REQUEST_DURATION"
        case .requestBytes: "REQUEST_SIZE"
        case .responseBytes: "RESPONSE_SIZE"
        case .requestMessages: "GRPC_REQUEST_MESSAGES"
        case .responseMessages: "GRPC_RESPONSE_MESSAGES"
        case .connectionsOpened: "TCP_OPENED_CONNECTIONS"
        case .connectionsClosed: "TCP_CLOSED_CONNECTIONS"
        case .sentBytes: "TCP_SENT_BYTES"
        case .receivedBytes: "TCP_RECEIVED_BYTES"
        }
    }

    /// One sentence for `# HELP`.
    var help: String {
        switch self {
        case .requests: "Requests that have ended."
        case .requestDuration: "Time from a request's start to its last byte, in milliseconds."
        case .requestBytes: "Sizes of requests, in bytes."
        case .responseBytes: "Sizes of responses, in bytes."
        case .requestMessages: "gRPC messages sent by clients."
        case .responseMessages: "gRPC messages sent by servers."
        case .connectionsOpened: "TCP connections opened."
        case .connectionsClosed: "TCP connections closed."
        case .sentBytes: "Bytes sent to clients over TCP."
        case .receivedBytes: "Bytes received from clients over TCP."
        }
    }

    /// The unit that the name ends with, for OpenMetrics.
    var unit: String {
        switch self {
        case .requestDuration: "milliseconds"
        case .requestBytes, .responseBytes, .sentBytes, .receivedBytes: "bytes"
        default: ""
        }
    }

    /// Which lines of a log count.
    enum Kind {
        case http
        case messages
        case tcp
    }

    /// Which lines of a log count.
    var kind: Kind {
        switch self {
        case .requests, .requestDuration, .requestBytes, .responseBytes: .http
        case .requestMessages, .responseMessages: .messages
        case .connectionsOpened, .connectionsClosed, .sentBytes, .receivedBytes: .tcp
        }
    }

    /// Whether it is a histogram; the others are counters.
    var isHistogram: Bool {
        switch self {
        case .requestDuration, .requestBytes, .responseBytes: true
        default: false
        }
    }

    /// The standard labels, in order.
    var labels: [IstioLabel] {
        switch kind {
        case .http: IstioLabel.http
        case .messages: IstioLabel.messages
        case .tcp: IstioLabel.tcp
        }
    }

    /// The upper bounds of the buckets of Envoy's histograms, for milliseconds and bytes alike
    /// (envoy: `source/common/stats/histogram_impl.cc`).
    static let defaultBounds: [Double] = [
        0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000,
        600_000, 1_800_000, 3_600_000,
    ]

    /// The metric of a name: as it is shown, without its `istio_`, or as in a Telemetry resource.
    init?(named name: String) {
        let found = Self.allCases.first {
            $0.rawValue == name || $0.rawValue == "istio_\(name)" || $0.telemetryName == name
        }
        guard let found else { return nil }
        self = found
    }
}

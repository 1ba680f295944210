/// One of Istio's standard metrics (istio.io/latest/docs/reference/config/metrics).
struct IstioMetric {
    /// Those that proxies count requests or connections with, without a histogram's endings.
    private static let families: [(name: String, isHistogram: Bool, extra: [String])] = [
        ("istio_requests_total", false, http), ("istio_request_duration_milliseconds", true, http),
        ("istio_request_bytes", true, http), ("istio_response_bytes", true, http),
        ("istio_request_messages_total", false, []), ("istio_response_messages_total", false, []),
        ("istio_tcp_connections_opened_total", false, tcp),
        ("istio_tcp_connections_closed_total", false, tcp),
        ("istio_tcp_sent_bytes_total", false, tcp), ("istio_tcp_received_bytes_total", false, tcp),
    ]
    private static let tcp = ["request_protocol", "response_flags", "connection_security_policy"]
    private static let http = tcp + ["response_code", "grpc_response_status"]
    private static let peers = [
        "reporter", "source_workload", "source_canonical_service", "source_canonical_revision",
        "source_workload_namespace", "source_principal", "source_app", "source_version",
        "source_cluster", "destination_workload", "destination_workload_namespace",
        "destination_principal", "destination_app", "destination_version", "destination_service",
        "destination_canonical_service", "destination_canonical_revision",
        "destination_service_name", "destination_service_namespace", "destination_cluster",
    ]

    /// Beginnings of labels that Istio alone gives its metrics.
    static let labelPrefixes = ["source_", "destination_", "response_", "grpc_", "connection_"]

    /// The names of the series of all of them.
    static let names: [String] = families.flatMap { family in
        family.isHistogram
            ? [family.name] + ["_bucket", "_sum", "_count"].map { family.name + $0 }
            : [family.name]
    }

    /// The labels that it has from Istio.
    let labels: [String]

    /// The metric of this name, if it is one.
    init?(_ name: String) {
        let endings = ["", "_bucket", "_sum", "_count"]
        for family in Self.families {
            let isOne =
                family.isHistogram
                ? endings.contains { family.name + $0 == name } : family.name == name
            guard isOne else { continue }
            labels = Self.peers + family.extra
            return
        }
        return nil
    }
}

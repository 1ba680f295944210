/// What an access log can tell that Istio's metrics need.
///
/// The order is part of the derivation: the fields of a peer stand together, in ``PeerPart``'s order.
enum IstioField: Int, CaseIterable {
    case upstreamCluster, routeName, `protocol`, method, responseCode, responseFlags
    case responseCodeDetails, terminationDetails, failureReason, duration, bytesReceived, bytesSent
    case authority, serverName, downstreamLocalAddress, downstreamRemoteAddress, upstreamHost
    case requestID
    // Who logged.
    case instanceIP
    case workload, namespace, cluster, canonicalService, canonicalRevision, app, version
    // The other ends.
    case downstreamWorkload, downstreamNamespace, downstreamCluster, downstreamService
    case downstreamRevision, downstreamApp, downstreamVersion
    case upstreamWorkload, upstreamNamespace, upstreamCluster_, upstreamService
    case upstreamRevision, upstreamApp, upstreamVersion
    case upstreamEndpoint, services
    case downstreamPeerSAN, downstreamLocalSAN, upstreamPeerSAN, upstreamLocalSAN
    case wireBytesReceived, wireBytesSent, grpcStatus, contentType
    case requestMessages, responseMessages
    case traceID, sampled, kubernetes

    /// The keys under which records have it: first that of the recommended format, then those that
    /// the `envoy` parser gives the operator in a text format.
    var keys: [String] {
        switch self {
        case .upstreamCluster: ["upstream_cluster"]
        case .routeName: ["route_name"]
        case .protocol: ["protocol"]
        case .method: ["method"]
        case .responseCode: ["response_code"]
        case .responseFlags: ["response_flags"]
        case .responseCodeDetails: ["response_code_details"]
        case .terminationDetails: ["connection_termination_details"]
        case .failureReason: ["upstream_transport_failure_reason"]
        case .duration: ["duration"]
        case .bytesReceived: ["bytes_received"]
        case .bytesSent: ["bytes_sent"]
        case .authority: ["authority"]
        case .serverName: ["requested_server_name"]
        case .downstreamLocalAddress: ["downstream_local_address"]
        case .downstreamRemoteAddress: ["downstream_remote_address"]
        case .upstreamHost: ["upstream_host"]
        case .requestID: ["request_id"]
        case .instanceIP: ["instance_ip", "environment_instance_ip"]
        case .workload: ["workload", "environment_istio_meta_workload_name"]
        case .namespace: ["namespace", "environment_pod_namespace"]
        case .cluster: ["cluster_id", "environment_istio_meta_cluster_id"]
        case .canonicalService:
            ["canonical_service", Self.label("service_istio_io_canonical_name")]
        case .canonicalRevision:
            ["canonical_revision", Self.label("service_istio_io_canonical_revision")]
        case .app: ["app", Self.label("app")]
        case .version: ["version", Self.label("version")]
        case .downstreamWorkload: Self.peer("downstream", "workload")
        case .downstreamNamespace: Self.peer("downstream", "namespace")
        case .downstreamCluster: Self.peer("downstream", "cluster")
        case .downstreamService: Self.peer("downstream", "service")
        case .downstreamRevision: Self.peer("downstream", "revision")
        case .downstreamApp: Self.peer("downstream", "app")
        case .downstreamVersion: Self.peer("downstream", "version")
        case .upstreamWorkload: Self.peer("upstream", "workload")
        case .upstreamNamespace: Self.peer("upstream", "namespace")
        case .upstreamCluster_: Self.peer("upstream", "cluster")
        case .upstreamService: Self.peer("upstream", "service")
        case .upstreamRevision: Self.peer("upstream", "revision")
        case .upstreamApp: Self.peer("upstream", "app")
        case .upstreamVersion: Self.peer("upstream", "version")
        case .upstreamEndpoint: ["upstream_endpoint", "upstream_metadata_istio_workload"]
        case .services: ["services", "cluster_metadata_istio_services"]
        case .downstreamPeerSAN: ["downstream_peer_uri_san"]
        case .downstreamLocalSAN: ["downstream_local_uri_san"]
        case .upstreamPeerSAN: ["upstream_peer_uri_san"]
        case .upstreamLocalSAN: ["upstream_local_uri_san"]
        case .wireBytesReceived: ["wire_bytes_received", "downstream_wire_bytes_received"]
        case .wireBytesSent: ["wire_bytes_sent", "downstream_wire_bytes_sent"]
        case .grpcStatus: ["grpc_status_number", "grpc_status"]
        case .contentType: ["content_type", "req_content_type"]
        case .requestMessages:
            [
                "request_message_count",
                "filter_state_envoy_filters_http_grpc_stats_field_request_message_count",
            ]
        case .responseMessages:
            [
                "response_message_count",
                "filter_state_envoy_filters_http_grpc_stats_field_response_message_count",
            ]
        case .traceID: ["trace_id", "req_x_b3_traceid"]
        case .sampled: ["b3_sampled", "req_x_b3_sampled"]
        case .kubernetes: ["kubernetes"]
        }
    }

    private static func peer(_ side: String, _ part: String) -> [String] {
        ["\(side)_peer_\(part)", "cel_filter_state_\(side)_peer_\(part)"]
    }

    private static func label(_ name: String) -> String { "cel_xds_node_metadata_labels_\(name)" }
}

/// What is known of one end of a request, in the order of the fields of ``IstioField``.
enum PeerPart: Int, CaseIterable {
    case workload, namespace, cluster, service, revision, app, version
}

import Testing
import WeirCore
import WeirMetrics
import WeirTesting

@testable import WeirPlugins

/// Lines as the access-log format writes them that fills every label.
enum FullLine {
    private static let own = [
        ("namespace", "\"shop\""), ("instance_ip", "\"10.1.0.9\""),
        ("workload", "\"cart-v2\""), ("cluster_id", "\"east\""), ("app", "\"cart\""),
        ("version", "\"v2\""), ("canonical_service", "\"cart\""),
        ("canonical_revision", "\"r2\""), ("pod", "\"cart-v2-6c9f-x\""),
    ]

    private static func peer(_ side: String) -> [(String, String)] {
        [
            ("\(side)_peer_workload", "\"pay-v1\""), ("\(side)_peer_namespace", "\"bank\""),
            ("\(side)_peer_cluster", "\"west\""), ("\(side)_peer_service", "\"pay\""),
            ("\(side)_peer_revision", "\"r1\""), ("\(side)_peer_app", "\"pay-app\""),
            ("\(side)_peer_version", "\"v1\""),
        ]
    }

    static let client = IstioLine.request(
        own + peer("upstream") + [
            (
                "services",
                "[{\"host\":\"pay.bank.svc.cluster.local\",\"name\":\"pay\",\"namespace\":\"bank\"}]"
            ),
            ("upstream_peer_uri_san", "\"spiffe://cluster.local/ns/bank/sa/pay\""),
            ("upstream_local_uri_san", "\"spiffe://cluster.local/ns/shop/sa/cart\""),
            ("upstream_cluster", "\"outbound|80|v1|pay.bank.svc.cluster.local\""),
            ("wire_bytes_received", "500"), ("wire_bytes_sent", "900"),
            ("content_type", "\"application/grpc\""), ("grpc_status", "0"),
            ("trace_id", "\"c23dd063aff34b368938773400000001\""),
        ])

    static let server = IstioLine.request(
        own + peer("downstream") + [
            ("downstream_peer_uri_san", "\"spiffe://cluster.local/ns/vault/sa/pay\""),
            ("downstream_local_uri_san", "\"spiffe://cluster.local/ns/shop/sa/cart\""),
            ("upstream_cluster", "\"inbound|8080||\""),
            (
                "requested_server_name", "\"outbound_.8080_.v2_.cart.shop.svc.cluster.local\""
            ), ("wire_bytes_received", "500"), ("wire_bytes_sent", "900"),
        ])

    static let connection =
        "{\"protocol\":null,\"method\":null,\"response_code\":0,\"response_flags\":\"-\","
        + "\"workload\":\"cart-v2\",\"namespace\":\"shop\",\"wire_bytes_received\":10,"
        + "\"wire_bytes_sent\":20,"
        + "\"upstream_cluster\":\"outbound|3306||db.bank.svc.cluster.local\","
        + "\"upstream_endpoint\":\"db-v1;bank;db;v1;west\"}\n"
}

@Suite("The access-log format that fills every label")
struct IstioFullFormatTests {
    @Test func `gives a client's line every label`() throws {
        let rig = try IstioRig("sizes wire")
        try rig.count(FullLine.client)
        let labels = try #require(rig.samples("istio_requests_total").keys.first)
        #expect(
            labels == [
                "reporter": "source", "source_workload": "cart-v2",
                "source_canonical_service": "cart", "source_canonical_revision": "r2",
                "source_workload_namespace": "shop",
                "source_principal": "spiffe://cluster.local/ns/shop/sa/cart",
                "source_app": "cart", "source_version": "v2", "source_cluster": "east",
                "destination_workload": "pay-v1", "destination_workload_namespace": "bank",
                "destination_principal": "spiffe://cluster.local/ns/bank/sa/pay",
                "destination_app": "pay-app", "destination_version": "v1",
                "destination_service": "pay.bank.svc.cluster.local",
                "destination_canonical_service": "pay", "destination_canonical_revision": "r1",
                "destination_service_name": "pay", "destination_service_namespace": "bank",
                "destination_cluster": "west", "request_protocol": "grpc", "response_code": "200",
                "grpc_response_status": "0", "response_flags": "-",
                "connection_security_policy": "unknown",
            ])
        #expect(rig.observations("istio_request_bytes")[[]]?.sum == 500)
        #expect(rig.observations("istio_response_bytes")[[]]?.sum == 900)
    }

    @Test func `gives a server's line every label; the certificate's namespace wins`() throws {
        let rig = try IstioRig()
        try rig.count(FullLine.server)
        let labels = try #require(rig.samples("istio_requests_total").keys.first)
        #expect(!labels.values.contains("unknown") && labels.count == 25)
        #expect(labels["reporter"] == "destination")
        #expect(labels["source_workload"] == "pay-v1")
        #expect(labels["source_workload_namespace"] == "vault")
        #expect(labels["source_principal"] == "spiffe://cluster.local/ns/vault/sa/pay")
        #expect(labels["destination_workload"] == "cart-v2")
        #expect(labels["destination_workload_namespace"] == "shop")
        #expect(labels["destination_service"] == "cart.shop.svc.cluster.local")
        #expect(labels["destination_service_namespace"] == "shop")
        #expect(labels["connection_security_policy"] == "mutual_tls")
    }

    @Test func `names a connection's ends by the endpoint's metadata`() throws {
        let rig = try IstioRig()
        try rig.count(FullLine.connection)
        let labels = try #require(rig.samples("istio_tcp_connections_opened_total").keys.first)
        #expect(labels.count == 23 && labels["request_protocol"] == "tcp")
        #expect(labels["destination_workload"] == "db-v1")
        #expect(labels["destination_canonical_service"] == "db")
        #expect(labels["destination_cluster"] == "west" && labels["destination_app"] == "unknown")
    }

    @Test func `may be written as text: the parser's names for the operators are known`() throws {
        let rig = try IstioRig()
        let format =
            "%PROTOCOL% %REQ(:METHOD)% %RESPONSE_CODE% %RESPONSE_FLAGS% %UPSTREAM_CLUSTER_RAW% "
            + "%ENVIRONMENT(POD_NAMESPACE)% %ENVIRONMENT(ISTIO_META_WORKLOAD_NAME)% "
            + "%CEL(xds.node.metadata['LABELS']['app'])% %CEL(filter_state.upstream_peer.workload)% "
            + "%UPSTREAM_METADATA(istio:workload)% %DOWNSTREAM_WIRE_BYTES_SENT% %REQ(CONTENT-TYPE)% "
            + "%GRPC_STATUS% %DURATION%"
        try rig.count(
            "HTTP/2 POST 200 - outbound|80||a.b.svc.cluster.local shop cart-v2 cart pay-v1 "
                + "x;y;z;r;c 77 application/grpc DeadlineExceeded 5\n",
            parse: "@type envoy\nformat \"\(format)\\n\"")
        let labels = try #require(rig.samples("istio_requests_total").keys.first)
        #expect(labels["source_workload"] == "cart-v2" && labels["source_app"] == "cart")
        #expect(labels["source_workload_namespace"] == "shop")
        #expect(labels["destination_workload"] == "pay-v1")
        #expect(labels["grpc_response_status"] == "4" && labels["request_protocol"] == "grpc")
        #expect(rig.observations("istio_response_bytes")[[]]?.sum == 77)
    }

    @Test(.enabled(if: SharedCases.arePresent))
    func `has the keys that the filter reads`() throws {
        let bytes = try #require(SharedCases.bytes("corpus/mesh/accesslog-provider.yaml"))
        let keys = Set(
            String(decoding: bytes, as: UTF8.self).split(separator: "\n")
                .filter { $0.contains("\"%") }
                .map { String($0.drop { $0 == " " }.prefix { $0 != ":" }) })
        #expect(keys.count == 64)
        // Message counts and Kubernetes' metadata come from elsewhere.
        let elsewhere: Set<IstioField> = [.requestMessages, .responseMessages, .kubernetes]
        for field in IstioField.allCases where !elsewhere.contains(field) {
            #expect(field.keys.contains(where: keys.contains), "\(field)")
        }
    }

    /// The metrics and labels of the queries of Istio's own dashboards for mesh, services and
    /// workloads (istio: `manifests/addons/dashboards`).
    @Test(arguments: [
        (
            "istio_requests_total",
            [
                "reporter", "destination_service", "destination_service_name",
                "destination_service_namespace", "destination_workload",
                "destination_workload_namespace", "destination_cluster", "source_workload",
                "source_workload_namespace", "source_cluster", "response_code",
                "connection_security_policy", "grpc_response_status", "request_protocol",
            ]
        ),
        (
            "istio_request_duration_milliseconds",
            [
                "reporter", "destination_service", "destination_workload",
                "destination_workload_namespace", "source_workload", "source_workload_namespace",
                "connection_security_policy",
            ]
        ),
        (
            "istio_request_bytes",
            [
                "reporter", "destination_service", "destination_workload",
                "destination_workload_namespace", "source_workload", "source_workload_namespace",
                "connection_security_policy",
            ]
        ),
        (
            "istio_response_bytes",
            [
                "reporter", "destination_service", "destination_workload",
                "destination_workload_namespace", "source_workload", "source_workload_namespace",
                "connection_security_policy",
            ]
        ),
        (
            "istio_tcp_sent_bytes_total",
            [
                "reporter", "destination_service", "destination_workload",
                "destination_workload_namespace", "source_workload", "source_workload_namespace",
                "connection_security_policy",
            ]
        ),
        (
            "istio_tcp_received_bytes_total",
            [
                "reporter", "destination_service", "destination_workload",
                "destination_workload_namespace", "source_workload", "source_workload_namespace",
                "connection_security_policy",
            ]
        ),
        ("istio_tcp_connections_opened_total", ["reporter", "destination_service"]),
        ("istio_tcp_connections_closed_total", ["reporter", "destination_service"]),
    ])
    func `gives data to the queries of Istio's own dashboards`(
        metric: String, labels: [String]
    ) throws {
        let rig = try IstioRig()
        try rig.count(FullLine.client + FullLine.server + FullLine.connection)
        let samples = rig.samples(metric)
        #expect(!samples.isEmpty)
        for label in labels {
            #expect(samples.keys.allSatisfy { $0[label] != nil }, "\(label)")
        }
        let reporters = Set(samples.keys.map { $0["reporter"] ?? "" })
        #expect(reporters == (metric.contains("tcp") ? ["source"] : ["source", "destination"]))
    }
}

@Suite("Pods that records tell of in `kubernetes`")
struct PodDirectoryTests {
    private static func metadata(_ pod: String, _ address: String) -> (String, String) {
        (
            "kubernetes",
            "{\"pod_name\":\"\(pod)\",\"namespace_name\":\"default\",\"pod_ip\":\"\(address)\","
                + "\"labels\":{\"app\":\"reviews\",\"version\":\"v1\","
                + "\"service_istio_io/canonical-name\":\"reviews-c\"}}"
        )
    }

    @Test func `name who logged and, by their addresses, who is at the other end`() throws {
        let rig = try IstioRig("namespace default")
        let server = IstioLine.request([
            Self.metadata("reviews-v1-545db77b95-x2k8l", "10.1.0.21"),
            ("upstream_cluster", "\"inbound|9080||\""), ("upstream_host", "\"10.1.0.21:9080\""),
        ])
        try rig.count(server + IstioLine.request())
        let samples = rig.samples("istio_requests_total").keys
        let destination = try #require(samples.first { $0["reporter"] == "destination" })
        #expect(destination["destination_workload"] == "reviews-v1")
        #expect(destination["destination_canonical_service"] == "reviews-c")
        #expect(destination["destination_canonical_revision"] == "v1")
        // The client's line comes from a pod that is not known, and names 10.1.0.21.
        let source = try #require(samples.first { $0["reporter"] == "source" })
        #expect(source["destination_workload"] == "reviews-v1")
        #expect(source["destination_version"] == "v1" && source["source_workload"] == "unknown")
    }

    @Test(arguments: [
        ("reviews-v1-545db77b95-x2k8l", "reviews-v1"), ("db-0", "db"), ("agent-x2k8l", "agent"),
        ("web", "web"), ("a-b-c", "a-b-c"), ("kafka-broker-12", "kafka-broker"), ("", ""),
        ("-", "-"), ("cron-29012345-x2k8l", "cron-29012345"),
    ])
    func `have the workload that their name begins with`(pod: String, workload: String) {
        #expect(PodNames.workload(ofPod: pod) == workload)
    }

    @Test func `are forgotten when they are too many, and learnt again`() throws {
        let directory = PodDirectory()
        for number in 0...PodDirectory.podLimit {
            let text = Array("{\"pod_name\":\"a-\(number)\",\"pod_ip\":\"\(number)\"}".utf8)
            text.withUnsafeBytes { #expect(directory.learn($0)?.workload.count == 1) }
        }
        Array("0".utf8).withUnsafeBytes { #expect(directory.pod(at: $0) == nil) }
        Array("not json".utf8).withUnsafeBytes { #expect(directory.learn($0) == nil) }
        Array("\(PodDirectory.podLimit)".utf8).withUnsafeBytes {
            #expect(directory.pod(at: $0) != nil)
        }
    }
}

import WeirCore

/// Access-log lines as Istio's sidecars write them: the same for the same number, 700 to 900 bytes.
struct LineGenerator {
    /// The form of the lines.
    enum Form: String {
        case json
        case text
    }

    private static let agents = [
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36",
        "curl/8.5.0", "Go-http-client/2.0", "Prometheus/2.51.0",
    ]

    /// Appends a line.
    static func append(_ number: Int, _ form: Form, to text: inout ByteBuffer) {
        let time =
            "2026-11-24T09:\(10 + number / 60_000 % 50):\(10 + number / 1000 % 50).\(100 + number % 900)Z"
        let code = number % 20 == 0 ? 503 : 200
        let flags = code == 503 ? "UF,URX" : "-"
        let path =
            "/reviews/\(number % 5000)?user=\(number)&session=\(number &* 2_654_435_761 % 1_000_003)"
        let id = "0a4f6d5e-8c1b-9f3a-b2d7-\(100_000_000_000 + number)"
        let agent = agents[number % agents.count]
        let client = "10.244.1.\(number % 251):\(30_000 + number % 30_000)"
        let host = "10.244.2.\(number % 249):9080"
        switch form {
        case .json:
            text.append(
                """
                {"authority":"reviews.default.svc.cluster.local:9080","bytes_received":\(number % 300),\
                "bytes_sent":\(1000 + number % 977),"connection_termination_details":null,\
                "downstream_local_address":"10.96.12.\(number % 250):9080",\
                "downstream_remote_address":"\(client)","duration":\(number % 300),"method":"GET",\
                "path":"\(path)","protocol":"HTTP/1.1","request_id":"\(id)",\
                "requested_server_name":null,\
                "response_code":\(code),"response_code_details":"via_upstream",\
                "response_flags":"\(flags)","route_name":"default","start_time":"\(time)",\
                "upstream_cluster":"outbound|9080|v1|reviews.default.svc.cluster.local",\
                "upstream_host":"\(host)","upstream_local_address":"10.244.1.7:\(40_000 + number % 20_000)",\
                "upstream_service_time":"\(number % 290)","upstream_transport_failure_reason":null,\
                "user_agent":"\(agent)","x_forwarded_for":"10.0.0.\(number % 256)"}

                """)
        case .text:
            text.append(
                """
                [\(time)] "GET \(path) HTTP/1.1" \(code) \(flags) via_upstream - "-" \(number % 300) \
                \(1000 + number % 977) \(number % 300) \(number % 290) "10.0.0.\(number % 256)" \
                "\(agent)" "\(id)" "reviews.default.svc.cluster.local:9080" "\(host)" \
                outbound|9080|v1|reviews.default.svc.cluster.local 10.244.1.7:\(40_000 + number % 20_000) \
                10.96.12.\(number % 250):9080 \(client) \
                - default

                """)
        }
    }

    /// So many lines.
    static func lines(_ count: Int, _ form: Form) -> ByteBuffer {
        var text = ByteBuffer(capacity: count * 900)
        for number in 0..<count { append(number, form, to: &text) }
        return text
    }
}

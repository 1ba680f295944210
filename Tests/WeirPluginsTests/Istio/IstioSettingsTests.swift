import Testing
import WeirConfig
import WeirMetrics

@testable import WeirPlugins

@Suite("A mistake in the configuration of istio_metrics")
struct IstioSettingsTests {
    @Test(arguments: [
        (
            "metrics istio_request_total",
            "case.conf:3:9: `istio_request_total` is not one of Istio's metrics",
            "did you mean `istio_requests_total`?"
        ),
        (
            "remove_labels source_ap",
            "case.conf:3:15: `source_ap` is not a label of Istio's metrics",
            "did you mean `source_app`?"
        ),
        (
            "optional_labels pod", "case.conf:3:17: `pod` is not an optional label",
            "there are `subset`, `route_name` and `upstream_host`; any other field is a label by "
                + "`<labels>`"
        ),
        (
            "duration_buckets 10, 5",
            "case.conf:3:18: `duration_buckets`: the bounds do not ascend, or are not 1 to 256",
            "write each upper bound once, in ascending order"
        ),
        (
            "size_buckets 1, many", "case.conf:3:14: `size_buckets`: `many` is not a number",
            "write a number such as `0.95`"
        ),
        (
            "<labels>\nmy-label x\n</labels>",
            "case.conf:4:1: `my-label` is not a label's name",
            "use letters, digits and `_`, and begin with no digit and no `__`"
        ),
        (
            "<labels>\nreporter x\n</labels>\n<fields>\nupstream_clutser cluster\n</fields>",
            "case.conf:7:1: `upstream_clutser` is no field of an access log",
            "did you mean `upstream_cluster`?"
        ),
        (
            "<overrides>\nmetric REQUEST_COUNTS\n</overrides>",
            "case.conf:4:8: `REQUEST_COUNTS` is not one of Istio's metrics",
            "did you mean `REQUEST_COUNT`?"
        ),
        (
            "<overrides>\n<tag_overrides>\nsource_app DELETE\n</tag_overrides>\n</overrides>",
            "case.conf:5:12: `DELETE` is neither `REMOVE` nor `UPSERT` and a value",
            "write `source_app REMOVE` or `source_app UPSERT request.method`"
        ),
        (
            "<overrides>\n<tag_overrides>\nx UPSERT request.metod\n</tag_overrides>\n</overrides>",
            "case.conf:5:3: `request.metod` is no literal and no attribute that a log tells",
            "did you mean `request.method`?"
        ),
        (
            "<overrides>\n<tag_overrides>\nmy-tag UPSERT 'x'\n</tag_overrides>\n</overrides>",
            "case.conf:1:1: `my-tag` is not a label's name",
            "use letters, digits and `_`, and begin with no digit"
        ),
        (
            "<overrides>\nmode SIDE\n</overrides>",
            "case.conf:4:6: `mode`: `SIDE` is none of its values",
            "it takes `CLIENT`, `SERVER`, `CLIENT_AND_SERVER`"
        ),
    ])
    func `is told with its place and its remedy`(
        parameters: String, message: String, help: String
    ) {
        do {
            _ = try IstioRig(parameters)
            Issue.record("it is taken")
        } catch let error as ConfigurationError {
            #expect(error.description == "\(message)\n  help: \(help)")
        } catch {
            Issue.record(error)
        }
    }

    @Test func `is two filters that count one metric otherwise`() throws {
        let first = try IstioRig()
        #expect(throws: ConfigurationError.self) {
            try IstioRig("optional_labels subset", name: "n", catalog: first.catalog)
        }
        #expect(throws: Never.self) { try IstioRig(name: "n", catalog: first.catalog) }
    }

    @Test func `is a field to write that there is not`() throws {
        #expect(throws: SectionError.self) {
            try IstioFieldsRig.filter("write destination", registry: Registry())
        }
    }

    @Test(arguments: [
        ("'a b'", IstioLabelSource.literal("a b")), ("\"x\"", .literal("x")), ("7", .literal("7")),
        ("request.method", .field(IstioField.method.rawValue)),
        ("string(destination.port)", .port(IstioField.downstreamLocalAddress.rawValue)),
        ("upstream.address", .address(IstioField.upstreamHost.rawValue)),
        ("filter_state.upstream_peer.version", .field(IstioField.upstreamVersion.rawValue)),
        ("filter_state['downstream_peer'].app", .field(IstioField.downstreamApp.rawValue)),
        ("request.headers['end-user']", .field(IstioField.allCases.count)),
        ("request.url_path", .path(IstioField.allCases.count)),
    ])
    func `is none: attributes name fields`(text: String, source: IstioLabelSource) throws {
        var extra = ExtraFields()
        let place = SourceLocation(file: "f", line: 1, column: 1)
        #expect(try IstioAttribute.source(text, &extra, at: place) == source)
    }
}

import Testing
import WeirConfig
import WeirCore
import WeirMetrics
import WeirPipeline
import WeirTesting

@testable import WeirPlugins

/// A `<filter>` of `@type prometheus` with a registry of its own.
private struct PrometheusRig {
    let registry = Registry()
    let filter: PrometheusFilter

    init(_ body: String, registry: Registry? = nil) throws {
        let registry = registry ?? self.registry
        let (section, diagnostics) = ComponentSection.read(
            "<filter **>\n@type prometheus\n\(body)\n</filter>\n", as: .filter)
        guard let section else { throw ConfigurationError(diagnostics) }
        let context = PluginContext(
            hostName: "host-1", nodeName: "node", registry: registry, clock: ManualClock(),
            refusals: NoRefusals(), outputByteLimit: 1 << 20, outputLog: { _ in },
            tailLog: { _ in })
        do {
            filter = try PrometheusFilter(section, name: "f", context: context)
        } catch {
            throw ConfigurationError([error.diagnostic])
        }
        context.series.activate()
    }

    func run(_ lines: String..., tag: String = "app.access.log") {
        let batch = EventBatch()
        let text = Array(lines.map { $0 + "\n" }.joined().utf8)
        text.withUnsafeBytes { batch.fillBlock(copying: $0) }
        batch.tag = tag
        _ = batch.cutLines(position: 0)
        JSONLineScanner().scan(into: batch, time: .epoch)
        filter.apply(to: batch) { row, reason in Issue.record("\(row): \(reason)") }
        #expect(batch.keptRowCount == lines.count)
    }

    func lines(_ name: String) -> [String] {
        registry.textExposition().split(separator: "\n").map(String.init)
            .filter { $0.hasPrefix(name) }
    }
}

@Suite("The prometheus filter") struct PrometheusFilterTests {
    private static func metric(_ body: String, type: String = "counter") -> String {
        "<metric>\nname m\ntype \(type)\ndesc M.\n\(body)\n</metric>"
    }

    @Test func `counts events, or the numbers of a field`() throws {
        let rig = try PrometheusRig(
            Self.metric("")
                + "\n<metric>\nname n\ntype counter\ndesc N.\nkey $.size.sent\n</metric>")
        rig.run(#"{"size":{"sent":5}}"#, #"{"size":{"sent":2.5}}"#, #"{"size":null}"#, "{}")
        #expect(rig.lines("m ") == ["m 4"])
        #expect(rig.lines("n ") == ["n 7.5"])
    }

    @Test func `sets gauges, observes in summaries and histograms`() throws {
        let rig = try PrometheusRig(
            """
            <metric>
            name g
            type gauge
            desc G.
            key v
            </metric>
            <metric>
            name s
            type summary
            desc S.
            key v
            </metric>
            <metric>
            name h
            type histogram
            desc H.
            key v
            buckets 1, 5,10
            </metric>
            """)
        rig.run(#"{"v":1}"#, #"{"v":"7"}"#, #"{"v":100}"#)
        #expect(rig.lines("g ") == ["g 100"])
        #expect(rig.lines("s_") == ["s_sum 108", "s_count 3"])
        #expect(
            rig.lines("h_") == [
                #"h_bucket{le="1"} 1"#, #"h_bucket{le="5"} 1"#, #"h_bucket{le="10"} 2"#,
                #"h_bucket{le="+Inf"} 3"#, "h_sum 108", "h_count 3",
            ])
    }

    @Test func `has the buckets of Prometheus' clients when none are written`() throws {
        let rig = try PrometheusRig(Self.metric("key v", type: "histogram"))
        rig.run(#"{"v":1}"#)
        #expect(rig.lines("m_bucket").count == 12)
        #expect(rig.lines(#"m_bucket{le="0.005"}"#) == [#"m_bucket{le="0.005"} 0"#])
    }

    @Test(arguments: [
        ("$.code", "200"), ("$['a b']", "x"), ("$.k.pod", "p-1"), ("$.k.none", ""),
        ("$.list[1]", "two"), ("fixed", "fixed"), ("${tag}", "app.access.log"),
        ("${tag_parts[1]}", "access"), ("${tag_parts[-1]}", "log"),
        ("${tag_parts[9]}", "${tag_parts[9]}"),
        ("${tag_prefix[1]}", "app.access"), ("${tag_suffix[1]}", "access.log"),
        ("${hostname}-${worker_id}", "host-1-0"), ("${code}", "200"), (#"${k["pod"]}"#, "p-1"),
        ("${none}", "${none}"), ("a${code}b${code}c", "a200b200c"), ("$.flag", "true"),
        ("${", "${"),
    ])
    func `gives labels their values as Fluentd does`(_ template: String, _ value: String) throws {
        let rig = try PrometheusRig(Self.metric("<labels>\nl \(template)\n</labels>"))
        rig.run(
            #"{"code":200,"a b":"x","k":{"pod":"p-1"},"list":["one","two"],"flag":true}"#)
        #expect(rig.lines("m{") == [#"m{l="\#(value)"} 1"#])
    }

    @Test func `puts the labels of all metrics before those of one`() throws {
        let rig = try PrometheusRig(
            Self.metric("<labels>\nb 2\na 3\n</labels>") + "\n<labels>\na 1\nz 9\n</labels>")
        rig.run("{}")
        #expect(rig.lines("m{") == [#"m{a="3",z="9",b="2"} 1"#])
    }

    @Test func `shows label sets before their first event`() throws {
        let rig = try PrometheusRig(
            Self.metric(
                """
                initialized true
                <labels>
                code $.code
                host ${hostname}
                </labels>
                <initlabels>
                code 200
                </initlabels>
                <initlabels>
                code 500
                </initlabels>
                """))
        rig.run(#"{"code":500}"#)
        #expect(
            rig.lines("m{") == [
                #"m{code="200",host="host-1"} 0"#, #"m{code="500",host="host-1"} 1"#,
            ])
    }

    @Test func `counts what it cannot count`() throws {
        let rig = try PrometheusRig(Self.metric("key v"))
        rig.run(
            #"{"v":"x"}"#, #"{"v":[]}"#, #"{"v":true}"#, #"{"v":-1}"#, #"{"v":"nan"}"#,
            #"{"v":1e999}"#, #"{"v":3}"#)
        #expect(rig.lines("m ") == ["m 3"])
        #expect(
            rig.lines("weir_prometheus_refused_values_total") == [
                #"weir_prometheus_refused_values_total{metric="m",reason="negative"} 1"#,
                #"weir_prometheus_refused_values_total{metric="m",reason="not_a_number"} 5"#,
            ])
    }

    @Test func `lets label sets go after their retention`() throws {
        let rig = try PrometheusRig(
            Self.metric("retention 60\n<labels>\nc $.c\n</labels>") + "\n"
                + Self.metric("").replacing("name m", with: "name kept"))
        rig.run(#"{"c":1}"#)
        let later = Timestamp(seconds: 4_000_000_000)
        let text = String(decoding: rig.registry.exposition(now: later), as: UTF8.self)
        #expect(!text.contains("m{"))
        #expect(text.contains("\nkept 1\n"))
    }

    @Test func `counts in the metric of another filter that declares it alike`() throws {
        let first = try PrometheusRig(Self.metric(""))
        let second = try PrometheusRig(Self.metric(""), registry: first.registry)
        first.run("{}")
        second.run("{}", "{}")
        #expect(first.lines("m ") == ["m 3"])
    }

    @Test(arguments: [
        ("", "3:1", "counts nothing"),
        (metric("").replacing("name m", with: "name a b"), "4:6", "is not a metric's name"),
        (metric("").replacing("name m", with: "name weir_x"), "4:6", "begins with `weir_`"),
        (metric("", type: "gauge"), "3:1", "a gauge needs `key`"),
        (metric("<labels>\na-b 1\n</labels>"), "8:1", "is not a label's name"),
        (metric("<labels>\nle 1\n</labels>\nkey v", type: "histogram"), "4:6", "may not have"),
        (metric("key v\nbuckets 2,1", type: "histogram"), "8:9", "not a number above"),
        (metric("initialized true\n<labels>\na $.a\n</labels>"), "7:13", "has no value before"),
        (
            metric("initialized true\n<labels>\na 1\n</labels>\n<initlabels>\na 2\n</initlabels>"),
            "12:1", "is no label whose value"
        ),
        (metric("") + "\n" + metric("key v", type: "gauge"), "10:6", "there is already a metric"),
    ])
    func `is refused with a mistake`(_ body: String, _ place: String, _ message: String) {
        do {
            _ = try PrometheusRig(body)
            Issue.record("not refused")
        } catch let error as ConfigurationError {
            let text = error.diagnostics.map(\.description).joined()
            #expect(text.contains(message), "\(text)")
            #expect(text.hasPrefix("case.conf:\(place)") || place == "3:1", "\(text)")
        } catch {
            Issue.record("\(error)")
        }
    }
}

import Testing
import WeirCore
import WeirMetrics
import WeirTesting

@Suite("The exposition") struct ExpositionTests {
    private static let families = [
        FamilyDeclaration(name: "req_total", help: "Requests\\of \"all\"\nkinds.", kind: .counter),
        FamilyDeclaration(
            name: "req_seconds", help: "Time.", unit: "seconds", kind: .histogram(bounds: [0.5, 1])),
        FamilyDeclaration(name: "size", help: "Size.", kind: .summary),
        FamilyDeclaration(name: "level", help: "Level.", kind: .gauge),
        FamilyDeclaration(name: "odd", help: "No `_total`.", kind: .floatCounter),
    ]

    private static func rig() throws -> SeriesRig {
        let rig = try SeriesRig(labels: ["code", "path"], families: families)
        rig.update([Array("200".utf8), Array("/b\"\\\n é".utf8)], at: 1_700_000_000) {
            table, index in
            let id = Array("4bf92f3577b34da6a3ce929d0e0e4736".utf8)
            id.withUnsafeBytes { id in
                let exemplar = Exemplar(.traceID, id, milliseconds: 1_700_000_000_123)
                table.add(3, to: index, family: 0, exemplar: exemplar)
                table.observe(0.25, at: index, family: 1)
                table.observe(0.75, at: index, family: 1, exemplar: exemplar)
                table.observe(2, at: index, family: 1)
            }
            table.observe(1e6, at: index, family: 2)
            table.set(-1.5, at: index, family: 3)
            table.add(number: 2.5, to: index, family: 4)
        }
        rig.update([Array("200".utf8), Array("/a".utf8)], at: 1_700_000_001) { table, index in
            table.add(1, to: index, family: 0)
            table.set(.infinity, at: index, family: 3)
        }
        rig.update([Array("500".utf8), []], at: 1_700_000_001) { table, index in
            table.set(.nan, at: index, family: 3)
        }
        return rig
    }

    private static func shown(_ rig: SeriesRig, _ format: ExpositionFormat) -> String {
        String(decoding: rig.registry.exposition(format), as: UTF8.self)
            .split(separator: "\n", omittingEmptySubsequences: false)
            .filter { !$0.contains("weir_metrics_") }.joined(separator: "\n")
    }

    @Test func `writes Prometheus' text format to the last byte`() throws {
        #expect(
            Self.shown(try Self.rig(), .text) == #"""
                # HELP level Level.
                # TYPE level gauge
                level{code="200",path="/a"} +Inf
                level{code="200",path="/b\"\\\n é"} -1.5
                level{code="500",path=""} NaN
                # HELP odd No `_total`.
                # TYPE odd counter
                odd{code="200",path="/b\"\\\n é"} 2.5
                # HELP req_seconds Time.
                # TYPE req_seconds histogram
                req_seconds_bucket{code="200",path="/b\"\\\n é",le="0.5"} 1
                req_seconds_bucket{code="200",path="/b\"\\\n é",le="1"} 2
                req_seconds_bucket{code="200",path="/b\"\\\n é",le="+Inf"} 3
                req_seconds_sum{code="200",path="/b\"\\\n é"} 3
                req_seconds_count{code="200",path="/b\"\\\n é"} 3
                # HELP req_total Requests\\of "all"\nkinds.
                # TYPE req_total counter
                req_total{code="200",path="/a"} 1
                req_total{code="200",path="/b\"\\\n é"} 3
                # HELP size Size.
                # TYPE size summary
                size_sum{code="200",path="/b\"\\\n é"} 1e+06
                size_count{code="200",path="/b\"\\\n é"} 1

                """#)
    }

    @Test func `writes OpenMetrics to the last byte`() throws {
        let trace = #"{trace_id="4bf92f3577b34da6a3ce929d0e0e4736"}"#
        #expect(
            Self.shown(try Self.rig(), .openMetrics) == #"""
                # HELP level Level.
                # TYPE level gauge
                level{code="200",path="/a"} +Inf
                level{code="200",path="/b\"\\\n é"} -1.5
                level{code="500",path=""} NaN
                # HELP odd No `_total`.
                # TYPE odd unknown
                odd{code="200",path="/b\"\\\n é"} 2.5
                # HELP req_seconds Time.
                # TYPE req_seconds histogram
                # UNIT req_seconds seconds
                req_seconds_bucket{code="200",path="/b\"\\\n é",le="0.5"} 1
                req_seconds_bucket{code="200",path="/b\"\\\n é",le="1.0"} 2 # \#(trace) 0.75 1700000000.123
                req_seconds_bucket{code="200",path="/b\"\\\n é",le="+Inf"} 3
                req_seconds_sum{code="200",path="/b\"\\\n é"} 3.0
                req_seconds_count{code="200",path="/b\"\\\n é"} 3
                req_seconds_created{code="200",path="/b\"\\\n é"} 1700000000.000
                # HELP req Requests\\of \"all\"\nkinds.
                # TYPE req counter
                req_total{code="200",path="/a"} 1
                req_created{code="200",path="/a"} 1700000001.000
                req_total{code="200",path="/b\"\\\n é"} 3 # \#(trace) 3.0 1700000000.123
                req_created{code="200",path="/b\"\\\n é"} 1700000000.000
                # HELP size Size.
                # TYPE size summary
                size_sum{code="200",path="/b\"\\\n é"} 1e+06
                size_count{code="200",path="/b\"\\\n é"} 1
                size_created{code="200",path="/b\"\\\n é"} 1700000000.000
                # EOF

                """#)
    }

    @Test func `writes protocol buffers to the last byte`() throws {
        let rig = try SeriesRig(
            labels: ["a"],
            families: [
                FamilyDeclaration(name: "n_total", help: "N.", unit: "", kind: .counter),
                FamilyDeclaration(name: "h", help: "H.", unit: "u", kind: .histogram(bounds: [1])),
            ])
        rig.update([[0x78]], at: 2) { table, index in
            [UInt8](arrayLiteral: 0x69, 0x64).withUnsafeBytes { id in
                table.add(
                    5, to: index, family: 0,
                    exemplar: Exemplar(.requestID, id, milliseconds: 1500))
            }
            table.observe(0.5, at: index, family: 1)
        }
        let bytes = rig.registry.exposition(.protobuf)
        let label = "0a06" + "0a0161" + "120178"
        let created = "08021000"
        // Counter: value 5.0, exemplar {label, value, timestamp}, created.
        let exemplar =
            "0a10" + "0a0a" + "726571756573745f6964" + "12026964" + "11" + "0000000000001440"
            + "1a08" + "0801" + "1080cab5ee01"
        let counter =
            "1a36" + "09" + "0000000000001440" + "1225" + exemplar + "1a04" + created
        let histogram =
            "3a2b" + "0801" + "11" + "000000000000e03f" + "1a0b" + "0801" + "11"
            + "000000000000f03f" + "1a0b" + "0801" + "11" + "000000000000f07f" + "7a04" + created
        let first = "0a0168" + "1202482e" + "1804" + "2235" + label + histogram + "2a0175"
        let second = "0a076e5f746f74616c" + "12024e2e" + "1800" + "2240" + label + counter
        let expected =
            hex(first.count / 2) + first + hex(second.count / 2) + second
        let text = bytes.map(hex).joined()
        #expect(text.hasPrefix(expected), "\(text.prefix(expected.count)) \(expected)")
    }

    @Test func `is the same however it is cut into pieces`() throws {
        let rig = try SeriesRig.counter()
        for number in 0..<10_000 { rig.add(UInt64(number), ["value \(number)", "b"]) }
        for format in [ExpositionFormat.text, .openMetrics] {
            let scrape = Scrape(rig.registry, format: format, now: .epoch)
            var all: [UInt8] = []
            var pieceCount = 0
            var piece = ByteBuffer()
            while scrape.next(into: &piece) {
                #expect(piece.count < Scrape.pieceByteCount + 32 * 1024)
                all += piece.bytes
                piece.truncate(to: 0)
                pieceCount += 1
            }
            #expect(pieceCount > 3)
            #expect(all == rig.registry.exposition(format))
            let heads = String(decoding: all, as: UTF8.self).split(separator: "\n")
                .filter { $0.hasPrefix("# TYPE x") }
            #expect(heads.count == 1)
        }
    }

    @Test func `adds the shards up and shows each label set once`() throws {
        let rig = try SeriesRig.counter()
        let other = rig.group.shard(named: "other")
        rig.add(1, ["a", "b"])
        rig.add(2, ["a", "b"], shard: other)
        rig.add(4, ["a", "c"], shard: other)
        _ = rig.registry.exposition()
        rig.add(8, ["a", "c"])
        rig.add(16, ["0", "0"], shard: other)
        #expect(
            Self.shown(rig, .text) == """
                # HELP x_total X.
                # TYPE x_total counter
                x_total{a="0",b="0"} 16
                x_total{a="a",b="b"} 3
                x_total{a="a",b="c"} 12

                """)
    }

    private func hex(_ byte: UInt8) -> String {
        (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }

    private func hex(_ number: Int) -> String { hex(UInt8(number)) }
}

@Suite("A number in the exposition") struct FloatTextTests {
    /// Go's `strconv.FormatFloat(v, 'g', -1, 64)`.
    @Test(
        arguments: [
            (0, "0"), (1, "1"), (-1, "-1"), (0.1, "0.1"), (100_000, "100000"), (999_999, "999999"),
            (1_000_000, "1e+06"), (1_234_567, "1.234567e+06"), (1_234_567.5, "1.2345675e+06"),
            (0.0001, "0.0001"), (0.00001, "1e-05"), (0.000012345, "1.2345e-05"),
            (123.456, "123.456"), (1e21, "1e+21"), (1e100, "1e+100"),
            (.leastNonzeroMagnitude, "5e-324"),
            (1.7976931348623157e308, "1.7976931348623157e+308"),
            (0.30000000000000004, "0.30000000000000004"),
            (-2.5e-7, "-2.5e-07"), (9_007_199_254_740_992, "9.007199254740992e+15"),
            (.infinity, "+Inf"), (-.infinity, "-Inf"), (.nan, "NaN"), (-0.0, "0"),
            (100_000.5, "100000.5"), (999_999.5, "999999.5"),
        ] as [(Double, String)])
    func `is written as Go writes it`(_ value: Double, _ text: String) throws {
        let registry = Registry()
        let catalog = SeriesCatalog(registry: registry)
        let group = try catalog.group(
            SeriesGroup.Declaration(
                labelNames: [],
                families: [FamilyDeclaration(name: "g", help: "G.", kind: .gauge)]))
        catalog.activate()
        let labels = LabelValues(labelCount: 0)
        group.shard(named: "s").update(now: .epoch) { table in
            table.set(value, at: table.index(of: labels), family: 0)
        }
        #expect(registry.textExposition().contains("\ng \(text)\n"))
    }
}

@Suite("The format of a scrape") struct ExpositionFormatTests {
    @Test(
        arguments: [
            (nil, .text), ("", .text), ("*/*", .text), ("text/html", .text),
            ("application/openmetrics-text; version=1.0.0", .openMetrics),
            // Prometheus 2.42.
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
                    + "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", .openMetrics
            ),
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;"
                    + "encoding=delimited,application/openmetrics-text;version=1.0.0;q=0.8,"
                    + "text/plain;version=0.0.4;q=0.5,*/*;q=0.1", .protobuf
            ),
            // Prometheus 3.5.
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
                    + "application/openmetrics-text;version=0.0.1;q=0.5,"
                    + "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
                    + "text/plain;version=0.0.4;q=0.3,*/*;q=0.2", .openMetrics
            ),
            ("text/plain;version=1.0.0,text/plain;version=0.0.4;q=0.3", .text),
            ("application/openmetrics-text;q=0,text/plain;q=0.1", .text),
            ("application/openmetrics-text;version=2.0.0", .text),
            ("application/vnd.google.protobuf;proto=other;encoding=delimited", .text),
            ("text/plain;q=0.5,application/openmetrics-text;q=nonsense", .text),
            ("TEXT/PLAIN ; q = 0.9 , application/openmetrics-text ; q = 1", .openMetrics),
        ] as [(String?, ExpositionFormat)])
    func `is the one that Accept likes best`(_ accept: String?, _ format: ExpositionFormat) {
        #expect(ExpositionFormat.negotiated(accept: accept) == format)
    }

    @Test(
        arguments: [
            (nil, false), ("gzip", true), ("deflate, GZIP;q=0.5", true), ("gzip;q=0", false),
            ("br", false), ("gzip;q=0.0", false),
        ] as [(String?, Bool)])
    func `is compressed when Accept-Encoding says so`(_ header: String?, _ isAccepted: Bool) {
        #expect(ExpositionFormat.acceptsGzip(acceptEncoding: header) == isAccepted)
    }
}

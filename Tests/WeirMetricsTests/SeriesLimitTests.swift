import Testing
import WeirCore
import WeirMetrics
import WeirTesting

@Suite("A group with too many series") struct SeriesLimitTests {
    private func overflow(_ rig: SeriesRig, _ label: String) -> Bool {
        rig.registry.textExposition().contains(
            #"weir_metrics_overflow_total{metric="x_total",label="\#(label)"}"#)
    }

    @Test func `merges values of the label that has most of them, and counts it`() throws {
        let rig = try SeriesRig.counter(["code", "user_agent"], seriesLimit: 400)
        for number in 0..<10_000 {
            rig.add(1, [number.isMultiple(of: 2) ? "200" : "500", "agent \(number)"])
        }
        #expect(rig.group.seriesCount <= 400)
        let counts = rig.counts()
        #expect(counts[["200", "__overflow__"], default: 0] > 4000)
        #expect(counts[["500", "__overflow__"], default: 0] > 4000)
        #expect(counts.values.reduce(0, +) == 10_000)
        #expect(overflow(rig, "user_agent"))
        #expect(!overflow(rig, "code"))
    }

    @Test func `still counts the series that it has`() throws {
        let rig = try SeriesRig.counter(["code", "user_agent"], seriesLimit: 100)
        rig.add(1, ["200", "curl"])
        for number in 0..<1_000 { rig.add(1, ["200", "agent \(number)"]) }
        rig.add(1, ["200", "curl"])
        #expect(rig.counts()[["200", "curl"]] == 2)
    }

    @Test func `stays bounded when every label has a new value every time`() throws {
        let labels = (0..<25).map { "l\($0)" }
        let rig = try SeriesRig.counter(labels, seriesLimit: 1_000)
        for number in 0..<20_000 { rig.add(1, labels.map { "\($0) \(number)" }) }
        #expect(rig.group.seriesCount <= 1_001)
        #expect(rig.group.allocatedByteCount < 10 << 20)
        #expect(rig.counts()[labels.map { _ in "__overflow__" }, default: 0] > 0)
        #expect(rig.counts().values.reduce(0, +) == 20_000)
    }

    @Test func `counts against the limit of all groups too`() throws {
        let rig = try SeriesRig.counter(["path"], totalLimit: 160)
        for number in 0..<1_000 { rig.add(1, ["/\(number)"]) }
        #expect(rig.registry.seriesBudget.usedCount <= 161)
        #expect(rig.counts()[["__overflow__"], default: 0] > 800)
    }

    @Test func `gives each metric of a label set its place in the limit`() throws {
        let rig = try SeriesRig(
            labels: ["path"],
            families: (0..<4).map {
                FamilyDeclaration(name: "x\($0)_total", help: "X.", kind: .counter)
            }, seriesLimit: 400)
        for number in 0..<1_000 { rig.add(1, ["/\(number)"]) }
        #expect(rig.group.seriesCount <= 404)
    }

    @Test func `takes new values again once series have expired`() throws {
        let rig = try SeriesRig.counter(["path"], seriesLimit: 80, idleTime: .seconds(60))
        for number in 0..<200 { rig.add(1, ["/\(number)"], at: 1000) }
        rig.group.expire(now: Timestamp(seconds: 2000))
        #expect(rig.group.seriesCount == 0)
        rig.add(1, ["/new"], at: 2000)
        #expect(rig.counts() == [["/new"]: 1])
    }
}

@Suite("A label value") struct LabelValueTests {
    private func total(_ rig: SeriesRig, _ name: String) -> Bool {
        rig.registry.textExposition().contains(#"\#(name){metric="x_total"} 1"#)
    }

    @Test func `that is too long is cut between two characters`() throws {
        let rig = try SeriesRig.counter(["a"], valueByteLimit: 16)
        rig.add(1, ["0123456789abcdeé and more"])
        rig.add(1, ["0123456789abcdeé and other"])
        #expect(rig.counts() == [["0123456789abcde"]: 2])
        #expect(total(rig, "weir_metrics_truncated_label_values_total"))
    }

    @Test func `of a megabyte costs no megabyte`() throws {
        let rig = try SeriesRig.counter(["a"])
        rig.add(1, [String(repeating: "é", count: 1 << 19)])
        #expect(rig.counts() == [[String(repeating: "é", count: 256)]: 1])
        #expect(rig.group.allocatedByteCount < 100_000)
    }

    @Test func `that is no UTF-8 is mended`() throws {
        let rig = try SeriesRig.counter(["a"])
        rig.add(1, bytes: [[0x61, 0xff, 0x62]])
        rig.add(1, bytes: [[0x61, 0xff, 0x62]])
        rig.add(1, bytes: [Array("a\u{FFFD}b".utf8)])
        #expect(rig.counts() == [["a\u{FFFD}b"]: 3])
        #expect(total(rig, "weir_metrics_repaired_label_values_total"))
    }

    @Test func `may hold anything that the exposition must escape`() throws {
        let rig = try SeriesRig.counter(["a"])
        rig.add(1, ["\"} 1\nx_total{a=\"\\"])
        #expect(
            rig.registry.textExposition().contains(#"x_total{a="\"} 1\nx_total{a=\"\\"} 1"#))
    }
}

@Suite("An idle series") struct SeriesExpiryTests {
    @Test func `goes after its time, and begins anew`() throws {
        let rig = try SeriesRig.counter(idleTime: .seconds(60))
        rig.add(5, ["a", "b"], at: 1000)
        rig.add(1, ["a", "c"], at: 1050)
        rig.group.expire(now: Timestamp(seconds: 1060))
        #expect(rig.counts() == [["a", "b"]: 5, ["a", "c"]: 1])
        rig.group.expire(now: Timestamp(seconds: 1061))
        #expect(rig.counts() == [["a", "c"]: 1])
        rig.add(2, ["a", "b"], at: 1070)
        #expect(rig.counts() == [["a", "b"]: 2, ["a", "c"]: 1])
    }

    @Test func `stays while another shard updates it, so that the sum does not fall`() throws {
        let rig = try SeriesRig.counter(idleTime: .seconds(60))
        let other = rig.group.shard(named: "other")
        rig.add(5, ["a", "b"], at: 1000)
        rig.add(1, ["a", "b"], at: 2000, shard: other)
        rig.group.expire(now: Timestamp(seconds: 2000))
        #expect(rig.counts() == [["a", "b"]: 6])
        rig.group.expire(now: Timestamp(seconds: 3000))
        #expect(rig.counts().isEmpty)
        #expect(rig.group.seriesCount == 0)
    }

    @Test func `stays for good without a time`() throws {
        let rig = try SeriesRig.counter(idleTime: nil)
        rig.add(5, ["a", "b"], at: 1000)
        rig.group.expire(now: Timestamp(seconds: .max))
        #expect(rig.counts() == [["a", "b"]: 5])
    }

    @Test func `is shown once in a scrape that is under way when it comes again`() throws {
        let rig = try SeriesRig.counter(["n"], idleTime: .seconds(60))
        for number in 0..<5_000 {
            rig.add(1, ["\(number) " + String(repeating: "x", count: 80)], at: 1000)
        }
        let scrape = Scrape(rig.registry, format: .text, now: Timestamp(seconds: 1000))
        var text = ByteBuffer()
        _ = scrape.next(into: &text)
        rig.group.expire(now: Timestamp(seconds: 2000))
        for number in 0..<5_000 {
            rig.add(1, ["\(number) " + String(repeating: "x", count: 80)], at: 2000)
        }
        while scrape.next(into: &text) {}
        let lines = String(decoding: text.bytes, as: UTF8.self).split(separator: "\n")
            .filter { $0.hasPrefix("x_total{") }
        #expect(lines.count > 100)
        #expect(Set(lines).count == lines.count)
    }

    @Test func `goes and comes as in a dictionary, whatever happens`() throws {
        var random = SeededGenerator(announcing: "SeriesExpiryTests")
        for _ in 0..<20 {
            let rig = try SeriesRig.counter(idleTime: .seconds(50))
            var model: [[String]: (count: UInt64, touched: Int64)] = [:]
            var now: Int64 = 1000
            for _ in 0..<1_500 {
                let labels = [
                    "\(random.number(0...20))", String(repeating: "y", count: random.number(0...9)),
                ]
                now += Int64(random.number(0...3))
                if random.once(in: 10) {
                    rig.group.expire(now: Timestamp(seconds: now))
                    model = model.filter { $0.value.touched >= now - 50 }
                } else {
                    rig.add(1, labels, at: now)
                    model[labels] = (model[labels, default: (0, 0)].count + 1, now)
                }
                if random.once(in: 50) { #expect(rig.counts() == model.mapValues(\.count)) }
            }
        }
    }
}

@Suite("A group's declaration") struct SeriesDeclarationTests {
    private func declaration(
        _ name: String = "x_total", labels: [String] = [],
        kind: FamilyDeclaration.Kind = .counter
    ) -> SeriesGroup.Declaration {
        SeriesGroup.Declaration(
            labelNames: labels, families: [FamilyDeclaration(name: name, help: "", kind: kind)])
    }

    @Test(arguments: ["a b", "1a", "", "é", "a-b", "weir_own_total"])
    func `is refused with a name like this`(_ name: String) {
        #expect(throws: MetricConflict.self) {
            try SeriesCatalog(registry: Registry()).group(declaration(name))
        }
    }

    @Test(arguments: [["a b"], ["1"], ["a:b"], ["__name__"], ["a", "a"], [""]])
    func `is refused with labels like these`(_ labels: [String]) {
        #expect(throws: MetricConflict.self) { try declaration(labels: labels).check() }
    }

    @Test func `is refused with the label that the format needs itself`() {
        #expect(throws: MetricConflict.self) {
            try declaration("h", labels: ["le"], kind: .histogram(bounds: [1])).check()
        }
        #expect(throws: MetricConflict.self) {
            try declaration("s", labels: ["quantile"], kind: .summary).check()
        }
    }

    @Test(arguments: [[2, 1], [1, 1], [.infinity], [.nan]] as [[Double]])
    func `is refused with bounds like these`(_ bounds: [Double]) {
        #expect(throws: MetricConflict.self) {
            try declaration("h", kind: .histogram(bounds: bounds)).check()
        }
    }

    @Test func `may be given twice, and means one group`() throws {
        let catalog = SeriesCatalog(registry: Registry())
        #expect(try catalog.group(declaration()) === catalog.group(declaration()))
    }

    @Test(
        arguments: [
            ("x_total", ["a"], .counter), ("x_total", [], .gauge), ("x", [], .gauge),
            ("x_created", [], .gauge),
        ] as [(String, [String], FamilyDeclaration.Kind)])
    func `is refused when another one has its names`(
        _ name: String, _ labels: [String], _ kind: FamilyDeclaration.Kind
    ) throws {
        let catalog = SeriesCatalog(registry: Registry())
        _ = try catalog.group(declaration())
        #expect(throws: MetricConflict.self) {
            try catalog.group(declaration(name, labels: labels, kind: kind))
        }
    }

    @Test func `goes on with its series in the next configuration, another one begins anew`() throws
    {
        let registry = Registry()
        let first = SeriesCatalog(registry: registry)
        let kept = try first.group(declaration("kept_total"))
        _ = try first.group(declaration("gone_total"))
        first.activate()
        let second = SeriesCatalog(registry: registry)
        #expect(try second.group(declaration("kept_total")) === kept)
        let changed = try second.group(declaration("gone_total", labels: ["a"]))
        #expect(registry.shownGroups.count == 2)
        second.activate()
        #expect(registry.shownGroups.map(\.declaration) == [kept.declaration, changed.declaration])
    }
}

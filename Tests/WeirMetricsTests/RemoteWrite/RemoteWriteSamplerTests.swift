import Testing
import WeirCore
import WeirTesting

@testable import WeirMetrics

/// What a receiver of one sampler has got.
private final class Receiver {
    let sampler: RemoteWriteSampler
    let version: RemoteWriteVersion
    private(set) var requests: [(request: RemoteWriteRequest, read: ReceivedRequest)] = []

    init(_ registry: Registry, _ options: RemoteWriteSampler.Options) {
        sampler = RemoteWriteSampler(registry, options)
        version = options.version
    }

    func take(_ request: RemoteWriteRequest) {
        guard let read = ReceivedRequest(request.body, version) else {
            Issue.record("a request cannot be read")
            return
        }
        #expect(read.violations == [])
        requests.append((request, read))
    }

    @discardableResult
    func sample(_ seconds: Int64) -> Bool {
        sampler.sample(now: Timestamp(seconds: seconds), take)
    }

    func end(_ seconds: Int64) { sampler.end(now: Timestamp(seconds: seconds), take) }

    /// The samples of each series in the order in which they came, Weir's own metrics left out.
    var samples: [String: [ReceivedSeries.Sample]] {
        var samples: [String: [ReceivedSeries.Sample]] = [:]
        for series in requests.flatMap(\.read.series) where !series.name.hasPrefix("weir_") {
            samples[series.name, default: []] += series.samples
            samples[series.name, default: []] += series.histograms.map {
                ReceivedSeries.Sample(time: $0.time, bits: $0.sum.bitPattern)
            }
        }
        return samples
    }
}

private func value(_ seconds: Int64, _ value: Double) -> ReceivedSeries.Sample {
    ReceivedSeries.Sample(time: seconds * 1000, bits: value.bitPattern)
}

private func stale(_ milliseconds: Int64) -> ReceivedSeries.Sample {
    ReceivedSeries.Sample(time: milliseconds, bits: 0x7ff0_0000_0000_0002)
}

private func makeOptions(_ version: RemoteWriteVersion) -> RemoteWriteSampler.Options {
    var options = RemoteWriteSampler.Options()
    options.version = version
    return options
}

@Suite("Sampling for remote write", .serialized) struct RemoteWriteSamplerTests {
    private static let families = [
        FamilyDeclaration(name: "a_total", help: "A.", kind: .counter),
        FamilyDeclaration(name: "b", help: "B.", kind: .gauge),
        FamilyDeclaration(name: "c", help: "C.", kind: .summary),
        FamilyDeclaration(name: "d", help: "D.", kind: .histogram(bounds: [0.5, 10])),
    ]

    @Test(arguments: RemoteWriteVersion.allCases)
    func `sends the series of every kind as a scrape shows them`(
        version: RemoteWriteVersion
    ) throws {
        let rig = try SeriesRig(labels: ["l"], families: Self.families)
        rig.update([Array("x".utf8)], at: 5) { table, index in
            table.add(7, to: index, family: 0)
            table.set(-0.5, at: index, family: 1)
            for value in [0.25, 1, 100] {
                table.observe(value, at: index, family: 2)
                table.observe(value, at: index, family: 3)
            }
        }
        let receiver = Receiver(rig.registry, makeOptions(version))
        #expect(receiver.sample(10))
        #expect(
            receiver.samples == [
                "a_total{l=\"x\"}": [value(10, 7)], "b{l=\"x\"}": [value(10, -0.5)],
                "c_count{l=\"x\"}": [value(10, 3)], "c_sum{l=\"x\"}": [value(10, 101.25)],
                "d_count{l=\"x\"}": [value(10, 3)], "d_sum{l=\"x\"}": [value(10, 101.25)],
                "d_bucket{l=\"x\",le=\"0.5\"}": [value(10, 1)],
                "d_bucket{l=\"x\",le=\"10.0\"}": [value(10, 2)],
                "d_bucket{l=\"x\",le=\"+Inf\"}": [value(10, 3)],
            ])
        guard version == .two else { return }
        let series = receiver.requests.flatMap(\.read.series)
        let types = Dictionary(
            series.map { ($0.name, $0.metadata.type) }, uniquingKeysWith: { $1 })
        #expect(types["a_total{l=\"x\"}"] == 1 && types["b{l=\"x\"}"] == 2)
        #expect(types["c_sum{l=\"x\"}"] == 5 && types["d_count{l=\"x\"}"] == 3)
        let created = Dictionary(series.map { ($0.name, $0.created) }, uniquingKeysWith: { $1 })
        #expect(created["a_total{l=\"x\"}"] == [5000, 5000])
        #expect(created["b{l=\"x\"}"] == [0, 0], "a gauge has not begun at any time")
    }

    @Test(arguments: RemoteWriteVersion.allCases)
    func `marks a series stale when it is gone, and all at the end`(
        version: RemoteWriteVersion
    ) throws {
        let rig = try SeriesRig.counter(["l"], idleTime: .seconds(100))
        for label in ["b", "c", "a", "d"] { rig.add(1, [label], at: 1000) }
        let receiver = Receiver(rig.registry, makeOptions(version))
        receiver.sample(1001)
        for label in ["b", "e"] { rig.add(1, [label], at: 1090) }
        receiver.sample(1150)
        receiver.end(1150)
        let (before, ends) = (value(1001, 1), [stale(1_150_001)])
        #expect(
            receiver.samples == [
                "x_total{l=\"a\"}": [before, stale(1_149_999)],
                "x_total{l=\"b\"}": [before, value(1150, 2)] + ends,
                "x_total{l=\"c\"}": [before, stale(1_149_999)],
                "x_total{l=\"d\"}": [before, stale(1_149_999)],
                "x_total{l=\"e\"}": [value(1150, 1)] + ends,
            ])
    }

    @Test func `marks Weir's own series stale when they are forgotten`() {
        let registry = Registry()
        let description = MetricDescription("weir_files", "Files.")
        registry.gauge(description, [Label("path", "/a")]).set(3)
        registry.gauge(description, [Label("path", "/b")]).set(4)
        let receiver = Receiver(registry, makeOptions(.one))
        receiver.sample(10)
        registry.remove(description, [Label("path", "/a")])
        receiver.sample(20)
        let series = receiver.requests.flatMap(\.read.series)
        func samples(_ path: String) -> [ReceivedSeries.Sample] {
            series.filter { $0.name == "weir_files{path=\"\(path)\"}" }.flatMap(\.samples)
        }
        #expect(samples("/a") == [value(10, 3), stale(19_999)])
        #expect(samples("/b") == [value(10, 4), value(20, 4)])
    }

    @Test func `ends a group's series before another group has the same`() throws {
        let registry = Registry()
        func show(_ help: String, _ count: UInt64) throws {
            let catalog = SeriesCatalog(registry: registry)
            let group = try catalog.group(
                SeriesGroup.Declaration(
                    labelNames: [],
                    families: [FamilyDeclaration(name: "x_total", help: help, kind: .counter)]))
            catalog.activate()
            let labels = LabelValues(labelCount: 0)
            group.shard(named: "s").update(now: Timestamp(seconds: 9)) { table in
                let index = table.index(of: labels)
                table.add(count, to: index, family: 0)
            }
        }
        let receiver = Receiver(registry, makeOptions(.two))
        try show("X.", 5)
        receiver.sample(10)
        try show("Another X.", 2)
        receiver.sample(20)
        #expect(receiver.samples == ["x_total": [value(10, 5), stale(19_999), value(20, 2)]])
    }

    @Test func `leaves out a sampling when the clock has not moved on`() throws {
        let rig = try SeriesRig.counter(["l"])
        rig.add(1, ["a"])
        let receiver = Receiver(rig.registry, makeOptions(.one))
        #expect(receiver.sample(1800))
        #expect(!receiver.sample(1800))
        #expect(!receiver.sample(1500))
        receiver.end(1500)
        #expect(
            receiver.samples == ["x_total{l=\"a\"}": [value(1800, 1), stale(1_800_001)]])
    }

    @Test(arguments: RemoteWriteVersion.allCases)
    func `sends no exemplars and no native histograms to who wants none`(
        version: RemoteWriteVersion
    ) throws {
        let rig = try SeriesRig(
            labels: ["l"],
            families: [
                FamilyDeclaration(name: "a_total", help: "A.", kind: .counter),
                FamilyDeclaration(name: "n_seconds", help: "N.", kind: .nativeHistogram()),
            ])
        rig.update([Array("x".utf8)], at: 5) { table, index in
            Array("ab12".utf8).withUnsafeBytes {
                let exemplar = Exemplar(.traceID, $0, milliseconds: 900)
                table.add(7, to: index, family: 0, exemplar: exemplar)
                table.observe(1, at: index, family: 1, exemplar: exemplar)
            }
        }
        for (isSent, expected) in [(true, (2, 1)), (false, (0, 0))] {
            var options = makeOptions(version)
            options.sendsExemplars = isSent
            options.sendsNativeHistograms = isSent
            let receiver = Receiver(rig.registry, options)
            #expect(receiver.sample(10))
            let series = receiver.requests.flatMap(\.read.series)
            #expect(series.reduce(0) { $0 + $1.exemplars.count } == expected.0)
            #expect(series.reduce(0) { $0 + $1.histograms.count } == expected.1)
            #expect(receiver.samples["a_total{l=\"x\"}"] == [value(10, 7)])
        }
    }

    @Test func `sends an exemplar once`() throws {
        let rig = try SeriesRig.counter(["l"])
        func add(_ id: String, _ milliseconds: Int64) {
            let id = Array(id.utf8)
            rig.update([Array("a".utf8)]) { table, index in
                id.withUnsafeBytes {
                    table.add(
                        1, to: index, family: 0,
                        exemplar: Exemplar(.traceID, $0, milliseconds: milliseconds))
                }
            }
        }
        let receiver = Receiver(rig.registry, makeOptions(.one))
        add("one", 100)
        receiver.sample(1001)
        receiver.sample(1002)
        add("two", 200)
        receiver.sample(1003)
        let exemplars = receiver.requests.flatMap(\.read.series).map { $0.exemplars.map(\.labels) }
            .filter { !$0.isEmpty }
        #expect(exemplars == [[["trace_id": "one"]], [["trace_id": "two"]]])
    }

    @Test func `gives a series' own label the preference over an external one, but for empty ones`()
        throws
    {
        let rig = try SeriesRig.counter(["l"])
        rig.add(1, ["a"])
        rig.add(1, [""])
        var options = makeOptions(.two)
        options.externalLabels = [Label("l", "outer"), Label("m", "n")]
        let receiver = Receiver(rig.registry, options)
        receiver.sample(1800)
        #expect(
            Set(receiver.samples.keys)
                == ["x_total{l=\"a\",m=\"n\"}", "x_total{l=\"outer\",m=\"n\"}"])
    }

    @Test(arguments: RemoteWriteVersion.allCases)
    func `cuts requests at their limit, each label set in one`(
        version: RemoteWriteVersion
    ) throws {
        let rig = try SeriesRig(labels: ["l"], families: Self.families)
        for number in 0..<1_000 {
            rig.update([Array("\(number)".utf8)]) { table, index in
                table.add(UInt64(number), to: index, family: 0)
                table.observe(Double(number), at: index, family: 3)
            }
        }
        var options = makeOptions(version)
        options.sampleLimit = 100
        let receiver = Receiver(rig.registry, options)
        receiver.sample(1800)
        #expect(receiver.samples.count == 6_000)
        #expect(receiver.requests.allSatisfy { $0.request.counts.samples <= 100 })
        #expect(receiver.requests.count <= 70)
    }

    @Test func `keeps every series in the order of time, whatever comes and goes`() throws {
        var random = SeededGenerator(announcing: "RemoteWriteSamplerTests")
        let time = FuzzTime()
        while time.isLeft {
            let version = random.pick(RemoteWriteVersion.allCases)
            let families =
                Self.families + [
                    FamilyDeclaration(name: "e", help: "E.", kind: .nativeHistogram())
                ]
            let rig = try SeriesRig(
                labels: ["l", "m"], families: families, idleTime: .seconds(20))
            let shards = [rig.shard, rig.group.shard(named: "other")]
            var options = makeOptions(version)
            options.sampleLimit = random.number(1...60)
            let receiver = Receiver(rig.registry, options)
            var now: Int64 = 1000
            var living: [Set<String>] = []
            for _ in 0..<random.number(1...12) {
                for _ in 0..<random.number(0...30) {
                    let labels = (0..<2).map { _ in random.soup(of: ["a", "b", "é"], upTo: 3) }
                    let family = random.number(0...4)
                    rig.update(
                        labels.map { Array($0.utf8) }, at: now, shard: random.pick(shards)
                    ) { table, index in
                        switch family {
                        case 0: table.add(1, to: index, family: 0)
                        case 1: table.set(1, at: index, family: 1)
                        default: table.observe(1, at: index, family: family)
                        }
                    }
                }
                now += Int64(random.number(1...15))
                receiver.sample(now)
                living.append(
                    Set(receiver.samples.filter { $0.value.last?.time == now * 1000 }.keys))
                let shown = (0..<5).reduce(0) { $0 + rig.group.readings(ofFamily: $1).count }
                #expect((living.last?.isEmpty ?? true) == (shown == 0))
            }
            receiver.end(now)
            for (name, samples) in receiver.samples {
                #expect(
                    zip(samples, samples.dropFirst()).allSatisfy { $0.time < $1.time }, "\(name)")
                #expect(samples.last?.isStale == true, "\(name)")
                // A marker ends every run of samplings, and stands nowhere else.
                let runs = zip(living, living.dropFirst() + [[]]).count {
                    $0.contains(name) && !$1.contains(name)
                }
                #expect(samples.count(where: \.isStale) == runs, "\(name)")
            }
        }
    }
}

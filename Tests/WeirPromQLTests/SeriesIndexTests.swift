import Testing
import WeirTesting

@testable import WeirPromQL

@Suite("An index of series") struct SeriesIndexTests {
    private typealias Labels = [String: String]

    /// A store and its series as plain dictionaries.
    private struct Subject {
        var store = SampleStore()
        var series: [Labels] = []
        var now: Int64 = 0

        mutating func add(_ labels: Labels) throws {
            let reference = try store.reference(for: labels.map { (name: $0.key, value: $0.value) })
            _ = store.append(reference, at: now, 1)
            if !series.contains(labels) { series.append(labels) }
        }

        func selected(_ matchers: [CompiledMatcher]) -> Set<Labels> {
            let symbols = QuerySymbols(store.symbols)
            return Set(
                store.select(matchers, from: .min, through: .max).map { series in
                    Dictionary(
                        uniqueKeysWithValues: symbols.pairs(of: series.labels).map {
                            ($0.name, $0.value)
                        })
                })
        }

        func expected(_ matchers: [CompiledMatcher]) -> Set<Labels> {
            Set(
                series.filter { labels in
                    matchers.allSatisfy { $0.passes(labels[$0.matcher.name] ?? "") }
                })
        }
    }

    private func labels(_ random: inout SeededGenerator) -> Labels {
        var labels = ["__name__": random.pick(["up", "down"])]
        for name in ["a", "b", "c"] where !random.once(in: 3) {
            labels[name] = random.pick(["1", "2", "3", "xy", "é"])
        }
        if random.once(in: 2) { labels["id"] = "\(random.number(0...9_000))" }
        return labels
    }

    private func matcher(_ random: inout SeededGenerator) throws -> CompiledMatcher {
        let name = random.pick(["__name__", "a", "b", "c", "id", "none"])
        let operation: LabelMatcher.Operation = random.pick([
            .equal, .notEqual, .matches, .notMatches,
        ])
        switch operation {
        case .equal, .notEqual:
            let value = random.pick(["", "1", "2", "up", "xy", "17", "nowhere"])
            return try SampleStore.matcher(name, operation, value)
        case .matches, .notMatches:
            let value = random.pick(["", ".*", ".+", "1|2", "x.*", "up|", "[0-9]+", "é"])
            return try SampleStore.matcher(name, operation, value)
        }
    }

    @Test func `selects what passes all matchers, while series come and go`() throws {
        var random = SeededGenerator(announcing: "SeriesIndexTests")
        let time = FuzzTime()
        repeat {
            var subject = Subject()
            for _ in 0..<random.number(1...4) {
                for _ in 0..<random.number(0...300) { try subject.add(labels(&random)) }
                for _ in 0..<20 {
                    let count = random.number(0...3)
                    let matchers = try (0..<count).map { _ in try matcher(&random) }
                    let selected = subject.selected(matchers)
                    let isRight = selected == subject.expected(matchers)
                    #expect(isRight, "\(matchers.map(\.matcher))")
                }
                // All but those that are added from now on grow old.
                subject.now += 4 * 3_600_000
                subject.store.advance(to: subject.now)
                let young = subject.series.filter { _ in random.once(in: 2) }
                subject.series = []
                for labels in young { try subject.add(labels) }
                subject.store.expire(now: subject.now)
                #expect(subject.store.totals.seriesCount == young.count)
            }
        } while time.isLeft
    }

    @Test func `keeps many series of one label as bits, and few as numbers`() {
        var random = SeededGenerator(announcing: "SeriesIndexTests.postings")
        var postings = Postings()
        var model: Set<UInt32> = []
        for _ in 0..<60_000 {
            let slot = UInt32(random.number(0...(1 << 18)))
            if model.insert(slot).inserted { postings.insert(slot) }
        }
        for slot in model where !random.once(in: 50) {
            postings.remove(slot)
            model.remove(slot)
        }
        for slot in [UInt32(0), 65_535, 65_536, 1 << 18] where model.insert(slot).inserted {
            postings.insert(slot)
        }
        var set = SlotSet(slotCount: (1 << 18) + 1)
        set.formUnion(postings)
        var found: [UInt32] = []
        set.forEach { found.append(UInt32($0)) }
        #expect(found == model.sorted())
        #expect(postings.count == model.count)
    }

    // MARK: What the HTTP API asks

    private func browsed() throws -> SampleStore {
        let store = SampleStore()
        for (name, code) in [("requests", "200"), ("requests", "503"), ("up", "")] {
            let series = try store.reference(
                for: [("__name__", name), ("code", code), ("job", "é")])
            _ = store.append(series, at: name == "up" ? 5_000 : 1_000, 1)
        }
        return store
    }

    @Test func `tells names and values of labels`() throws {
        let store = try browsed()
        let up = [try SampleStore.matcher("__name__", .equal, "up")]
        let requests = [try SampleStore.matcher("code", .notEqual, "")]
        #expect(store.labelNames() == ["__name__", "code", "job"])
        #expect(store.labelNames([up]) == ["__name__", "job"])
        #expect(store.labelNames([up, requests]) == ["__name__", "code", "job"])
        #expect(store.labelNames([up], through: 4_999) == [])
        #expect(store.labelValues(of: "code") == ["200", "503"])
        #expect(store.labelValues(of: "code", [up]) == [])
        #expect(store.labelValues(of: "__name__", [requests, up]) == ["requests", "up"])
        #expect(store.labelValues(of: "nothing") == [])
    }

    @Test func `tells series, each once, sorted`() throws {
        let store = try browsed()
        let any = [try SampleStore.matcher("job", .equal, "é")]
        let errors = [try SampleStore.matcher("code", .equal, "503")]
        let series = store.series([errors, any]).map { labels in
            labels.map { "\($0.name)=\($0.value)" }.joined(separator: ",")
        }
        #expect(
            series == [
                "__name__=requests,code=200,job=é", "__name__=requests,code=503,job=é",
                "__name__=up,job=é",
            ])
        #expect(store.series([any], from: 4_000).count == 1)
    }

    @Test func `keeps the last metadata of a metric, and not too many`() {
        var limits = StoreLimits()
        limits.metadataLimit = 2
        limits.metadataByteLimit = 5
        let store = SampleStore(limits)
        store.setMetadata(MetricMetadata(kind: .gauge), of: "a")
        store.setMetadata(MetricMetadata(kind: .counter, help: "123456", unit: "s"), of: "a")
        store.setMetadata(MetricMetadata(kind: .unknown), of: "b")
        store.setMetadata(MetricMetadata(kind: .unknown), of: "c")
        #expect(store.metadata["a"] == MetricMetadata(kind: .counter, help: "12345", unit: "s"))
        #expect(store.metadata.keys.sorted() == ["a", "b"])
        #expect(store.totals.refusedMetadataCount == 1)
    }

    @Test func `keeps the newest exemplars in the order of their series`() throws {
        var limits = StoreLimits()
        limits.exemplarLimit = 3
        let store = SampleStore(limits)
        let first = try store.reference(for: [("id", "a")])
        let second = try store.reference(for: [("id", "b")])
        func exemplar(_ time: Int64, _ trace: String = "1") -> Exemplar {
            Exemplar(labels: [("trace_id", trace)], value: 0.5, time: time)
        }
        #expect(store.append(exemplar(1), to: first))
        #expect(store.append(exemplar(1), to: first))
        #expect(store.append(exemplar(2), to: first))
        #expect(!store.append(exemplar(1), to: first))
        #expect(!store.append(exemplar(3, String(repeating: "x", count: 121)), to: first))
        #expect(store.append(exemplar(1), to: second))
        #expect(store.append(exemplar(4), to: second))
        #expect(store.totals.refusedExemplarCount == 2)
        let any = [try SampleStore.matcher("id", .notEqual, "")]
        let all = store.exemplars([any])
        #expect(all.map { $0.series[0].value } == ["a", "b"])
        #expect(all.map { $0.exemplars.map(\.time) } == [[2], [1, 4]])
        let one = store.exemplars([[try SampleStore.matcher("id", .equal, "b")]], from: 2)
        #expect(one.map { $0.exemplars.map(\.time) } == [[4]])
    }
}

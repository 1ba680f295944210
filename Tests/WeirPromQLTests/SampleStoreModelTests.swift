import Testing
import WeirTesting

@testable import WeirPromQL

/// A series as plain arrays, with the rules of Prometheus' head.
private struct ModelSeries {
    enum Value {
        case float(Double)
        case histogram(FloatHistogram)
    }

    struct Sample {
        var time: Int64
        var value: Value
        var start: Int64
    }

    var samples: [Sample] = []

    mutating func append(
        _ time: Int64, _ value: Value, start: Int64, horizon: Int64
    ) -> AppendOutcome {
        if time < horizon { return .tooOld }
        var value = value
        if let last = samples.last {
            if time < last.time { return .outOfOrder }
            if case .float(let number) = value, SampleMark.isStale(number),
                case .histogram = last.value
            {
                var end = FloatHistogram()
                end.sum = SampleMark.stale
                value = .histogram(end)
            }
            if time == last.time {
                return Self.agree(value, last.value) ? .alreadyThere : .duplicateTimestamp
            }
        }
        samples.append(Sample(time: time, value: value, start: start))
        return .appended
    }

    static func agree(_ left: Value, _ right: Value) -> Bool {
        switch (left, right) {
        case (.float(let left), .float(let right)): left.bitPattern == right.bitPattern
        case (.histogram(let left), .histogram(let right)):
            left.isSame(as: right)
                || (SampleMark.isStale(left.sum) && SampleMark.isStale(right.sum))
        default: false
        }
    }

    /// What reading a range must give.
    func read(from first: Int64, through last: Int64) -> SampleBuffer {
        var buffer = SampleBuffer()
        for sample in samples where sample.time >= first && sample.time <= last {
            switch sample.value {
            case .float(let value):
                buffer.floatTimes.append(sample.time)
                buffer.floats.append(value)
                buffer.floatStarts.append(sample.start)
            case .histogram(let value):
                buffer.histogramTimes.append(sample.time)
                buffer.histograms.append(value)
                buffer.histogramStarts.append(sample.start)
            }
        }
        return buffer
    }
}

extension SampleBuffer {
    /// Whether two buffers agree to the last bit; starts that are nowhere known may be left out.
    fileprivate func agrees(with other: SampleBuffer) -> Bool {
        func starts(_ starts: ContiguousArray<Int64>) -> ContiguousArray<Int64> {
            starts.allSatisfy { $0 == 0 } ? [] : starts
        }
        return floatTimes == other.floatTimes && histogramTimes == other.histogramTimes
            && floats.elementsEqual(other.floats) { $0.bitPattern == $1.bitPattern }
            && histograms.elementsEqual(other.histograms) { $0.isSame(as: $1) }
            && starts(floatStarts) == starts(other.floatStarts)
            && starts(histogramStarts) == starts(other.histogramStarts)
            && (floatStarts.isEmpty || floatStarts.count == floatTimes.count)
            && (histogramStarts.isEmpty || histogramStarts.count == histogramTimes.count)
    }
}

@Suite("A store of samples, against plain arrays") struct SampleStoreModelTests {
    /// One series under test.
    private struct Subject {
        var id: String
        var kind: SampleKind
        var reference: SeriesReference
        var model = ModelSeries()
        var time: Int64
        var value = 0.0
        var histogram: FloatHistogram?
        var step: Int64
        var isMixed: Bool
        var startsKept: Bool
    }

    private func subject(
        _ store: SampleStore, _ id: Int, _ random: inout SeededGenerator
    ) throws -> Subject {
        let name = "s\(id)"
        return Subject(
            id: name, kind: random.pick(SampleKind.allCases),
            reference: try store.reference(for: [("__name__", "up"), ("id", name)]),
            time: random.pick([0, -5_000, 1_699_999_200_000, .min, .max - 3_000_000]),
            step: random.pick([1, 15_000, 60_000, 1 << 33]), isMixed: random.once(in: 3),
            startsKept: random.once(in: 4))
    }

    private func nextTime(_ subject: Subject, _ random: inout SeededGenerator) -> Int64 {
        switch random.number(0...60) {
        case 0: return subject.time
        case 1: return subject.time.subtractingClamped(Int64(random.number(0...100_000)))
        case 2: return random.once(in: 40) ? .max : subject.time
        case 3...8:
            return subject.time.addingClamped(subject.step + Int64(random.number(-2...9)))
        case 9: return subject.time.addingClamped(random.once(in: 8) ? 1 << 41 : 1)
        default: return subject.time.addingClamped(subject.step)
        }
    }

    private func append(
        _ store: SampleStore, _ subject: inout Subject, _ random: inout SeededGenerator
    ) {
        let time = nextTime(subject, &random)
        let start = subject.startsKept && random.once(in: 2) ? Int64(random.number(-9...99)) : 0
        let outcome: AppendOutcome
        let expected: AppendOutcome
        if subject.isMixed, random.once(in: 2) {
            let histogram =
                random.once(in: 12)
                ? subject.histogram ?? FloatHistogram()
                : FloatHistogram.random(after: subject.histogram, &random)
            outcome = store.append(subject.reference, at: time, histogram, start: start)
            expected = subject.model.append(
                time, .histogram(histogram), start: start, horizon: .min)
            subject.histogram = histogram
        } else {
            let value =
                random.once(in: 30)
                ? SampleMark.stale : subject.kind.next(after: subject.value, &random)
            outcome = store.append(subject.reference, at: time, value, start: start)
            expected = subject.model.append(time, .float(value), start: start, horizon: .min)
            subject.value = value
        }
        #expect(outcome == expected, "\(subject.id) at \(time)")
        subject.time = max(subject.time, time)
    }

    @Test func `gives back what was appended, to the last bit`() throws {
        var random = SeededGenerator(announcing: "SampleStoreModelTests")
        let time = FuzzTime(shared: 2)
        repeat {
            let store = SampleStore()
            var subjects = try (0..<8).map { try subject(store, $0, &random) }
            for _ in 0..<random.number(1...600) {
                let place = random.number(0...7)
                for _ in 0..<random.number(1...8) { append(store, &subjects[place], &random) }
            }
            for subject in subjects {
                let times = subject.model.samples.map(\.time)
                let whole = try store.samples(id: subject.id)
                let agrees = whole.agrees(with: subject.model.read(from: .min, through: .max))
                #expect(agrees, "\(subject.id)")
                for _ in 0..<6 where !times.isEmpty {
                    let first = random.pick(times).addingClamped(Int64(random.number(-1...1)))
                    let last = random.pick(times).addingClamped(Int64(random.number(-1...1)))
                    let part = try store.samples(id: subject.id, from: first, through: last)
                    let expected = subject.model.read(from: first, through: last)
                    let partAgrees = part.agrees(with: expected)
                    #expect(partAgrees, "\(subject.id) \(first)...\(last)")
                }
            }
            let count = subjects.reduce(0) { $0 + $1.model.samples.count }
            #expect(store.totals.sampleCount == count)
        } while time.isLeft
    }

    @Test func `keeps all that is young enough, and forgets series that are not`() throws {
        var random = SeededGenerator(announcing: "SampleStoreModelTests.expiry")
        let time = FuzzTime(shared: 2)
        repeat {
            var limits = StoreLimits()
            limits.retention = .seconds(3_600)
            limits.aheadLimit = .seconds(1_000_000_000)
            let store = SampleStore(limits)
            var now: Int64 = 1_700_000_000_000
            var models: [String: ModelSeries] = [:]
            var horizon = Int64.min
            for _ in 0..<random.number(1...400) {
                let id = "s\(random.number(0...3))"
                let reference = try store.reference(for: [("id", id)])
                for _ in 0..<random.number(1...20) {
                    now += Int64(random.number(0...15_000))
                    let value = Double(random.number(0...99))
                    let outcome = store.append(reference, at: now, value)
                    let expected = models[id, default: ModelSeries()].append(
                        now, .float(value), start: 0, horizon: horizon)
                    #expect(outcome == expected)
                }
                if random.once(in: 4) {
                    now += Int64(random.number(0...4_000_000))
                    horizon = now - 3_600_000
                    store.expire(now: now)
                    models = models.filter { ($0.value.samples.last?.time ?? 0) >= horizon }
                    #expect(store.totals.seriesCount == models.count)
                    #expect(store.append(reference, at: horizon - 1, 1) != .appended)
                }
                for (id, model) in models {
                    let kept = try store.samples(id: id, from: horizon)
                    let agrees = kept.agrees(with: model.read(from: horizon, through: .max))
                    #expect(agrees, "\(id)")
                }
            }
        } while time.isLeft
    }
}

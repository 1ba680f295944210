/// The aggregations that choose among the series of a group: `topk`, `bottomk`, `limitk`, `limit_ratio`.
struct Selection {
    private let evaluator: Evaluator
    private let aggregation: Aggregation
    private let range: TextRange
    private let steps: Steps

    init(
        _ evaluator: Evaluator, _ aggregation: Aggregation, at range: TextRange, _ steps: Steps
    ) {
        self.evaluator = evaluator
        self.aggregation = aggregation
        self.range = range
        self.steps = steps
    }

    /// The chosen series.
    func rows(_ consume: Evaluator.RowConsumer) throws(QueryError) {
        let parameters = try evaluator.parameter(of: aggregation, steps)
        try check(parameters)
        var all = try evaluator.collect(aggregation.expression, steps)
        var groups = GroupTable(aggregation, evaluator.symbols)
        var members: [[Int]] = []
        for (place, row) in all.enumerated() {
            let (group, isNew) = groups.place(of: row)
            if isNew { members.append([]) }
            members[group].append(place)
        }
        var order: [Int] = []
        for group in members {
            var chosen: Set<Int> = []
            for step in 0..<steps.count {
                let present = group.filter { all[$0].isPresent(at: step) }
                let kept = choose(present, all, step, parameters[step])
                if steps.count == 1 { order += kept }
                let isKept = Set(kept)
                for place in present where !isKept.contains(place) { all[place].remove(at: step) }
                chosen.formUnion(isKept)
            }
            if steps.count > 1 { order += group.filter { chosen.contains($0) } }
        }
        for place in order { try consume(&all[place]) }
        evaluator.releaseSeries(all.count, steps)
    }

    private func check(_ parameters: ContiguousArray<Double>) throws(QueryError) {
        let isRatio = aggregation.operation == .limitRatio
        for value in parameters {
            if value.isNaN {
                throw QueryError(isRatio ? "Ratio value is NaN" : "Parameter value is NaN")
            }
            if isRatio {
                guard abs(value) > 1 else { continue }
                evaluator.annotations.warn(
                    "ratio value should be between -1 and 1, got \(GoText.shortest(value)), capping to "
                        + (value > 0 ? "1" : "-1"), at: aggregation.parameter?.range ?? range)
            } else if value >= 9.3e18 || value <= -9.3e18 {
                throw QueryError("Scalar value \(GoText.plain(value)) overflows int64")
            }
        }
    }

    private func choose(
        _ present: [Int], _ rows: [SeriesRow], _ step: Int, _ parameter: Double
    ) -> [Int] {
        switch aggregation.operation {
        case .limitRatio: return present.filter { isSampled(rows[$0].labels, parameter) }
        case .limitk: return Array(present.prefix(max(0, Int(clampedTo: parameter))))
        default: break
        }
        let isTop = aggregation.operation == .topk
        let floats = present.filter { place in
            if SeriesRow.isPresent(rows[place].floats[step]) { return true }
            evaluator.annotations.inform(
                "ignored histogram in \(aggregation.operation.rawValue) aggregation",
                at: aggregation.expression.range)
            return false
        }
        let sorted = floats.sorted { left, right in
            let (first, second) = (rows[left].floats[step], rows[right].floats[step])
            if first.isNaN || second.isNaN {
                if first.isNaN == second.isNaN { return left < right }
                return second.isNaN
            }
            if first != second { return isTop ? first > second : first < second }
            return left < right
        }
        return Array(sorted.prefix(max(0, Int(clampedTo: parameter))))
    }

    /// Whether a series is among the part that a ratio keeps: by a hash of its labels, so that a ratio and
    /// its negative complement keep all of them between them.
    private func isSampled(_ labels: LabelSet, _ ratio: Double) -> Bool {
        let offset = StableOffset.of(labels, evaluator.symbols)
        let capped = min(max(ratio, -1), 1)
        return capped >= 0 ? offset < capped : offset >= 1 + capped
    }
}

extension Int {
    /// A number cut off to a whole one, within what an `Int` holds.
    init(clampedTo value: Double) {
        self = value >= 9.2e18 ? .max : value <= -9.2e18 ? .min : Int(value)
    }
}

/// A place in 0..<1 that depends on a series' labels alone.
enum StableOffset {
    static func of(_ labels: LabelSet, _ symbols: QuerySymbols) -> Double {
        var hash = XXHash64()
        for pair in symbols.pairs(of: labels) {
            hash.add(pair.name)
            hash.add(byte: 0xff)
            hash.add(pair.value)
            hash.add(byte: 0xff)
        }
        return Double(hash.value) / Double(UInt64.max)
    }
}

/// XXH64 without a seed, of text that comes in pieces (xxHash specification 0.1.1): the hash that
/// Prometheus makes of labels, so that `limit_ratio` keeps the same series.
struct XXHash64 {
    private static let primes: (UInt64, UInt64, UInt64, UInt64, UInt64) = (
        0x9E37_79B1_85EB_CA87, 0xC2B2_AE3D_27D4_EB4F, 0x1656_67B1_9E37_79F9, 0x85EB_CA77_C2B2_AE63,
        0x27D4_EB2F_1656_67C5
    )
    private var bytes: [UInt8] = []

    mutating func add(_ text: String) { bytes += Array(text.utf8) }
    mutating func add(byte: UInt8) { bytes.append(byte) }

    private static func turned(_ value: UInt64, _ count: UInt64) -> UInt64 {
        value << count | value >> (64 - count)
    }

    private static func round(_ lane: UInt64, _ input: UInt64) -> UInt64 {
        turned(lane &+ input &* primes.1, 31) &* primes.0
    }

    private func word(_ place: Int, _ count: Int) -> UInt64 {
        var word: UInt64 = 0
        for index in 0..<count { word |= UInt64(bytes[place + index]) << UInt64(8 * index) }
        return word
    }

    var value: UInt64 {
        let (first, second, third, fourth, fifth) = Self.primes
        var place = 0
        var hash: UInt64
        if bytes.count >= 32 {
            var lanes = [first &+ second, second, 0, 0 &- first]
            while place + 32 <= bytes.count {
                for lane in 0..<4 {
                    lanes[lane] = Self.round(lanes[lane], word(place + 8 * lane, 8))
                }
                place += 32
            }
            hash =
                Self.turned(lanes[0], 1) &+ Self.turned(lanes[1], 7) &+ Self.turned(lanes[2], 12)
                &+ Self.turned(lanes[3], 18)
            for lane in lanes { hash = (hash ^ Self.round(0, lane)) &* first &+ fourth }
        } else {
            hash = fifth
        }
        hash = hash &+ UInt64(bytes.count)
        while place + 8 <= bytes.count {
            hash = Self.turned(hash ^ Self.round(0, word(place, 8)), 27) &* first &+ fourth
            place += 8
        }
        if place + 4 <= bytes.count {
            hash = Self.turned(hash ^ (word(place, 4) &* first), 23) &* second &+ third
            place += 4
        }
        while place < bytes.count {
            hash = Self.turned(hash ^ (UInt64(bytes[place]) &* fifth), 11) &* first
            place += 1
        }
        hash = (hash ^ (hash >> 33)) &* second
        hash = (hash ^ (hash >> 29)) &* third
        return hash ^ (hash >> 32)
    }
}

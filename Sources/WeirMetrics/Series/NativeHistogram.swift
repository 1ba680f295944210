import Glibc

/// Observations in buckets whose bounds grow exponentially: bucket `i` of schema `s` holds values in
/// (2^((i-1)/2^s), 2^(i/2^s)] (Prometheus: "Native histograms", exponential schemas).
///
/// The buckets of each sign are one run without gaps. When a run would be longer than its limit, the
/// schema falls and neighbours become one: the resolution halves, no observation is lost.
struct NativeHistogram: Equatable {
    /// Values nearer to zero than this are counted as zero (Prometheus' own default).
    static let zeroThreshold = 0x1p-128
    static let leastSchema = -4

    /// Buckets of one sign.
    struct Run: Equatable {
        /// The index of the first bucket.
        var first = 0
        var counts: [UInt64] = []

        /// The index behind the last bucket.
        var end: Int { first + counts.count }
    }

    private(set) var schema: Int
    private(set) var count: UInt64 = 0
    private(set) var sum = 0.0
    private(set) var zeroCount: UInt64 = 0
    private(set) var positive = Run()
    private(set) var negative = Run()

    init(schema: Int) {
        self.schema = schema
    }

    /// A histogram read back; the counts of its buckets make its count.
    init(
        schema: Int, count: UInt64, sum: Double, zeroCount: UInt64, positive: Run, negative: Run
    ) {
        self.schema = schema
        self.count = count
        self.sum = sum
        self.zeroCount = zeroCount
        self.positive = positive
        self.negative = negative
    }

    /// Adds an observation. One that is not finite counts in the sum and the count only.
    mutating func observe(_ value: Double, bucketLimit: Int) {
        count &+= 1
        sum += value
        guard value.isFinite else { return }
        let magnitude = abs(value)
        if magnitude <= Self.zeroThreshold {
            zeroCount &+= 1
            return
        }
        var index = Self.bucket(of: magnitude, schema: schema)
        while length(with: index, isNegative: value < 0) > bucketLimit, schema > Self.leastSchema {
            coarsen()
            index = Self.bucket(of: magnitude, schema: schema)
        }
        if value < 0 {
            negative.add(1, at: index)
        } else {
            positive.add(1, at: index)
        }
    }

    /// Adds another's observations, at the coarser of the two schemas.
    mutating func merge(_ other: NativeHistogram, bucketLimit: Int) {
        var other = other
        while other.schema > schema { other.coarsen() }
        while schema > other.schema { coarsen() }
        while max(
            positive.length(joining: other.positive), negative.length(joining: other.negative))
            > bucketLimit, schema > Self.leastSchema
        {
            coarsen()
            other.coarsen()
        }
        count &+= other.count
        sum += other.sum
        zeroCount &+= other.zeroCount
        positive.add(other.positive)
        negative.add(other.negative)
    }

    private func length(with index: Int, isNegative: Bool) -> Int {
        let run = isNegative ? negative : positive
        if run.counts.isEmpty { return 1 }
        return max(run.end, index + 1) - min(run.first, index)
    }

    private mutating func coarsen() {
        schema -= 1
        positive.halve()
        negative.halve()
    }

    /// The index of the bucket that a positive value falls into.
    static func bucket(of value: Double, schema: Int) -> Int {
        // value = fraction * 2^exponent with the fraction in [0.5, 1).
        let exponent = Int(value.exponent) + 1
        let fraction = value.significand / 2
        if schema <= 0 {
            let index = fraction == 0.5 ? exponent - 1 : exponent
            let step = 1 << -schema
            // Upwards to the next multiple.
            return (index + step - 1) >> -schema
        }
        let bounds = NativeBounds.bounds(schema: schema)
        var low = 0
        var high = bounds.count
        while low < high {
            let middle = (low + high) / 2
            if bounds[middle] < fraction { low = middle + 1 } else { high = middle }
        }
        return low + (exponent - 1) * bounds.count
    }
}

extension NativeHistogram.Run {
    mutating func add(_ count: UInt64, at index: Int) {
        if counts.isEmpty {
            first = index
            counts.append(count)
            return
        }
        if index < first {
            counts.insert(contentsOf: repeatElement(0, count: first - index), at: 0)
            first = index
        } else if index >= end {
            counts.append(contentsOf: repeatElement(0, count: index + 1 - end))
        }
        counts[index - first] &+= count
    }

    mutating func add(_ other: Self) {
        for (place, count) in other.counts.enumerated() where count > 0 {
            add(count, at: other.first + place)
        }
    }

    func length(joining other: Self) -> Int {
        if counts.isEmpty { return other.counts.count }
        if other.counts.isEmpty { return counts.count }
        return max(end, other.end) - min(first, other.first)
    }

    /// Joins buckets 2k-1 and 2k to bucket k of the next coarser schema.
    mutating func halve() {
        guard !counts.isEmpty else { return }
        var halved = Self()
        for (place, count) in counts.enumerated() where count > 0 {
            halved.add(count, at: (first + place + 1) >> 1)
        }
        self = halved
    }
}

/// The bounds within one doubling, for each schema above 0: 2^(i/2^schema) / 2.
private enum NativeBounds {
    private static let all: [[Double]] = (1...8).map { schema in
        let count = 1 << schema
        return (0..<count).map { exp2(Double($0) / Double(count)) / 2 }
    }

    static func bounds(schema: Int) -> [Double] { all[schema - 1] }
}

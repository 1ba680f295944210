import Glibc

/// Random numbers that can be had again: SplitMix64 from a seed that is printed.
public struct SeededGenerator: RandomNumberGenerator {
    /// What the numbers are made from.
    public let seed: UInt64
    private var state: UInt64

    /// Numbers from a known seed.
    public init(seed: UInt64) {
        self.seed = seed
        state = seed
    }

    /// Numbers from the seed in `WEIR_SEED`, or from a new one, which is printed with the test's name.
    public init(announcing test: String) {
        let given = getenv("WEIR_SEED").flatMap { UInt64(String(cString: $0)) }
        let seed = given ?? UInt64.random(in: 0...UInt64.max)
        print("\(test): WEIR_SEED=\(seed)")
        self.init(seed: seed)
    }

    /// The next of the series.
    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed &>> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed &>> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed &>> 31
    }
}

/// How long a fuzz test tries: `WEIR_FUZZ_SECONDS`, one second when it is not set.
public struct FuzzTime {
    private let end: Double

    /// Time that begins now.
    /// - Parameter shared: How many tests share the time, so that a suite takes no longer than one.
    public init(shared: Int = 1) {
        let seconds = getenv("WEIR_FUZZ_SECONDS").flatMap { Double(String(cString: $0)) } ?? 1
        end = Self.now + seconds / Double(shared)
    }

    /// Whether there is time left.
    public var isLeft: Bool { Self.now < end }

    private static var now: Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}

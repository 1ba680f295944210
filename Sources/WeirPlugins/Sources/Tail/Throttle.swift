import WeirCore

/// How much of one path's files may be read now: `read_bytes_limit_per_second` and `<group>`.
struct Throttle {
    /// What may be read; `nil` for no limit.
    struct Allowance {
        var byteCount: Int?
        var lineCount: Int?

        /// Whether nothing may be read.
        var isEmpty: Bool { byteCount == 0 || lineCount == 0 }
    }

    private static let second: UInt64 = 1_000_000_000

    /// Most bytes in a second.
    var byteLimit: Int?
    /// Most lines in a period, this file's share of its group's.
    var lineLimit: Int?
    /// The period of the lines' limit, in nanoseconds.
    var period: UInt64 = 0
    private var secondBegan: UInt64 = 0
    private var byteCount = 0
    private var periodBegan: UInt64 = 0
    private var lineCount = 0

    init(byteLimit: Int?) {
        self.byteLimit = byteLimit
    }

    /// What may be read at a monotonic time.
    mutating func allowance(at now: UInt64) -> Allowance {
        if now &- secondBegan >= Self.second {
            secondBegan = now
            byteCount = 0
        }
        if now &- periodBegan >= period {
            periodBegan = now
            lineCount = 0
        }
        return Allowance(
            byteCount: byteLimit.map { max($0 - byteCount, 0) },
            lineCount: lineLimit.map { max($0 - lineCount, 0) })
    }

    /// Notes what was read.
    mutating func note(bytes: Int, lines: Int) {
        byteCount += bytes
        lineCount += lines
    }
}

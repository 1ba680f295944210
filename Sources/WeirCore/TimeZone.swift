import Glibc

/// How far a place's clock is from UTC.
public enum TimeZone: Sendable, Equatable {
    case utc
    /// The machine's zone.
    case local
    /// A fixed distance, in seconds east of UTC.
    case fixed(Int32)
    /// A place's zone, with its summer time.
    case place(ZoneTable)

    /// Reads a distance from UTC (``init(offset:)``) or a place, such as `Europe/Berlin`.
    public init?(named text: String) {
        if let zone = TimeZone(offset: text) {
            self = zone
        } else if let table = ZoneTable(named: text) {
            self = .place(table)
        } else {
            return nil
        }
    }

    /// Whether both are the same zone.
    public static func == (left: TimeZone, right: TimeZone) -> Bool {
        switch (left, right) {
        case (.utc, .utc), (.local, .local): true
        case (.fixed(let one), .fixed(let other)): one == other
        case (.place(let one), .place(let other)): one.name == other.name
        default: false
        }
    }

    /// Reads `+09:00`, `+0900`, `+09` or `Z`; `nil` for anything else.
    public init?(offset text: String) {
        if text == "Z" || text == "UTC" {
            self = .utc
            return
        }
        var digits = Array(text.utf8)
        guard let sign = digits.first, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") else {
            return nil
        }
        digits.removeFirst()
        if digits.count == 5, digits[2] == UInt8(ascii: ":") { digits.remove(at: 2) }
        guard digits.count == 2 || digits.count == 4, digits.allSatisfy({ $0 &- 0x30 < 10 }) else {
            return nil
        }
        let numbers = digits.map { Int32($0 - 0x30) }
        let hours = numbers[0] * 10 + numbers[1]
        let minutes = numbers.count == 4 ? numbers[2] * 10 + numbers[3] : 0
        guard hours < 24, minutes < 60 else { return nil }
        let seconds = hours * 3600 + minutes * 60
        self = .fixed(sign == UInt8(ascii: "-") ? -seconds : seconds)
    }

    /// Seconds east of UTC at a time.
    public func offsetSeconds(at time: Timestamp) -> Int32 {
        switch self {
        case .utc: return 0
        case .fixed(let seconds): return seconds
        case .place(let table): return table.offset(atSeconds: time.seconds)
        case .local:
            var seconds = time_t(time.seconds)
            var parts = tm()
            guard localtime_r(&seconds, &parts) != nil else { return 0 }
            return Int32(clamping: parts.tm_gmtoff)
        }
    }

    /// The time at which a clock of this zone shows so many seconds since 1970-01-01T00:00:00.
    public func time(ofLocalSeconds local: Int64) -> Int64 {
        switch self {
        case .utc: return local
        case .fixed(let offset): return local &- Int64(offset)
        case .local, .place:
            let guess = local &- Int64(offsetSeconds(at: Timestamp(seconds: local)))
            let time = local &- Int64(offsetSeconds(at: Timestamp(seconds: guess)))
            // A clock that jumps forward never shows some times; they count by the hour before.
            let shown = time &+ Int64(offsetSeconds(at: Timestamp(seconds: time)))
            return shown == local ? time : guess
        }
    }
}

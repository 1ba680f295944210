import Glibc

/// How far the counts of classic histograms fell with rising bounds, where they must not.
public struct MonotonicityMending: Hashable, Sendable {
    /// The least bound whose count had to be raised.
    var least: Double
    /// The greatest such bound.
    var greatest: Double
    /// By how much a count had to be raised at most.
    var difference: Double
    /// When that was first and last, in milliseconds after the epoch.
    var first: Int64 = 0
    var last: Int64 = 0
    /// How often.
    var count = 1

    /// Joins two of the same metric.
    mutating func merge(_ other: MonotonicityMending) {
        least = min(least, other.least)
        greatest = max(greatest, other.greatest)
        difference = max(difference, other.difference)
        first = min(first, other.first)
        last = max(last, other.last)
        count &+= other.count
    }

    /// What Prometheus says of it (util/annotations, `histogramQuantileForcedMonotonicityErr`).
    var text: String {
        "from buckets \(GoText.shortest(least)) to \(GoText.shortest(greatest)), with a max diff of "
            + "\(GoText.rounded(difference)), over \(count) samples from \(GoText.time(first)) to "
            + GoText.time(last)
    }
}

extension GoText {
    /// A number with two significant digits (`%.2g`).
    static func rounded(_ value: Double) -> String {
        if !value.isFinite { return shortest(value) }
        var room = [CChar](repeating: 0, count: 32)
        let length = withVaList([value]) { vsnprintf(&room, room.count, "%.2g", $0) }
        return String(
            decoding: room.prefix(Int(length)).map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// A time as RFC 3339 has it, in whole seconds of UTC.
    static func time(_ milliseconds: Int64) -> String {
        let seconds = milliseconds / 1_000
        let date = CalendarDate(seconds: seconds)
        func padded(_ number: Int64, _ width: Int) -> String {
            let digits = "\(number)"
            return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
        }
        let second = (seconds % 60 + 60) % 60
        return
            "\(padded(date.year, 4))-\(padded(Int64(date.month), 2))-\(padded(Int64(date.day), 2))"
            + "T\(padded(Int64(date.hour), 2)):\(padded(Int64(date.minute), 2)):\(padded(second, 2))Z"
    }
}

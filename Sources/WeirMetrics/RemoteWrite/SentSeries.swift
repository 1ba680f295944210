// Hot path of remote write: once per label set.
import Glibc
import WeirCore

/// The label sets of a group that were sent in one sampling, in the group's order: what the next
/// sampling finds out from that a series is gone.
///
/// A label set is its metrics, its youngest exemplar, and its values behind their lengths.
struct SentSeries: ~Copyable {
    /// A label set as it was sent.
    struct Entry {
        /// The label values: bytes that stay as long as what they were read from.
        var values: [ShownSeries.LabelValue] = []
        /// A bit for each of the group's metrics that it has.
        var families: UInt32 = 0
        /// When the youngest exemplar was that was sent of it.
        var youngestExemplar = Int64.min
    }

    private static let headByteCount = 12

    private var bytes = ByteBuffer(capacity: 1024)
    private(set) var count = 0

    init() {}

    /// Allocated bytes.
    var allocatedByteCount: Int { bytes.allocatedByteCount }

    /// Appends a label set, which must come after the last one in the group's order.
    mutating func append(
        _ values: [ShownSeries.LabelValue], families: UInt32, youngestExemplar: Int64
    ) {
        withUnsafeBytes(of: families) { bytes.append($0) }
        withUnsafeBytes(of: youngestExemplar) { bytes.append($0) }
        for value in values {
            bytes.append(varint: UInt64(value.bytes.count))
            bytes.append(value.bytes)
        }
        count += 1
    }

    /// Reads the label set at a place, and moves the place behind it.
    /// - Returns: Whether there is one.
    fileprivate func read(at place: inout Int, labelCount: Int, into entry: inout Entry) -> Bool {
        let all = bytes.bytes
        guard place < all.count else { return false }
        entry.families = all.loadUnaligned(fromByteOffset: place, as: UInt32.self)
        entry.youngestExemplar = all.loadUnaligned(fromByteOffset: place + 4, as: Int64.self)
        place += Self.headByteCount
        entry.values.removeAll(keepingCapacity: true)
        for _ in 0..<labelCount {
            let length = Self.varint(all, &place)
            entry.values.append(
                ShownSeries.LabelValue(
                    bytes: UnsafeRawBufferPointer(rebasing: all[place..<(place + length)]),
                    needsEscape: false))
            place += length
        }
        return true
    }

    private static func varint(_ bytes: UnsafeRawBufferPointer, _ place: inout Int) -> Int {
        var number = 0
        var shift = 0
        while true {
            let byte = bytes[place]
            place += 1
            number |= Int(byte & 0x7f) << shift
            if byte < 0x80 { return number }
            shift += 7
        }
    }
}

/// A walk over the label sets that were sent, beside those that are there now.
struct SentCursor: ~Copyable {
    /// How the label set at hand stands to another one, in the group's order.
    enum Order {
        /// It comes first: so it is gone.
        case earlier
        case same
        /// It comes later, or there are no more.
        case later
    }

    private let sent: SentSeries
    private let labelCount: Int
    private var place = 0
    /// The label set at hand.
    private(set) var entry = SentSeries.Entry()
    /// Whether there are no more label sets.
    private(set) var isAtEnd = false

    init(_ sent: consuming SentSeries, labelCount: Int) {
        self.sent = sent
        self.labelCount = labelCount
        advance()
    }

    /// Goes on to the next label set.
    mutating func advance() {
        isAtEnd = !sent.read(at: &place, labelCount: labelCount, into: &entry)
    }

    /// Compares as ``SeriesOrder`` does: value by value, as bytes.
    func order(_ values: [ShownSeries.LabelValue]) -> Order {
        if isAtEnd { return .later }
        for label in 0..<labelCount {
            let (former, now) = (entry.values[label].bytes, values[label].bytes)
            let common = min(former.count, now.count)
            if common > 0, let left = former.baseAddress, let right = now.baseAddress {
                let difference = memcmp(left, right, common)
                if difference != 0 { return difference < 0 ? .earlier : .later }
            }
            if former.count != now.count { return former.count < now.count ? .earlier : .later }
        }
        return .same
    }
}

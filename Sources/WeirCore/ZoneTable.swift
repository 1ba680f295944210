import Glibc

/// When the clocks of a place changed, as the system's zone files tell (RFC 8536).
///
/// Read once, when a configuration names the zone.
public final class ZoneTable: Sendable {
    private static let folder = "/usr/share/zoneinfo"
    private static let fileByteLimit = 256 * 1024

    /// The zone's name, such as `Europe/Berlin`.
    public let name: String
    /// Seconds since 1970 of every change.
    private let changes: [Int64]
    /// Seconds east of UTC before the first change, and from each change on.
    private let offsets: [Int32]

    /// Reads a zone's file; `nil` when the system does not know the zone.
    public init?(named name: String) {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count >= 2, parts.allSatisfy({ !$0.isEmpty && !$0.hasPrefix(".") }),
            let bytes = Self.contents("\(Self.folder)/\(name)")
        else { return nil }
        var reader = ZoneFileReader(bytes)
        guard let table = reader.read() else { return nil }
        self.name = name
        changes = table.changes
        offsets = table.offsets
    }

    /// Seconds east of UTC at a time.
    func offset(atSeconds seconds: Int64) -> Int32 {
        var low = 0
        var high = changes.count
        while low < high {
            let middle = (low + high) / 2
            if changes[middle] <= seconds { low = middle + 1 } else { high = middle }
        }
        return offsets[low]
    }

    private static func contents(_ path: String) -> [UInt8]? {
        guard let file = fopen(path, "rbe") else { return nil }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: fileByteLimit)
        let count = fread(&bytes, 1, bytes.count, file)
        return count > 0 ? Array(bytes[..<count]) : nil
    }
}

/// Takes a zone file apart.
private struct ZoneFileReader {
    private let bytes: [UInt8]
    private var place = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// The counts of a block's header, in the file's order.
    private struct Counts {
        var utc = 0
        var standard = 0
        var leaps = 0
        var changes = 0
        var types = 0
        var names = 0
    }

    mutating func read() -> (changes: [Int64], offsets: [Int32])? {
        guard let first = header() else { return nil }
        guard bytes[4] >= UInt8(ascii: "2") else { return block(first, width: 4) }
        // The first block has 32 bits for a time; a second one with 64 follows it.
        place +=
            first.changes * 5 + first.types * 6 + first.names + first.leaps * 8 + first.standard
            + first.utc
        guard let second = header() else { return nil }
        return block(second, width: 8)
    }

    private mutating func header() -> Counts? {
        guard place >= 0, bytes.count - place >= 44,
            bytes[place..<place + 4].elementsEqual("TZif".utf8)
        else { return nil }
        place += 20
        var counts = Counts()
        counts.utc = Int(number(4))
        counts.standard = Int(number(4))
        counts.leaps = Int(number(4))
        counts.changes = Int(number(4))
        counts.types = Int(number(4))
        counts.names = Int(number(4))
        let all = [
            counts.utc, counts.standard, counts.leaps, counts.changes, counts.types, counts.names,
        ]
        return all.allSatisfy { $0 >= 0 && $0 <= bytes.count } ? counts : nil
    }

    private mutating func block(
        _ counts: Counts, width: Int
    ) -> (changes: [Int64], offsets: [Int32])? {
        guard bytes.count - place >= counts.changes * (width + 1) + counts.types * 6,
            counts.types > 0
        else { return nil }
        var changes: [Int64] = []
        for _ in 0..<counts.changes { changes.append(number(width)) }
        var kinds: [Int] = []
        for _ in 0..<counts.changes { kinds.append(Int(bytes[place + kinds.count])) }
        place += counts.changes
        var types: [Int32] = []
        for _ in 0..<counts.types {
            types.append(Int32(truncatingIfNeeded: number(4)))
            place += 2
        }
        guard kinds.allSatisfy({ $0 < types.count }) else { return nil }
        return (changes, [types[0]] + kinds.map { types[$0] })
    }

    /// A signed number, highest byte first.
    private mutating func number(_ width: Int) -> Int64 {
        var value: UInt64 = 0
        for offset in 0..<width { value = value << 8 | UInt64(bytes[place + offset]) }
        place += width
        return width == 4
            ? Int64(Int32(truncatingIfNeeded: value)) : Int64(truncatingIfNeeded: value)
    }
}

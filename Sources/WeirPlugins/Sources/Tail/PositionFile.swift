import WeirCore
import WeirHost

/// One line of a position file.
public struct PositionEntry: Equatable, Sendable {
    /// The path that was followed.
    public var path: String
    /// The place up to which its lines are delivered; `unwatched` when it is followed no more.
    public var position: UInt64
    /// The file's inode.
    public var inode: UInt64

    /// Fluentd's mark of a file that is followed no more.
    public static let unwatched = UInt64.max

    /// An entry by its parts.
    public init(path: String, position: UInt64, inode: UInt64) {
        self.path = path
        self.position = position
        self.inode = inode
    }
}

/// Fluentd's `pos_file`: `path TAB position TAB inode`, the numbers as 16 hexadecimal digits.
public enum PositionFile {
    /// Reads the entries; of one path the last counts. Lines of another form are counted and left out.
    public static func parse(_ bytes: [UInt8]) -> (entries: [PositionEntry], badLineCount: Int) {
        var entries: [PositionEntry] = []
        var places: [String: Int] = [:]
        var bad = 0
        for line in bytes.split(separator: 0x0a) {
            guard let entry = entry(of: line) else {
                bad += 1
                continue
            }
            let key = "\(entry.path)"
            if let place = places[key] {
                entries[place] = entry
            } else {
                places[key] = entries.count
                entries.append(entry)
            }
        }
        return (entries, bad)
    }

    private static func entry(of line: ArraySlice<UInt8>) -> PositionEntry? {
        let parts = line.split(separator: 0x09, omittingEmptySubsequences: false)
        guard parts.count == 3, !parts[0].isEmpty, let position = number(parts[1]),
            let inode = number(parts[2])
        else { return nil }
        return PositionEntry(
            path: String(decoding: parts[0], as: UTF8.self), position: position, inode: inode)
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> UInt64? {
        guard !digits.isEmpty, digits.count <= 16 else { return nil }
        return UInt64(String(decoding: digits, as: UTF8.self), radix: 16)
    }

    /// The file's bytes.
    public static func text(_ entries: [PositionEntry]) -> [UInt8] {
        var text = ByteBuffer()
        for entry in entries {
            text.append(entry.path)
            text.append(byte: 0x09)
            text.append(padded(entry.position))
            text.append(byte: 0x09)
            text.append(padded(entry.inode))
            text.append(byte: 0x0a)
        }
        return Array(text.bytes)
    }

    private static func padded(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: max(0, 16 - digits.count)) + digits
    }
}

/// What Fluentd's format cannot hold: fingerprints, generations, rotated files still being read.
///
/// One JSON object a line beside the position file (`<pos_file>.weir`), written whole and renamed.
/// Without it nothing is lost; lines that were sent but not yet noted are then sent under new ids.
public struct GenerationEntry: Equatable, Sendable {
    /// The path under which the file is, or was, followed.
    public var path: String
    /// The device.
    public var device: UInt64
    /// The inode.
    public var inode: UInt64
    /// The hash of its first bytes.
    public var fingerprint: UInt64
    /// How often the same inode began anew.
    public var generation: UInt64
    /// The place up to which its lines are delivered.
    public var position: UInt64
    /// Whether the path has moved on to another file.
    public var isRotated: Bool

    static func parse(_ bytes: [UInt8]) -> [GenerationEntry] {
        bytes.split(separator: 0x0a).compactMap { line in
            let value = Array(line).withUnsafeBytes { JSONValueReader.value(of: $0) }
            guard case .object(let record)? = value, case .string(let path)? = record["path"],
                let device = number(record["device"]), let inode = number(record["inode"]),
                let fingerprint = number(record["fingerprint"]),
                let generation = number(record["generation"]),
                let position = number(record["position"]),
                case .bool(let isRotated)? = record["rotated"]
            else { return nil }
            return GenerationEntry(
                path: path, device: device, inode: inode, fingerprint: fingerprint,
                generation: generation, position: position, isRotated: isRotated)
        }
    }

    private static func number(_ value: Value?) -> UInt64? {
        guard case .string(let digits)? = value else { return nil }
        return UInt64(digits, radix: 16)
    }

    static func text(_ entries: [GenerationEntry]) -> [UInt8] {
        var text = ByteBuffer()
        func hex(_ number: UInt64) -> Value { .string(String(number, radix: 16)) }
        for entry in entries {
            let record: Record = [
                "path": .string(entry.path), "device": hex(entry.device), "inode": hex(entry.inode),
                "fingerprint": hex(entry.fingerprint), "generation": hex(entry.generation),
                "position": hex(entry.position), "rotated": .bool(entry.isRotated),
            ]
            JSONValueWriter.append(record, to: &text)
            text.append(byte: 0x0a)
        }
        return Array(text.bytes)
    }
}

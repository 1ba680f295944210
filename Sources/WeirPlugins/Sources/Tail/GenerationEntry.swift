import WeirCore
import WeirHost

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
    /// The hash of the bytes before that place; 0 when it is not known.
    public var tail: UInt64 = 0
    /// Whether the path has moved on to another file.
    public var isRotated: Bool

    /// Which file it is.
    var identity: FileIdentity { FileIdentity(device: device, inode: inode) }

    /// Whether a file in the same inode is this one, grown or not.
    func isFollowed(by file: OpenFile, size: UInt64) -> Bool {
        position <= size && (fingerprint == 0 || fingerprint == Generation.fingerprint(of: file))
            && (tail == 0 || tail == Generation.tailHash(of: file, before: position))
    }

    /// Reads the entries; lines of another form are left out.
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
                generation: generation, position: position, tail: number(record["tail"]) ?? 0,
                isRotated: isRotated)
        }
    }

    private static func number(_ value: Value?) -> UInt64? {
        guard case .string(let digits)? = value else { return nil }
        return UInt64(digits, radix: 16)
    }

    /// The file's bytes.
    static func text(_ entries: [GenerationEntry]) -> [UInt8] {
        var text = ByteBuffer()
        func hex(_ number: UInt64) -> Value { .string(String(number, radix: 16)) }
        for entry in entries {
            let record: Record = [
                "path": .string(entry.path), "device": hex(entry.device), "inode": hex(entry.inode),
                "fingerprint": hex(entry.fingerprint), "generation": hex(entry.generation),
                "position": hex(entry.position), "tail": hex(entry.tail),
                "rotated": .bool(entry.isRotated),
            ]
            JSONValueWriter.append(record, to: &text)
            text.append(byte: 0x0a)
        }
        return Array(text.bytes)
    }
}

/// The first line of the generations' file: which position file it belongs to.
struct GenerationHeader {
    private let now: String
    private let before: String

    /// A header of the position file's bytes and of those that it had before.
    init(now: [UInt8], before: [UInt8]?) {
        self.now = Self.hash(now)
        self.before = Self.hash(before ?? [])
    }

    private init(now: String, before: String) {
        self.now = now
        self.before = before
    }

    private static func hash(_ bytes: [UInt8]) -> String { String(StableHash.of(bytes), radix: 16) }

    /// Whether the position file was not written any more after the generations.
    func isAheadOf(_ bytes: [UInt8]) -> Bool {
        let hash = Self.hash(bytes)
        return hash == before && hash != now
    }

    var text: [UInt8] {
        let record: Record = ["positions": .string(now), "before": .string(before)]
        return Array(JSONValueWriter.text(.object(record)).utf8) + [0x0a]
    }

    static func parse(_ bytes: [UInt8]) -> GenerationHeader? {
        let line = Array(bytes.prefix { $0 != 0x0a })
        let value = line.withUnsafeBytes { JSONValueReader.value(of: $0) }
        guard case .object(let record)? = value, case .string(let now)? = record["positions"],
            case .string(let before)? = record["before"]
        else { return nil }
        return GenerationHeader(now: now, before: before)
    }
}

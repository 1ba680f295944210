import WeirCore

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
    /// Reads the entries; of one path and inode the last counts. Lines of another form are counted
    /// and left out.
    public static func parse(_ bytes: [UInt8]) -> (entries: [PositionEntry], badLineCount: Int) {
        var entries: [PositionEntry] = []
        var places: [String: [UInt64: Int]] = [:]
        var bad = 0
        for line in bytes.split(separator: 0x0a) {
            guard let entry = entry(of: line) else {
                bad += 1
                continue
            }
            if let place = places[entry.path]?[entry.inode] {
                entries[place] = entry
            } else {
                places[entry.path, default: [:]][entry.inode] = entries.count
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
        guard !digits.isEmpty, digits.count <= 16, digits.first != UInt8(ascii: "+") else {
            return nil
        }
        return UInt64(String(decoding: digits, as: UTF8.self), radix: 16)
    }

    /// The file's bytes. A path with a tab or a line end has no form; the generations' file has it.
    public static func text(_ entries: [PositionEntry]) -> [UInt8] {
        var text = ByteBuffer()
        for entry in entries where !entry.path.utf8.contains(where: { $0 == 0x09 || $0 == 0x0a }) {
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

import Glibc
import WeirCore
import WeirHost

/// The data that stands beside the project in `../shared`: cases captured from other programs.
///
/// Tests that need it are skipped, and say so, where it is absent.
public enum SharedCases {
    /// The folder, if it is there.
    ///
    /// `WEIR_SHARED_CASES` names another folder of the same layout: a further set of cases.
    public static let root: String? = {
        if let other = getenv("WEIR_SHARED_CASES") { return String(cString: other) }
        let file = #filePath
        var parts = file.split(separator: "/")
        // …/<project>/Sources/WeirTesting/SharedCases.swift
        parts.removeLast(4)
        let path = "/" + parts.joined(separator: "/") + "/shared"
        return access(path, R_OK) == 0 ? path : nil
    }()

    /// Whether the data is there.
    public static var arePresent: Bool { root != nil }

    /// A file's bytes.
    public static func bytes(_ path: String) -> [UInt8]? {
        guard let root, let file = fopen("\(root)/\(path)", "r") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var room = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = fread(&room, 1, room.count, file)
            if count == 0 { return bytes }
            bytes += room[..<count]
        }
    }

    /// The files of a folder whose names end so, in the order of their names.
    public static func files(
        in folder: String, suffix: String
    ) -> [(name: String, text: String)] {
        guard let root else { return [] }
        return FileNames.inFolder("\(root)/\(folder)").filter { $0.hasSuffix(suffix) }.sorted()
            .map { ($0, String(decoding: bytes("\(folder)/\($0)") ?? [], as: UTF8.self)) }
    }

    /// The bytes of a gzip file, restored; none where the file is not there or not whole.
    public static func restored(_ path: String) -> [UInt8] {
        guard let bytes = bytes(path) else { return [] }
        var buffer = ByteBuffer()
        let isWhole = bytes.withUnsafeBytes {
            Gzip.restore($0, limit: 1 << 28, into: &buffer)
        }
        return isWhole ? Array(buffer.bytes) : []
    }

    /// The files of an archive compressed with gzip.
    public static func archive(_ path: String) -> [(name: String, bytes: [UInt8])] {
        files(ofArchive: restored(path))
    }

    /// The files of a tar archive (POSIX ustar: heads and contents in blocks of 512 bytes).
    private static func files(ofArchive bytes: [UInt8]) -> [(name: String, bytes: [UInt8])] {
        var files: [(name: String, bytes: [UInt8])] = []
        var place = 0
        while place + 512 <= bytes.count {
            let name = bytes[place..<(place + 100)].prefix { $0 != 0 }
            let digits = bytes[(place + 124)..<(place + 136)].prefix { $0 != 0 && $0 != 0x20 }
            guard !name.isEmpty,
                let size = Int(String(decoding: digits, as: UTF8.self), radix: 8),
                place + 512 + size <= bytes.count
            else { break }
            let isFile = bytes[place + 156] == UInt8(ascii: "0") || bytes[place + 156] == 0
            place += 512
            if isFile {
                let path = String(decoding: name, as: UTF8.self)
                files.append((path, Array(bytes[place..<(place + size)])))
            }
            place += (size + 511) / 512 * 512
        }
        return files
    }

    /// The objects of a file with one JSON object a line.
    public static func records(_ path: String) -> [Record] {
        guard let bytes = bytes(path) else { return [] }
        return bytes.split(separator: 0x0a).compactMap { line in
            let value = Array(line).withUnsafeBytes { JSONValueReader.value(of: $0) }
            if case .object(let record)? = value { return record }
            return nil
        }
    }
}

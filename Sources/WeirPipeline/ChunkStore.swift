import Glibc
import WeirCore

/// A sealed chunk on disk.
public struct ChunkFile: Sendable, Equatable {
    /// The file's path.
    public var path: String
    /// What the chunk's events have in common.
    public var key: ChunkKey
    /// The file's size.
    public var byteCount: Int

    /// The number that its name begins with: files are sent in the order of their numbers.
    var number: UInt64 {
        UInt64(path.split(separator: "/").last?.prefix { $0.isNumber } ?? "") ?? 0
    }
}

/// A problem with a buffer's folder or files.
struct ChunkStoreProblem: Error {
    var message: String
}

/// The folder of a file buffer: one file per sealed chunk.
///
/// A file begins with `WEIRCHK1`, then records: length and CRC-32C (little-endian, 4 bytes each)
/// and the bytes. The first record is the chunk's key as JSON, each other one is an event. Files
/// are written under another name, synced and renamed, so a file of the right name is whole; what
/// a failing disk does to it later costs only the records that it hit.
struct ChunkStore: Sendable {
    private static let magic: StaticString = "WEIRCHK1"
    private static let suffix = ".chunk"
    private static let damagedSuffix = ".damaged"

    let directory: String

    /// Makes the folder if it is missing and lists the chunks that an earlier run left.
    func open() throws(ComponentError) -> [ChunkFile] {
        guard makeDirectories() else {
            throw ComponentError(
                "the buffer's folder \(directory) cannot be made: \(errorText())",
                help: "give the user of this process the right to write there, or another `path`")
        }
        var names: [String] = []
        guard let folder = opendir(directory) else {
            throw ComponentError(
                "the buffer's folder \(directory) cannot be read: \(errorText())",
                help: "give the user of this process the right to read it, or another `path`")
        }
        defer { closedir(folder) }
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasSuffix(Self.suffix) { names.append(name) }
            // A file under its first name was never acknowledged: its source sends it again.
            if name.hasSuffix(Self.suffix + ".part") { unlink("\(directory)/\(name)") }
        }
        return names.sorted().map { name in
            let path = "\(directory)/\(name)"
            var status = stat()
            let size = stat(path, &status) == 0 ? Int(status.st_size) : 0
            return ChunkFile(path: path, key: key(ofFileAt: path) ?? ChunkKey(), byteCount: size)
        }
    }

    private func makeDirectories() -> Bool {
        var path = directory.hasPrefix("/") ? "" : "."
        for part in directory.split(separator: "/") {
            path += "/" + part
            if mkdir(path, 0o755) != 0, errno != EEXIST { return false }
        }
        return true
    }

    /// Writes a chunk, synced, behind the files of lower numbers.
    func write(_ chunk: Chunk, number: UInt64) -> Result<ChunkFile, ChunkStoreProblem> {
        var text = ByteBuffer(capacity: chunk.byteCount + chunk.eventCount * 8 + 256)
        text.append(Self.magic)
        var keyText = ByteBuffer()
        var key = chunk.key
        key.tag = chunk.tag
        appendKey(key, to: &keyText)
        appendRecord(keyText.bytes, to: &text)
        for index in 0..<chunk.eventCount {
            chunk.withEvent(index) { appendRecord($0, to: &text) }
        }
        let name =
            "\(padded(number))-\(String(UInt64.random(in: 0...UInt64.max), radix: 36))"
        let path = "\(directory)/\(name)\(Self.suffix)"
        let part = path + ".part"
        let descriptor = Glibc.open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { return .failure(ChunkStoreProblem(message: errorText())) }
        let isWritten = writeAll(text.bytes, to: descriptor) && fdatasync(descriptor) == 0
        let problem = errorText()
        close(descriptor)
        guard isWritten, rename(part, path) == 0 else {
            unlink(part)
            return .failure(ChunkStoreProblem(message: problem))
        }
        syncDirectory()
        return .success(ChunkFile(path: path, key: chunk.key, byteCount: text.count))
    }

    private func syncDirectory() {
        let descriptor = Glibc.open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }

    private func padded(_ number: UInt64) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, 20 - text.count)) + text
    }

    private func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            let written = Glibc.write(descriptor, rest.baseAddress, rest.count)
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { return false }
            rest = UnsafeRawBufferPointer(rebasing: rest[written...])
        }
        return true
    }

    /// Deletes a delivered chunk.
    func remove(_ file: ChunkFile) { unlink(file.path) }

    /// Takes a file that cannot be read out of the way, for a person to look at.
    func setAside(_ file: ChunkFile) { rename(file.path, file.path + Self.damagedSuffix) }

    // MARK: Records

    private func appendRecord(_ bytes: UnsafeRawBufferPointer, to text: inout ByteBuffer) {
        appendWord(UInt32(truncatingIfNeeded: bytes.count), to: &text)
        appendWord(CRC32C.checksum(bytes), to: &text)
        text.append(bytes)
    }

    private func appendWord(_ word: UInt32, to text: inout ByteBuffer) {
        for shift in stride(from: 0, to: 32, by: 8) {
            text.append(byte: UInt8(truncatingIfNeeded: word >> UInt32(shift)))
        }
    }

    private func appendKey(_ key: ChunkKey, to text: inout ByteBuffer) {
        var record = Record()
        if let tag = key.tag { record["tag"] = .string(tag) }
        if let slot = key.timeSlot { record["time"] = .integer(slot) }
        record["fields"] = .array(key.fields.map { $0.map { .string($0) } ?? .null })
        JSONValueWriter.append(.object(record), to: &text)
    }

    /// Reads a chunk's events back.
    /// - Returns: How many records were damaged and left out; the file is then kept as `.damaged`.
    func read(_ file: ChunkFile, into chunk: Chunk) -> Result<Int, ChunkStoreProblem> {
        guard let bytes = contents(of: file.path) else {
            return .failure(ChunkStoreProblem(message: errorText()))
        }
        var body = ByteBuffer(capacity: bytes.count)
        var ends: [Int] = []
        var damaged = 0
        var isFirst = true
        let isWhole = bytes.withUnsafeBytes { bytes in
            records(of: bytes) { record, isSound in
                defer { isFirst = false }
                if isFirst { return }
                guard isSound else {
                    damaged += 1
                    return
                }
                body.append(record)
                ends.append(body.count)
            }
        }
        if !isWhole { damaged += 1 }
        if damaged > 0 { link(file.path, file.path + Self.damagedSuffix) }
        chunk.restore(body: body, ends: ends)
        return .success(damaged)
    }

    /// How many events a file holds.
    func count(_ file: ChunkFile) -> Int {
        var count = 0
        contents(of: file.path)?.withUnsafeBytes { bytes in
            _ = records(of: bytes) { _, _ in count += 1 }
        }
        return max(0, count - 1)
    }

    private func key(ofFileAt path: String) -> ChunkKey? {
        guard let bytes = contents(of: path, limit: 64 * 1024) else { return nil }
        var key: ChunkKey?
        var isFirst = true
        bytes.withUnsafeBytes { bytes in
            _ = records(of: bytes) { record, isSound in
                defer { isFirst = false }
                guard isFirst, isSound,
                    case .object(let fields)? = JSONValueReader.value(of: record)
                else { return }
                var read = ChunkKey()
                if case .string(let tag)? = fields["tag"] { read.tag = tag }
                if case .integer(let slot)? = fields["time"] { read.timeSlot = slot }
                if case .array(let values)? = fields["fields"] {
                    read.fields = values.map {
                        if case .string(let text) = $0 { text } else { nil }
                    }
                }
                key = read
            }
        }
        return key
    }

    /// Steps through a file's records.
    /// - Returns: Whether the file has its magic and ends with a record's end.
    private func records(
        of bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer, Bool) -> Void
    ) -> Bool {
        let start = Self.magic.utf8CodeUnitCount
        guard let base = bytes.baseAddress, bytes.count >= start,
            memcmp(base, Self.magic.utf8Start, start) == 0
        else { return false }
        var place = start
        while bytes.count - place >= 8 {
            let length = Int(word(bytes, place))
            guard length <= bytes.count - place - 8 else { return false }
            let record = UnsafeRawBufferPointer(rebasing: bytes[place + 8..<place + 8 + length])
            body(record, CRC32C.checksum(record) == word(bytes, place + 4))
            place += 8 + length
        }
        return place == bytes.count
    }

    private func word(_ bytes: UnsafeRawBufferPointer, _ place: Int) -> UInt32 {
        UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt32.self))
    }

    private func contents(of path: String, limit: Int = 1 << 30) -> [UInt8]? {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return nil }
        let size = min(Int(status.st_size), limit)
        var isRead = true
        let bytes = [UInt8](unsafeUninitializedCapacity: size) { room, count in
            while count < size {
                guard let start = room.baseAddress else { break }
                let got = Glibc.read(descriptor, start + count, size - count)
                if got < 0, errno == EINTR { continue }
                if got < 0 { isRead = false }
                if got <= 0 { break }
                count += got
            }
        }
        return isRead ? bytes : nil
    }
}

/// The system's words for the last error.
func errorText() -> String { String(cString: strerror(errno)) }

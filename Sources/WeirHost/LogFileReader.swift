import CZlib
import CZstd
import Glibc

/// Reads a log from its beginning to its end: plain, or compressed by gzip or zstd, which its first bytes tell.
public final class LogFileReader {
    /// Why a log cannot be read.
    public enum Failure: Error, Sendable, CustomStringConvertible {
        case system(SystemError)
        /// The bytes are not what their beginning says, or they are cut off.
        case damaged(format: String)

        public var description: String {
            switch self {
            case .system(let error): "\(error)"
            case .damaged(let format): "its \(format) data are damaged or cut off"
            }
        }
    }

    private enum Format {
        case plain
        // On the heap: zlib keeps a pointer back to it.
        case gzip(UnsafeMutablePointer<z_stream>)
        case zstd(OpaquePointer)
    }

    private static let pieceByteCount = 256 * 1024

    private let descriptor: Int32
    private var format = Format.plain
    /// What was read of the file and not yet given.
    private var input: UnsafeMutablePointer<UInt8>
    private var inputStart = 0
    private var inputEnd = 0
    private var isAtEnd = false
    /// Whether a compressed stream began and has not ended.
    private var isWithin = false
    /// The bytes of the file that were read so far.
    public private(set) var readByteCount: UInt64 = 0
    /// The bytes of the file.
    public let fileByteCount: UInt64

    /// Opens a log.
    public init(_ path: String) throws(Failure) {
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system(SystemError.last()) }
        input = .allocate(capacity: Self.pieceByteCount)
        var status = stat()
        fileByteCount = fstat(descriptor, &status) == 0 ? UInt64(max(status.st_size, 0)) : 0
        try fill()
        let magic = UnsafeBufferPointer(start: input, count: min(inputEnd, 4))
        if magic.starts(with: [0x1f, 0x8b]) {
            let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
            stream.initialize(to: z_stream())
            guard weir_inflate_begin(stream) == Z_OK else {
                stream.deallocate()
                throw .system(SystemError(number: ENOMEM))
            }
            format = .gzip(stream)
        } else if magic.starts(with: [0x28, 0xb5, 0x2f, 0xfd]) {
            guard let stream = ZSTD_createDStream() else {
                throw .system(SystemError(number: ENOMEM))
            }
            format = .zstd(stream)
        }
    }

    deinit {
        close(descriptor)
        input.deallocate()
        switch format {
        case .plain: break
        case .gzip(let stream):
            inflateEnd(stream)
            stream.deallocate()
        case .zstd(let stream): ZSTD_freeDStream(stream)
        }
    }

    /// Reads the next bytes into some room.
    /// - Returns: How many; 0 at the end.
    public func read(into room: UnsafeMutableRawBufferPointer) throws(Failure) -> Int {
        guard !room.isEmpty else { return 0 }
        var count = 0
        while count == 0 {
            if inputStart == inputEnd, !isAtEnd { try fill() }
            if inputStart == inputEnd, isAtEnd {
                if isWithin { throw .damaged(format: name) }
                return 0
            }
            switch format {
            case .plain:
                count = min(room.count, inputEnd - inputStart)
                room.copyMemory(
                    from: UnsafeRawBufferPointer(start: input + inputStart, count: count))
                inputStart += count
            case .gzip(let stream): count = try inflate(stream, into: room)
            case .zstd(let stream): count = try decompress(stream, into: room)
            }
        }
        return count
    }

    private var name: String {
        switch format {
        case .plain: "plain"
        case .gzip: "gzip"
        case .zstd: "zstd"
        }
    }

    private func fill() throws(Failure) {
        inputStart = 0
        inputEnd = 0
        var count = -1
        repeat {
            count = Glibc.read(descriptor, input, Self.pieceByteCount)
        } while count < 0 && errno == EINTR
        guard count >= 0 else { throw .system(SystemError.last()) }
        isAtEnd = count == 0
        inputEnd = count
        readByteCount += UInt64(count)
    }

    private func inflate(
        _ stream: UnsafeMutablePointer<z_stream>, into room: UnsafeMutableRawBufferPointer
    ) throws(Failure) -> Int {
        stream.pointee.next_in = input + inputStart
        stream.pointee.avail_in = UInt32(inputEnd - inputStart)
        stream.pointee.next_out = room.baseAddress?.assumingMemoryBound(to: UInt8.self)
        let limit = min(room.count, Int(UInt32.max))
        stream.pointee.avail_out = UInt32(limit)
        isWithin = true
        let result = CZlib.inflate(stream, Z_NO_FLUSH)
        inputStart = inputEnd - Int(stream.pointee.avail_in)
        switch result {
        case Z_OK, Z_BUF_ERROR: break
        case Z_STREAM_END:
            isWithin = false
            // Another member may follow, as when files were put one behind the other.
            inflateReset(stream)
        default: throw .damaged(format: "gzip")
        }
        return limit - Int(stream.pointee.avail_out)
    }

    private func decompress(
        _ stream: OpaquePointer, into room: UnsafeMutableRawBufferPointer
    ) throws(Failure) -> Int {
        var output = ZSTD_outBuffer(dst: room.baseAddress, size: room.count, pos: 0)
        var source = ZSTD_inBuffer(src: input + inputStart, size: inputEnd - inputStart, pos: 0)
        let result = ZSTD_decompressStream(stream, &output, &source)
        guard ZSTD_isError(result) == 0 else { throw .damaged(format: "zstd") }
        inputStart += source.pos
        isWithin = result != 0
        return output.pos
    }
}

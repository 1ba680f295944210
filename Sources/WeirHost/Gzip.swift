import CIgzip
import CZlib
import WeirCore

/// Compresses and restores bytes in gzip's format.
public enum Gzip {
    /// How hard to compress, in Fluentd's words.
    public enum Level: String, Sendable, CaseIterable {
        case none = "no_compression"
        case fast = "best_speed"
        case small = "best_compression"
        case standard = "default_compression"

        var number: Int32 {
            switch self {
            case .none: 0
            case .fast: Z_BEST_SPEED
            case .small: Z_BEST_COMPRESSION
            case .standard: Z_DEFAULT_COMPRESSION
            }
        }
    }

    /// Whether `best_speed` is done by ISA-L, whose library is there.
    public static var hasFastLibrary: Bool { weir_igzip_is_present() }

    /// Appends the compressed form of some bytes.
    /// - Parameter engine: What does it; for `best_speed`, ISA-L where it is there.
    /// - Returns: Whether it succeeded; it fails for want of memory, or beyond 4 GiB.
    public static func compress(
        _ bytes: UnsafeRawBufferPointer, level: Level, by engine: GzipStream.Engine = .best,
        into buffer: inout ByteBuffer
    ) -> Bool {
        // The libraries count in 32 bits; no chunk is ever so large.
        guard bytes.count <= Int(UInt32.max), var stream = GzipStream(level: level, by: engine)
        else { return false }
        stream.append(bytes, isLast: true, into: &buffer)
        return true
    }

    /// Appends the restored form of gzip or zlib bytes.
    /// - Parameter limit: Most bytes to restore, against bombs.
    /// - Returns: Whether the bytes were whole and within the limit.
    public static func restore(
        _ bytes: UnsafeRawBufferPointer, limit: Int, into buffer: inout ByteBuffer
    ) -> Bool {
        var stream = z_stream()
        guard weir_inflate_begin(&stream) == Z_OK else { return false }
        defer { inflateEnd(&stream) }
        stream.next_in = UnsafeMutablePointer(
            mutating: bytes.bindMemory(to: UInt8.self).baseAddress)
        stream.avail_in = UInt32(clamping: bytes.count)
        let piece = 64 * 1024
        while true {
            var result: Int32 = Z_OK
            buffer.appendInPlace(maximum: piece) { room in
                stream.next_out = room
                stream.avail_out = UInt32(piece)
                result = inflate(&stream, Z_NO_FLUSH)
                return piece - Int(stream.avail_out)
            }
            if buffer.count > limit { return false }
            if result == Z_STREAM_END { return true }
            guard result == Z_OK, stream.avail_in > 0 || stream.avail_out == 0 else { return false }
        }
    }
}

/// Compresses what comes piece by piece: one gzip member in all.
public struct GzipStream: ~Copyable {
    /// What compresses.
    public enum Engine: Sendable {
        /// ISA-L for `best_speed` where its library is there, else zlib.
        case best
        case zlib
    }

    private enum Stream {
        // On the heap: zlib keeps a pointer back to it.
        case zlib(UnsafeMutablePointer<z_stream>)
        case igzip(OpaquePointer)
    }

    private let stream: Stream

    /// A stream, or nothing for want of memory.
    public init?(level: Gzip.Level, by engine: Engine = .best) {
        if level == .fast, engine == .best, let igzip = weir_igzip_begin() {
            stream = .igzip(igzip)
            return
        }
        let zlib = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        zlib.initialize(to: z_stream())
        if weir_deflate_begin(zlib, level.number) != Z_OK {
            zlib.deallocate()
            return nil
        }
        stream = .zlib(zlib)
    }

    deinit {
        switch stream {
        case .zlib(let zlib):
            deflateEnd(zlib)
            zlib.deallocate()
        case .igzip(let igzip): weir_igzip_end(igzip)
        }
    }

    /// Appends the compressed form of the next bytes, as far as it is ready.
    /// - Parameter isLast: Whether no more will come; everything is ready then.
    public mutating func append(
        _ bytes: UnsafeRawBufferPointer, isLast: Bool, into buffer: inout ByteBuffer
    ) {
        let start = bytes.bindMemory(to: UInt8.self).baseAddress
        let count = UInt32(clamping: bytes.count)
        let piece = 32 * 1024
        var written = piece
        switch stream {
        case .zlib(let zlib):
            zlib.pointee.next_in = UnsafeMutablePointer(mutating: start)
            zlib.pointee.avail_in = count
            while written == piece {
                buffer.appendInPlace(maximum: piece) { room in
                    zlib.pointee.next_out = room
                    zlib.pointee.avail_out = UInt32(piece)
                    deflate(zlib, isLast ? Z_FINISH : Z_NO_FLUSH)
                    written = piece - Int(zlib.pointee.avail_out)
                    return written
                }
            }
        case .igzip(let igzip):
            weir_igzip_give(igzip, start, count, isLast)
            while written == piece {
                buffer.appendInPlace(maximum: piece) { room in
                    written = Int(weir_igzip_take(igzip, room, UInt32(piece)))
                    return written
                }
            }
        }
    }
}

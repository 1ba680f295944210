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

    /// Appends the compressed form of some bytes.
    /// - Returns: Whether it succeeded; it fails for want of memory, or beyond 4 GiB.
    public static func compress(
        _ bytes: UnsafeRawBufferPointer, level: Level, into buffer: inout ByteBuffer
    ) -> Bool {
        // zlib counts in 32 bits; no chunk is ever so large.
        guard bytes.count <= Int(UInt32.max) else { return false }
        var stream = z_stream()
        guard weir_deflate_begin(&stream, level.number) == Z_OK else { return false }
        defer { deflateEnd(&stream) }
        let bound = Int(deflateBound(&stream, UInt(bytes.count))) + 64
        stream.next_in = UnsafeMutablePointer(
            mutating: bytes.bindMemory(to: UInt8.self).baseAddress)
        stream.avail_in = UInt32(clamping: bytes.count)
        var isDone = false
        buffer.appendInPlace(maximum: bound) { room in
            stream.next_out = room
            stream.avail_out = UInt32(clamping: bound)
            isDone = deflate(&stream, Z_FINISH) == Z_STREAM_END
            return Int(stream.total_out)
        }
        return isDone
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
    // On the heap: zlib keeps a pointer back to it.
    private let stream: UnsafeMutablePointer<z_stream>

    /// A stream, or nothing for want of memory.
    public init?(level: Gzip.Level) {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        if weir_deflate_begin(stream, level.number) != Z_OK {
            stream.deallocate()
            return nil
        }
    }

    deinit {
        deflateEnd(stream)
        stream.deallocate()
    }

    /// Appends the compressed form of the next bytes, as far as it is ready.
    /// - Parameter isLast: Whether no more will come; everything is ready then.
    public mutating func append(
        _ bytes: UnsafeRawBufferPointer, isLast: Bool, into buffer: inout ByteBuffer
    ) {
        stream.pointee.next_in = UnsafeMutablePointer(
            mutating: bytes.bindMemory(to: UInt8.self).baseAddress)
        stream.pointee.avail_in = UInt32(clamping: bytes.count)
        let piece = 32 * 1024
        var isFull = true
        while isFull {
            buffer.appendInPlace(maximum: piece) { room in
                stream.pointee.next_out = room
                stream.pointee.avail_out = UInt32(piece)
                deflate(stream, isLast ? Z_FINISH : Z_NO_FLUSH)
                isFull = stream.pointee.avail_out == 0
                return piece - Int(stream.pointee.avail_out)
            }
        }
    }
}

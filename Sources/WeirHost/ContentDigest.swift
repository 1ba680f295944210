import COpenSSL
import WeirCore

/// A digest of contents, for names and not for secrets: MD5 (RFC 1321).
public final class ContentDigest {
    private let context: OpaquePointer?

    /// A digest for one thread.
    public init() { context = weir_md5_begin() }

    deinit { weir_md5_end(context) }

    /// Appends the 32 hexadecimal digits of some bytes' digest.
    /// - Returns: Whether the library gave one; it does not where MD5 is forbidden.
    public func appendText(of bytes: UnsafeRawBufferPointer, to buffer: inout ByteBuffer) -> Bool {
        var digest: (UInt64, UInt64) = (0, 0)
        let isGiven = withUnsafeMutableBytes(of: &digest) {
            weir_md5(context, bytes.baseAddress, bytes.count, $0.baseAddress) == 1
        }
        guard isGiven else { return false }
        withUnsafeBytes(of: digest) { digest in
            buffer.appendInPlace(maximum: 32) { room in
                for (place, byte) in digest.enumerated() {
                    room[2 * place] = Self.digit(byte >> 4)
                    room[2 * place + 1] = Self.digit(byte & 15)
                }
                return 32
            }
        }
        return true
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? value &+ 0x30 : value &+ 0x57
    }
}

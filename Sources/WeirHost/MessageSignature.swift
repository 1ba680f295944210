import COpenSSL

/// The signature of a message with a secret that both sides know: HMAC with SHA-256 (RFC 2104).
public struct MessageSignature: Sendable {
    private let secret: [UInt8]

    /// Signatures with a secret.
    public init(secret: [UInt8]) { self.secret = secret }

    /// The signature of some bytes in 64 hexadecimal digits; `nil` where the library refuses, as for want of
    /// memory.
    public func text(of bytes: [UInt8]) -> String? {
        var digest = [UInt8](repeating: 0, count: 32)
        guard
            weir_hmac_sha256(secret, Int32(clamping: secret.count), bytes, bytes.count, &digest)
                == 1
        else { return nil }
        let digits = Array("0123456789abcdef")
        return digest.reduce(into: "") {
            $0.append(digits[Int($1 >> 4)])
            $0.append(digits[Int($1 & 15)])
        }
    }
}

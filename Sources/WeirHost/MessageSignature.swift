import Crypto

/// The signature of a message with a secret that both sides know: HMAC with SHA-256 (RFC 2104).
public struct MessageSignature: Sendable {
    private let key: SymmetricKey

    /// Signatures with a secret.
    public init(secret: [UInt8]) { key = SymmetricKey(data: secret) }

    /// The signature of some bytes in 64 hexadecimal digits.
    public func text(of bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef")
        return HMAC<SHA256>.authenticationCode(for: bytes, using: key).reduce(into: "") {
            $0.append(digits[Int($1 >> 4)])
            $0.append(digits[Int($1 & 15)])
        }
    }
}

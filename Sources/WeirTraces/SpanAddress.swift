import Glibc
import WeirCore

extension SpanEndpoint {
    /// Takes an address of either family from its text; what is none is left aside, as Zipkin does.
    mutating func setAddress(_ text: String) {
        var four = in_addr()
        if inet_pton(AF_INET, text, &four) == 1 {
            ipv4 = UInt32(bigEndian: four.s_addr)
            return
        }
        var six = in6_addr()
        guard inet_pton(AF_INET6, text, &six) == 1 else { return }
        withUnsafeBytes(of: &six) { setAddress($0) }
    }

    /// Takes an address of 4 or 16 bytes; one of IPv4 in the form of IPv6 becomes what it is.
    mutating func setAddress(_ bytes: UnsafeRawBufferPointer) {
        if bytes.count == 4 {
            ipv4 = UInt32(bigEndian: bytes.loadUnaligned(as: UInt32.self))
        } else if bytes.count == 16 {
            let high = UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self))
            let low = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            let isMapped = high == 0 && low >> 32 == 0xffff
            let isCompatible = high == 0 && low >> 32 == 0 && low > 1
            if isMapped || isCompatible {
                ipv4 = UInt32(truncatingIfNeeded: low)
            } else {
                ipv6 = IPv6Address(high: high, low: low)
            }
        }
    }
}

/// Appends an address of 32 bits with points between its bytes.
func appendAddress(_ address: UInt32, to buffer: inout ByteBuffer) {
    for shift in stride(from: UInt32(24), through: 0, by: -8) {
        buffer.append(decimal: Int(address >> shift & 0xff))
        if shift > 0 { buffer.append(byte: UInt8(ascii: ".")) }
    }
}

/// Appends an address of 128 bits in its shortest form (RFC 5952).
func appendAddress(_ address: IPv6Address, to buffer: inout ByteBuffer) {
    var bytes = (address.high.bigEndian, address.low.bigEndian)
    buffer.appendInPlace(maximum: Int(INET6_ADDRSTRLEN)) { room in
        room.withMemoryRebound(to: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { text in
            inet_ntop(AF_INET6, &bytes, text, socklen_t(INET6_ADDRSTRLEN)) == nil
                ? 0 : strlen(text)
        }
    }
}

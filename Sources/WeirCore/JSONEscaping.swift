// Hot path: text logs are escaped here when they become JSON.
import CShims

private let hexDigits: [UInt8] = Array("0123456789abcdef".utf8)

/// Appends `length` bytes of valid UTF-8 with JSON's escapes, without quotes.
///
/// The bytes must be readable 16 beyond their end, as all batch memory is.
@inline(__always)
func appendEscaped(
    _ source: UnsafePointer<UInt8>, _ length: Int, to buffer: inout ByteBuffer
) {
    var start = 0
    var place = 0
    while place < length {
        var high: UInt32 = 0
        var mask = weir_string_mask16(source + place, &high)
        let rest = length &- place
        if rest < 16 { mask &= (1 &<< UInt32(truncatingIfNeeded: rest)) &- 1 }
        if mask == 0 {
            place &+= 16
            continue
        }
        place &+= mask.trailingZeroBitCount
        buffer.append(source + start, place &- start)
        appendEscape(of: source[place], to: &buffer)
        place &+= 1
        start = place
    }
    if start < length { buffer.append(source + start, length &- start) }
}

/// Appends the escape sequence of one quote, backslash or control byte.
@inline(never)
func appendEscape(of byte: UInt8, to buffer: inout ByteBuffer) {
    switch byte {
    case UInt8(ascii: "\""): buffer.append("\\\"")
    case UInt8(ascii: "\\"): buffer.append("\\\\")
    case UInt8(ascii: "\n"): buffer.append("\\n")
    case UInt8(ascii: "\r"): buffer.append("\\r")
    case UInt8(ascii: "\t"): buffer.append("\\t")
    case 0x08: buffer.append("\\b")
    case 0x0c: buffer.append("\\f")
    default:
        buffer.append("\\u00")
        buffer.append(byte: hexDigits[Int(byte >> 4)])
        buffer.append(byte: hexDigits[Int(byte & 15)])
    }
}

/// Appends a string with JSON's escapes, without quotes.
public func appendEscaped(_ string: String, to buffer: inout ByteBuffer) {
    var string = string
    string.withUTF8 { bytes in
        guard let base = bytes.baseAddress else { return }
        var start = 0
        for place in 0..<bytes.count {
            let byte = bytes[place]
            guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else {
                continue
            }
            buffer.append(base + start, place &- start)
            appendEscape(of: byte, to: &buffer)
            start = place &+ 1
        }
        buffer.append(base + start, bytes.count &- start)
    }
}

/// Appends valid UTF-8 with JSON's escapes, without quotes; the bytes must be readable 16 bytes
/// beyond their end.
@inline(__always)
public func appendEscaped(padded bytes: UnsafeRawBufferPointer, to buffer: inout ByteBuffer) {
    guard let start = bytes.bindMemory(to: UInt8.self).baseAddress else { return }
    appendEscaped(start, bytes.count, to: &buffer)
}

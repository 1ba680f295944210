// Hot path for text that is not ASCII.

/// The length of the well-formed UTF-8 sequence at `p`, or 0 when it is malformed or cut off.
///
/// Follows Unicode 15, table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF.
@inline(__always)
func utf8SequenceLength(_ p: UnsafePointer<UInt8>, _ available: Int) -> Int {
    let first = p[0]
    if first < 0x80 { return 1 }
    if first < 0xc2 || first > 0xf4 { return 0 }
    func continues(_ index: Int) -> Bool { index < available && p[index] & 0xc0 == 0x80 }
    if first < 0xe0 { return continues(1) ? 2 : 0 }
    guard continues(1) else { return 0 }
    let second = p[1]
    if first < 0xf0 {
        if first == 0xe0 && second < 0xa0 || first == 0xed && second > 0x9f { return 0 }
        return continues(2) ? 3 : 0
    }
    if first == 0xf0 && second < 0x90 || first == 0xf4 && second > 0x8f { return 0 }
    return continues(2) && continues(3) ? 4 : 0
}

/// Whether `length` bytes are well-formed UTF-8.
func isWellFormedUTF8(_ p: UnsafePointer<UInt8>, _ length: Int) -> Bool {
    var place = 0
    while place < length {
        if length &- place >= 8 {
            let word = UnsafeRawPointer(p + place).loadUnaligned(as: UInt64.self)
            if word & 0x8080_8080_8080_8080 == 0 {
                place &+= 8
                continue
            }
        }
        let step = utf8SequenceLength(p + place, length &- place)
        if step == 0 { return false }
        place &+= step
    }
    return true
}

/// Whether bytes are well-formed UTF-8.
public func isWellFormedUTF8(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard let start = bytes.bindMemory(to: UInt8.self).baseAddress else { return true }
    return isWellFormedUTF8(start, bytes.count)
}

/// Appends the bytes with each maximal malformed part replaced by U+FFFD.
/// - Returns: How many replacements were made.
@discardableResult
public func appendRepairingUTF8(
    _ bytes: UnsafeRawBufferPointer, to buffer: inout ByteBuffer
) -> Int {
    guard let start = bytes.bindMemory(to: UInt8.self).baseAddress else { return 0 }
    return appendRepairingUTF8(start, bytes.count, to: &buffer)
}

/// Appends the bytes with each maximal malformed part replaced by U+FFFD.
/// - Returns: How many replacements were made.
@discardableResult
func appendRepairingUTF8(
    _ p: UnsafePointer<UInt8>, _ length: Int, to buffer: inout ByteBuffer
) -> Int {
    var place = 0
    var replaced = 0
    while place < length {
        let step = utf8SequenceLength(p + place, length &- place)
        if step > 0 {
            buffer.append(p + place, step)
            place &+= step
        } else {
            buffer.append("\u{FFFD}")
            replaced &+= 1
            place &+= malformedLength(p + place, length &- place)
        }
    }
    return replaced
}

/// How many bytes one replacement stands for: the longest prefix of a sequence that could have
/// been (Unicode 15, "substitution of maximal subparts").
private func malformedLength(_ p: UnsafePointer<UInt8>, _ available: Int) -> Int {
    let first = p[0]
    guard available > 1, first >= 0xc2, first <= 0xf4 else { return 1 }
    let second = p[1]
    let low: UInt8 = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80
    let top: UInt8 = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf
    guard first >= 0xe0, second >= low, second <= top else { return 1 }
    guard first >= 0xf0, available > 2, p[2] & 0xc0 == 0x80 else { return 2 }
    return 3
}

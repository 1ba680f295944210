// Hot path: once per value of every span.
import CShims
import Glibc
import WeirCore

/// A string's place in a JSON text.
struct JSONText {
    var start: Int
    var count: Int
    var hasEscape: Bool
    var hasHigh: Bool
    var hasControl = false

    /// Whether it is ASCII that needs no escapes.
    var isPlain: Bool { @inline(__always) get { !(hasEscape || hasHigh || hasControl) } }
}

/// Reads JSON value by value, as the caller asks for it; nothing is allocated.
///
/// The bytes must be readable 16 bytes beyond their end, as those of a ``ByteBuffer`` are.
struct JSONReader {
    /// Deepest nesting of values that are skipped.
    static let depthLimit = 64

    let base: UnsafePointer<UInt8>
    private let end: Int
    private(set) var place = 0

    init(_ bytes: UnsafeRawBufferPointer) {
        base = bytes.bindMemory(to: UInt8.self).baseAddress ?? UnsafePointer(emptyText.utf8Start)
        end = bytes.count
    }

    /// A complaint about what stands here.
    func broken(_ what: String) -> SpanDecodingError {
        SpanDecodingError("\(what) at byte \(place)")
    }

    // MARK: Structure

    /// The next byte that is no white space, left where it is; 0 at the end.
    @inline(__always)
    mutating func peek() -> UInt8 {
        while place < end {
            let byte = base[place]
            guard byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d else { return byte }
            place &+= 1
        }
        return 0
    }

    @inline(__always)
    mutating func expect(_ byte: UInt8) throws(SpanDecodingError) {
        guard peek() == byte else {
            throw broken("expected `\(Character(Unicode.Scalar(byte)))`")
        }
        place &+= 1
    }

    /// The key of an object's next member, behind its colon; `nil` behind the closing brace.
    ///
    /// The opening brace must have been read.
    @inline(__always)
    mutating func nextKey(_ isFirst: inout Bool) throws(SpanDecodingError) -> JSONText? {
        let next = peek()
        if next == UInt8(ascii: "}") {
            place &+= 1
            return nil
        }
        if isFirst { isFirst = false } else { try expect(UInt8(ascii: ",")) }
        let key = try text()
        try expect(UInt8(ascii: ":"))
        return key
    }

    /// Whether an array has a further element; steps behind the closing bracket where it has not.
    @inline(__always)
    mutating func nextElement(_ isFirst: inout Bool) throws(SpanDecodingError) -> Bool {
        if peek() == UInt8(ascii: "]") {
            place &+= 1
            return false
        }
        if isFirst { isFirst = false } else { try expect(UInt8(ascii: ",")) }
        return true
    }

    /// Nothing but white space may follow.
    mutating func finish() throws(SpanDecodingError) {
        _ = peek()
        guard place == end else { throw broken("something follows the list") }
    }

    // MARK: Values

    /// Steps over `null` if it is here.
    @inline(__always)
    mutating func takeNull() throws(SpanDecodingError) -> Bool {
        guard peek() == UInt8(ascii: "n") else { return false }
        try word("null")
        return true
    }

    private mutating func word(_ word: StaticString) throws(SpanDecodingError) {
        let count = word.utf8CodeUnitCount
        guard end &- place >= count else { throw broken("the text ends early") }
        for index in 0..<count where base[place &+ index] != word.utf8Start[index] {
            throw broken("expected `\(word)`")
        }
        place &+= count
    }

    mutating func flag() throws(SpanDecodingError) -> Bool {
        switch peek() {
        case UInt8(ascii: "t"):
            try word("true")
            return true
        case UInt8(ascii: "f"):
            try word("false")
            return false
        default: throw broken("expected `true` or `false`")
        }
    }

    /// A string. Control bytes in it are taken, as most readers do.
    @inline(__always)
    mutating func text() throws(SpanDecodingError) -> JSONText {
        try expect(UInt8(ascii: "\""))
        let start = place
        var seen: UInt32 = 0
        var hasEscape = false
        var hasControl = false
        while true {
            var high: UInt32 = 0
            let mask = weir_string_mask16(base + place, &high)
            if mask == 0 {
                seen |= high
                place &+= 16
                if place >= end { throw broken("a string without its end") }
                continue
            }
            let step = mask.trailingZeroBitCount
            seen |= high & ((1 &<< UInt32(truncatingIfNeeded: step)) &- 1)
            place &+= step
            if place >= end { throw broken("a string without its end") }
            let byte = base[place]
            place &+= 1
            if byte == UInt8(ascii: "\"") { break }
            if byte == UInt8(ascii: "\\") {
                hasEscape = true
                place &+= 1
            } else {
                hasControl = true
            }
        }
        guard place <= end else { throw broken("a string without its end") }
        return JSONText(
            start: start, count: place &- 1 &- start, hasEscape: hasEscape, hasHigh: seen != 0,
            hasControl: hasControl)
    }

    /// A string, or a number as it is written.
    @inline(__always)
    mutating func textOrNumber() throws(SpanDecodingError) -> JSONText {
        let next = peek()
        if next == UInt8(ascii: "-") || next &- 0x30 < 10 {
            let start = place
            try skipNumber()
            return JSONText(start: start, count: place &- start, hasEscape: false, hasHigh: false)
        }
        return try text()
    }

    /// A whole number, also between quotes.
    mutating func integer() throws(SpanDecodingError) -> Int64 {
        let isQuoted = peek() == UInt8(ascii: "\"")
        if isQuoted { place &+= 1 }
        let isNegative = place < end && base[place] == UInt8(ascii: "-")
        if isNegative { place &+= 1 }
        let first = place
        var number: Int64 = 0
        while place < end, base[place] &- 0x30 < 10 {
            let (product, isTooLarge) = number.multipliedReportingOverflow(by: 10)
            let (sum, overflows) = product.addingReportingOverflow(Int64(base[place] &- 0x30))
            if isTooLarge || overflows { throw broken("a number beyond 64 bits") }
            number = sum
            place &+= 1
        }
        guard place > first else { throw broken("expected a whole number") }
        if place < end, base[place] == UInt8(ascii: ".") || base[place] | 0x20 == UInt8(ascii: "e")
        {
            throw broken("expected a whole number")
        }
        if isQuoted { try expect(UInt8(ascii: "\"")) }
        return isNegative ? -number : number
    }

    // MARK: Skipping

    /// Steps over any value.
    mutating func skipValue() throws(SpanDecodingError) {
        // One bit per open level: 1 for an object.
        var levels: UInt64 = 0
        var depth = 0
        var isFirst = true
        while true {
            let next = peek()
            if next == UInt8(ascii: "{") || next == UInt8(ascii: "[") {
                guard depth < Self.depthLimit else { throw broken("nested too deeply") }
                place &+= 1
                depth += 1
                levels = levels << 1 | (next == UInt8(ascii: "{") ? 1 : 0)
                isFirst = true
            } else {
                try skipScalar(next)
                isFirst = false
            }
            // Closes what ends here, and goes to the next value.
            while true {
                if depth == 0 { return }
                let isObject = levels & 1 == 1
                if isObject {
                    if try nextKey(&isFirst) != nil { break }
                } else if try nextElement(&isFirst) {
                    break
                }
                levels >>= 1
                depth -= 1
                isFirst = false
            }
        }
    }

    private mutating func skipScalar(_ next: UInt8) throws(SpanDecodingError) {
        switch next {
        case UInt8(ascii: "\""): _ = try text()
        case UInt8(ascii: "n"): try word("null")
        case UInt8(ascii: "t"), UInt8(ascii: "f"): _ = try flag()
        default: try skipNumber()
        }
    }

    private mutating func skipNumber() throws(SpanDecodingError) {
        let start = place
        while place < end {
            let byte = base[place]
            let isPart =
                byte &- 0x30 < 10 || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "+")
                || byte == UInt8(ascii: ".") || byte | 0x20 == UInt8(ascii: "e")
            guard isPart else { break }
            place &+= 1
        }
        guard place > start else {
            throw broken(place < end ? "expected a value" : "the text ends early")
        }
    }

    // MARK: Texts

    /// A string's bytes as they stand, escapes included.
    @inline(__always)
    func bytes(_ text: JSONText) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: base + text.start, count: text.count)
    }

    /// Whether a string is this word.
    @inline(__always)
    func isText(_ text: JSONText, _ word: StaticString) -> Bool {
        text.count == word.utf8CodeUnitCount && base[text.start] == word.utf8Start[0]
            && memcmp(base + text.start, word.utf8Start, text.count) == 0
    }

    /// A string with its escapes resolved.
    func string(_ text: JSONText) -> String {
        let bytes = UnsafeBufferPointer(start: base + text.start, count: text.count)
        return text.hasEscape ? unescapedJSON(bytes) : String(decoding: bytes, as: UTF8.self)
    }
}

/// Something to point at where there is nothing.
private let emptyText: StaticString = "                "

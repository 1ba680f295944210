extension JSONCursor {
    /// Steps over an object or array, checking its form without recursion.
    ///
    /// - Parameter needsRepair: Set when a string inside holds what must not be copied.
    /// - Returns: Whether it is well-formed and not nested deeper than the limit.
    mutating func skipNested(_ needsRepair: inout Bool) -> Bool {
        // One bit per open level: 1 for an object. The lowest bit is the innermost.
        var levels: UInt64 = 0
        var depth = 0
        while true {
            skipWhitespace()
            // A value is expected here.
            let c = byte
            if c == UInt8(ascii: "{") || c == UInt8(ascii: "[") {
                if depth >= JSONLineScanner.depthLimit {
                    isOverLimit = true
                    return false
                }
                let isObject = c == UInt8(ascii: "{")
                levels = levels << 1 | (isObject ? 1 : 0)
                depth += 1
                place &+= 1
                skipWhitespace()
                if take(isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
                    levels >>= 1
                    depth -= 1
                } else {
                    if isObject, !skipMemberKey(&needsRepair) { return false }
                    continue
                }
            } else if !skipScalar(c, &needsRepair) {
                return false
            }
            // A value just ended: close levels, or go on to the next one.
            while true {
                if depth == 0 { return true }
                skipWhitespace()
                let isObject = levels & 1 == 1
                if take(UInt8(ascii: ",")) {
                    skipWhitespace()
                    if isObject, !skipMemberKey(&needsRepair) { return false }
                    break
                }
                guard take(isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) else { return false }
                levels >>= 1
                depth -= 1
            }
        }
    }

    private mutating func skipMemberKey(_ needsRepair: inout Bool) -> Bool {
        guard skipText(&needsRepair) else { return false }
        skipWhitespace()
        return take(UInt8(ascii: ":"))
    }

    private mutating func skipText(_ needsRepair: inout Bool) -> Bool {
        guard take(UInt8(ascii: "\"")) else { return false }
        let start = place
        var text = StringText()
        guard scanString(&text) else { return false }
        let length = place &- 1 &- start
        if text.hasEscape {
            guard escapesAreValid(start, place &- 1) else { return false }
            if hasLoneSurrogate(start, place &- 1) { needsRepair = true }
        }
        if text.hasControl { needsRepair = true }
        if text.hasHigh, !isWellFormedUTF8(base + start, length) { needsRepair = true }
        return true
    }

    private mutating func skipScalar(_ c: UInt8, _ needsRepair: inout Bool) -> Bool {
        switch c {
        case UInt8(ascii: "\""): return skipText(&needsRepair)
        case UInt8(ascii: "n"): return skipWord("null")
        case UInt8(ascii: "t"): return skipWord("true")
        case UInt8(ascii: "f"): return skipWord("false")
        default: return skipNumber()
        }
    }

    private mutating func skipWord(_ word: StaticString) -> Bool {
        let count = word.utf8CodeUnitCount
        guard end &- place >= count else { return false }
        for index in 0..<count where base[place &+ index] != word.utf8Start[index] { return false }
        place &+= count
        return true
    }

    private mutating func skipNumber() -> Bool {
        _ = take(UInt8(ascii: "-"))
        let first = place
        guard skipRun() else { return false }
        if place &- first > 1, base[first] == UInt8(ascii: "0") { return false }
        if take(UInt8(ascii: ".")), !skipRun() { return false }
        if byte | 0x20 == UInt8(ascii: "e") {
            place &+= 1
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            return skipRun()
        }
        return true
    }

    private mutating func skipRun() -> Bool {
        let start = place
        while place < end, base[place] &- 0x30 < 10 { place &+= 1 }
        return place > start
    }

    // MARK: Escapes and repairs

    /// Whether every backslash in the text begins an escape of JSON's.
    func escapesAreValid(_ start: Int, _ stop: Int) -> Bool {
        var i = start
        while i < stop {
            if base[i] != UInt8(ascii: "\\") {
                i &+= 1
                continue
            }
            guard i &+ 1 < stop else { return false }
            switch base[i &+ 1] {
            case UInt8(ascii: "u"):
                guard codeUnit(i, stop) != nil else { return false }
                i &+= 6
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"),
                UInt8(ascii: "f"), UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
                i &+= 2
            default: return false
            }
        }
        return true
    }

    /// The UTF-16 code unit of the `\uXXXX` at `i`.
    private func codeUnit(_ i: Int, _ stop: Int) -> UInt16? {
        guard i &+ 6 <= stop, base[i] == UInt8(ascii: "\\"), base[i &+ 1] == UInt8(ascii: "u")
        else { return nil }
        var unit: UInt16 = 0
        for place in i &+ 2..<i &+ 6 {
            guard let digit = hexValue(base[place]) else { return nil }
            unit = unit << 4 | UInt16(digit)
        }
        return unit
    }

    /// Whether a `\u` escape is half of a pair whose other half is missing: Elasticsearch cannot
    /// store it.
    func hasLoneSurrogate(_ start: Int, _ stop: Int) -> Bool {
        var i = start
        while i < stop {
            guard base[i] == UInt8(ascii: "\\") else {
                i &+= 1
                continue
            }
            guard let unit = codeUnit(i, stop) else {
                i &+= 2
                continue
            }
            if unit & 0xfc00 == 0xdc00 { return true }
            if unit & 0xfc00 == 0xd800 {
                guard let low = codeUnit(i &+ 6, stop), low & 0xfc00 == 0xdc00 else { return true }
                i &+= 6
            }
            i &+= 6
        }
        return false
    }

    /// A copy of a string's text in which malformed UTF-8 and lone surrogates are U+FFFD and
    /// control bytes are escaped.
    func repairedString(_ batch: EventBatch, _ start: Int, _ length: Int) -> Slot {
        var replaced = 0
        let slot = batch.makeSlot(.escaped) { arena in
            replaced = appendRepaired(start, start &+ length, to: &arena)
        }
        batch.replacedByteSequenceCount += replaced
        return slot ?? .absent
    }

    /// The same for an object's or array's text: its strings are repaired, line feeds between them
    /// become blanks.
    func repairedNested(
        _ batch: EventBatch, _ type: FieldType, _ start: Int, _ length: Int
    ) -> Slot {
        var replaced = 0
        let slot = batch.makeSlot(type) { arena in
            var place = start
            var isInString = false
            while place < start &+ length {
                var stop = place
                // A quote within a string stands behind a backslash.
                while stop < start &+ length, base[stop] != UInt8(ascii: "\"") {
                    stop &+= isInString && base[stop] == UInt8(ascii: "\\") ? 2 : 1
                }
                if isInString {
                    replaced &+= appendRepaired(place, stop, to: &arena)
                } else {
                    for index in place..<stop {
                        arena.append(byte: base[index] == 0x0a ? 0x20 : base[index])
                    }
                }
                if stop < start &+ length { arena.append(byte: UInt8(ascii: "\"")) }
                isInString.toggle()
                place = stop &+ 1
            }
        }
        batch.replacedByteSequenceCount += replaced
        return slot ?? .absent
    }

    private func appendRepaired(_ start: Int, _ stop: Int, to arena: inout ByteBuffer) -> Int {
        var i = start
        var replaced = 0
        while i < stop {
            let c = base[i]
            if c == UInt8(ascii: "\\") {
                i &+= appendRepairedEscape(i, stop, &replaced, to: &arena)
            } else if c >= 0x80 {
                let step = utf8SequenceLength(base + i, stop &- i)
                if step > 0 {
                    arena.append(base + i, step)
                    i &+= step
                } else {
                    let run = malformedRun(i, stop)
                    replaced &+= appendRepairingUTF8(base + i, run, to: &arena)
                    i &+= run
                }
            } else if c < 0x20 {
                appendEscape(of: c, to: &arena)
                i &+= 1
            } else {
                arena.append(byte: c)
                i &+= 1
            }
        }
        return replaced
    }

    /// How many bytes from `i` on are above 0x7f, so that they are repaired together.
    private func malformedRun(_ i: Int, _ stop: Int) -> Int {
        var length = 0
        while i &+ length < stop, base[i &+ length] >= 0x80 { length &+= 1 }
        return length
    }

    private func appendRepairedEscape(
        _ i: Int, _ stop: Int, _ replaced: inout Int, to arena: inout ByteBuffer
    ) -> Int {
        guard let unit = codeUnit(i, stop) else {
            arena.append(base + i, 2)
            return 2
        }
        if unit & 0xf800 != 0xd800 {
            arena.append(base + i, 6)
            return 6
        }
        if unit & 0xfc00 == 0xd800, let low = codeUnit(i &+ 6, stop), low & 0xfc00 == 0xdc00 {
            arena.append(base + i, 12)
            return 12
        }
        replaced &+= 1
        arena.append("\u{FFFD}")
        return 6
    }
}

/// The value of a hexadecimal digit.
func hexValue(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
}

/// A JSON string's text with its escapes resolved; lone surrogates and malformed UTF-8 are U+FFFD.
public func unescapedJSON(_ text: UnsafeBufferPointer<UInt8>) -> String {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count)
    var i = 0
    func unit(at i: Int) -> UInt32? {
        guard i + 6 <= text.count, text[i] == UInt8(ascii: "\\"), text[i + 1] == UInt8(ascii: "u")
        else { return nil }
        var unit: UInt32 = 0
        for place in i + 2..<i + 6 {
            guard let digit = hexValue(text[place]) else { return nil }
            unit = unit << 4 | UInt32(digit)
        }
        return unit
    }
    while i < text.count {
        guard text[i] == UInt8(ascii: "\\"), i + 1 < text.count else {
            bytes.append(text[i])
            i += 1
            continue
        }
        if let high = unit(at: i) {
            i += 6
            var scalar = high
            if high & 0xfc00 == 0xd800, let low = unit(at: i), low & 0xfc00 == 0xdc00 {
                scalar = 0x10000 + (high & 0x3ff) << 10 + (low & 0x3ff)
                i += 6
            }
            bytes.append(contentsOf: String(Unicode.Scalar(scalar) ?? "\u{FFFD}").utf8)
            continue
        }
        switch text[i + 1] {
        case UInt8(ascii: "n"): bytes.append(0x0a)
        case UInt8(ascii: "t"): bytes.append(0x09)
        case UInt8(ascii: "r"): bytes.append(0x0d)
        case UInt8(ascii: "b"): bytes.append(0x08)
        case UInt8(ascii: "f"): bytes.append(0x0c)
        default: bytes.append(text[i + 1])
        }
        i += 2
    }
    return String(decoding: bytes, as: UTF8.self)
}

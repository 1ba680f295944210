// Hot path: once per value of every JSON log line.
import CShims
import Glibc

/// A place in a line of JSON. Reads at most 64 bytes beyond `end`, which batch memory always has;
/// what it accepts lies before `end`.
struct JSONCursor {
    let base: UnsafePointer<UInt8>
    var place: Int
    let end: Int
    /// Whether the value was refused for its depth or length, not for its form.
    var isOverLimit = false

    init(base: UnsafePointer<UInt8>, place: Int, end: Int) {
        self.base = base
        self.place = place
        self.end = end
    }

    /// The byte here; beyond the end it is the line's LF or padding, which no rule accepts.
    var byte: UInt8 { @inline(__always) get { place < end ? base[place] : 0x0a } }

    @inline(__always)
    mutating func skipWhitespace() {
        while place < end {
            let c = base[place]
            guard c == 0x20 || c == 0x09 || c == 0x0d || c == 0x0a else { return }
            place &+= 1
        }
    }

    /// Steps over `expected` if it is here.
    @inline(__always)
    mutating func take(_ expected: UInt8) -> Bool {
        guard place < end, base[place] == expected else { return false }
        place &+= 1
        return true
    }

    /// Reads `"key" :` and gives the place of the key's text.
    mutating func scanKey(_ compact: inout Bool) -> (offset: Int, length: Int)? {
        guard take(UInt8(ascii: "\"")) else { return nil }
        let start = place
        var text = StringText()
        guard scanString(&text), !text.hasControl else { return nil }
        if text.hasEscape, !escapesAreValid(start, place &- 1) { return nil }
        if text.hasHigh || text.hasEscape { compact = false }
        let length = place &- 1 &- start
        if byte != UInt8(ascii: ":") {
            compact = false
            skipWhitespace()
        }
        return take(UInt8(ascii: ":")) ? (start, length) : nil
    }

    /// Steps to just behind the closing quote of the string whose text begins here.
    @inline(__always)
    mutating func scanString(_ text: inout StringText) -> Bool {
        var high: UInt32 = 0
        while true {
            var mask = weir_string_mask16(base + place, &high)
            if mask == 0 {
                text.high |= high
                place &+= 16
                if place >= end { return false }
                continue
            }
            let step = mask.trailingZeroBitCount
            mask = (1 &<< UInt32(truncatingIfNeeded: step)) &- 1
            text.high |= high & mask
            place &+= step
            if place >= end { return false }
            let c = base[place]
            if c == UInt8(ascii: "\"") {
                place &+= 1
                return true
            }
            if c == UInt8(ascii: "\\") {
                text.hasEscape = true
                place &+= 2
            } else {
                text.hasControl = true
                place &+= 1
            }
        }
    }

    /// Reads a value into a slot; `absent` when it is malformed.
    @inline(__always)
    mutating func scanValue(_ batch: EventBatch, _ compact: inout Bool) -> Slot {
        let start = place
        let c = byte
        if c == UInt8(ascii: "\"") {
            place &+= 1
            var text = StringText()
            guard scanString(&text) else { return .absent }
            let length = place &- 2 &- start
            if !text.needsCare {
                return Slot(.plain, offset: UInt32(truncatingIfNeeded: start &+ 1), length: length)
            }
            return careful(batch, start &+ 1, length, text, &compact)
        }
        if c == UInt8(ascii: "-") || c &- 0x30 < 10 { return scanNumber() }
        return scanOther(batch, c, &compact)
    }

    /// Checks a string with escapes, bytes above 0x7f or control bytes; repairs what Elasticsearch
    /// would refuse.
    @inline(never)
    private func careful(
        _ batch: EventBatch, _ start: Int, _ length: Int, _ text: StringText,
        _ compact: inout Bool
    ) -> Slot {
        guard length <= Slot.lengthLimit else { return .absent }
        if text.hasEscape, !escapesAreValid(start, start &+ length) { return .absent }
        let isSound =
            !text.hasControl && (!text.hasHigh || isWellFormedUTF8(base + start, length))
            && (!text.hasEscape || !hasLoneSurrogate(start, start &+ length))
        if isSound {
            return Slot(
                text.hasEscape ? .escaped : .plain, offset: UInt32(truncatingIfNeeded: start),
                length: length)
        }
        compact = false
        return repairedString(batch, start, length)
    }

    /// Reads a number of JSON's grammar.
    @inline(__always)
    private mutating func scanNumber() -> Slot {
        let start = place
        if base[place] == UInt8(ascii: "-") { place &+= 1 }
        let first = place
        while base[place] &- 0x30 < 10 { place &+= 1 }
        let digits = place &- first
        if digits == 0 || digits > 1 && base[first] == UInt8(ascii: "0") { return .absent }
        var type = FieldType.integer
        let c = base[place]
        if c == UInt8(ascii: ".") || c | 0x20 == UInt8(ascii: "e") {
            guard scanFraction() else { return .absent }
            type = .float
        }
        guard place <= end else { return .absent }
        return Slot(type, offset: UInt32(truncatingIfNeeded: start), length: place &- start)
    }

    private mutating func scanFraction() -> Bool {
        if base[place] == UInt8(ascii: ".") {
            place &+= 1
            guard skipDigits() else { return false }
        }
        if base[place] | 0x20 == UInt8(ascii: "e") {
            place &+= 1
            if base[place] == UInt8(ascii: "+") || base[place] == UInt8(ascii: "-") { place &+= 1 }
            guard skipDigits() else { return false }
        }
        return true
    }

    private mutating func skipDigits() -> Bool {
        let start = place
        while place < end, base[place] &- 0x30 < 10 { place &+= 1 }
        return place > start
    }

    @inline(never)
    private mutating func scanOther(
        _ batch: EventBatch, _ c: UInt8, _ compact: inout Bool
    ) -> Slot {
        let start = UInt32(truncatingIfNeeded: place)
        switch c {
        case UInt8(ascii: "n") where takeWord("null"): return Slot(.null, offset: start, length: 4)
        case UInt8(ascii: "t") where takeWord("true"): return Slot(.yes, offset: start, length: 4)
        case UInt8(ascii: "f") where takeWord("false"): return Slot(.no, offset: start, length: 5)
        case UInt8(ascii: "{"), UInt8(ascii: "["): return scanNested(batch, c, &compact)
        default: return .absent
        }
    }

    private mutating func takeWord(_ word: StaticString) -> Bool {
        let count = word.utf8CodeUnitCount
        guard end &- place >= count else { return false }
        for index in 0..<count where base[place &+ index] != word.utf8Start[index] { return false }
        place &+= count
        return true
    }

    /// Checks an object or array and keeps its text as one value.
    private mutating func scanNested(
        _ batch: EventBatch, _ c: UInt8, _ compact: inout Bool
    ) -> Slot {
        let start = place
        var needsRepair = false
        guard skipNested(&needsRepair), place &- start <= Slot.lengthLimit else { return .absent }
        let type: FieldType = c == UInt8(ascii: "{") ? .object : .array
        // The text of a field may have several lines; what is written must have one.
        if needsRepair || memchr(base + start, 0x0a, place &- start) != nil {
            compact = false
            return repairedNested(batch, type, start, place &- start)
        }
        return Slot(type, offset: UInt32(truncatingIfNeeded: start), length: place &- start)
    }
}

/// What the scan of a string met on its way.
struct StringText {
    var high: UInt32 = 0
    var hasEscape = false
    var hasControl = false

    var hasHigh: Bool { @inline(__always) get { high != 0 } }
    var needsCare: Bool { @inline(__always) get { high != 0 || hasEscape || hasControl } }
}

// Hot path: once per item of every bulk answer.
import CShims

/// Sees at once that an answer reports every item as stored, as nearly all answers do.
///
/// Strict: it says so of well-formed JSON only, and of nothing that is in any way unusual (escapes,
/// names written twice, deep nesting). Whatever it does not see to be sound is for the slow reader.
struct BulkAnswerSkimmer {
    private static let depthLimit = 8

    private let bytes: UnsafeRawBufferPointer
    private var place = 0

    /// Whether the answer is sound, has `itemCount` items, and each has a status of 2xx.
    static func saysAllStored(_ bytes: UnsafeRawBufferPointer, itemCount: Int) -> Bool {
        var skimmer = BulkAnswerSkimmer(bytes: bytes)
        guard skimmer.skimAnswer(itemCount: itemCount) else { return false }
        skimmer.skipSpace()
        return skimmer.place == bytes.count
    }

    private init(bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    private mutating func skimAnswer(itemCount: Int) -> Bool {
        var errorFlags = 0
        var itemLists = 0
        let isSound = skimObject { skimmer, key in
            if skimmer.is("errors", key) {
                errorFlags += 1
                return skimmer.take("false")
            }
            if skimmer.is("items", key) {
                itemLists += 1
                return skimmer.skimItems(itemCount)
            }
            return skimmer.skipValue(depth: 1)
        }
        return isSound && errorFlags == 1 && itemLists == 1
    }

    private mutating func skimItems(_ itemCount: Int) -> Bool {
        var count = 0
        let isSound = skimArray { skimmer in
            count += 1
            return skimmer.skimItem()
        }
        return isSound && count == itemCount
    }

    /// `{"create":{…}}`
    private mutating func skimItem() -> Bool {
        var actions = 0
        let isSound = skimObject { skimmer, _ in
            actions += 1
            return skimmer.skimResult()
        }
        return isSound && actions == 1
    }

    private mutating func skimResult() -> Bool {
        var statuses = 0
        let isSound = skimObject { skimmer, key in
            guard skimmer.is("status", key) else { return skimmer.skipValue(depth: 4) }
            statuses += 1
            return skimmer.skimStatus()
        }
        return isSound && statuses == 1
    }

    /// A number from 200 to 299.
    private mutating func skimStatus() -> Bool {
        let start = place
        guard skipNumber(), place - start == 3 else { return false }
        return bytes[start] == UInt8(ascii: "2") && bytes[start + 1] &- 0x30 < 10
            && bytes[start + 2] &- 0x30 < 10
    }

    // MARK: JSON

    private var byte: UInt8 { @inline(__always) get { place < bytes.count ? bytes[place] : 0 } }

    @inline(__always)
    private mutating func skipSpace() {
        while byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { place &+= 1 }
    }

    @inline(__always)
    private mutating func take(_ expected: UInt8) -> Bool {
        guard place < bytes.count, bytes[place] == expected else { return false }
        place &+= 1
        return true
    }

    private mutating func take(_ word: StaticString) -> Bool {
        let count = word.utf8CodeUnitCount
        guard `is`(word, place..<(place + count)) else { return false }
        place += count
        return true
    }

    @inline(__always)
    private func `is`(_ word: StaticString, _ range: Range<Int>) -> Bool {
        guard range.count == word.utf8CodeUnitCount, range.upperBound <= bytes.count else {
            return false
        }
        for index in 0..<range.count where bytes[range.lowerBound &+ index] != word.utf8Start[index]
        {
            return false
        }
        return true
    }

    /// Takes an object apart; `value` takes each member's value and gets the place of its name.
    @inline(__always)
    private mutating func skimObject(
        _ value: (inout BulkAnswerSkimmer, Range<Int>) -> Bool
    ) -> Bool {
        skipSpace()
        guard take(UInt8(ascii: "{")) else { return false }
        skipSpace()
        if take(UInt8(ascii: "}")) { return true }
        while true {
            skipSpace()
            let start = place
            guard skipString() else { return false }
            let key = (start &+ 1)..<(place &- 1)
            skipSpace()
            guard take(UInt8(ascii: ":")) else { return false }
            skipSpace()
            guard value(&self, key) else { return false }
            skipSpace()
            if take(UInt8(ascii: ",")) { continue }
            return take(UInt8(ascii: "}"))
        }
    }

    @inline(__always)
    private mutating func skimArray(_ value: (inout BulkAnswerSkimmer) -> Bool) -> Bool {
        skipSpace()
        guard take(UInt8(ascii: "[")) else { return false }
        skipSpace()
        if take(UInt8(ascii: "]")) { return true }
        while true {
            skipSpace()
            guard value(&self) else { return false }
            skipSpace()
            if take(UInt8(ascii: ",")) { continue }
            return take(UInt8(ascii: "]"))
        }
    }

    private mutating func skipValue(depth: Int) -> Bool {
        guard depth < Self.depthLimit else { return false }
        switch byte {
        case UInt8(ascii: "\""): return skipString()
        case UInt8(ascii: "{"):
            return skimObject { skimmer, _ in skimmer.skipValue(depth: depth + 1) }
        case UInt8(ascii: "["): return skimArray { $0.skipValue(depth: depth + 1) }
        case UInt8(ascii: "t"): return take("true")
        case UInt8(ascii: "f"): return take("false")
        case UInt8(ascii: "n"): return take("null")
        default: return skipNumber()
        }
    }

    /// Steps over a string without escapes.
    @inline(__always)
    private mutating func skipString() -> Bool {
        guard take(UInt8(ascii: "\"")), let base = bytes.baseAddress else { return false }
        let start = base.assumingMemoryBound(to: UInt8.self)
        while place &+ 16 <= bytes.count {
            var high: UInt32 = 0
            let mask = weir_string_mask16(start + place, &high)
            if mask != 0 {
                place &+= mask.trailingZeroBitCount
                return take(UInt8(ascii: "\""))
            }
            place &+= 16
        }
        while place < bytes.count, byte >= 0x20, byte != UInt8(ascii: "\\") {
            if take(UInt8(ascii: "\"")) { return true }
            place &+= 1
        }
        return false
    }

    private mutating func skipNumber() -> Bool {
        _ = take(UInt8(ascii: "-"))
        let first = byte
        let start = place
        guard skipDigits(), first != UInt8(ascii: "0") || place - start == 1 else { return false }
        if take(UInt8(ascii: ".")), !skipDigits() { return false }
        if byte | 0x20 == UInt8(ascii: "e") {
            place += 1
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            return skipDigits()
        }
        return true
    }

    @inline(__always)
    private mutating func skipDigits() -> Bool {
        let start = place
        while place < bytes.count, bytes[place] &- 0x30 < 10 { place &+= 1 }
        return place > start
    }
}

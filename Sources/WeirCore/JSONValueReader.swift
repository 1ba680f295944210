/// Reads JSON into values, on the slow road: configurations, nested fields, answers.
///
/// Strict (RFC 8259), with limits; of a repeated name the last value counts. Malformed UTF-8 and
/// lone surrogates become U+FFFD.
public struct JSONValueReader {
    /// Deepest nesting.
    public static let depthLimit = 64

    private let bytes: UnsafeBufferPointer<UInt8>
    /// The place of the next byte, and after a failure of the offending one.
    public private(set) var place = 0

    /// The value that a text holds, or `nil` when it is not JSON or has something behind it.
    public static func value(of text: UnsafeRawBufferPointer) -> Value? {
        var reader = JSONValueReader(text.bindMemory(to: UInt8.self))
        guard let value = reader.read(depth: 0) else { return nil }
        reader.skipSpace()
        return reader.place == reader.bytes.count ? value : nil
    }

    /// The value that a string holds.
    public static func value(of text: String) -> Value? {
        var text = text
        return text.withUTF8 { value(of: UnsafeRawBufferPointer($0)) }
    }

    private init(_ bytes: UnsafeBufferPointer<UInt8>) {
        self.bytes = bytes
    }

    private var byte: UInt8 { place < bytes.count ? bytes[place] : 0 }

    private mutating func skipSpace() {
        while byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d { place += 1 }
    }

    private mutating func take(_ expected: UInt8) -> Bool {
        guard byte == expected, place < bytes.count else { return false }
        place += 1
        return true
    }

    private mutating func takeWord(_ word: StaticString) -> Bool {
        let count = word.utf8CodeUnitCount
        guard bytes.count - place >= count else { return false }
        for index in 0..<count where bytes[place + index] != word.utf8Start[index] { return false }
        place += count
        return true
    }

    private mutating func read(depth: Int) -> Value? {
        skipSpace()
        guard depth <= Self.depthLimit else { return nil }
        switch byte {
        case UInt8(ascii: "{"): return readObject(depth: depth)
        case UInt8(ascii: "["): return readArray(depth: depth)
        case UInt8(ascii: "\""): return readString().map { .string($0) }
        case UInt8(ascii: "t"): return takeWord("true") ? .bool(true) : nil
        case UInt8(ascii: "f"): return takeWord("false") ? .bool(false) : nil
        case UInt8(ascii: "n"): return takeWord("null") ? .null : nil
        default: return readNumber()
        }
    }

    private mutating func readObject(depth: Int) -> Value? {
        place += 1
        var fields: [(key: String, value: Value)] = []
        var places: [ExactName: Int] = [:]
        skipSpace()
        if take(UInt8(ascii: "}")) { return .object(Record()) }
        while true {
            skipSpace()
            guard let key = readString() else { return nil }
            skipSpace()
            guard take(UInt8(ascii: ":")), let value = read(depth: depth + 1) else { return nil }
            if let index = places[ExactName(key)] {
                fields[index].value = value
            } else {
                places[ExactName(key)] = fields.count
                fields.append((key, value))
            }
            skipSpace()
            if take(UInt8(ascii: ",")) { continue }
            return take(UInt8(ascii: "}")) ? .object(Record(unique: fields)) : nil
        }
    }

    private mutating func readArray(depth: Int) -> Value? {
        place += 1
        var values: [Value] = []
        skipSpace()
        if take(UInt8(ascii: "]")) { return .array([]) }
        while true {
            guard let value = read(depth: depth + 1) else { return nil }
            values.append(value)
            skipSpace()
            if take(UInt8(ascii: ",")) { continue }
            return take(UInt8(ascii: "]")) ? .array(values) : nil
        }
    }

    private mutating func readString() -> String? {
        guard take(UInt8(ascii: "\"")) else { return nil }
        let start = place
        var hasEscape = false
        while place < bytes.count, bytes[place] != UInt8(ascii: "\"") {
            if bytes[place] < 0x20 { return nil }
            if bytes[place] == UInt8(ascii: "\\") {
                hasEscape = true
                guard isEscape(at: place) else { return nil }
                place += 1
            }
            place += 1
        }
        guard place < bytes.count else { return nil }
        let text = UnsafeBufferPointer(rebasing: bytes[start..<place])
        place += 1
        return hasEscape ? unescapedJSON(text) : String(decoding: text, as: UTF8.self)
    }

    private func isEscape(at index: Int) -> Bool {
        guard index + 1 < bytes.count else { return false }
        switch bytes[index + 1] {
        case UInt8(ascii: "u"):
            guard index + 6 <= bytes.count else { return false }
            return bytes[index + 2..<index + 6].allSatisfy { hexValue($0) != nil }
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"),
            UInt8(ascii: "f"), UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            return true
        default: return false
        }
    }

    private mutating func readNumber() -> Value? {
        let start = place
        _ = take(UInt8(ascii: "-"))
        let first = place
        guard skipDigits() else { return nil }
        if place - first > 1, bytes[first] == UInt8(ascii: "0") { return nil }
        var isInteger = true
        if take(UInt8(ascii: ".")) {
            isInteger = false
            guard skipDigits() else { return nil }
        }
        if byte | 0x20 == UInt8(ascii: "e") {
            isInteger = false
            place += 1
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            guard skipDigits() else { return nil }
        }
        let text = String(decoding: bytes[start..<place], as: UTF8.self)
        if isInteger {
            if let number = Int64(text) { return .integer(number) }
            // Ruby keeps every digit of a large integer, and so does the number's text.
            return .number(text)
        }
        guard let number = Double(text), number.isFinite else { return .number(text) }
        return .float(number)
    }

    private mutating func skipDigits() -> Bool {
        let start = place
        while place < bytes.count, bytes[place] &- 0x30 < 10 { place += 1 }
        return place > start
    }
}

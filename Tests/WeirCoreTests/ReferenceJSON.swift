import WeirCore
import WeirTesting

/// A value of JSON read by the plainest reader there is: what Weir's fast ones are held against.
///
/// Texts and numbers are bytes, so that nothing is taken for the same that is not.
indirect enum ReferenceJSON: Equatable {
    case null
    case yes
    case no
    case number(String)
    case text([UInt8])
    case array([ReferenceJSON])
    case object([Member])

    struct Member: Equatable {
        var key: [UInt8]
        var value: ReferenceJSON
    }

    /// What a reader lets pass.
    struct Rules {
        /// Whether control bytes may stand in strings, but for the names of an event's fields.
        var allowsControls = false
        /// The deepest value.
        var depthLimit = JSONValueReader.depthLimit
        /// The deepest array or object.
        var nestingLimit = JSONValueReader.depthLimit

        /// The rules of the lines of a log, which hold an object or an array of objects.
        static func line(isArray: Bool) -> Rules {
            let limit = JSONLineScanner.depthLimit + (isArray ? 1 : 0)
            return Rules(allowsControls: true, depthLimit: limit + 1, nestingLimit: limit)
        }

        /// The rules of what is written: no control bytes, however deep.
        static let written = Rules(depthLimit: .max, nestingLimit: .max)

        /// How deep the objects are that are events.
        var eventDepth: Int { nestingLimit - JSONLineScanner.depthLimit }
    }

    /// The object's members as a record has them: of a repeated name the last value, at the first
    /// one's place.
    static func unique(_ members: [Member]) -> [Member] {
        var found: [Member] = []
        for member in members {
            if let place = found.firstIndex(where: { $0.key == member.key }) {
                found[place].value = member.value
            } else {
                found.append(member)
            }
        }
        return found
    }

    /// Whether Weir's value says the same.
    func agrees(with value: Value) -> Bool {
        switch (self, value) {
        case (.null, .null), (.yes, .bool(true)), (.no, .bool(false)): true
        case (.text(let bytes), .string(let text)): Array(text.utf8) == bytes
        case (.number(let text), .integer(let number)): Int64(text) == number && isWhole(text)
        case (.number(let text), .float(let number)): Double(text) == number && !isWhole(text)
        case (.number(let text), .number(let other)): text == other
        case (.array(let mine), .array(let others)):
            mine.count == others.count && zip(mine, others).allSatisfy { $0.agrees(with: $1) }
        case (.object(let members), .object(let record)): Self.agree(members, record)
        default: false
        }
    }

    static func agree(_ members: [Member], _ record: Record) -> Bool {
        let members = unique(members)
        return members.count == record.fields.count
            && zip(members, record.fields).allSatisfy {
                $0.key == Array($1.key.utf8) && $0.value.agrees(with: $1.value)
            }
    }

    private func isWhole(_ text: String) -> Bool { !text.contains { ".eE".contains($0) } }
}

/// Reads one byte after the other.
struct ReferenceReader {
    private let bytes: [UInt8]
    private let rules: ReferenceJSON.Rules
    private var place = 0

    /// The value of a text, or `nil` when it is not JSON.
    static func value(
        of bytes: [UInt8], _ rules: ReferenceJSON.Rules = ReferenceJSON.Rules()
    ) -> ReferenceJSON? {
        var reader = ReferenceReader(bytes: bytes, rules: rules)
        guard let value = reader.value(depth: 0) else { return nil }
        reader.skipSpace()
        return reader.place == bytes.count ? value : nil
    }

    private init(bytes: [UInt8], rules: ReferenceJSON.Rules) {
        self.bytes = bytes
        self.rules = rules
    }

    private var next: UInt8? { place < bytes.count ? bytes[place] : nil }

    private mutating func skipSpace() {
        while let byte = next, " \t\n\r".utf8.contains(byte) { place += 1 }
    }

    private mutating func take(_ text: String) -> Bool {
        guard bytes[place...].starts(with: text.utf8) else { return false }
        place += text.utf8.count
        return true
    }

    private mutating func value(depth: Int) -> ReferenceJSON? {
        skipSpace()
        if depth > rules.depthLimit { return nil }
        if take("null") { return .null }
        if take("true") { return .yes }
        if take("false") { return .no }
        if next == UInt8(ascii: "\"") { return string(isKey: false).map { .text($0) } }
        if next == UInt8(ascii: "[") || next == UInt8(ascii: "{"), depth > rules.nestingLimit {
            return nil
        }
        if take("[") { return list("]", depth: depth).map { .array($0.map(\.value)) } }
        if take("{") { return list("}", depth: depth).map { .object($0) } }
        return number()
    }

    private mutating func list(_ end: String, depth: Int) -> [ReferenceJSON.Member]? {
        var members: [ReferenceJSON.Member] = []
        skipSpace()
        if take(end) { return [] }
        while true {
            skipSpace()
            var key: [UInt8] = []
            if end == "}" {
                guard let text = string(isKey: depth == rules.eventDepth) else { return nil }
                key = text
                skipSpace()
                guard take(":") else { return nil }
            }
            guard let value = value(depth: depth + 1) else { return nil }
            members.append(ReferenceJSON.Member(key: key, value: value))
            skipSpace()
            if take(",") { continue }
            return take(end) ? members : nil
        }
    }

    private mutating func number() -> ReferenceJSON? {
        let start = place
        _ = take("-")
        if !take("0"), !digits() { return nil }
        if take("."), !digits() { return nil }
        if take("e") || take("E") {
            if !take("+") { _ = take("-") }
            guard digits() else { return nil }
        }
        return .number(String(decoding: bytes[start..<place], as: UTF8.self))
    }

    private mutating func digits() -> Bool {
        let start = place
        while let byte = next, byte >= 0x30, byte <= 0x39 { place += 1 }
        return place > start
    }

    private mutating func string(isKey: Bool) -> [UInt8]? {
        guard take("\"") else { return nil }
        var text: [UInt8] = []
        while let byte = next {
            place += 1
            switch byte {
            case UInt8(ascii: "\""): return Array(String(decoding: text, as: UTF8.self).utf8)
            case UInt8(ascii: "\\"):
                guard let scalar = escape() else { return nil }
                text += String(scalar).utf8
            case 0..<0x20 where isKey || !rules.allowsControls: return nil
            default: text.append(byte)
            }
        }
        return nil
    }

    private mutating func escape() -> Unicode.Scalar? {
        let letters: [Character: Unicode.Scalar] = [
            "\"": "\"", "\\": "\\", "/": "/", "b": "\u{8}", "f": "\u{c}", "n": "\n", "r": "\r",
            "t": "\t",
        ]
        guard let byte = next else { return nil }
        place += 1
        if byte != UInt8(ascii: "u") { return letters[Character(Unicode.Scalar(byte))] }
        guard let unit = unit() else { return nil }
        let mark = place
        if unit >= 0xd800, unit < 0xdc00, take("\\u"), let low = self.unit(), low >= 0xdc00,
            low < 0xe000
        {
            return Unicode.Scalar(0x10000 + (unit - 0xd800) * 0x400 + (low - 0xdc00))
        }
        if unit >= 0xd800, unit < 0xe000 { place = mark }
        return Unicode.Scalar(unit) ?? "\u{FFFD}"
    }

    private mutating func unit() -> UInt32? {
        let digits = bytes[place...].prefix(4)
        guard digits.count == 4, digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit })
        else { return nil }
        place += 4
        return UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
    }
}

/// Makes values and writes them as JSON in all the ways there are.
struct JSONMaker {
    private static let scalars: [Unicode.Scalar] = Array(
        "ab09 /\"\\\n\u{8}\u{1f}\u{7f}é\u{301}漢😀\u{FFFD}\u{10FFFF}{}[]:,".unicodeScalars)
    private static let names = [
        "a", "b", "time", "é", "e\u{301}", "", "a\"b", "long_name_of_a_field",
    ]

    var chance: SeededGenerator
    private(set) var bytes: [UInt8] = []

    init(chance: SeededGenerator) {
        self.chance = chance
    }

    mutating func makeObject(depth: Int = 0, names: [String] = names) -> ReferenceJSON {
        let kept = names.filter { _ in !chance.once(in: 4) }
        let count = chance.once(in: 5) ? 0 : kept.count
        return .object(
            kept.prefix(count).map { name in
                ReferenceJSON.Member(key: Array(name.utf8), value: makeValue(depth: depth + 1))
            })
    }

    mutating func makeValue(depth: Int) -> ReferenceJSON {
        switch chance.number(0...(depth > 4 ? 7 : 10)) {
        case 0: .null
        case 1: .yes
        case 2: .no
        case 3, 4: .number(makeNumber())
        case 5, 6, 7: .text(makeText())
        case 8: .array((0..<chance.number(0...3)).map { _ in makeValue(depth: depth + 1) })
        default: makeObject(depth: depth, names: Array(Self.names.prefix(chance.number(0...4))))
        }
    }

    private mutating func makeNumber() -> String {
        let sign = chance.pick(["", "-"])
        let whole = chance.pick([
            "0", "1", "10", "9223372036854775807", "9223372036854775808",
            "123456789012345678901234",
            "\(chance.number(1...1 << 40))",
        ])
        let fraction = chance.pick(["", "", ".0", ".5", ".000001", ".12345678901234567890"])
        return sign + whole + fraction
            + chance.pick(["", "", "e0", "E+10", "e-7", "e308", "e400", "e-400", "E00"])
    }

    private mutating func makeText() -> [UInt8] {
        var text = String.UnicodeScalarView()
        for _ in 0..<chance.number(0...chance.pick([3, 20, 70])) {
            text.append(chance.once(in: 3) ? chance.pick(Self.scalars) : "x")
        }
        return Array(String(text).utf8)
    }

    // MARK: Writing

    /// A text of a value.
    mutating func write(_ value: ReferenceJSON) -> [UInt8] {
        bytes = []
        let isCompact = chance.once(in: 2)
        append(value, spaces: isCompact ? [""] : ["", "", " ", "\t", "\r", "\n"])
        return bytes
    }

    private mutating func append(_ value: ReferenceJSON, spaces: [String]) {
        bytes += chance.pick(spaces).utf8
        switch value {
        case .null: bytes += "null".utf8
        case .yes: bytes += "true".utf8
        case .no: bytes += "false".utf8
        case .number(let text): bytes += text.utf8
        case .text(let text): append(text)
        case .array(let values):
            bytes += "[".utf8
            for (index, value) in values.enumerated() {
                if index > 0 { bytes += ",".utf8 }
                append(value, spaces: spaces)
            }
            bytes += (chance.pick(spaces) + "]").utf8
        case .object(let members):
            bytes += "{".utf8
            for (index, member) in members.enumerated() {
                bytes += ((index > 0 ? "," : "") + chance.pick(spaces)).utf8
                append(member.key)
                bytes += (chance.pick(spaces) + ":").utf8
                append(member.value, spaces: spaces)
            }
            bytes += (chance.pick(spaces) + "}").utf8
        }
        bytes += chance.pick(spaces).utf8
    }

    private mutating func append(_ text: [UInt8]) {
        bytes += "\"".utf8
        for scalar in String(decoding: text, as: UTF8.self).unicodeScalars {
            let must = scalar == "\"" || scalar == "\\" || scalar.value < 0x20
            if !must, !chance.once(in: 30) {
                bytes += String(scalar).utf8
                continue
            }
            let short: [Unicode.Scalar: String] = [
                "\"": "\\\"", "\\": "\\\\", "/": "\\/", "\n": "\\n", "\u{8}": "\\b",
            ]
            if let short = short[scalar], chance.once(in: 2) {
                bytes += short.utf8
                continue
            }
            for unit in String(scalar).utf16 {
                let digits = String(unit, radix: 16, uppercase: chance.once(in: 2))
                bytes += ("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).utf8
            }
        }
        bytes += "\"".utf8
    }
}

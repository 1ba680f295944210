import Glibc
import WeirPromQL

/// Formats values as Go's `fmt` does (pkg.go.dev/fmt).
enum GoFormat {
    /// Most places of a width or a precision.
    private static let placeLimit = 1_000

    /// A number in as few digits as tell it apart (`%v`).
    static func shortest(_ value: Double) -> String { GoText.shortest(value) }

    /// A number by one of C's verbs, which Go has as well: `e f g` with a precision.
    static func number(
        _ value: Double, _ verb: Character, precision: Int, flags: String = ""
    ) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : flags.contains("+") ? "+Inf" : "+Inf" }
        let form = "%\(flags).\(min(precision, placeLimit))\(verb)"
        return withVaList([value]) { arguments in
            var room = [CChar](repeating: 0, count: 400 + min(precision, placeLimit))
            let count = vsnprintf(&room, room.count, form, arguments)
            return String(
                decoding: room.prefix(max(0, min(Int(count), room.count - 1))).map {
                    UInt8(bitPattern: $0)
                }, as: UTF8.self)
        }
    }

    /// A text by a form, as `Sprintf` makes it.
    static func text(_ form: String, _ arguments: [TemplateValue]) -> String {
        var out = ""
        var rest = Substring(form)
        var next = 0
        while let mark = rest.firstIndex(of: "%") {
            out += rest[..<mark]
            rest = rest[rest.index(after: mark)...]
            var verb = Verb(&rest)
            if verb.letter == "%" {
                out += "%"
                continue
            }
            guard let letter = verb.letter else {
                out += "%!(NOVERB)"
                break
            }
            guard next < arguments.count else {
                out += "%!\(letter)(MISSING)"
                continue
            }
            out += verb.text(of: arguments[next])
            next += 1
        }
        out += rest
        if next < arguments.count {
            let extra = arguments[next...].map { "\($0.typeName)=\($0.text)" }
            out += "%!(EXTRA \(extra.joined(separator: ", ")))"
        }
        return out
    }

    /// One verb with its flags, width and precision.
    private struct Verb {
        var flags = ""
        var width: Int?
        var precision: Int?
        var letter: Character?

        init(_ rest: inout Substring) {
            while let flag = rest.first, "+-# 0".contains(flag) {
                flags.append(flag)
                rest.removeFirst()
            }
            width = Self.number(&rest)
            if rest.first == "." {
                rest.removeFirst()
                precision = Self.number(&rest) ?? 0
            }
            letter = rest.popFirst()
        }

        private static func number(_ rest: inout Substring) -> Int? {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            rest = rest[digits.endIndex...]
            return digits.isEmpty ? nil : min(Int(digits) ?? placeLimit, placeLimit)
        }

        mutating func text(of value: TemplateValue) -> String {
            guard let letter, let plain = plain(of: value, letter) else {
                return "%!\(self.letter ?? "?")(\(value.typeName)=\(value.text))"
            }
            return padded(plain, isNumber: isNumber(value))
        }

        private func isNumber(_ value: TemplateValue) -> Bool {
            switch value {
            case .integer, .number: true
            default: false
            }
        }

        private func padded(_ text: String, isNumber: Bool) -> String {
            guard let width, text.count < width else { return text }
            let missing = width - text.count
            if flags.contains("-") { return text + String(repeating: " ", count: missing) }
            guard flags.contains("0"), isNumber else {
                return String(repeating: " ", count: missing) + text
            }
            let sign = text.hasPrefix("-") || text.hasPrefix("+") ? String(text.prefix(1)) : ""
            return sign + String(repeating: "0", count: missing) + text.dropFirst(sign.count)
        }

        private func plain(of value: TemplateValue, _ letter: Character) -> String? {
            switch (letter, value) {
            case ("v", .number(let number)) where precision == nil:
                return signed(shortest(number), number >= 0)
            case ("v", .number(let number)):
                return GoFormat.number(number, "g", precision: precision ?? 6)
            case ("v", .integer(let number)): return signed("\(number)", number >= 0)
            case ("v", _): return value.text
            case ("s", .string(let text)): return precision.map { String(text.prefix($0)) } ?? text
            case ("s", .labels), ("s", .list), ("s", .map), ("s", .span), ("s", .time):
                return value.text
            case ("q", .string(let text)): return GoText.quoted(text)
            case ("t", .bool(let flag)): return flag ? "true" : "false"
            case ("d", .integer(let number)): return signed("\(number)", number >= 0)
            case ("x", .integer(let number)): return String(number, radix: 16)
            case ("X", .integer(let number)): return String(number, radix: 16, uppercase: true)
            case ("o", .integer(let number)): return String(number, radix: 8)
            case ("b", .integer(let number)): return String(number, radix: 2)
            case ("c", .integer(let number)):
                return UnicodeScalar(UInt32(clamping: number)).map { String($0) } ?? "\u{fffd}"
            case ("x", .string(let text)): return hex(text, isUpper: false)
            case ("X", .string(let text)): return hex(text, isUpper: true)
            case ("e", .number(let number)), ("E", .number(let number)), ("f", .number(let number)),
                ("F", .number(let number)), ("g", .number(let number)), ("G", .number(let number)):
                return floating(number, letter)
            default: return nil
            }
        }

        private func floating(_ number: Double, _ letter: Character) -> String {
            if letter == "g" || letter == "G", precision == nil {
                let text = shortest(number)
                return signed(
                    letter == "G" ? text.replacing("e", with: "E") : text, number >= 0)
            }
            return signed(
                GoFormat.number(number, letter, precision: precision ?? 6),
                !number.isNaN && number >= 0)
        }

        private func signed(_ text: String, _ isPositive: Bool) -> String {
            guard isPositive, !text.hasPrefix("+") else { return text }
            if flags.contains("+") { return "+" + text }
            return flags.contains(" ") ? " " + text : text
        }

        private func hex(_ text: String, isUpper: Bool) -> String {
            text.utf8.map { byte in
                let digits = String(byte, radix: 16, uppercase: isUpper)
                return digits.count < 2 ? "0" + digits : digits
            }.joined()
        }
    }
}

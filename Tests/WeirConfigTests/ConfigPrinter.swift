import WeirConfig
import WeirCore
import WeirTesting

/// Makes sound trees and prints them as configurations, each text in one of the ways in which it
/// may be written.
struct ConfigPrinter {
    /// An element to be printed.
    struct Tree {
        var name: String
        var argument = ""
        var attributes: [(name: String, value: Written)] = []
        var elements: [Tree] = []

        /// The tree in the form of the captured cases.
        var captured: Value {
            .object([
                "name": .string(name), "arg": .string(argument),
                "attrs": .array(attributes.map { .array([.string($0.name), $0.value.captured]) }),
                "elements": .array(elements.map(\.captured)),
            ])
        }
    }

    /// A value and how it is written.
    enum Written {
        case text(String)
        case json(Value)
        case useNil
        case useDefault
        /// Texts around `#{ENV['NAME']}`.
        case embedded(before: String, name: String, after: String)

        var captured: Value {
            switch self {
            case .text(let text): .string(text)
            case .json(let value): .string(JSONValueWriter.text(value))
            case .useNil: .null
            case .useDefault: .object(["$symbol": .string("default")])
            case .embedded(let before, let name, let after):
                .string(before + (variables[name] ?? "") + after)
            }
        }
    }

    static let variables = ["ONE": "1", "QUOTED": "a\"b\\#{'", "EMPTY": ""]
    private static let letters: [Character] = Array("abc.*/:$é😀#{}[]<>'\"\\ \t=%,@!-")

    var chance: SeededGenerator
    private(set) var text = ""

    init(chance: SeededGenerator) {
        self.chance = chance
    }

    // MARK: Making

    mutating func makeTree(name: String, depth: Int) -> Tree {
        var tree = Tree(name: name)
        if depth > 0, chance.once(in: 2) { tree.argument = makeText(of: Self.letters) }
        for number in 0..<chance.number(0...4) {
            let name =
                chance.once(in: 5) ? "@type" : "n\(number)\(chance.pick(["", ".é", "<", "#"]))"
            if tree.attributes.contains(where: { $0.name == name }) { continue }
            tree.attributes.append((name, makeValue()))
        }
        for _ in 0..<(depth < 4 ? chance.number(0...2) : 0) {
            let name = chance.pick(["source", "match", "a_1", "X", "parse"])
            tree.elements.append(makeTree(name: name, depth: depth + 1))
        }
        return tree
    }

    private mutating func makeText(of letters: [Character]) -> String {
        String((0..<chance.number(0...8)).map { _ in chance.pick(letters) })
    }

    private mutating func makeValue() -> Written {
        switch chance.number(0...9) {
        case 0: .json(makeJSON(depth: 0))
        case 1: chance.once(in: 2) ? .useNil : .useDefault
        case 2:
            .embedded(
                before: makeText(of: Self.letters), name: chance.pick(Self.variables.keys.sorted()),
                after: makeText(of: Self.letters))
        default: .text(makeText(of: Self.letters + ["\n", "\r", "\0", "\u{7}", "\u{301}"]))
        }
    }

    private mutating func makeJSON(depth: Int) -> Value {
        if depth > 0, depth > 3 || chance.once(in: 2) {
            return chance.pick([
                .null, .bool(true), .integer(-7), .float(1.5), .string(makeText(of: Self.letters)),
            ])
        }
        let count = chance.number(0...3)
        if chance.once(in: 2) {
            return .array((0..<count).map { _ in makeJSON(depth: depth + 1) })
        }
        return .object(Record((0..<count).map { ("k\($0)", makeJSON(depth: depth + 1)) }))
    }

    // MARK: Printing

    mutating func print(bodyOf tree: Tree, indent: String) {
        for (name, value) in tree.attributes {
            blank()
            text += indent + name + chance.pick([" ", "\t", "  "])
            print(value)
            text += chance.pick(["", " ", " # a comment", "\t#"]) + "\n"
        }
        for element in tree.elements {
            blank()
            text += indent + "<" + element.name
            print(argument: element.argument)
            text += ">" + chance.pick(["", "  ", " # c"]) + "\n"
            print(bodyOf: element, indent: indent + chance.pick(["", "  ", "\t"]))
            text += indent + "</" + element.name + chance.pick(["", " "]) + ">\n"
        }
    }

    private mutating func blank() {
        if chance.once(in: 4) { text += chance.pick(["\n", "# <a>\n", "  \r\n", "\t# \"\n"]) }
    }

    private mutating func print(argument: String) {
        if argument.isEmpty { return }
        let isPlain =
            !Self.hasEnds(argument, first: "\"' \t#")
            && !argument.unicodeScalars.contains { ">\r\n".unicodeScalars.contains($0) }
        text += " "
        if isPlain, chance.once(in: 2) { text += argument } else { print(quoted: argument) }
    }

    private mutating func print(_ value: Written) {
        switch value {
        case .text(let inner):
            // Without a value a comment would be the value.
            let isPlain =
                !Self.hasEnds(inner, first: "\"'[{ \t")
                && inner.unicodeScalars.allSatisfy { $0.value >= 0x20 || $0 == "\t" }
                && !hasComment(inner)
            if isPlain, chance.once(in: 2) { text += inner } else { print(quoted: inner) }
        case .json(let value): print(json: value)
        case .useNil: text += "\"#{use_nil}\""
        case .useDefault: text += "\"#{use_default}\""
        case .embedded(let before, let name, let after):
            text += "\"\(doubled(before))#{ENV['\(name)']}\(doubled(after))\""
        }
    }

    /// Whether a text is empty, begins with one of some scalars, or ends with white space.
    private static func hasEnds(_ text: String, first: String) -> Bool {
        guard let head = text.unicodeScalars.first, let tail = text.unicodeScalars.last else {
            return true
        }
        return first.unicodeScalars.contains(head) || tail == " " || tail == "\t"
    }

    /// Whether an unquoted text would end at a `#` behind white space.
    private func hasComment(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        return zip(bytes, bytes.dropFirst()).contains {
            ($0 == 0x20 || $0 == 0x09) && $1 == UInt8(ascii: "#")
        }
    }

    private mutating func print(quoted inner: String) {
        if inner.unicodeScalars.contains("\n") || chance.once(in: 2) {
            text += "\"\(doubled(inner))\""
        } else {
            text += "'"
            for scalar in inner.unicodeScalars {
                text += scalar == "'" || scalar == "\\" ? "\\\(scalar)" : "\(scalar)"
            }
            text += "'"
        }
    }

    /// The inside of double quotes, by scalars: a combining mark does not hide a quote.
    private mutating func doubled(_ inner: String) -> String {
        var result = String.UnicodeScalarView()
        // A line end stands as it is only behind a character that does.
        var mayBreak = false
        for scalar in inner.unicodeScalars {
            let couldBreak = mayBreak
            mayBreak = !"\\\"#\n\r\0".unicodeScalars.contains(scalar)
            switch scalar {
            case "\\", "\"", "#": result.append(contentsOf: "\\\(scalar)".unicodeScalars)
            case "\n":
                result.append(contentsOf: (couldBreak ? "\n" : "\\n").unicodeScalars)
            case "\r": result.append(contentsOf: "\\r".unicodeScalars)
            case "\0": result.append(contentsOf: "\\0".unicodeScalars)
            default: result.append(scalar)
            }
            if chance.once(in: 20) {
                result.append(contentsOf: "\\\n".unicodeScalars)
                mayBreak = false
            }
        }
        return String(result)
    }

    /// Prints JSON; comments stand where Fluentd finds them, behind the outermost bracket or comma.
    private mutating func print(json value: Value, depth: Int = 0) {
        let gap = { (chance: inout SeededGenerator) in chance.pick(["", " ", "\n  "]) }
        let comment = { (chance: inout SeededGenerator) in
            depth == 0 && chance.once(in: 3) ? " # ]}\"\n" : gap(&chance)
        }
        switch value {
        case .array(let values):
            text += "["
            for (index, value) in values.enumerated() {
                text += (index > 0 ? "," : "") + comment(&chance)
                print(json: value, depth: depth + 1)
            }
            text += gap(&chance) + "]"
        case .object(let record):
            text += "{"
            for (index, field) in record.fields.enumerated() {
                text += (index > 0 ? "," : "") + comment(&chance)
                text += "\"\(field.key)\"" + gap(&chance) + ":" + gap(&chance)
                print(json: field.value, depth: depth + 1)
            }
            text += gap(&chance) + "}"
        default: text += JSONValueWriter.text(value)
        }
    }
}

// Hot path: templates are filled in for every event.
import WeirCore

/// A value of `<record>`: text with placeholders, read once and filled in for each event.
indirect enum Template {
    /// One piece of a text.
    enum Part: Equatable {
        case literal(String)
        /// The tag, or a part of it: the same for a whole batch.
        case tag(TagPart)
        case hostName
        case time
        /// A field of the record by its path.
        case field([PathStep])
    }

    /// What of a tag.
    enum TagPart: Equatable {
        case whole
        case part(Int)
        case prefix(Int)
        case suffix(Int)
    }

    /// One step to a field.
    enum PathStep: Equatable {
        case key(String)
        case index(Int)
    }

    /// A text, or with one part and type kept, that part's value.
    case text([Part])
    case array([Template])
    case object([(key: Template, value: Template)])
    case constant(Value)

    /// Why a template cannot be read.
    struct Problem: Error {
        var message: String
        var help: String
    }

    /// Reads a template; a text that is a JSON array or object is one, with templates inside.
    init(_ text: String) throws(Problem) {
        if text.hasPrefix("{") || text.hasPrefix("["),
            let value = JSONValueReader.value(of: text)
        {
            self = try Self.template(of: value)
        } else {
            self = .text(try Self.parts(of: text))
        }
    }

    private static func template(of value: Value) throws(Problem) -> Template {
        switch value {
        case .string(let text): return .text(try parts(of: text))
        case .array(let values):
            var templates: [Template] = []
            for value in values { templates.append(try template(of: value)) }
            return .array(templates)
        case .object(let record):
            var members: [(key: Template, value: Template)] = []
            for (key, value) in record.fields {
                members.append((.text(try parts(of: key)), try template(of: value)))
            }
            return .object(members)
        case .null, .bool, .integer, .float, .number: return .constant(value)
        }
    }

    /// Whether it reads the record.
    var readsRecord: Bool {
        switch self {
        case .text(let parts):
            parts.contains { if case .field = $0 { true } else { $0 == .time } }
        case .array(let templates): templates.contains(where: \.readsRecord)
        case .object(let members): members.contains { $0.key.readsRecord || $0.value.readsRecord }
        case .constant: false
        }
    }

    // MARK: Reading texts

    private static func parts(of text: String) throws(Problem) -> [Part] {
        var parts: [Part] = []
        var rest = Substring(text)
        while let start = rest.firstRange(of: "${") {
            guard let end = closingBrace(rest[start.upperBound...]) else { break }
            if start.lowerBound > rest.startIndex {
                parts.append(.literal(String(rest[..<start.lowerBound])))
            }
            parts.append(try part(String(rest[start.upperBound..<end])))
            rest = rest[rest.index(after: end)...]
        }
        if !rest.isEmpty || parts.isEmpty { parts.append(.literal(String(rest))) }
        return parts
    }

    /// The brace that ends a placeholder, quotes and inner braces minded.
    private static func closingBrace(_ text: Substring) -> Substring.Index? {
        var depth = 0
        var quote: Character?
        for index in text.indices {
            let letter = text[index]
            if let open = quote {
                if letter == open { quote = nil }
            } else if letter == "\"" || letter == "'" {
                quote = letter
            } else if letter == "{" {
                depth += 1
            } else if letter == "}" {
                if depth == 0 { return index }
                depth -= 1
            }
        }
        return nil
    }

    private static func part(_ placeholder: String) throws(Problem) -> Part {
        let text = placeholder.trimmingBlanks
        switch text {
        case "tag": return .tag(.whole)
        case "hostname": return .hostName
        case "time", "time.to_s": return .time
        default: break
        }
        for (name, make) in [
            ("tag_parts", TagPart.part), ("tag_prefix", TagPart.prefix),
            ("tag_suffix", TagPart.suffix),
        ] {
            if text.hasPrefix("\(name)["), text.hasSuffix("]"),
                let number = Int(text.dropFirst(name.count + 1).dropLast())
            {
                return .tag(make(number))
            }
        }
        if let path = path(text) { return .field(path) }
        throw Problem(
            message: "`${\(placeholder)}` is not a placeholder that Weir knows",
            help:
                "there are ${record[\"field\"]}, ${record[\"a\"][\"b\"]}, ${tag}, ${tag_parts[N]}, "
                + "${tag_prefix[N]}, ${tag_suffix[N]}, ${hostname} and ${time}; "
                + "Weir runs no Ruby")
    }

    /// `record["a"]["b"][0]` or `record.dig("a", "b")`.
    private static func path(_ text: String) -> [PathStep]? {
        guard text.hasPrefix("record") else { return nil }
        var rest = text.dropFirst("record".count)
        if rest.hasPrefix(".dig("), rest.hasSuffix(")") {
            let inner = rest.dropFirst(5).dropLast()
            let steps = inner.split(separator: ",").compactMap { step(String($0).trimmingBlanks) }
            return steps.isEmpty || steps.count != inner.split(separator: ",").count ? nil : steps
        }
        var steps: [PathStep] = []
        while rest.first == "[" {
            guard let end = rest.firstIndex(of: "]"),
                let step = step(String(rest[rest.index(after: rest.startIndex)..<end]))
            else { return nil }
            steps.append(step)
            rest = rest[rest.index(after: end)...]
        }
        guard rest.isEmpty, case .key? = steps.first else { return nil }
        return steps
    }

    private static func step(_ text: String) -> PathStep? {
        if let index = Int(text) { return .index(index) }
        guard text.count >= 2, let quote = text.first, quote == "\"" || quote == "'",
            text.last == quote, !text.dropFirst().dropLast().contains(quote)
        else { return nil }
        return .key(String(text.dropFirst().dropLast()))
    }
}

extension Template.TagPart {
    /// The text of a tag; `nil` beyond its parts.
    func text(of tag: String) -> String? {
        let parts = tag.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        switch self {
        case .whole: return tag
        case .part(let number):
            let place = number < 0 ? parts.count + number : number
            return parts.indices.contains(place) ? parts[place] : nil
        case .prefix(let number):
            let place = number < 0 ? parts.count + number : number
            return parts.indices.contains(place) ? parts[...place].joined(separator: ".") : nil
        case .suffix(let number):
            let place = number < 0 ? parts.count + number : number
            return parts.indices.contains(place) ? parts[place...].joined(separator: ".") : nil
        }
    }
}

extension String {
    /// The text without blanks at both ends.
    var trimmingBlanks: String {
        let head = drop { $0 == " " || $0 == "\t" }
        return String(head.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
    }
}

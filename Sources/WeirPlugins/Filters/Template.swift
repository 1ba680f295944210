import WeirConfig
import WeirCore

/// What a `${…}` of a template stands for.
enum Placeholder: Hashable {
    case tag
    case hostName
    /// The event's time as `2024-02-29 12:34:56 +0000`.
    case time
    case tagPart(Int)
    /// The tag's first parts, up to this one.
    case tagPrefix(Int)
    /// The tag's last parts, from this one on.
    case tagSuffix(Int)
    case field(String)
    /// `record["a"]["b"]`, the first key apart.
    case subscripted(String, [RecordAccessor.Step])
    /// `record.dig("a", "b")`, the first key apart.
    case dug(String, [RecordAccessor.Step])
    /// A name that stands for nothing.
    case nothing

    /// Whether every event of a batch has the same.
    var isConstant: Bool {
        switch self {
        case .tag, .hostName, .tagPart, .tagPrefix, .tagSuffix, .nothing: true
        case .time, .field, .subscripted, .dug: false
        }
    }
}

/// A part of a text with placeholders.
enum TemplatePiece: Hashable {
    case text(String)
    case placeholder(Placeholder)
}

/// The value of a `<record>` parameter, taken apart.
indirect enum Template {
    case value(Value)
    /// One placeholder and nothing else: the value keeps its type.
    case placeholder(Placeholder)
    case text([TemplatePiece])
    case array([Template])
    case object([(key: [TemplatePiece], value: Template)])
}

/// Takes templates apart, as Fluentd's `PlaceholderExpander` and `RubyPlaceholderExpander` do.
struct TemplateReader {
    /// Whether placeholders are Ruby (`enable_ruby`).
    let isRuby: Bool
    /// Whether a lone placeholder keeps its value's type (`auto_typecast`).
    let keepsTypes: Bool
    /// Where the template stands.
    var location: SourceLocation
    /// Remarks on what means something else than it looks like.
    var warnings: [Diagnostic] = []

    /// A reader of the templates of one filter.
    init(isRuby: Bool, keepsTypes: Bool, location: SourceLocation) {
        self.isRuby = isRuby
        self.keepsTypes = keepsTypes
        self.location = location
    }

    /// The template of a parameter's value.
    mutating func template(_ value: ConfigValue) throws(SectionError) -> Template {
        guard case .text(let text) = value else { return .value(.null) }
        guard text.hasPrefix("{") || text.hasPrefix("[") else { return try template(text) }
        guard let json = JSONValueReader.value(of: text) else {
            warnings.append(
                Diagnostic(
                    .warning, at: location, "`\(text)` is not JSON, and is taken as a text",
                    help: "mend the JSON, or begin the text with another character"))
            return try template(text)
        }
        return try template(json)
    }

    /// The pieces of a key, which is always a text.
    mutating func key(_ text: String) throws(SectionError) -> [TemplatePiece] {
        try isRuby ? RubyTemplate.pieces(of: text, at: location) : pieces(of: text)
    }

    private mutating func template(_ json: Value) throws(SectionError) -> Template {
        switch json {
        case .string(let text): return try template(text)
        case .array(let values):
            var templates: [Template] = []
            for value in values { templates.append(try template(value)) }
            return .array(templates)
        case .object(let record):
            var members: [(key: [TemplatePiece], value: Template)] = []
            for field in record.fields {
                members.append((try key(field.key), try template(field.value)))
            }
            return .object(members)
        case .null, .bool, .integer, .float, .number: return .value(json)
        }
    }

    private mutating func template(_ text: String) throws(SectionError) -> Template {
        if isRuby {
            if keepsTypes, let whole = try RubyTemplate.whole(text, at: location) {
                return .placeholder(whole)
            }
            return .text(try RubyTemplate.pieces(of: text, at: location))
        }
        let pieces = pieces(of: text)
        if keepsTypes, pieces.count == 1, case .placeholder(let whole) = pieces[0] {
            return .placeholder(whole)
        }
        return .text(pieces)
    }

    // MARK: Without Ruby

    /// Cuts a text at `${[^}]+}` and `__[A-Z_]+__`.
    private mutating func pieces(of text: String) -> [TemplatePiece] {
        let bytes = Array(text.utf8)
        var pieces: [TemplatePiece] = []
        var literal: [UInt8] = []
        var place = 0
        while place < bytes.count {
            guard let end = placeholderEnd(bytes, from: place) else {
                literal.append(bytes[place])
                place += 1
                continue
            }
            if !literal.isEmpty { pieces.append(.text(String(decoding: literal, as: UTF8.self))) }
            literal = []
            pieces.append(
                .placeholder(placeholder(String(decoding: bytes[place..<end], as: UTF8.self))))
            place = end
        }
        if !literal.isEmpty { pieces.append(.text(String(decoding: literal, as: UTF8.self))) }
        return pieces
    }

    private func placeholderEnd(_ bytes: [UInt8], from start: Int) -> Int? {
        guard start + 1 < bytes.count else { return nil }
        if bytes[start] == UInt8(ascii: "$"), bytes[start + 1] == UInt8(ascii: "{") {
            guard let end = bytes[(start + 2)...].firstIndex(of: UInt8(ascii: "}")) else {
                return nil
            }
            return end > start + 2 ? end + 1 : nil
        }
        let underscore = UInt8(ascii: "_")
        guard bytes[start] == underscore, bytes[start + 1] == underscore else { return nil }
        var end = start + 2
        while end < bytes.count, bytes[end] == underscore || bytes[end] &- 0x41 < 26 { end += 1 }
        while end >= start + 5 {
            if bytes[end - 1] == underscore, bytes[end - 2] == underscore { return end }
            end -= 1
        }
        return nil
    }

    private mutating func placeholder(_ text: String) -> Placeholder {
        let name = text.hasPrefix("${") ? String(text.dropFirst(2).dropLast()) : text
        switch name {
        case "tag": return .tag
        case "hostname": return .hostName
        case "time": return .time
        default: break
        }
        if name.hasPrefix("record[\""), name.hasSuffix("\"]"), name.utf8.count >= 10 {
            return .field(String(name.dropFirst(8).dropLast(2)))
        }
        if let part = Self.tagPlaceholder(name) { return part }
        warnings.append(
            Diagnostic(
                .warning, at: location, "`\(text)` stands for nothing",
                help: "there are \(RubyTemplate.offer)"))
        return .nothing
    }

    /// `tag_parts[1]` and its like.
    static func tagPlaceholder(_ name: String) -> Placeholder? {
        let kinds: [(String, (Int) -> Placeholder)] = [
            ("tag_parts[", { .tagPart($0) }), ("tag_prefix[", { .tagPrefix($0) }),
            ("tag_suffix[", { .tagSuffix($0) }),
        ]
        for (head, make) in kinds where name.hasPrefix(head) && name.hasSuffix("]") {
            let digits = name.dropFirst(head.count).dropLast()
            if let index = Int(digits), "\(index)" == digits { return make(index) }
        }
        return nil
    }
}

// Hot path: once per template of every event.
import WeirConfig
import WeirCore

/// Templates made ready for the events of one tag: what the tag decides is decided.
final class TemplatePlan {
    /// How a template gets its slot; the number is an index into the plan's tables.
    enum Source {
        /// The same for all events of a batch.
        case constant(Int)
        /// Another field's slot as it stands.
        case field(Int)
        case time
        case text(Int)
        case way(Int)
        /// An array or object with templates inside.
        case composed(Int)
    }

    /// A part of a text.
    enum Piece {
        case text([UInt8])
        case field(Int)
        case time
        case way(Int)
    }

    /// A key: known, or different from event to event.
    enum Key {
        case fixed(String)
        case made([Piece])
    }

    /// A way into a field's value.
    struct Way {
        var field: Int
        var steps: [RecordAccessor.Step]
        var isDug: Bool
        /// The way as the user wrote it, for messages.
        var text: String
    }

    /// An array or object with templates inside.
    indirect enum Tree {
        case leaf(Source)
        case array([Tree])
        case object([(key: [Piece], value: Tree)])
    }

    /// The tag that the plan is for.
    let tag: String
    /// Fields that templates read.
    private(set) var fields: [String] = []
    private(set) var constants: [Value] = []
    private(set) var texts: [[Piece]] = []
    private(set) var ways: [Way] = []
    private(set) var trees: [Tree] = []
    /// The keys, in the order of the configuration.
    private(set) var keys: [Key] = []
    /// What gives each key its value.
    private(set) var sources: [Source] = []

    private let tagParts: [String]
    private let hostName: String

    /// Prepares templates for a tag.
    init(_ templates: [(key: [TemplatePiece], value: Template)], tag: String, hostName: String) {
        self.tag = tag
        self.hostName = hostName
        var parts = tag.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        // Ruby's `split` drops empty parts at the end.
        while parts.last == "" { parts.removeLast() }
        tagParts = parts
        for (key, value) in templates {
            let pieces = pieces(key)
            keys.append(constantText(pieces).map { .fixed($0) } ?? .made(pieces))
            sources.append(source(value))
        }
    }

    /// The keys, when every event has the same.
    var fixedKeys: [String]? {
        var names: [String] = []
        for key in keys {
            guard case .fixed(let name) = key else { return nil }
            names.append(name)
        }
        return names
    }

    // MARK: Preparing

    private func source(_ template: Template) -> Source {
        switch template {
        case .value(let value): return constant(value)
        case .placeholder(let placeholder):
            switch placeholder {
            case .time: return .time
            case .field(let key): return .field(field(key))
            case .subscripted(let key, let steps): return .way(way(key, steps, isDug: false))
            case .dug(let key, let steps): return .way(way(key, steps, isDug: true))
            case .tag, .hostName, .tagPart, .tagPrefix, .tagSuffix, .nothing:
                return constant(text(of: placeholder).map { .string($0) } ?? .null)
            }
        case .text(let parts):
            let pieces = pieces(parts)
            if let text = constantText(pieces) { return constant(.string(text)) }
            texts.append(pieces)
            return .text(texts.count - 1)
        case .array, .object:
            trees.append(tree(template))
            return .composed(trees.count - 1)
        }
    }

    private func tree(_ template: Template) -> Tree {
        switch template {
        case .array(let templates): .array(templates.map(tree))
        case .object(let members):
            .object(members.map { (key: pieces($0.key), value: tree($0.value)) })
        case .value, .placeholder, .text: .leaf(source(template))
        }
    }

    private func constant(_ value: Value) -> Source {
        constants.append(value)
        return .constant(constants.count - 1)
    }

    private func field(_ key: String) -> Int {
        if let index = fields.firstIndex(of: key) { return index }
        fields.append(key)
        return fields.count - 1
    }

    private func way(_ key: String, _ steps: [RecordAccessor.Step], isDug: Bool) -> Int {
        let names = steps.map { step in
            switch step {
            case .key(let key): "[\"\(key)\"]"
            case .index(let index): "[\(index)]"
            }
        }
        ways.append(
            Way(
                field: field(key), steps: steps, isDug: isDug,
                text: "record[\"\(key)\"]" + names.joined()))
        return ways.count - 1
    }

    private func pieces(_ parts: [TemplatePiece]) -> [Piece] {
        var pieces: [Piece] = []
        for part in parts {
            var literal: String
            switch part {
            case .text(let text): literal = text
            case .placeholder(.time):
                pieces.append(.time)
                continue
            case .placeholder(.field(let key)):
                pieces.append(.field(field(key)))
                continue
            case .placeholder(.subscripted(let key, let steps)):
                pieces.append(.way(way(key, steps, isDug: false)))
                continue
            case .placeholder(.dug(let key, let steps)):
                pieces.append(.way(way(key, steps, isDug: true)))
                continue
            case .placeholder(let placeholder): literal = text(of: placeholder) ?? ""
            }
            if case .text(let before)? = pieces.last {
                pieces[pieces.count - 1] = .text(before + Array(literal.utf8))
            } else {
                pieces.append(.text(Array(literal.utf8)))
            }
        }
        return pieces
    }

    /// The text of pieces that depend on no event.
    private func constantText(_ pieces: [Piece]) -> String? {
        if pieces.isEmpty { return "" }
        guard pieces.count == 1, case .text(let bytes) = pieces[0] else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The text of a placeholder that depends on no event; `nil` where there is none.
    private func text(of placeholder: Placeholder) -> String? {
        let count = tagParts.count
        func place(_ index: Int) -> Int? {
            let place = index < 0 ? count &+ index : index
            return tagParts.indices.contains(place) ? place : nil
        }
        switch placeholder {
        case .tag: return tag
        case .hostName: return hostName
        case .tagPart(let index): return place(index).map { tagParts[$0] }
        case .tagPrefix(let index):
            return place(index).map { tagParts[...$0].joined(separator: ".") }
        case .tagSuffix(let index):
            return place(index).map { tagParts[$0...].joined(separator: ".") }
        case .time, .field, .subscripted, .dug, .nothing: return nil
        }
    }
}

// Hot path: once per label of every event that is counted.
import WeirConfig
import WeirCore
import WeirMetrics

/// The value of a label as a user writes it: a way into the record (`$.a.b`), or a text with
/// placeholders, read as fluent-plugin-prometheus reads it.
struct LabelTemplate: Hashable {
    /// A part of the text.
    enum Piece: Hashable {
        case text(String)
        case tag
        case tagPart(Int)
        /// The tag's first parts, up to this one.
        case tagPrefix(Int)
        /// So many of the tag's last parts, and one.
        case tagSuffix(Int)
        /// A field's value; the text when the record has no such field.
        case field(key: String, steps: [RecordAccessor.Step], otherwise: String)
    }

    let pieces: [Piece]

    /// Whether every event has the same value.
    var isConstant: Bool {
        pieces.allSatisfy { if case .text = $0 { true } else { false } }
    }

    /// The value, when every event has the same.
    var constant: String? {
        var text = ""
        for piece in pieces {
            guard case .text(let part) = piece else { return nil }
            text += part
        }
        return text
    }

    /// Takes a value apart.
    init(_ text: String, hostName: String) throws(ValueError) {
        if text.hasPrefix("$.") || text.hasPrefix("$[") {
            let way = try ValueText.accessor(text)
            guard case .key(let key)? = way.steps.first else {
                throw ValueError(
                    message: "`\(text)` names no field", help: "begin with a field's name")
            }
            pieces = [.field(key: key, steps: Array(way.steps.dropFirst()), otherwise: "")]
            return
        }
        var pieces: [Piece] = []
        var rest = text[...]
        while let start = rest.firstRange(of: "${"),
            let end = Self.end(of: rest[start.upperBound...])
        {
            if start.lowerBound > rest.startIndex {
                pieces.append(.text(String(rest[..<start.lowerBound])))
            }
            let whole = String(rest[start.lowerBound..<end])
            pieces.append(
                Self.piece(whole.dropFirst(2).dropLast(), whole: whole, hostName: hostName))
            rest = rest[end...]
        }
        if !rest.isEmpty { pieces.append(.text(String(rest))) }
        self.pieces = pieces
    }

    /// The place behind `name}` or `name[…]}`.
    private static func end(of text: Substring) -> String.Index? {
        guard let stop = text.firstIndex(where: { $0 == "}" || $0 == "[" }), stop > text.startIndex
        else { return nil }
        if text[stop] == "}" { return text.index(after: stop) }
        guard let close = text[stop...].firstRange(of: "]}") else { return nil }
        return close.upperBound
    }

    private static func piece(_ name: Substring, whole: String, hostName: String) -> Piece {
        switch name {
        case "tag": return .tag
        case "hostname": return .text(hostName)
        // There is one worker, as in Fluentd without `workers`.
        case "worker_id": return .text("0")
        default: break
        }
        guard let open = name.firstIndex(of: "["), name.hasSuffix("]") else {
            return .field(key: String(name), steps: [], otherwise: whole)
        }
        let key = String(name[..<open])
        let inner = name[name.index(after: open)...].dropLast()
        if let number = Int(inner) {
            switch key {
            case "tag_parts": return .tagPart(number)
            case "tag_prefix": return .tagPrefix(number)
            case "tag_suffix": return .tagSuffix(number)
            default: return .field(key: key, steps: [.index(number)], otherwise: whole)
            }
        }
        guard inner.count >= 2, inner.first == "\"", inner.last == "\"" else {
            return .text(whole)
        }
        let field = String(inner.dropFirst().dropLast())
        return .field(key: key, steps: [.key(field)], otherwise: whole)
    }
}

/// The templates of a metric's labels over a batch: what the tag decides is decided once per tag.
struct LabelColumns {
    private enum Part {
        case text([UInt8])
        case field(reader: Int, steps: [RecordAccessor.Step], otherwise: [UInt8])
    }

    private let templates: [LabelTemplate]
    private var tag: String?
    private var labels: [[Part]] = []
    private var keys: [String] = []
    private var readers: [ColumnReader] = []

    init(_ templates: [LabelTemplate]) {
        self.templates = templates
    }

    /// Before the rows of a batch.
    mutating func begin(_ batch: EventBatch) {
        if tag != batch.tag { prepare(batch.tag) }
        readers = keys.map { ColumnReader($0, in: batch) }
    }

    /// Writes the values of a row.
    @inline(__always)
    mutating func fill(
        _ values: inout LabelValues, row: Int, of batch: EventBatch, _ scratch: inout ByteBuffer
    ) {
        values.removeAll()
        for label in labels.indices {
            for part in labels[label] { append(part, &values, row, batch, &scratch) }
            values.endValue()
        }
    }

    @inline(__always)
    private mutating func append(
        _ part: Part, _ values: inout LabelValues, _ row: Int, _ batch: EventBatch,
        _ scratch: inout ByteBuffer
    ) {
        switch part {
        case .text(let bytes): bytes.withUnsafeBytes { values.extend($0) }
        case .field(let reader, let steps, let otherwise):
            let slot = readers[reader].slot(row: row, in: batch)
            if steps.isEmpty, slot.type == .plain || slot.type == .raw || slot.type == .integer {
                batch.withText(slot) { values.extend($0) }
                return
            }
            scratch.truncate(to: 0)
            if steps.isEmpty, slot.isPresent {
                batch.appendText(of: slot, to: &scratch)
            } else if case .found(let value) = FieldLookup.dig(
                batch.value(of: slot), steps[...])
            {
                RubyText.append(value, to: &scratch)
            } else {
                scratch.append(otherwise)
            }
            values.extend(scratch.bytes)
        }
    }

    private mutating func prepare(_ tag: String) {
        self.tag = tag
        keys = []
        var parts = tag.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        // Ruby's `split` drops empty parts at the end.
        while parts.last == "" { parts.removeLast() }
        labels = templates.map { template in
            template.pieces.map { piece in
                switch piece {
                case .text(let text): return .text(Array(text.utf8))
                case .tag: return .text(Array(tag.utf8))
                case .tagPart(let index):
                    let place = index < 0 ? parts.count + index : index
                    let found = parts.indices.contains(place) ? parts[place] : nil
                    return .text(Array((found ?? "${tag_parts[\(index)]}").utf8))
                case .tagPrefix(let index):
                    let found =
                        parts.indices.contains(index)
                        ? parts[...index].joined(separator: ".") : "${tag_prefix[\(index)]}"
                    return .text(Array(found.utf8))
                case .tagSuffix(let index):
                    let found =
                        parts.indices.contains(index)
                        ? parts.suffix(index + 1).joined(separator: ".")
                        : "${tag_suffix[\(index)]}"
                    return .text(Array(found.utf8))
                case .field(let key, let steps, let otherwise):
                    if !keys.contains(key) { keys.append(key) }
                    let reader = keys.firstIndex(of: key) ?? 0
                    return .field(
                        reader: reader, steps: steps, otherwise: Array(otherwise.utf8))
                }
            }
        }
    }
}

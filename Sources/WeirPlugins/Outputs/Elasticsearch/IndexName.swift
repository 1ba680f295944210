// Hot path: once per document; the name is kept as long as the minute and the tag stay.
import WeirConfig
import WeirCore

/// The index of a document, from a template of tag, fields and date.
struct IndexName {
    private enum Part: Equatable {
        case literal(String)
        case tag
        case tagPart(Int)
        case field([String])
        case date(String)
    }

    private let parts: [Part]
    private let usesFields: Bool
    private let usesDate: Bool
    /// Whether a date tells seconds or less, so that the name changes within a minute.
    private let usesSeconds: Bool
    private let zone: TimeZone
    private let keepsCase: Bool
    private var cachedMinute = Int64.min
    private var cachedTag = ""
    /// The name of the row that was asked for last.
    private(set) var name: [UInt8] = []

    /// The naming of a user's options.
    init(_ naming: DocumentOptions.IndexNaming, zone: TimeZone, keepsCase: Bool = false) {
        self.zone = zone
        self.keepsCase = keepsCase
        switch naming {
        case .name(let name): parts = Self.parse(name)
        case .logstash(let prefix, let separator, let dateFormat):
            parts = Self.parse(prefix) + [.literal(separator), .date(dateFormat)]
        }
        usesFields = parts.contains { if case .field = $0 { true } else { false } }
        usesDate = parts.contains { if case .date = $0 { true } else { false } }
        usesSeconds = parts.contains {
            if case .date(let format) = $0 { Self.tellsSeconds(format) } else { false }
        }
    }

    private static func tellsSeconds(_ format: String) -> Bool {
        format.split(separator: "%").contains { piece in
            let letter = piece.drop { $0.isASCII && $0.isNumber }.first
            return letter.map { "SsLNT".contains($0) } ?? false
        }
    }

    /// Splits a template into literals and placeholders; strftime sequences become dates.
    private static func parse(_ template: String) -> [Part] {
        var parts: [Part] = []
        var rest = Substring(template)
        while !rest.isEmpty {
            if rest.hasPrefix("${"), let end = rest.firstIndex(of: "}") {
                parts.append(placeholder(rest[rest.index(rest.startIndex, offsetBy: 2)..<end]))
                rest = rest[rest.index(after: end)...]
                continue
            }
            let searchStart = rest.index(after: rest.startIndex)
            let next = rest[searchStart...].firstRange(of: "${")?.lowerBound ?? rest.endIndex
            let text = String(rest[..<next])
            parts.append(text.contains("%") ? .date(text) : .literal(text))
            rest = rest[next...]
        }
        return parts
    }

    private static func placeholder(_ text: Substring) -> Part {
        if text == "tag" { return .tag }
        if text.hasPrefix("tag["), text.hasSuffix("]"),
            let number = Int(text.dropFirst(4).dropLast())
        {
            return .tagPart(number)
        }
        return .field(fieldPath(String(text)))
    }

    /// Appends the name for one row, in lower case unless the case is kept.
    mutating func append(
        row: Int, of batch: EventBatch, time: Timestamp, to buffer: inout ByteBuffer
    ) {
        _ = update(row: row, of: batch, time: time)
        buffer.append(name)
    }

    /// Makes the name for one row.
    /// - Returns: Whether it may differ from the former one.
    @inline(__always)
    mutating func update(row: Int, of batch: EventBatch, time: Timestamp) -> Bool {
        let minute = usesDate ? (time.seconds &- (time.seconds < 0 ? 59 : 0)) / 60 : 0
        if !usesFields, !usesSeconds, minute == cachedMinute, batch.tag == cachedTag,
            !name.isEmpty
        {
            return false
        }
        cachedMinute = minute
        cachedTag = batch.tag
        rename(row: row, of: batch, time: time)
        return true
    }

    @inline(never)
    private mutating func rename(row: Int, of batch: EventBatch, time: Timestamp) {
        var text = ""
        for part in parts {
            switch part {
            case .literal(let literal): text += literal
            case .tag: text += batch.tag
            case .tagPart(let index):
                let pieces = batch.tag.split(separator: ".", omittingEmptySubsequences: false)
                let place = index < 0 ? pieces.count + index : index
                if pieces.indices.contains(place) { text += pieces[place] }
            case .field(let path): text += fieldText(path, row: row, of: batch)
            case .date(let format):
                text += TimeFormat.text(of: time, format: format, zone: zone)
            }
        }
        // Elasticsearch takes no upper case, and no quote may end the action's string early.
        var escaped = ByteBuffer()
        appendEscaped(keepsCase ? text : text.lowercased(), to: &escaped)
        name = Array(escaped.bytes)
    }

    private func fieldText(_ path: [String], row: Int, of batch: EventBatch) -> String {
        switch fieldValue(path, row: row, of: batch) {
        case .string(let text), .number(let text): text
        case .integer(let number): "\(number)"
        case .float(let number): "\(number)"
        case .bool(let flag): "\(flag)"
        case .null, .array, .object, nil: ""
        }
    }
}

/// The path that a field's name stands for: `$.a.b`, `a.b` or a plain name.
func fieldPath(_ text: String) -> [String] {
    if text.hasPrefix("$["), let accessor = try? ValueText.accessor(text) {
        return accessor.steps.compactMap { if case .key(let key) = $0 { key } else { nil } }
    }
    let text = text.hasPrefix("$.") ? String(text.dropFirst(2)) : text
    return text.split(separator: ".").map(String.init)
}

/// The value at a path in one row.
func fieldValue(_ path: [String], row: Int, of batch: EventBatch) -> Value? {
    guard let first = path.first else { return nil }
    var reader = ColumnReader(first, in: batch)
    var value = batch.value(of: reader.slot(row: row, in: batch))
    for key in path.dropFirst() {
        guard case .object(let record)? = value else { return nil }
        value = record[key]
    }
    return value
}

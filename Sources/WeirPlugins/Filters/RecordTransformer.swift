// Hot path: once per event. Fields are copied as slots, texts are written into the batch's arena.
import WeirConfig
import WeirCore
import WeirParse
import WeirPipeline

/// `@type record_transformer`: adds, changes and removes fields, without Ruby.
public final class RecordTransformer: Filter {
    private enum P {
        static let enableRuby = Parameter.flag(
            "enable_ruby", default: false,
            "Accepted for templates that need no Ruby; others are refused.")
        static let autoTypecast = Parameter.flag(
            "auto_typecast", default: true, "Whether a lone placeholder keeps its value's type.")
        static let renewRecord = Parameter.flag(
            "renew_record", default: false, "Whether the record begins empty.")
        static let renewTimeKey = Parameter.text(
            "renew_time_key", default: "", "A field with Unix seconds that becomes the time.")
        static let removeKeys = Parameter.list(
            "remove_keys", default: [], "Fields to remove; `$.a.b` reaches inside.")
        static let keepKeys = Parameter.list(
            "keep_keys", default: [], "Fields that `renew_record` keeps.")
    }

    /// The component as users see it.
    public static let declaration = ComponentDeclaration(
        .filter, type: "record_transformer", "Adds, changes and removes fields.",
        parameters: [
            AnyParameter(P.enableRuby), AnyParameter(P.autoTypecast), AnyParameter(P.renewRecord),
            AnyParameter(P.renewTimeKey), AnyParameter(P.removeKeys), AnyParameter(P.keepKeys),
        ],
        sections: [
            SectionDeclaration(
                "record", .many, takesAnyName: true,
                "The fields: names and templates with `${record[\"field\"]}`, `${tag}`, `${time}` …"
            )
        ],
        examples: [
            "<filter istio.**>\n  @type record_transformer\n  <record>\n"
                + "    service_name ${record[\"upstream_cluster\"]}\n  </record>\n</filter>"
        ])

    private let fields: [(key: String, template: Template)]
    private let keepsTypes: Bool
    private let renewsRecord: Bool
    private let keptKeys: [String]
    private let renewTimeKey: String?
    private let removals: [RecordAccessor]
    private let hostName: String
    private let renewedShape: Shape

    /// A filter as a section describes it.
    public init(_ section: Section, hostName: String) throws(SectionError) {
        self.hostName = hostName
        fields = try Self.fields(section)
        keepsTypes = section[P.autoTypecast]
        renewsRecord = section[P.renewRecord]
        keptKeys = section[P.keepKeys]
        renewTimeKey = section[P.renewTimeKey].isEmpty ? nil : section[P.renewTimeKey]
        if !keptKeys.isEmpty, !renewsRecord {
            throw SectionError(
                section.location(of: P.keepKeys), "`keep_keys` needs `renew_record true`",
                help: "add it, or leave `keep_keys` out: all fields are kept then")
        }
        var removals: [RecordAccessor] = []
        for text in section[P.removeKeys] {
            do throws(ValueError) {
                removals.append(try ValueText.accessor(text))
            } catch {
                throw SectionError(
                    section.location(of: P.removeKeys), error.message, help: error.help)
            }
        }
        self.removals = removals
        var keys: [String] = []
        for key in keptKeys + fields.map(\.key) where !keys.contains(key) { keys.append(key) }
        renewedShape = Shape(keys)
    }

    private static func fields(
        _ section: Section
    ) throws(SectionError) -> [(key: String, template: Template)] {
        var fields: [(key: String, template: Template)] = []
        for record in section.sections("record") {
            for attribute in record.element.attributes {
                let template: Template
                do throws(Template.Problem) {
                    template =
                        attribute.value == .none
                        ? .constant(.null) : try Template(attribute.value.string)
                } catch {
                    throw SectionError(attribute.valueLocation, error.message, help: error.help)
                }
                if let index = fields.firstIndex(where: { $0.key == attribute.name }) {
                    fields[index].template = template
                } else {
                    fields.append((attribute.name, template))
                }
            }
        }
        return fields
    }

    // MARK: Events

    public func apply(to batch: EventBatch, refused: (_ row: Int, _ reason: String) -> Void) {
        var filler = TemplateFiller(
            fields.map(\.template), batch: batch, hostName: hostName, keepsTypes: keepsTypes)
        if renewsRecord {
            renew(batch, &filler, refused)
        } else {
            let columns = fields.map { batch.editColumn($0.key) }
            for row in batch.rows.indices where !batch.rows[row].isDropped {
                guard let slots = filler.slots(row: row) else {
                    batch.drop(row: row)
                    refused(row, filler.problem)
                    continue
                }
                for index in columns.indices {
                    batch.edit(column: columns[index], row: row, to: slots[index])
                }
            }
        }
        if let renewTimeKey { renewTimes(renewTimeKey, batch, refused) }
        for removal in removals { remove(removal, batch) }
    }

    private func renew(
        _ batch: EventBatch, _ filler: inout TemplateFiller,
        _ refused: (_ row: Int, _ reason: String) -> Void
    ) {
        var readers = keptKeys.map { ColumnReader($0, in: batch) }
        for row in batch.rows.indices where !batch.rows[row].isDropped {
            guard let slots = filler.slots(row: row) else {
                batch.drop(row: row)
                refused(row, filler.problem)
                continue
            }
            var values = Array(repeating: Slot.absent, count: renewedShape.keys.count)
            for index in readers.indices {
                values[index] = readers[index].slot(row: row, in: batch)
            }
            for (index, field) in fields.enumerated() {
                if let place = renewedShape.index(of: field.key) { values[place] = slots[index] }
            }
            if !batch.replace(row: row, shape: renewedShape, slots: values) {
                batch.drop(row: row)
                refused(row, "the record has too many fields")
            }
        }
    }

    private func renewTimes(
        _ key: String, _ batch: EventBatch, _ refused: (_ row: Int, _ reason: String) -> Void
    ) {
        var reader = ColumnReader(key, in: batch)
        for row in batch.rows.indices where !batch.rows[row].isDropped {
            let slot = reader.slot(row: row, in: batch)
            guard slot.isPresent, slot.type != .null else { continue }
            if let time = batch.withText(slot, { UnixTime.parse($0) }) {
                batch.setTime(time, row: row)
            } else {
                batch.drop(row: row)
                refused(row, "`\(key)` is not a time in Unix seconds")
            }
        }
    }

    private func remove(_ accessor: RecordAccessor, _ batch: EventBatch) {
        guard case .key(let key)? = accessor.steps.first else { return }
        var reader = ColumnReader(key, in: batch)
        let column = batch.editColumn(key)
        let isWhole = accessor.steps.count == 1
        for row in batch.rows.indices where !batch.rows[row].isDropped {
            // Asked by the edit as well, since the reader is older than the column.
            let edit = batch.columns[column].slots[row]
            let slot = edit.type == .absent ? reader.slot(row: row, in: batch) : edit
            guard slot.isPresent else { continue }
            if isWhole {
                batch.edit(column: column, row: row, to: .removed)
            } else if let value = batch.value(of: slot) {
                var record: Record = [key: value]
                accessor.remove(from: &record)
                if let changed = record[key], let slot = batch.slot(for: changed) {
                    batch.edit(column: column, row: row, to: slot)
                }
            }
        }
    }
}

/// Fills the templates of one filter in for the rows of one batch.
struct TemplateFiller {
    private let templates: [Template]
    private let batch: EventBatch
    private let hostName: String
    private let keepsTypes: Bool
    /// Slots of templates that are the same for all rows.
    private var constants: [Slot?]
    private var readers: [String: ColumnReader] = [:]
    private var lone: [ColumnReader?]
    private var found: [Slot]
    /// Why the last row could not be filled in.
    private(set) var problem = ""

    init(_ templates: [Template], batch: EventBatch, hostName: String, keepsTypes: Bool) {
        self.templates = templates
        self.batch = batch
        self.hostName = hostName
        self.keepsTypes = keepsTypes
        constants = []
        lone = []
        found = Array(repeating: .null, count: templates.count)
        for template in templates {
            var reader: ColumnReader?
            if case .text(let parts) = template, parts.count == 1,
                case .field(let path) = parts[0], path.count == 1, case .key(let key) = path[0],
                keepsTypes
            {
                reader = ColumnReader(key, in: batch)
            }
            lone.append(reader)
            if template.readsRecord || batch.rows.isEmpty {
                constants.append(nil)
            } else {
                constants.append(value(of: template, row: 0).flatMap { batch.slot(for: $0) })
            }
        }
    }

    /// The slots of all templates for one row; `nil` when one cannot be filled in.
    mutating func slots(row: Int) -> [Slot]? {
        for index in templates.indices {
            if let slot = constants[index] {
                found[index] = slot
            } else if lone[index] != nil {
                let slot = lone[index]?.slot(row: row, in: batch) ?? .absent
                found[index] = slot.isPresent ? slot : .null
            } else {
                guard let slot = slot(of: templates[index], row: row) else { return nil }
                found[index] = slot
            }
        }
        return found
    }

    private mutating func slot(of template: Template, row: Int) -> Slot? {
        if case .text(let parts) = template, parts.count > 1 || !keepsTypes {
            var text = ByteBuffer(capacity: 256)
            for part in parts where !append(part, row: row, to: &text) { return nil }
            return batch.makeSlot(.raw) { $0.append(text.bytes) }
        }
        guard let value = value(of: template, row: row) else { return nil }
        return batch.slot(for: value)
    }

    private mutating func append(_ part: Template.Part, row: Int, to text: inout ByteBuffer) -> Bool
    {
        switch part {
        case .literal(let literal): text.append(literal)
        case .field(let path) where path.count == 1:
            guard case .key(let key) = path[0] else { return false }
            let slot = slot(of: key, row: row)
            switch slot.type {
            case .plain, .raw: batch.withText(slot) { text.append($0) }
            case .integer: batch.withText(slot) { text.append($0) }
            default: if let value = batch.value(of: slot) { RubyText.append(value, to: &text) }
            }
        case .tag, .hostName, .time, .field:
            guard let value = value(of: part, row: row) else { return false }
            RubyText.append(value, to: &text)
        }
        return true
    }

    private mutating func value(of template: Template, row: Int) -> Value? {
        switch template {
        case .constant(let value): return value
        case .text(let parts):
            if parts.count == 1, keepsTypes { return value(of: parts[0], row: row) }
            var text = ByteBuffer(capacity: 256)
            for part in parts where !append(part, row: row, to: &text) { return nil }
            return .string(String(decoding: text.bytes, as: UTF8.self))
        case .array(let templates):
            var values: [Value] = []
            for template in templates {
                guard let value = value(of: template, row: row) else { return nil }
                values.append(value)
            }
            return .array(values)
        case .object(let members):
            var record = Record()
            for (key, template) in members {
                guard let name = value(of: key, row: row), let value = value(of: template, row: row)
                else { return nil }
                var text = ByteBuffer()
                RubyText.append(name, to: &text)
                record[String(decoding: text.bytes, as: UTF8.self)] = value
            }
            return .object(record)
        }
    }

    private mutating func value(of part: Template.Part, row: Int) -> Value? {
        switch part {
        case .literal(let text): return .string(text)
        case .hostName: return .string(hostName)
        case .tag(let part): return part.text(of: batch.tag).map { .string($0) } ?? .null
        case .time:
            let time = batch.rows[row].time
            return .string(
                TimeFormat.text(of: time, format: "%Y-%m-%d %H:%M:%S %z", zone: .local))
        case .field(let path): return value(at: path, row: row)
        }
    }

    private mutating func value(at path: [Template.PathStep], row: Int) -> Value? {
        guard case .key(let first)? = path.first else { return .null }
        var value = batch.value(of: slot(of: first, row: row)) ?? .null
        for step in path.dropFirst() {
            switch (step, value) {
            case (.key(let key), .object(let record)): value = record[key] ?? .null
            case (.index(let number), .array(let values)):
                let place = number < 0 ? values.count + number : number
                value = values.indices.contains(place) ? values[place] : .null
            default: return .null
            }
        }
        return value
    }

    private mutating func slot(of key: String, row: Int) -> Slot {
        readers[key, default: ColumnReader(key, in: batch)].slot(row: row, in: batch)
    }
}

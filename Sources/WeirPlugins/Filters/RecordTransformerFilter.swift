// Hot path: once per template of every event.
import WeirConfig
import WeirCore
import WeirPipeline

/// `@type record_transformer`: adds, replaces and removes fields.
///
/// Plain templates only write edits: a copied field is the other field's slot, a constant is one
/// slot for all events of a batch.
public final class RecordTransformerFilter: Filter {
    private enum Parameters {
        static let enableRuby = Parameter.flag(
            "enable_ruby", default: false,
            "Whether placeholders are Ruby; Weir understands ways into the record only.")
        static let autoTypecast = Parameter.flag(
            "auto_typecast", default: true,
            "Whether a value that is one placeholder keeps its type; otherwise it is a text.")
        static let renewRecord = Parameter.flag(
            "renew_record", default: false, "Whether the record begins empty.")
        static let renewTimeKey = Parameter.text(
            "renew_time_key", default: "",
            "The field, in Unix seconds, that becomes the event's time.")
        static let keepKeys = Parameter.list(
            "keep_keys", default: [], "Fields that stay when the record begins empty.")
        static let removeKeys = Parameter.list(
            "remove_keys", default: [],
            "Fields that are taken away at last; `$.a.b` reaches inside.")
    }

    /// The component as users see it.
    public static let declaration = ComponentDeclaration(
        .filter, type: "record_transformer", "Adds, replaces and removes fields.",
        parameters: [
            AnyParameter(Parameters.enableRuby), AnyParameter(Parameters.autoTypecast),
            AnyParameter(Parameters.renewRecord), AnyParameter(Parameters.renewTimeKey),
            AnyParameter(Parameters.keepKeys), AnyParameter(Parameters.removeKeys),
        ],
        sections: [
            SectionDeclaration(
                "record", .many, takesAnyName: true,
                "Fields and their values: `field text with ${tag} or ${record[\"other\"]}`.")
        ],
        examples: [
            """
            <filter istio.**>
              @type record_transformer
              remove_keys user_agent
              <record>
                service_name ${tag_parts[1]}
                node ${hostname}
                code ${record["response_code"]}
              </record>
            </filter>
            """
        ])

    private let templates: [(key: [TemplatePiece], value: Template)]
    private let renewsRecord: Bool
    private let renewTimeKey: String?
    private let keepKeys: [String]
    private let removeWays: [RecordAccessor]
    private let hostName: String
    private let zone: TimeZone
    /// Remarks on templates that mean something else than they look like.
    public let warnings: [Diagnostic]

    private var plan: TemplatePlan?
    private var renewal: Renewal?

    /// The shape of a renewed record, and where its values come from.
    private struct Renewal {
        var shape: Shape
        /// Places of kept fields, by their order in `keepKeys`.
        var kept: [Int]
        /// Places of the templates' values.
        var made: [Int]
        /// Whether `remove_keys` names the place's field.
        var isRemoved: [Bool]
    }

    /// A filter as its section describes it.
    /// - Parameters:
    ///   - hostName: What `${hostname}` stands for.
    ///   - zone: The zone in which `${time}` is written.
    public init(
        _ section: Section, hostName: String, zone: TimeZone = .local
    ) throws(SectionError) {
        self.hostName = hostName
        self.zone = zone
        renewsRecord = section[Parameters.renewRecord]
        renewTimeKey =
            section.isSet(Parameters.renewTimeKey) ? section[Parameters.renewTimeKey] : nil
        keepKeys = section[Parameters.keepKeys]
        guard renewsRecord || !section.isSet(Parameters.keepKeys) else {
            throw SectionError(
                section.location(of: Parameters.keepKeys),
                "`keep_keys` means nothing while the whole record is kept",
                help: "add `renew_record true`, or remove `keep_keys`")
        }
        var ways: [RecordAccessor] = []
        for text in section[Parameters.removeKeys] {
            do {
                ways.append(try ValueText.accessor(text))
            } catch {
                throw SectionError(
                    section.location(of: Parameters.removeKeys), error.message, help: error.help)
            }
        }
        removeWays = ways
        var reader = TemplateReader(
            isRuby: section[Parameters.enableRuby], keepsTypes: section[Parameters.autoTypecast],
            location: section.element.location)
        templates = try Self.templates(section, &reader)
        warnings = reader.warnings
    }

    private static func templates(
        _ section: Section, _ reader: inout TemplateReader
    ) throws(SectionError) -> [(key: [TemplatePiece], value: Template)] {
        var names: [String] = []
        var templates: [(key: [TemplatePiece], value: Template)] = []
        for record in section.sections("record") {
            for attribute in record.element.attributes {
                reader.location = attribute.location
                let key = try reader.key(attribute.name)
                reader.location = attribute.valueLocation
                let value = try reader.template(attribute.value)
                if let index = names.firstIndex(of: attribute.name) {
                    templates[index].value = value
                } else {
                    names.append(attribute.name)
                    templates.append((key, value))
                }
            }
        }
        return templates
    }

    /// Fills in the templates of every row, each as its record was before the filter.
    public func apply(to batch: EventBatch, refused: (_ row: Int, _ reason: String) -> Void) {
        let plan = plan(for: batch.tag)
        guard var evaluation = TemplateEvaluation(plan, over: batch, zone: zone) else {
            for row in batch.rows.indices where !batch.rows[row].isDropped {
                batch.drop(row: row)
                refused(row, "the batch has no room for the templates' values")
            }
            return
        }
        if let keys = plan.fixedKeys {
            apply(plan, keys, &evaluation, to: batch, refused: refused)
        } else {
            applyToRecords(plan, &evaluation, batch, refused: refused)
        }
    }

    private func plan(for tag: String) -> TemplatePlan {
        if let plan, plan.tag == tag { return plan }
        let made = TemplatePlan(templates, tag: tag, hostName: hostName)
        plan = made
        renewal = renewsRecord ? made.fixedKeys.map(makeRenewal) : nil
        return made
    }

    private func makeRenewal(_ keys: [String]) -> Renewal {
        var names: [String] = []
        func place(_ name: String) -> Int {
            if let index = names.firstIndex(of: name) { return index }
            names.append(name)
            return names.count - 1
        }
        let kept = keepKeys.map(place)
        let made = keys.map(place)
        let removed = Set(removeWays.compactMap(\.topLevelKey))
        return Renewal(
            shape: Shape(names), kept: kept, made: made, isRemoved: names.map(removed.contains))
    }

    // MARK: Edits

    /// Applies templates whose keys are the same for all events.
    private func apply(
        _ plan: TemplatePlan, _ keys: [String], _ evaluation: inout TemplateEvaluation,
        to batch: EventBatch, refused: (_ row: Int, _ reason: String) -> Void
    ) {
        // Readers first: templates see the record as it was before the filter.
        var keepReaders = keepKeys.map { ColumnReader($0, in: batch) }
        var timeReader = renewTimeKey.map { ColumnReader($0, in: batch) }
        let timeSource = renewTimeKey.flatMap { keys.lastIndex(of: $0) }
        if let key = renewTimeKey, renewal != nil, timeSource == nil, !keepKeys.contains(key) {
            timeReader = nil
        }
        let columns = renewal == nil ? keys.map(batch.editColumn) : []
        var removal = FieldRemoval(
            renewal == nil ? removeWays : removeWays.filter { $0.topLevelKey == nil }, from: batch)
        var values = [Slot](repeating: .absent, count: plan.sources.count)
        var renewed = [Slot](repeating: .absent, count: renewal?.shape.keys.count ?? 0)
        for row in batch.rows.indices where !batch.rows[row].isDropped {
            do throws(TemplateEvaluation.Failure) {
                for index in values.indices {
                    values[index] = try evaluation.slot(plan.sources[index], row: row)
                }
                if timeReader != nil {
                    let slot =
                        timeSource.map { values[$0] } ?? timeReader?.slot(row: row, in: batch)
                    if let value = slot.flatMap(batch.value(of:)) {
                        batch.setTime(try time(value), row: row)
                    }
                }
            } catch {
                batch.drop(row: row)
                refused(row, error.reason)
                continue
            }
            if let renewal {
                for index in renewed.indices { renewed[index] = .absent }
                for (index, place) in renewal.kept.enumerated() {
                    renewed[place] = keepReaders[index].slot(row: row, in: batch)
                }
                for (index, place) in renewal.made.enumerated() { renewed[place] = values[index] }
                for index in renewed.indices where renewal.isRemoved[index] {
                    renewed[index] = .absent
                }
                batch.replace(row: row, shape: renewal.shape, slots: renewed)
            } else {
                for index in columns.indices {
                    batch.edit(column: columns[index], row: row, to: values[index])
                }
            }
            removal.apply(to: batch, row: row)
        }
    }

    /// The time that a field's value tells, in Unix seconds.
    private func time(_ value: Value) throws(TemplateEvaluation.Failure) -> Timestamp {
        let seconds: Double? =
            switch value {
            case .integer(let number): Double(number)
            case .float(let number): number
            case .string(let text), .number(let text): Double(text.filter { $0 != " " })
            case .null, .bool, .array, .object: nil
            }
        guard let seconds, seconds.isFinite, abs(seconds) < 1e15 else {
            throw TemplateEvaluation.Failure(
                reason: "`\(renewTimeKey ?? "")` is not a time in Unix seconds: "
                    + RubyText.text(value))
        }
        if case .integer(let number) = value { return Timestamp(seconds: number) }
        // Like Fluentd, by way of a 64-bit float.
        let whole = seconds.rounded(.down)
        return Timestamp(
            seconds: Int64(whole), nanoseconds: min(999_999_999, UInt32((seconds - whole) * 1e9)))
    }

    // MARK: Whole records

    /// Applies templates whose keys differ from event to event.
    private func applyToRecords(
        _ plan: TemplatePlan, _ evaluation: inout TemplateEvaluation, _ batch: EventBatch,
        refused: (_ row: Int, _ reason: String) -> Void
    ) {
        for row in batch.rows.indices where !batch.rows[row].isDropped {
            do throws(TemplateEvaluation.Failure) {
                let old = batch.record(row: row)
                var record = old
                if renewsRecord {
                    record = Record()
                    for key in keepKeys { record[key] = old[key] }
                }
                for (key, source) in zip(plan.keys, plan.sources) {
                    let slot = try evaluation.slot(source, row: row)
                    record[try evaluation.key(key, row: row)] = batch.value(of: slot) ?? .null
                }
                let time = try renewTimeKey.flatMap { record[$0] }.map(time)
                for way in removeWays { way.remove(from: &record) }
                guard batch.replace(row: row, with: record) else {
                    throw TemplateEvaluation.Failure(reason: "the batch has no room for the record")
                }
                if let time { batch.setTime(time, row: row) }
            } catch {
                batch.drop(row: row)
                refused(row, error.reason)
            }
        }
    }
}

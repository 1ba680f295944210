// Hot path: once per event.
import WeirConfig
import WeirCore
import WeirMetrics
import WeirPipeline

/// `@type istio_fields`: writes what Istio's metrics would say of a request into its record.
public final class IstioFieldsFilter: Filter {
    /// The fields, in the order in which they are written.
    private enum Written: Int, CaseIterable {
        case service, serviceName, serviceNamespace, subset, reporter, sampled, diagnosis

        var key: String {
            switch self {
            case .service: "destination_service"
            case .serviceName: "destination_service_name"
            case .serviceNamespace: "destination_service_namespace"
            case .subset: "subset"
            case .reporter: "reporter"
            case .sampled: "sampled"
            case .diagnosis: "diagnosis"
            }
        }
    }

    private enum Parameters {
        static let write = Parameter.list(
            "write", default: Written.allCases.map(\.key), "The fields to write, of all seven.")
        static let prefix = Parameter.text("prefix", default: "", "What their names begin with.")
    }

    /// The component as users see it.
    public static let declaration = ComponentDeclaration(
        .filter, type: "istio_fields",
        "Writes into records of Envoy's access log what Istio's metrics would say of them: "
            + "`destination_service`, `destination_service_name`, `destination_service_namespace`, "
            + "`subset`, `reporter` (source, destination or waypoint), `sampled` (whether the "
            + "request is traced) and `diagnosis`, one word for flags and details. What a line does "
            + "not tell is not written. The words of `diagnosis`: "
            + IstioDiagnosis.allCases.map { "`\($0.word)`: \($0.meaning)" }
            .joined(separator: "; ") + ".",
        parameters: IstioParameters.all + [
            AnyParameter(Parameters.write), AnyParameter(Parameters.prefix),
        ],
        sections: [IstioParameters.fields],
        examples: [
            """
            <filter istio.**>
              @type istio_fields
            </filter>
            """
        ])

    private let derivation: IstioDerivation
    private let prefix: String
    private let isWritten: [Bool]
    private let foreign: Counter
    private let unplaced: Counter
    /// The slots of words in this batch, made when they are first needed.
    private var reporterSlots: [Slot?] = []
    private var diagnosisSlots: [Slot?] = []
    private var edits = EditTable(columnCount: Written.allCases.count)

    /// A filter as its section describes it.
    public init(_ section: Section, registry: Registry) throws(SectionError) {
        derivation = IstioDerivation(try IstioParameters.options(section))
        prefix = section[Parameters.prefix]
        let names = section[Parameters.write]
        for name in names where !Written.allCases.contains(where: { $0.key == name }) {
            let known = Written.allCases.map(\.key)
            throw SectionError(
                section.location(of: Parameters.write), "`\(name)` is not a field to write",
                help: nearest(to: name, in: known).map { "did you mean `\($0)`?" }
                    ?? "there are \(known.map { "`\($0)`" }.joined(separator: ", "))")
        }
        isWritten = Written.allCases.map { names.contains($0.key) }
        let skipped = MetricDescription(
            "weir_istio_fields_skipped_total", "Events that got no fields of Istio's, by reason.")
        foreign = registry.counter(skipped, [Label("reason", "not_an_access_log")])
        unplaced = registry.counter(skipped, [Label("reason", "batch_full")])
    }

    /// Writes the fields of every row.
    public func apply(to batch: EventBatch, refused: (_ row: Int, _ reason: String) -> Void) {
        // Readers look for edits that were there before; the new columns are made afterwards.
        derivation.look(at: batch)
        let rowCount = batch.rows.count
        edits.clear(rowCount: rowCount)
        reporterSlots = [Slot?](repeating: nil, count: IstioReporter.allCases.count)
        diagnosisSlots = [Slot?](repeating: nil, count: IstioDiagnosis.allCases.count)
        for row in 0..<rowCount where !batch.rows[row].isDropped { write(row, batch) }
        for field in Written.allCases where isWritten[field.rawValue] {
            let column = batch.editColumn(prefix + field.key)
            batch.edit(column: column, rows: edits.column(field.rawValue))
        }
    }

    @inline(__always)
    private func write(_ row: Int, _ batch: EventBatch) {
        derivation.read(row: row, of: batch)
        guard derivation.kind != .foreign else { return foreign.add() }
        let diagnosis = derivation.diagnosis
        let sampled = derivation.isSampled
        let isPlain = derivation.isPlain
        // What the batch holds is found before anything is copied: that may move the batch's bytes.
        let service = batch.slot(sharing: derivation.host, isPlain: isPlain)
        let name = batch.slot(sharing: derivation.serviceName, isPlain: isPlain)
        let namespace = batch.slot(sharing: derivation.serviceNamespace, isPlain: isPlain)
        let subset = batch.slot(sharing: derivation.subset, isPlain: isPlain)
        @inline(__always)
        func edit(_ field: Written, _ slot: Slot?) {
            if let slot { edits.set(field.rawValue, row, slot) } else { unplaced.add() }
        }
        @inline(__always)
        func edit(_ field: Written, _ slot: Slot?, _ text: ByteText) {
            if !text.isEmpty { edit(field, slot ?? copy(text, batch)) }
        }
        edit(.service, service, derivation.host)
        edit(.serviceName, name, derivation.serviceName)
        edit(.serviceNamespace, namespace, derivation.serviceNamespace)
        edit(.subset, subset, derivation.subset)
        edit(.reporter, slot(for: derivation.reporter, batch))
        edit(.diagnosis, slot(for: diagnosis, batch))
        if let sampled { edit(.sampled, Slot(sampled ? .yes : .no, offset: 0, length: 0)) }
    }

    /// A slot for text that is not the batch's own.
    @inline(never)
    private func copy(_ text: ByteText, _ batch: EventBatch) -> Slot? {
        batch.makeSlot(.raw) { $0.append(text) }
    }

    @inline(__always)
    private func slot(for reporter: IstioReporter, _ batch: EventBatch) -> Slot? {
        let index = reporter.index
        if let slot = reporterSlots[index] { return slot }
        let slot = batch.makeSlot(.plain) { $0.append(reporter.rawValue) }
        reporterSlots[index] = slot
        return slot
    }

    @inline(__always)
    private func slot(for diagnosis: IstioDiagnosis, _ batch: EventBatch) -> Slot? {
        let index = diagnosis.rawValue
        if let slot = diagnosisSlots[index] { return slot }
        let slot = batch.makeSlot(.plain) { $0.append(diagnosis.word) }
        diagnosisSlots[index] = slot
        return slot
    }
}

/// Slots of some columns, one per row, before they become edits of a batch.
private struct EditTable: ~Copyable {
    private let columnCount: Int
    private var slots: UnsafeMutablePointer<Slot>
    private var rowCount = 0
    private var rowCapacity = 512

    init(columnCount: Int) {
        self.columnCount = columnCount
        slots = .allocate(capacity: columnCount * rowCapacity)
    }

    deinit { slots.deallocate() }

    /// Forgets all slots, and makes room for those of so many rows.
    mutating func clear(rowCount: Int) {
        if rowCount > rowCapacity {
            slots.deallocate()
            rowCapacity = rowCount * 2
            slots = .allocate(capacity: columnCount * rowCapacity)
        }
        self.rowCount = rowCount
        slots.initialize(repeating: .absent, count: columnCount * rowCount)
    }

    @inline(__always)
    mutating func set(_ column: Int, _ row: Int, _ slot: Slot) {
        slots[column &* rowCount &+ row] = slot
    }

    /// The slots of a column.
    func column(_ column: Int) -> UnsafeBufferPointer<Slot> {
        UnsafeBufferPointer(start: slots + column * rowCount, count: rowCount)
    }
}

// Hot path: once per span.
import WeirCore
import WeirPipeline
import WeirTraces

/// Writes spans as documents of Zipkin's Elasticsearch storage, and what belongs to them: links
/// between services, and values to complete (`zipkin2.elasticsearch.internal.BulkIndexWriter`).
final class SpanDocumentEncoder: ChunkEncoder {
    /// How documents are named.
    struct Options: Sendable {
        /// What index names begin with.
        var prefix = "zipkin"
        /// What stands between year, month and day in an index's name.
        var dateSeparator = "-"
        /// Whether spans have the fields that search needs.
        var isSearchable = true
        /// An ingest pipeline.
        var pipeline: String?
        /// Tells this node's links from those of others.
        var node = ""
    }

    private enum Kind: Int {
        case span
        case dependency
        case autocomplete

        var name: String {
            switch self {
            case .span: "span"
            case .dependency: "dependency"
            case .autocomplete: "autocomplete"
            }
        }
    }

    private static let secondsOfDay: Int64 = 86_400
    /// The field that tells whose count of a link it is; part of the id, not of the document.
    static let originKey = "linkOrigin"

    private let options: Options
    private var digests = DocumentDigests()
    /// Where each row's document stands; empty for rows that are no spans.
    private var ranges: [Range<Int>] = []
    private var encoder: BatchEncoder?
    private var traceID: ColumnReader?
    private var timestamp: ColumnReader?
    private var annotations: ColumnReader?
    private var tags: ColumnReader?
    private var links: (parent: ColumnReader, child: ColumnReader)?
    private var pair: (key: ColumnReader, value: ColumnReader)?
    private var document = ByteBuffer(capacity: 4096)
    /// The action up to its id, for the kind and day named last.
    private var actionHead = ByteBuffer()
    private var headKind: Kind?
    private var headDay = Int64.min

    init(_ options: Options) { self.options = options }

    func begin(_ batch: EventBatch) {
        encoder = BatchEncoder(batch, excluding: [Self.originKey])
        traceID = ColumnReader("traceId", in: batch)
        timestamp = ColumnReader("timestamp", in: batch)
        annotations = ColumnReader("annotations", in: batch)
        tags = ColumnReader("tags", in: batch)
        links = (ColumnReader("parent", in: batch), ColumnReader("child", in: batch))
        pair = (ColumnReader("tagKey", in: batch), ColumnReader("tagValue", in: batch))
        writeDocuments(of: batch)
    }

    /// Writes the documents of all spans of a batch, since their digests are taken several at a time.
    private func writeDocuments(of batch: EventBatch) {
        document.truncate(to: 0)
        ranges.removeAll(keepingCapacity: true)
        for row in batch.rows.indices {
            let start = document.count
            let isWritten = !batch.rows[row].isDropped && spanID(row, batch) != nil
            if isWritten { writeDocument(row: row, of: batch) }
            ranges.append(start..<document.count)
        }
        digests.take(ranges, in: document.bytes)
    }

    /// The trace's id, where it can be part of a document's id.
    private func spanID(_ row: Int, _ batch: EventBatch) -> Slot? {
        let id = traceID?.slot(row: row, in: batch) ?? .absent
        return id.type == .plain && id.length > 0 && id.length <= 32 ? id : nil
    }

    func append(row: Int, of batch: EventBatch, to buffer: inout ByteBuffer) -> String? {
        if let id = spanID(row, batch) {
            appendSpan(id, row: row, of: batch, to: &buffer)
            return nil
        }
        if traceID?.slot(row: row, in: batch).isPresent ?? false {
            return "`traceId` is not that of a span"
        }
        if let kind = smallKind(row, batch) {
            appendSmall(kind, row: row, of: batch, to: &buffer)
            return nil
        }
        return "neither a span nor a link between services: it has no `traceId`"
    }

    // MARK: Spans

    private func appendSpan(
        _ id: Slot, row: Int, of batch: EventBatch, to buffer: inout ByteBuffer
    ) {
        let microseconds = number(timestamp?.slot(row: row, in: batch) ?? .absent, batch)
        let day =
            (microseconds.map { $0 / 1_000_000 } ?? batch.rows[row].time.seconds)
            / Self.secondsOfDay
        setHead(.span, day: day)
        buffer.append(actionHead.bytes)
        batch.withText(id) { buffer.append($0) }
        buffer.append(byte: UInt8(ascii: "-"))
        digests.append(row, to: &buffer)
        buffer.append("\"}}\n")
        buffer.append(UnsafeRawBufferPointer(rebasing: document.bytes[ranges[row]]))
        buffer.append(byte: 0x0a)
    }

    /// Appends a span's document to those of the batch.
    private func writeDocument(row: Int, of batch: EventBatch) {
        let start = document.count
        document.append(byte: UInt8(ascii: "{"))
        if options.isSearchable {
            let microseconds = number(timestamp?.slot(row: row, in: batch) ?? .absent, batch)
            if let microseconds, microseconds != 0 {
                document.append("\"timestamp_millis\":")
                document.append(decimal: Int(microseconds / 1_000))
                document.append(byte: UInt8(ascii: ","))
            }
            if appendQuery(row: row, of: batch) { document.append(byte: UInt8(ascii: ",")) }
        }
        // The record's own brace stands where the last comma does, or the first brace.
        document.removeLast()
        let place = document.count
        encoder?.append(row: row, to: &document)
        if place > start { document.replace(byteAt: place, with: UInt8(ascii: ",")) }
    }

    private func appendQuery(row: Int, of batch: EventBatch) -> Bool {
        let annotations = annotations?.slot(row: row, in: batch) ?? .absent
        let tags = tags?.slot(row: row, in: batch) ?? .absent
        return batch.withText(annotations.type == .array ? annotations : .absent) { annotations in
            batch.withText(tags.type == .object ? tags : .absent) { tags in
                SpanSearch.appendQuery(annotations: annotations, tags: tags, to: &document)
            }
        }
    }

    /// A whole number above zero.
    private func number(_ slot: Slot, _ batch: EventBatch) -> Int64? {
        guard slot.type == .integer, slot.length <= 18 else { return nil }
        return batch.withText(slot) { text in
            var number: Int64 = 0
            for byte in text {
                guard byte &- 0x30 < 10 else { return nil }
                number = number &* 10 &+ Int64(byte &- 0x30)
            }
            return number
        }
    }

    private func setHead(_ kind: Kind, day: Int64) {
        guard kind != headKind || day != headDay else { return }
        headKind = kind
        headDay = day
        actionHead.truncate(to: 0)
        actionHead.append("{\"index\":{\"_index\":\"")
        let date = TimeFormat.text(
            of: Timestamp(seconds: day * Self.secondsOfDay),
            format: "%Y\(options.dateSeparator)%m\(options.dateSeparator)%d", zone: .utc)
        appendEscaped("\(options.prefix)-\(kind.name)-\(date)", to: &actionHead)
        actionHead.append("\"")
        if let pipeline = options.pipeline {
            actionHead.append(",\"pipeline\":\"")
            appendEscaped(pipeline, to: &actionHead)
            actionHead.append("\"")
        }
        actionHead.append(",\"_id\":\"")
    }

    // MARK: Links and values to complete

    private func smallKind(_ row: Int, _ batch: EventBatch) -> Kind? {
        func isText(_ reader: inout ColumnReader) -> Bool {
            reader.slot(row: row, in: batch).isString
        }
        if var links, isText(&links.parent), isText(&links.child) { return .dependency }
        if var pair, isText(&pair.key), isText(&pair.value) { return .autocomplete }
        return nil
    }

    private func appendSmall(
        _ kind: Kind, row: Int, of batch: EventBatch, to buffer: inout ByteBuffer
    ) {
        let record = batch.record(row: row)
        setHead(kind, day: batch.rows[row].time.seconds / Self.secondsOfDay)
        buffer.append(actionHead.bytes)
        // Several nodes tell of the same link, and each start of one counts anew: every one overwrites
        // its own number only.
        let origin = record[Self.originKey]?.string ?? options.node
        let id =
            kind == .dependency
            ? "\(record["parent"]?.string ?? "")|\(record["child"]?.string ?? "")|\(origin)"
            : "\(record["tagKey"]?.string ?? "")=\(record["tagValue"]?.string ?? "")"
        appendEscaped(id, to: &buffer)
        buffer.append("\"}}\n")
        encoder?.append(row: row, to: &buffer)
        buffer.append(byte: 0x0a)
    }
}

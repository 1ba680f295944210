// Hot path: once per document.
import WeirCore
import WeirPipeline

/// Writes events as pairs of lines of Elasticsearch's bulk API: the action and the source.
final class DocumentEncoder: ChunkEncoder {
    let options: DocumentOptions
    private var index: IndexName
    private var pipeline: IndexName?
    var timestamp: ISO8601Writer
    var encoder: BatchEncoder?
    private var timestampReader: ColumnReader?
    private var timeReader: ColumnReader?
    private let timeParser: DocumentTime
    private var offsetQuarter = Int64.min
    private var offsetSeconds: Int32 = 0
    let excludedKeys: [String]
    /// Whether each document has an id of its own making.
    private let makesIDs: Bool
    /// Whether `@timestamp` may be added: not where it is left out again.
    private let mayAddTimestamp: Bool
    /// The field that receives the tag.
    let addedTagKey: String?
    /// Whether an action line is an index and an id, and nothing else.
    private let actionsArePlain: Bool
    /// A plain action line up to its id, for the index named last.
    private var actionHead = ByteBuffer()
    /// The flattened record of the row that is being written, with `flatten_hashes`.
    var flat: Record?
    private var complaints: [EncodingComplaint] = []

    init(_ options: DocumentOptions) {
        self.options = options
        index = IndexName(options.index, zone: options.usesUTCIndex ? .utc : options.timeZone)
        pipeline = options.pipeline.map { name in
            IndexName(.name(name), zone: options.timeZone, keepsCase: true)
        }
        timestamp = ISO8601Writer(digits: options.timePrecision)
        timeParser = DocumentTime(format: options.timeKeyFormat, zone: options.timeZone)
        var excluded = options.removedKeys
        if let target = options.targetIndexKey, target.count == 1 { excluded += target }
        if let key = options.tagKey { excluded.append(key) }
        excludedKeys = excluded
        makesIDs =
            options.idPath == nil && options.operation != .update && options.operation != .upsert
        mayAddTimestamp =
            options.includesTimestamp && !options.removedKeys.contains("@timestamp")
        addedTagKey = options.tagKey.flatMap { options.removedKeys.contains($0) ? nil : $0 }
        actionsArePlain =
            makesIDs && !options.includesIndexInURL && options.targetIndexKey == nil
            && options.typeName == nil && options.pipeline == nil && options.parentPath == nil
            && options.routingPath == nil
    }

    func begin(_ batch: EventBatch) {
        encoder = BatchEncoder(batch, excluding: excludedKeys)
        timestampReader = ColumnReader("@timestamp", in: batch)
        timeReader = options.timeKey.map { ColumnReader($0, in: batch) }
    }

    func append(row: Int, of batch: EventBatch, to buffer: inout ByteBuffer) -> String? {
        var documentTime = batch.rows[row].time
        var offset: Int32 = 0
        var adds = options.includesTimestamp
        flat = options.flatSeparator.map { flattened(batch.record(row: row), $0) }
        if options.includesTimestamp {
            switch readTime(row: row, of: batch) {
            case .ofEvent: offset = zoneOffset(at: documentTime)
            case .ofTimestampField(let time):
                documentTime = time
                adds = false
            case .ofTimeKey(let time, let zoneOffset):
                documentTime = time
                offset = zoneOffset
                adds = !options.leavesOutTimestamp
            case .unreadable(let slot, let isTimestamp):
                // The event's own time counts, as in Fluentd; what could not be read is told.
                complain(of: slot, row: row, of: batch)
                offset = zoneOffset(at: documentTime)
                adds = isTimestamp ? false : !options.leavesOutTimestamp
            }
        }
        if let reason = appendAction(row: row, of: batch, time: documentTime, to: &buffer) {
            return reason
        }
        let added = adds && mayAddTimestamp ? (documentTime, offset) : nil
        appendSource(row: row, of: batch, adding: added, to: &buffer)
        return nil
    }

    func takeComplaints() -> [EncodingComplaint] {
        defer { complaints.removeAll() }
        return complaints
    }

    private func complain(of slot: Slot, row: Int, of batch: EventBatch) {
        let time = batch.rows[row].time
        let record: Record = [
            "tag": .string(batch.tag), "time": .integer(time.seconds),
            "format": options.timeKeyFormat.map { .string($0.text) } ?? .null,
            "value": batch.value(of: slot) ?? .null,
        ]
        complaints.append(
            EncodingComplaint(
                record: record, tag: options.timeParseErrorTag, time: time,
                reason: "the document's time cannot be read, so the event's counts"))
    }

    // MARK: Time

    private enum ReadTime {
        case ofEvent
        case ofTimestampField(Timestamp)
        case ofTimeKey(Timestamp, offset: Int32)
        case unreadable(Slot, isTimestamp: Bool)
    }

    @inline(__always)
    private func readTime(row: Int, of batch: EventBatch) -> ReadTime {
        let present = timestampReader?.slot(row: row, in: batch) ?? .absent
        if present.isPresent {
            guard let (time, _) = timeParser.freely(batch, present) else {
                return .unreadable(present, isTimestamp: true)
            }
            return .ofTimestampField(time)
        }
        guard let slot = timeReader?.slot(row: row, in: batch), slot.isPresent else {
            return .ofEvent
        }
        guard let (time, offset) = timeParser.parse(batch, slot) else {
            return .unreadable(slot, isTimestamp: false)
        }
        return .ofTimeKey(time, offset: offset)
    }

    /// The zone's distance from UTC, looked up once per quarter of an hour: no zone changes within.
    @inline(__always)
    private func zoneOffset(at time: Timestamp) -> Int32 {
        let quarter = time.seconds / 900
        if quarter != offsetQuarter {
            offsetQuarter = quarter
            offsetSeconds = options.timeZone.offsetSeconds(at: time)
        }
        return offsetSeconds
    }

    // MARK: The action line

    private func appendAction(
        row: Int, of batch: EventBatch, time: Timestamp, to buffer: inout ByteBuffer
    ) -> String? {
        let identity = makesIDs ? EventIdentity(row: row, in: batch) : nil
        if actionsArePlain, let identity {
            appendPlainAction(identity, row: row, of: batch, time: time, to: &buffer)
            return nil
        }
        var operation = options.operation
        if identity != nil, !options.operationIsChosen { operation = .create }
        if let path = options.targetIndexKey, let name = fieldValue(path, row, batch),
            ![.null, .bool(false)].contains(name)
        {
            guard case .string = name else {
                return "the field of `target_index_key` is no text"
            }
        }
        if options.includesIndexInURL {
            appendIndex(row: row, of: batch, time: time, to: &buffer)
            buffer.append(byte: 0x0a)
        }
        buffer.append("{\"")
        buffer.append(operation == .upsert ? "update" : operation.rawValue)
        buffer.append("\":{")
        if !options.includesIndexInURL {
            buffer.append("\"_index\":\"")
            appendIndex(row: row, of: batch, time: time, to: &buffer)
            buffer.append(byte: UInt8(ascii: "\""))
        }
        if let type = options.typeName {
            separate(&buffer)
            buffer.append("\"_type\":\"")
            appendEscaped(type, to: &buffer)
            buffer.append(byte: UInt8(ascii: "\""))
        }
        if pipeline != nil {
            separate(&buffer)
            buffer.append("\"pipeline\":\"")
            pipeline?.append(row: row, of: batch, time: time, to: &buffer)
            buffer.append(byte: UInt8(ascii: "\""))
        }
        if let identity {
            separate(&buffer)
            buffer.append("\"_id\":\"")
            identity.appendBase64(to: &buffer)
            buffer.append(byte: UInt8(ascii: "\""))
        } else if options.idPath != nil || options.parentPath != nil {
            let hasID = appendMember("_id", options.idPath, row: row, of: batch, to: &buffer)
            if !hasID, needsID { return "the field of `id_key` is missing" }
        } else if operation == .update || operation == .upsert {
            return "an update needs an id: name its field with `id_key`"
        }
        appendMember("_parent", options.parentPath, row: row, of: batch, to: &buffer)
        appendMember("routing", options.routingPath, row: row, of: batch, to: &buffer)
        buffer.append("}}\n")
        return nil
    }

    @inline(__always)
    private func appendPlainAction(
        _ identity: EventIdentity, row: Int, of batch: EventBatch, time: Timestamp,
        to buffer: inout ByteBuffer
    ) {
        if index.update(row: row, of: batch, time: time) || actionHead.count == 0 {
            let operation: DocumentOptions.Operation =
                options.operationIsChosen ? options.operation : .create
            actionHead.truncate(to: 0)
            actionHead.append("{\"")
            actionHead.append(operation.rawValue)
            actionHead.append("\":{\"_index\":\"")
            actionHead.append(index.name)
            actionHead.append("\",\"_id\":\"")
        }
        buffer.append(actionHead.bytes)
        identity.appendBase64(to: &buffer)
        buffer.append("\"}}\n")
    }

    private var needsID: Bool {
        options.refusesMissingID || options.operation == .update || options.operation == .upsert
    }

    private func appendIndex(
        row: Int, of batch: EventBatch, time: Timestamp, to buffer: inout ByteBuffer
    ) {
        if let path = options.targetIndexKey,
            case .string(let name)? = fieldValue(path, row, batch)
        {
            appendEscaped(name.lowercased(), to: &buffer)
        } else {
            index.append(row: row, of: batch, time: time, to: &buffer)
        }
    }

    /// Appends a comma, unless the object was only just opened.
    private func separate(_ buffer: inout ByteBuffer) {
        if buffer.last != UInt8(ascii: "{") { buffer.append(byte: UInt8(ascii: ",")) }
    }

    @discardableResult
    private func appendMember(
        _ name: StaticString, _ path: [String]?, row: Int, of batch: EventBatch,
        to buffer: inout ByteBuffer
    ) -> Bool {
        guard let path, let value = fieldValue(path, row, batch),
            ![.null, .bool(false)].contains(value)
        else { return false }
        separate(&buffer)
        buffer.append(byte: UInt8(ascii: "\""))
        buffer.append(name)
        buffer.append("\":")
        JSONValueWriter.append(value, to: &buffer)
        return true
    }

    /// The value of a field of the row that is being written.
    private func fieldValue(_ path: [String], _ row: Int, _ batch: EventBatch) -> Value? {
        guard let flat else { return WeirPlugins.fieldValue(path, row: row, of: batch) }
        return path.count == 1 ? flat[path[0]] : nil
    }
}

// Hot path: once per document.
import WeirCore
import WeirPipeline

/// Writes events as pairs of lines of Elasticsearch's bulk API: the action and the source.
final class DocumentEncoder: ChunkEncoder {
    private let options: DocumentOptions
    private var index: IndexName
    private var pipeline: IndexName?
    private var timestamp: ISO8601Writer
    private var encoder: BatchEncoder?
    private var timestampReader: ColumnReader?
    private var timeReader: ColumnReader?
    private let timeParser: DocumentTime
    private var offsetQuarter = Int64.min
    private var offsetSeconds: Int32 = 0
    private let excludedKeys: [String]
    /// Whether each document has an id of its own making.
    private let makesIDs: Bool
    /// Whether an action line is an index and an id, and nothing else.
    private let actionsArePlain: Bool
    /// A plain action line up to its id, for the index named last.
    private var actionHead = ByteBuffer()

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
        var hasTimestamp = false
        if options.includesTimestamp {
            switch readTime(row: row, of: batch) {
            case .ofEvent: offset = zoneOffset(at: documentTime)
            case .ofTimestampField(let time):
                documentTime = time
                hasTimestamp = true
            case .ofTimeKey(let time, let zoneOffset):
                documentTime = time
                offset = zoneOffset
            case .unreadable(let reason): return reason
            }
        }
        if let reason = appendAction(row: row, of: batch, time: documentTime, to: &buffer) {
            return reason
        }
        let adds = options.includesTimestamp && !hasTimestamp && !options.leavesOutTimestamp
        appendSource(
            row: row, of: batch, timestamp: adds ? (documentTime, offset) : nil, to: &buffer)
        return nil
    }

    // MARK: Time

    private enum ReadTime {
        case ofEvent
        case ofTimestampField(Timestamp)
        case ofTimeKey(Timestamp, offset: Int32)
        case unreadable(String)
    }

    @inline(__always)
    private func readTime(row: Int, of batch: EventBatch) -> ReadTime {
        let present = timestampReader?.slot(row: row, in: batch) ?? .absent
        if present.isPresent {
            guard let (time, _) = timeParser.freely(batch, present) else {
                return .unreadable("`@timestamp` is not a time")
            }
            return .ofTimestampField(time)
        }
        guard let slot = timeReader?.slot(row: row, in: batch), slot.isPresent else {
            return .ofEvent
        }
        guard let (time, offset) = timeParser.parse(batch, slot) else {
            return .unreadable("`\(options.timeKey ?? "")` is not a time")
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
            case .string(let name)? = fieldValue(path, row: row, of: batch)
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
        guard let path, let value = fieldValue(path, row: row, of: batch), value != .null else {
            return false
        }
        separate(&buffer)
        buffer.append(byte: UInt8(ascii: "\""))
        buffer.append(name)
        buffer.append("\":")
        JSONValueWriter.append(value, to: &buffer)
        return true
    }

    // MARK: The source line

    private func appendSource(
        row: Int, of batch: EventBatch, timestamp added: (time: Timestamp, offset: Int32)?,
        to buffer: inout ByteBuffer
    ) {
        let isUpdate = options.operation == .update || options.operation == .upsert
        if isUpdate { buffer.append("{\"doc\":") }
        var hasMembers: Bool
        if options.flatSeparator != nil || (options.targetIndexKey?.count ?? 0) > 1
            || isUpdate && mayChangeFewer
        {
            hasMembers = appendRewritten(row: row, of: batch, to: &buffer)
        } else {
            hasMembers = encoder?.appendMembers(row: row, to: &buffer) ?? false
        }
        if let added {
            if hasMembers { buffer.append(byte: UInt8(ascii: ",")) }
            hasMembers = true
            buffer.append("\"@timestamp\":\"")
            timestamp.append(added.time, offsetSeconds: added.offset, to: &buffer)
            buffer.append(byte: UInt8(ascii: "\""))
        }
        if let key = options.tagKey {
            if hasMembers { buffer.append(byte: UInt8(ascii: ",")) }
            buffer.append(byte: UInt8(ascii: "\""))
            appendEscaped(key, to: &buffer)
            buffer.append("\":\"")
            appendEscaped(batch.tag, to: &buffer)
            buffer.append(byte: UInt8(ascii: "\""))
        }
        buffer.append(byte: UInt8(ascii: "}"))
        if options.operation == .upsert, changesFewer(row: row, of: batch) {
            buffer.append(",\"upsert\":")
            appendWhole(row: row, of: batch, to: &buffer)
            buffer.append(byte: UInt8(ascii: "}"))
        } else if options.operation == .upsert {
            buffer.append(",\"doc_as_upsert\":true}")
        } else if isUpdate {
            buffer.append(byte: UInt8(ascii: "}"))
        }
        buffer.append(byte: 0x0a)
    }

    /// Writes a record that must be changed inside, without its closing brace.
    private func appendRewritten(
        row: Int, of batch: EventBatch, to buffer: inout ByteBuffer
    ) -> Bool {
        var record = batch.record(row: row)
        for key in excludedKeys { record[key] = nil }
        if options.operation == .update || options.operation == .upsert {
            leaveOutKeptKeys(&record)
        }
        if let path = options.targetIndexKey { record = removing(path[...], from: record) }
        if let separator = options.flatSeparator {
            var flat = Record()
            flatten(record, prefix: "", separator, into: &flat, depth: 0)
            record = flat
        }
        JSONValueWriter.append(.object(record), to: &buffer)
        buffer.removeLast()
        return !record.fields.isEmpty
    }

    /// Writes the document that an upsert makes where there is none.
    private func appendWhole(row: Int, of batch: EventBatch, to buffer: inout ByteBuffer) {
        var record = batch.record(row: row)
        for key in excludedKeys { record[key] = nil }
        if let key = options.keptOnUpdateKey { record[key] = nil }
        JSONValueWriter.append(.object(record), to: &buffer)
    }

    /// Whether an update leaves some fields as they are.
    private var mayChangeFewer: Bool {
        !options.keysKeptOnUpdate.isEmpty || options.keptOnUpdateKey != nil
    }

    /// Whether the update of one event leaves some fields as they are.
    private func changesFewer(row: Int, of batch: EventBatch) -> Bool {
        if !options.keysKeptOnUpdate.isEmpty { return true }
        guard let key = options.keptOnUpdateKey else { return false }
        var reader = ColumnReader(key, in: batch)
        return reader.slot(row: row, in: batch).isPresent
    }

    private func leaveOutKeptKeys(_ record: inout Record) {
        for key in options.keysKeptOnUpdate { record[key] = nil }
        guard let key = options.keptOnUpdateKey else { return }
        if case .array(let names)? = record[key] {
            for case .string(let name) in names { record[name] = nil }
        }
        record[key] = nil
    }

    private func removing(_ path: ArraySlice<String>, from record: Record) -> Record {
        guard let key = path.first else { return record }
        var record = record
        if path.count == 1 {
            record[key] = nil
        } else if case .object(let inner)? = record[key] {
            record[key] = .object(removing(path.dropFirst(), from: inner))
        }
        return record
    }

    private func flatten(
        _ record: Record, prefix: String, _ separator: String, into flat: inout Record, depth: Int
    ) {
        for (key, value) in record.fields {
            let name = prefix.isEmpty ? key : prefix + separator + key
            if case .object(let inner) = value, depth < JSONLineScanner.depthLimit {
                flatten(inner, prefix: name, separator, into: &flat, depth: depth + 1)
            } else {
                flat[name] = value
            }
        }
    }
}

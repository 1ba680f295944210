// Hot path: once per document.
import WeirCore
import WeirPipeline

extension DocumentEncoder {
    /// The time that a document is given, and its zone's distance from UTC.
    typealias AddedTime = (time: Timestamp, offset: Int32)

    func appendSource(
        row: Int, of batch: EventBatch, adding added: AddedTime?, to buffer: inout ByteBuffer
    ) {
        let isUpdate = options.operation == .update || options.operation == .upsert
        guard isUpdate else {
            var hasMembers: Bool
            if flat != nil || (options.targetIndexKey?.count ?? 0) > 1 {
                hasMembers = append(document(row: row, of: batch), to: &buffer)
            } else {
                hasMembers = encoder?.appendMembers(row: row, to: &buffer) ?? false
            }
            append(added, batch, hasMembers: &hasMembers, to: &buffer)
            buffer.append(byte: 0x0a)
            return
        }
        appendUpdate(row: row, of: batch, adding: added, to: &buffer)
        buffer.append(byte: 0x0a)
    }

    /// Appends an update's body: what changes, and for an upsert what is made where there is none.
    private func appendUpdate(
        row: Int, of batch: EventBatch, adding added: AddedTime?, to buffer: inout ByteBuffer
    ) {
        var whole = document(row: row, of: batch)
        let change = takeChange(of: &whole)
        let wraps = !options.suppressesDocumentWrap
        if wraps { buffer.append("{\"doc\":") }
        var hasMembers = append(change.record, to: &buffer)
        append(added, batch, hasMembers: &hasMembers, to: &buffer)
        guard wraps else { return }
        if options.operation == .upsert, change.isWhole {
            buffer.append(",\"doc_as_upsert\":true")
        } else if options.operation == .upsert {
            buffer.append(",\"upsert\":")
            var hasMembers = append(whole, to: &buffer)
            append(added, batch, hasMembers: &hasMembers, to: &buffer)
        }
        buffer.append(byte: UInt8(ascii: "}"))
    }

    /// The record without the fields that an update leaves alone: those that the event names, else
    /// those of the configuration.
    private func takeChange(of record: inout Record) -> (record: Record, isWhole: Bool) {
        var keys = options.keysKeptOnUpdate
        if let key = options.keptOnUpdateKey {
            if case .array(let names)? = record[key] { keys = names.compactMap(\.text) }
            record[key] = nil
        }
        var change = record
        for key in keys { change[key] = nil }
        return (change, change.fields.count == record.fields.count)
    }

    /// Appends a record without its closing brace.
    /// - Returns: Whether it has fields.
    private func append(_ record: Record, to buffer: inout ByteBuffer) -> Bool {
        JSONValueWriter.append(.object(record), to: &buffer)
        buffer.removeLast()
        return !record.fields.isEmpty
    }

    /// Appends the time and the tag, and the closing brace.
    private func append(
        _ added: AddedTime?, _ batch: EventBatch, hasMembers: inout Bool,
        to buffer: inout ByteBuffer
    ) {
        if let (time, offset) = added {
            if hasMembers { buffer.append(byte: UInt8(ascii: ",")) }
            hasMembers = true
            buffer.append("\"@timestamp\":\"")
            timestamp.append(time, offsetSeconds: offset, to: &buffer)
            buffer.append(byte: UInt8(ascii: "\""))
        }
        if let key = addedTagKey {
            if hasMembers { buffer.append(byte: UInt8(ascii: ",")) }
            hasMembers = true
            buffer.append(byte: UInt8(ascii: "\""))
            appendEscaped(key, to: &buffer)
            buffer.append("\":\"")
            appendEscaped(batch.tag, to: &buffer)
            buffer.append(byte: UInt8(ascii: "\""))
        }
        buffer.append(byte: UInt8(ascii: "}"))
    }

    /// The record as it is stored, without what is left out.
    private func document(row: Int, of batch: EventBatch) -> Record {
        var record = flat ?? batch.record(row: row)
        for key in excludedKeys { record[key] = nil }
        if let path = options.targetIndexKey { record = removing(path[...], from: record) }
        return record
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

    /// A record whose nested fields are its own, under joined names.
    func flattened(_ record: Record, _ separator: String) -> Record {
        var flat = Record()
        flatten(record, prefix: "", separator, into: &flat, depth: 0)
        return flat
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

extension Value {
    /// The text of a string.
    fileprivate var text: String? { if case .string(let text) = self { text } else { nil } }
}

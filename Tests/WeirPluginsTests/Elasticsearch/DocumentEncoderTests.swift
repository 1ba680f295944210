import Testing
import WeirCore
import WeirPipeline

@testable import WeirPlugins

@Suite("The encoder of documents") struct DocumentEncoderTests {
    private let noon = Timestamp(seconds: 1_795_521_600, nanoseconds: 5)  // 2026-11-24T12:00:00Z

    /// A batch of lines, from a file when it has an origin.
    private func batch(_ lines: [String], origin: Origin? = nil, position: UInt64 = 0) -> EventBatch
    {
        let batch = EventBatch()
        var text = lines.map { $0 + "\n" }.joined()
        text.withUTF8 { batch.fillBlock(copying: UnsafeRawBufferPointer($0)) }
        batch.tag = "istio.access"
        batch.origin = origin
        _ = batch.cutLines(position: position)
        JSONLineScanner().scan(into: batch, time: noon)
        return batch
    }

    /// The lines of the event of one line, or why there are none.
    private func encode(
        _ line: String, origin: Origin? = nil, position: UInt64 = 0,
        _ change: (inout DocumentOptions) -> Void = { _ in }
    ) -> [String] {
        var options = DocumentOptions()
        options.index = .name("logs")
        change(&options)
        let encoder = DocumentEncoder(options)
        let batch = batch([line], origin: origin, position: position)
        encoder.begin(batch)
        var buffer = ByteBuffer()
        if let reason = encoder.append(row: 0, of: batch, to: &buffer) { return ["! " + reason] }
        let text = String(decoding: buffer.bytes, as: UTF8.self)
        #expect(text.hasSuffix("\n"))
        return text.split(separator: "\n").map(String.init)
    }

    @Test func `writes an action and the source as it came`() {
        let line = #"{"a":1,"b":"é\n"}"#
        #expect(encode(line) == [#"{"index":{"_index":"logs"}}"#, line])
        #expect(encode("{}") == [#"{"index":{"_index":"logs"}}"#, "{}"])
    }

    @Test func `creates events of files under an id of file, place and bytes`() throws {
        let origin = Origin(high: 1, low: 2)
        let action = try #require(encode(#"{"a":1}"#, origin: origin).first)
        #expect(action.hasPrefix(#"{"create":{"_index":"logs","_id":""#))
        #expect(encode(#"{"a":1}"#, origin: origin).first == action)
        #expect(encode(#"{"a":2}"#, origin: origin).first != action)
        #expect(encode(#"{"a":1}"#, origin: origin, position: 1).first != action)
        #expect(encode(#"{"a":1}"#, origin: Origin(high: 1, low: 3)).first != action)
        let chosen = encode(#"{"a":1}"#, origin: origin) { $0.operationIsChosen = true }
        #expect(chosen.first?.hasPrefix(#"{"index":{"_index":"logs","_id":""#) == true)
    }

    @Test func `adds the time of the event in its zone, but to no event that tells its own`() {
        let added = encode(#"{"a":1}"#) { $0.includesTimestamp = true }
        #expect(added[1] == #"{"a":1,"@timestamp":"2026-11-24T12:00:00.000000005+00:00"}"#)
        let zoned = encode("{}") {
            $0.includesTimestamp = true
            $0.timeZone = .fixed(3600)
            $0.timePrecision = 3
        }
        #expect(zoned[1] == #"{"@timestamp":"2026-11-24T13:00:00.000+01:00"}"#)
        let own = #"{"@timestamp":"2026-01-01T00:00:00Z"}"#
        let kept = encode(own) {
            $0.includesTimestamp = true
            $0.index = .name("%Y.%m")
        }
        #expect(kept == [#"{"index":{"_index":"2026.01"}}"#, own])
    }

    @Test func `takes the time from the field that tells it, else the event's own`() throws {
        let format = try TimeFormat("%d.%m.%Y")
        let change = { (options: inout DocumentOptions) in
            options.includesTimestamp = true
            options.timeKey = "t"
            options.timeKeyFormat = format
            options.timePrecision = 0
        }
        #expect(
            encode(#"{"t":"01.02.2025"}"#, change)[1]
                == #"{"t":"01.02.2025","@timestamp":"2025-02-01T00:00:00+00:00"}"#)
        #expect(
            encode(#"{"t":"soon"}"#, change)[1]
                == #"{"t":"soon","@timestamp":"2026-11-24T12:00:00+00:00"}"#)
        #expect(encode(#"{"@timestamp":"soon"}"#, change)[1] == #"{"@timestamp":"soon"}"#)
        #expect(
            encode(#"{"t":"01.02.2025"}"#) {
                change(&$0); $0.leavesOutTimestamp = true
            }[1]
                == #"{"t":"01.02.2025"}"#)
    }

    @Test func `leaves the time out only where it came from the field`() {
        let change = { (options: inout DocumentOptions) in
            options.includesTimestamp = true
            options.timeKey = "t"
            options.leavesOutTimestamp = true
            options.timePrecision = 0
        }
        #expect(encode(#"{"t":"2025-02-01"}"#, change)[1] == #"{"t":"2025-02-01"}"#)
        #expect(encode("{}", change)[1] == #"{"@timestamp":"2026-11-24T12:00:00+00:00"}"#)
        let without = encode("{}") {
            change(&$0)
            $0.removedKeys = ["@timestamp"]
        }
        #expect(without[1] == "{}")
    }

    @Test func `tells of a time that cannot be read, and writes the document all the same`() throws
    {
        var options = DocumentOptions()
        options.includesTimestamp = true
        options.timeKey = "t"
        options.timeKeyFormat = try TimeFormat("%Y")
        let encoder = DocumentEncoder(options)
        let batch = batch([#"{"t":"soon"}"#, #"{"t":"2025"}"#])
        encoder.begin(batch)
        var buffer = ByteBuffer()
        for row in 0...1 {
            let reason = encoder.append(row: row, of: batch, to: &buffer)
            #expect(reason == nil)
        }
        let told = encoder.takeComplaints()
        #expect(told.map(\.tag) == ["elasticsearch_plugin.output.time.error"])
        #expect(
            told.first?.record == [
                "tag": .string("istio.access"), "time": .integer(noon.seconds),
                "format": .string("%Y"), "value": .string("soon"),
            ])
        #expect(encoder.takeComplaints().isEmpty)
    }

    @Test func `takes id, parent and routing from fields`() {
        let change = { (options: inout DocumentOptions) in
            options.idPath = ["a", "id"]
            options.parentPath = ["p"]
            options.routingPath = ["r"]
        }
        #expect(
            encode(#"{"a":{"id":"x\""},"p":7,"r":"k"}"#, change)[0]
                == #"{"index":{"_index":"logs","_id":"x\"","_parent":7,"routing":"k"}}"#)
        #expect(encode(#"{"a":{}}"#, change)[0] == #"{"index":{"_index":"logs"}}"#)
        #expect(
            encode("{}") {
                change(&$0); $0.refusesMissingID = true
            }
                == ["! the field of `id_key` is missing"])
    }

    @Test func `writes updates, and upserts that make the document`() {
        let change = { (options: inout DocumentOptions) in
            options.idPath = ["id"]
            options.operation = .update
        }
        let action = #"{"update":{"_index":"logs","_id":1}}"#
        #expect(encode(#"{"id":1,"a":2}"#, change) == [action, #"{"doc":{"id":1,"a":2}}"#])
        #expect(encode("{}", change) == ["! the field of `id_key` is missing"])
        #expect(
            encode(#"{"id":1}"#) {
                change(&$0); $0.operation = .upsert
            }
                == [action, #"{"doc":{"id":1},"doc_as_upsert":true}"#])
        #expect(
            encode(#"{"id":1,"born":2,"a":3}"#) {
                change(&$0)
                $0.operation = .upsert
                $0.keysKeptOnUpdate = ["born"]
            } == [action, #"{"doc":{"id":1,"a":3},"upsert":{"id":1,"born":2,"a":3}}"#])
        #expect(
            encode(#"{"id":1,"a":3}"#) {
                change(&$0)
                $0.operation = .upsert
                $0.keysKeptOnUpdate = ["born"]
            } == [action, #"{"doc":{"id":1,"a":3},"doc_as_upsert":true}"#])
        #expect(
            encode(#"{"id":1,"born":2,"skip":["a"],"a":3}"#) {
                change(&$0)
                $0.keysKeptOnUpdate = ["born"]
                $0.keptOnUpdateKey = "skip"
            } == [action, #"{"doc":{"id":1,"born":2}}"#])
        #expect(
            encode(#"{"id":1,"script":"s"}"#) {
                change(&$0)
                $0.suppressesDocumentWrap = true
            } == [action, #"{"id":1,"script":"s"}"#])
        let nameless = encode("{}") { $0.operation = .update }
        #expect(nameless == ["! an update needs an id: name its field with `id_key`"])
    }

    @Test func `leaves fields out, adds the tag, names the index by a field`() {
        #expect(
            encode(#"{"a":1,"b":2,"tag":"old","i":"X-1"}"#) {
                $0.removedKeys = ["a"]
                $0.tagKey = "tag"
                $0.targetIndexKey = ["i"]
            } == [#"{"index":{"_index":"x-1"}}"#, #"{"b":2,"tag":"istio.access"}"#])
        #expect(
            encode(#"{"m":{"i":"x","k":1}}"#) { $0.targetIndexKey = ["m", "i"] }
                == [#"{"index":{"_index":"x"}}"#, #"{"m":{"k":1}}"#])
        #expect(encode(#"{"a":1}"#) { $0.removedKeys = ["a"] }[1] == "{}")
    }

    @Test func `makes nested objects flat`() {
        #expect(
            encode(#"{"a":{"b":{"c":1},"d":[{"e":2}]},"f":{}}"#) { $0.flatSeparator = "_" }[1]
                == #"{"a_b_c":1,"a_d":[{"e":2}]}"#)
        let named = encode(#"{"a":{"b":1,"i":"X"}}"#) {
            $0.flatSeparator = "_"
            $0.idPath = ["a_b"]
            $0.targetIndexKey = ["a_i"]
            $0.removedKeys = ["a"]
        }
        #expect(named == [#"{"index":{"_index":"x","_id":1}}"#, #"{"a_b":1}"#])
    }

    @Test func `refuses an event whose index's name is no text`() {
        let change = { (options: inout DocumentOptions) in options.targetIndexKey = ["i"] }
        #expect(encode(#"{"i":5}"#, change) == ["! the field of `target_index_key` is no text"])
        #expect(encode(#"{"i":null}"#, change)[0] == #"{"index":{"_index":"logs"}}"#)
    }

    @Test func `names pipeline and type, and puts the index before the action`() {
        #expect(
            encode("{}") {
                $0.pipeline = "P-${tag[0]}"
                $0.typeName = "_doc"
            }[0] == #"{"index":{"_index":"logs","_type":"_doc","pipeline":"P-istio"}}"#)
        #expect(encode("{}") { $0.includesIndexInURL = true } == ["logs", #"{"index":{}}"#, "{}"])
    }

    @Test func `writes each row of a batch, edits included`() {
        let encoder = DocumentEncoder(DocumentOptions())
        let batch = batch([#"{"a":1}"#, #"{"b":2}"#])
        let column = batch.editColumn("s")
        if let slot = batch.makeStringSlot("x\n") { batch.edit(column: column, row: 1, to: slot) }
        encoder.begin(batch)
        var buffer = ByteBuffer()
        for row in batch.rows.indices { _ = encoder.append(row: row, of: batch, to: &buffer) }
        let action = #"{"index":{"_index":"fluentd"}}"# + "\n"
        #expect(
            String(decoding: buffer.bytes, as: UTF8.self) == action + #"{"a":1}"# + "\n" + action
                + #"{"b":2,"s":"x\n"}"# + "\n")
    }
}

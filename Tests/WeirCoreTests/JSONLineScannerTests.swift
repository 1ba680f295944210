import Testing
import WeirCore

/// What comes out when `lines` are scanned and every row is encoded again.
func roundTrip(_ lines: String, edit: (EventBatch) -> Void = { _ in }) -> [String] {
    let batch = EventBatch()
    var text = lines + "\n"
    text.withUTF8 { batch.fillBlock(copying: UnsafeRawBufferPointer($0)) }
    _ = batch.cutLines(position: 0)
    JSONLineScanner().scan(into: batch, time: .epoch)
    edit(batch)
    var encoder = BatchEncoder(batch)
    return batch.rows.indices.map { row in
        var buffer = ByteBuffer()
        encoder.append(row: row, to: &buffer)
        return String(decoding: buffer.bytes, as: UTF8.self)
    }
}

@Suite("The JSON line scanner") struct JSONLineScannerTests {
    @Test(arguments: [
        #"{}"#, #"{"a":1}"#, #"{"a":"b\"c\\","d":null,"e":true,"f":false,"g":-1.5e+10}"#,
        #"{"a":{"b":[1,{"c":"]}"}]},"d":[]}"#, #"{"ü":"ö\u00e9","":"x"}"#,
    ])
    func `copies a well-formed object as it stands`(_ line: String) {
        #expect(roundTrip(line) == [line])
    }

    @Test(arguments: [
        "", "1", "null", #"{"a"}"#, #"{"a":}"#, #"{"a":1"#, #"{"a":1,}"#, #"{"a":01}"#,
        #"{"a":1.}"#, #"{"a":-}"#, #"{"a":"x}"#, #"{"a":"\x"}"#, #"{"a":"\u12g4"}"#,
        #"{"a":1}x"#, #"{"a":inf}"#, #"{"a":[1,]}"#, #"{"a":{"b"}}"#, #"[{"a":1},2]"#,
        #"{"a":tru}"#,
        #"{a:1}"#, #"{"a":"b\"#,
    ])
    func `refuses what is not an object or an array of objects`(_ line: String) {
        #expect(roundTrip(line) == [])
    }

    @Test func `takes white space and repeated names without copying them`() {
        #expect(roundTrip(#" { "a" : 1 , "b":[ 2 ] } "#) == [#"{"a":1,"b":[ 2 ]}"#])
        #expect(roundTrip(#"{"a":1,"b":2,"a":3}"#) == [#"{"a":3,"b":2}"#])
    }

    @Test func `keeps names apart that look alike but are other bytes`() {
        let composed = "{\"\u{e9}\":1}"
        let decomposed = "{\"e\u{301}\":2}"
        let both = "{\"\u{e9}\":1,\"e\u{301}\":2}"
        let written = roundTrip([composed, decomposed, both].joined(separator: "\n"))
        #expect(
            written.map { Array($0.utf8) } == [composed, decomposed, both].map { Array($0.utf8) })
        #expect(
            JSONValueReader.value(of: both).map(JSONValueWriter.text)?.utf8.count == both.utf8.count
        )
    }

    @Test func `repairs a malformed name with an accent behind it`() {
        let batch = EventBatch()
        let bytes = Array("{\"".utf8) + [0xf0, 0x90, 0x80, 0xcc, 0x81] + Array("\":1}\n".utf8)
        bytes.withUnsafeBytes { batch.fillBlock(copying: $0) }
        _ = batch.cutLines(position: 0)
        JSONLineScanner().scan(into: batch, time: .epoch)
        var encoder = BatchEncoder(batch)
        var buffer = ByteBuffer()
        encoder.append(row: 0, to: &buffer)
        #expect(Array(buffer.bytes) == Array("{\"\u{FFFD}\u{301}\":1}".utf8))
    }

    @Test func `reads an array as one event per object`() {
        #expect(roundTrip(#"[{"a":1},{"b":2}]"#) == [#"{"a":1}"#, #"{"b":2}"#])
    }

    @Test func `follows lines that leave keys out or change their order`() {
        let lines = [
            #"{"a":1,"b":2,"c":3}"#, #"{"a":1,"c":3}"#, #"{"b":2}"#, #"{"c":3,"a":1}"#,
            #"{"a":4,"b":5,"c":6}"#, #"{"z":1}"#,
        ]
        #expect(roundTrip(lines.joined(separator: "\n")) == lines)
    }

    @Test(arguments: UInt8(0)...15)
    func `a slot gives back the type that it was made of`(number: UInt8) {
        let type = FieldType(rawValue: number)
        #expect(Slot(type ?? .absent, offset: 7, length: 9).type == type ?? .absent)
    }

    @Test func `splices an edit into the place of the field, and appends a new one`() {
        let lines = [#"{"a":1,"b":"two","c":3}"#, #"{"b":"x"}"#, #"{"c":1}"#, #"{}"#]
        let edited = roundTrip(lines.joined(separator: "\n")) { batch in
            let set = batch.editColumn("b")
            let add = batch.editColumn("n")
            for row in batch.rows.indices {
                if let slot = batch.makeStringSlot("é\"") {
                    batch.edit(column: set, row: row, to: slot)
                }
                if let slot = batch.slot(for: .integer(-7)) {
                    batch.edit(column: add, row: row, to: slot)
                }
            }
        }
        #expect(
            edited == [
                #"{"a":1,"b":"é\"","c":3,"n":-7}"#, #"{"b":"é\"","n":-7}"#,
                #"{"c":1,"b":"é\"","n":-7}"#, #"{"b":"é\"","n":-7}"#,
            ])
    }

    @Test func `cuts a removed field out wherever it stands`() {
        let lines = [
            #"{"a":1,"b":"two","c":3}"#, #"{"b":"x"}"#, #"{"c":1,"b":null}"#, #"{"b":1,"c":2}"#,
        ]
        let edited = roundTrip(lines.joined(separator: "\n")) { batch in
            let column = batch.editColumn("b")
            for row in batch.rows.indices { batch.edit(column: column, row: row, to: .removed) }
        }
        #expect(edited == [#"{"a":1,"c":3}"#, #"{}"#, #"{"c":1}"#, #"{"c":2}"#])
    }

    @Test func `repairs lone surrogates, control bytes and malformed UTF-8`() {
        #expect(roundTrip(#"{"a":"\ud800x","b":1}"#) == ["{\"a\":\"\u{FFFD}x\",\"b\":1}"])
        #expect(roundTrip("{\"a\":\"t\tb\"}") == [#"{"a":"t\tb"}"#])
        let batch = EventBatch()
        var bytes = Array(#"{"a":"x"#.utf8)
        bytes += [0xff, 0xc3] + Array("\"}\n".utf8)
        bytes.withUnsafeBytes { batch.fillBlock(copying: $0) }
        _ = batch.cutLines(position: 0)
        JSONLineScanner().scan(into: batch, time: .epoch)
        #expect(batch.record(row: 0) == ["a": .string("x\u{FFFD}\u{FFFD}")])
        #expect(batch.replacedByteSequenceCount == 2)
    }

    @Test func `repairs the strings of a nested value, not the white space between them`() {
        #expect(
            roundTrip("{\"a\":{\t\"b\\\"\tc\"\r:\t\"\\ud800\"}}")
                == ["{\"a\":{\t\"b\\\"\\tc\"\r:\t\"\u{FFFD}\"}}"])
    }

    @Test func `writes a nested value of several lines on one`() {
        let batch = EventBatch()
        var text = "{\n\"a\":{\n  \"b\": [\n1]\n}}"
        let line = Line(offset: 0, length: UInt32(text.utf8.count), position: 0)
        text.withUTF8 { batch.fillBlock(copying: UnsafeRawBufferPointer($0)) }
        batch.lines.append(line)
        JSONLineScanner().scan(into: batch, time: .epoch)
        var encoder = BatchEncoder(batch)
        var buffer = ByteBuffer()
        encoder.append(row: 0, to: &buffer)
        let written = String(decoding: buffer.bytes, as: UTF8.self)
        #expect(written == #"{"a":{   "b": [ 1] }}"#)
    }

    @Test func `refuses nesting beyond its limit as over the limit`() {
        let deep = String(repeating: "[", count: 70) + String(repeating: "]", count: 70)
        let batch = EventBatch()
        var text = "{\"a\":\(deep)}\n"
        text.withUTF8 { batch.fillBlock(copying: UnsafeRawBufferPointer($0)) }
        _ = batch.cutLines(position: 0)
        JSONLineScanner().scan(into: batch, time: .epoch)
        #expect(batch.failures.map(\.reason) == [.overLimit])
    }
}

import Testing
import WeirCore

@Suite("A table of fields") struct FieldTableTests {
    private static func batch(_ lines: String...) -> EventBatch {
        let batch = EventBatch()
        Array(lines.map { $0 + "\n" }.joined().utf8).withUnsafeBytes {
            batch.fillBlock(copying: $0)
        }
        _ = batch.cutLines(position: 0)
        JSONLineScanner().scan(into: batch, time: .epoch)
        return batch
    }

    private static func text(_ table: FieldTable, _ field: Int) -> String? {
        table.readyText(field).map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func `finds fields by any of their names, row by row`() {
        let batch = Self.batch(
            #"{"a":"x","n":7,"z":null}"#, #"{"b":"y"}"#, #"{"n":1.5,"a":"w","b":"v"}"#)
        let table = FieldTable([["a", "b"], ["n"], ["z"]])
        table.look(at: batch)
        let found = batch.rows.indices.map { row -> [String?] in
            table.load(row: row, of: batch)
            return (0..<3).map { Self.text(table, $0) }
        }
        #expect(found == [["x", "7", ""], ["y", "", ""], ["w", "1.5", ""]])
    }

    @Test func `sees what filters changed, and has no ready text for escapes and booleans`() {
        let batch = Self.batch(#"{"a":"x","b":"\n","c":true}"#, #"{"a":"y","b":"z","c":1}"#)
        let column = batch.editColumn("a")
        batch.edit(column: column, row: 0, to: .removed)
        let added = batch.editColumn("d")
        if let slot = batch.makeStringSlot("new") { batch.edit(column: added, row: 1, to: slot) }
        let table = FieldTable([["a"], ["b"], ["c"], ["d"]])
        table.look(at: batch)
        #expect(table.hasEdits)
        table.load(row: 0, of: batch)
        #expect((0..<4).map { Self.text(table, $0) } == ["", nil, nil, ""])
        table.load(row: 1, of: batch)
        #expect((0..<4).map { Self.text(table, $0) } == ["y", "z", "1", "new"])
    }

    @Test func `gives rows one key where the fields of the key have the same bytes and types`() {
        let batch = Self.batch(
            #"{"a":"x","b":"yz","n":1}"#, #"{"a":"x","b":"yz","n":2}"#,
            #"{"a":"xy","b":"z","n":1}"#, #"{"a":"x","b":null,"n":1}"#,
            #"{"b":"yz","a":"x","n":3}"#, #"{"a":"1","b":"yz"}"#, #"{"a":1,"b":"yz"}"#,
            #"{"a":"x","n":1}"#)
        let table = FieldTable([["a"], ["b"], ["n"]], key: [0, 1])
        table.look(at: batch)
        let keys = batch.rows.indices.map { row -> [UInt8] in
            table.load(row: row, of: batch)
            var buffer = ByteBuffer()
            _ = table.appendKey(to: &buffer)
            return Array(buffer.bytes)
        }
        #expect(keys[0] == keys[1] && keys[0] == keys[4])
        #expect(Set(keys).count == 6)
    }

    @Test func `remembers shapes from batch to batch, and forgets them when they are too many`() {
        let table = FieldTable([["a"]])
        for number in 0...FieldTable.shapeLimit * 2 {
            let batch = Self.batch("{\"k\(number)\":0,\"a\":\"\(number)\"}")
            table.look(at: batch)
            table.load(row: 0, of: batch)
            #expect(Self.text(table, 0) == "\(number)")
        }
    }
}

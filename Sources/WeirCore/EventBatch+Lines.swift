// Hot path: once per block of a file.

extension EventBatch {
    /// Takes the CR of a CR LF off the lines that were cut.
    public func trimCarriageReturns() {
        for index in lines.indices {
            let line = lines[index]
            guard line.length > 0 else { continue }
            let last = pointer(line.offset)[Int(line.length) - 1]
            if last == UInt8(ascii: "\r") { lines[index].length = line.length - 1 }
        }
    }

    /// Reads the lines as ISO 8859-1: each byte is the Unicode character of its number.
    public func decodeLatin1() {
        guard lines.contains(where: { line in withBytes(of: line) { $0.contains { $0 > 0x7f } } })
        else { return }
        var text = ByteBuffer(capacity: blockCount)
        for index in lines.indices {
            let start = text.count
            withBytes(of: lines[index]) { bytes in
                for byte in bytes {
                    if byte < 0x80 {
                        text.append(byte: byte)
                    } else {
                        text.append(byte: 0xc0 | byte >> 6)
                        text.append(byte: 0x80 | byte & 0x3f)
                    }
                }
            }
            lines[index].offset = UInt32(truncatingIfNeeded: start)
            lines[index].length = UInt32(truncatingIfNeeded: text.count - start)
        }
        fillBlock(copying: text.bytes)
    }

    /// Puts the rows into the order of their lines, after rows were appended for some of them.
    public func sortRowsByLine() {
        let order = rows.indices.sorted { left, right in
            rows[left].line == rows[right].line
                ? left < right : rows[left].line < rows[right].line
        }
        rows = order.map { rows[$0] }
        for column in columns { column.reorder(order) }
    }
}

extension EventBatch {
    /// Makes the batch one of JSON records, in the place of what it held.
    /// - Parameters:
    ///   - text: The records, each with a line feed behind it.
    ///   - times: When each happened.
    public func fill(
        jsonLines text: UnsafeRawBufferPointer, times: [Timestamp], tag: String,
        scanner: JSONLineScanner = JSONLineScanner()
    ) {
        reset()
        self.tag = tag
        fillBlock(copying: text)
        _ = cutLines(position: 0)
        scanner.scan(into: self, time: .epoch)
        for row in rows.indices { setTime(times[Int(rows[row].line)], row: row) }
    }
}

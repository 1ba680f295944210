/// Reads the name and the labels of a series as the text of a scrape writes them.
enum ExpositionLabels {
    /// Names and values; the metric's name is `__name__`.
    /// - Returns: The pairs, or what is wrong with them.
    static func read(
        _ bytes: UnsafeRawBufferPointer, _ series: Range<Int>
    ) -> Result<[(name: String, value: String)], Problem> {
        var pairs: [(name: String, value: String)] = []
        var place = series.lowerBound
        while place < series.upperBound, bytes[place] != UInt8(ascii: "{"), bytes[place] != 0x20 {
            place += 1
        }
        if place > series.lowerBound {
            pairs.append(("__name__", text(bytes, series.lowerBound..<place)))
        }
        var scan = Scan(bytes: bytes, place: place, end: series.upperBound)
        scan.skipBlanks()
        guard scan.take("{") else { return .success(pairs) }
        while true {
            scan.skipBlanks()
            if scan.take("}") { break }
            guard let name = scan.name() else { return .failure(Problem("a label has no name")) }
            scan.skipBlanks()
            if scan.take("=") {
                scan.skipBlanks()
                guard let value = scan.quoted() else {
                    return .failure(Problem("the label `\(name)` has no value in quotes"))
                }
                guard let text = validated(value) else {
                    return .failure(Problem("the value of `\(name)` is not UTF-8"))
                }
                pairs.append((name, text))
            } else if pairs.first?.name != "__name__" {
                pairs.insert(("__name__", name), at: 0)
            } else {
                return .failure(Problem("the label `\(name)` has no `=`"))
            }
            scan.skipBlanks()
            if !scan.take(","), !scan.isAt("}") {
                return .failure(Problem("expected `,` or `}` behind the label `\(name)`"))
            }
        }
        return .success(pairs)
    }

    /// What is wrong with labels.
    struct Problem: Error {
        var message: String
        init(_ message: String) { self.message = message }
    }

    /// A text with `\\`, `\"` and `\n` restored.
    static func unescaped(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> String {
        String(decoding: restored(bytes, range), as: UTF8.self)
    }

    private static func restored(
        _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>
    ) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(range.count)
        var place = range.lowerBound
        while place < range.upperBound {
            var byte = bytes[place]
            if byte == UInt8(ascii: "\\"), place + 1 < range.upperBound {
                let next = bytes[place + 1]
                let known = [UInt8(ascii: "\\"), UInt8(ascii: "\""), UInt8(ascii: "n")]
                if known.contains(next) {
                    byte = next == UInt8(ascii: "n") ? 0x0a : next
                    place += 1
                }
            }
            out.append(byte)
            place += 1
        }
        return out
    }

    private static func validated(_ bytes: [UInt8]) -> String? {
        String(validating: bytes, as: UTF8.self)
    }

    private static func text(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> String {
        String(decoding: UnsafeRawBufferPointer(rebasing: bytes[range]), as: UTF8.self)
    }

    private struct Scan {
        let bytes: UnsafeRawBufferPointer
        var place: Int
        let end: Int

        mutating func skipBlanks() {
            while place < end, bytes[place] == 0x20 || bytes[place] == 0x09 { place += 1 }
        }

        func isAt(_ mark: Unicode.Scalar) -> Bool {
            place < end && bytes[place] == UInt8(ascii: mark)
        }

        mutating func take(_ mark: Unicode.Scalar) -> Bool {
            guard isAt(mark) else { return false }
            place += 1
            return true
        }

        /// A label's name, or a name in quotes.
        mutating func name() -> String? {
            if isAt("\"") { return quoted().flatMap { ExpositionLabels.validated($0) } }
            let start = place
            while place < end, Self.isNameByte(bytes[place]) { place += 1 }
            guard place > start, bytes[start] &- 0x30 >= 10 else { return nil }
            return ExpositionLabels.text(bytes, start..<place)
        }

        private static func isNameByte(_ byte: UInt8) -> Bool {
            (byte | 0x20) &- 0x61 < 26 || byte &- 0x30 < 10 || byte == UInt8(ascii: "_")
        }

        /// The bytes of a text in quotes, restored.
        mutating func quoted() -> [UInt8]? {
            guard take("\"") else { return nil }
            let start = place
            while place < end, bytes[place] != UInt8(ascii: "\"") {
                place += bytes[place] == UInt8(ascii: "\\") ? 2 : 1
            }
            guard place < end else { return nil }
            defer { place += 1 }
            return ExpositionLabels.restored(bytes, start..<place)
        }
    }
}

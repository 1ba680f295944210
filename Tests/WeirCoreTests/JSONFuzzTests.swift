import Testing
import WeirCore
import WeirTesting

@Suite("Whatever the JSON", .timeLimit(.minutes(5))) struct JSONFuzzTests {
    private static let inner =
        Array("{}[]\",:\\/u0d8eE+-. tfn19\tabrx".utf8) + [0, 0x0a, 0x1f, 0x7f, 0xc3, 0xa9, 0xff]
    /// Pieces of text that are easily read amiss.
    private static let traps: [[UInt8]] = [
        [0xf0, 0x90, 0x80, 0xcc, 0x81], [0xc3, 0x28], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80],
        [0xe2, 0x82], [0xc0, 0xaf], Array("\\ud800".utf8), Array("\\ud83d\\ude00".utf8),
        Array("\\ud800\\u0041".utf8), Array("\\udc00\\ud800".utf8), Array("\\u00g0".utf8),
        Array(repeating: UInt8(ascii: "["), count: 63), Array("\\".utf8), Array("\"a\":1,".utf8),
        Array("\\u0061".utf8),
    ]

    @Test func `the value reader reads it as a plain reader does, or refuses it as that does`() {
        var maker = JSONMaker(chance: SeededGenerator(announcing: "JSONFuzzTests, values"))
        let time = FuzzTime(shared: 2)
        repeat {
            let value = maker.makeValue(depth: 0)
            let text = maker.write(value)
            let read = text.withUnsafeBytes { JSONValueReader.value(of: $0) }
            let isSame = read.map { value.agrees(with: $0) } ?? false
            #expect(isSame, "\(String(decoding: text, as: UTF8.self))")

            let broken = self.broken(text, &maker.chance)
            let expected = ReferenceReader.value(of: broken)
            let found = broken.withUnsafeBytes { JSONValueReader.value(of: $0) }
            let agrees = expected.map { found.map($0.agrees) ?? false } ?? (found == nil)
            guard isSame, agrees else {
                Issue.record("\(broken) \(String(decoding: broken, as: UTF8.self))")
                return
            }
        } while time.isLeft
    }

    @Test func `the line scanner reads it as a plain reader does, and writes it again`() {
        var maker = JSONMaker(chance: SeededGenerator(announcing: "JSONFuzzTests, lines"))
        let time = FuzzTime(shared: 2)
        repeat {
            // One scanner for several blocks: it foretells keys from the lines before.
            let scanner = JSONLineScanner()
            for _ in 0..<4 {
                let batch = batch((0..<maker.chance.number(1...6)).map { _ in line(&maker) })
                scanner.scan(into: batch, time: .epoch)
                guard let problem = problem(batch) else { continue }
                Issue.record("\(problem), seed \(maker.chance.seed)")
                return
            }
        } while time.isLeft
    }

    private func line(_ maker: inout JSONMaker) -> [UInt8] {
        let value =
            maker.chance.once(in: 8)
            ? ReferenceJSON.array((0...2).map { _ in maker.makeObject() }) : maker.makeObject()
        let text = maker.write(value)
        return maker.chance.once(in: 3) ? broken(text, &maker.chance) : text
    }

    /// A batch of lines, which may hold line feeds, as texts of a field do.
    private func batch(_ lines: [[UInt8]]) -> EventBatch {
        let batch = EventBatch()
        var block: [UInt8] = []
        for line in lines {
            batch.lines.append(
                Line(
                    offset: UInt32(block.count), length: UInt32(line.count),
                    position: UInt64(block.count)))
            block += line + [0x0a]
        }
        block.withUnsafeBytes { batch.fillBlock(copying: $0) }
        return batch
    }

    private func broken(_ text: [UInt8], _ chance: inout SeededGenerator) -> [UInt8] {
        var text = text
        if chance.once(in: 2) {
            text.insert(contentsOf: chance.pick(Self.traps), at: chance.number(0...text.count))
            if chance.once(in: 2) { return text }
        }
        return chance.mutated(text, with: Self.inner)
    }

    /// What the scanner made of a batch's lines otherwise than the plain reader.
    private func problem(_ batch: EventBatch) -> String? {
        var encoder = BatchEncoder(batch)
        for index in batch.lines.indices {
            let text = batch.withBytes(of: batch.lines[index]) { Array($0) }
            let rows = batch.rows.indices.filter { batch.rows[$0].line == index }
            let hasFailed = batch.failures.contains { $0.line == index }
            let shown = String(decoding: text, as: UTF8.self)
            var expected: [[ReferenceJSON.Member]] = []
            let isArray = text.first { !" \t\r\n".utf8.contains($0) } == UInt8(ascii: "[")
            switch ReferenceReader.value(of: text, .line(isArray: isArray)) {
            case .object(let members)?: expected = [members]
            case .array(let values)?:
                expected = values.compactMap { if case .object(let all) = $0 { all } else { nil } }
                if expected.count < values.count { expected = [] }
            default: break
            }
            if expected.count != rows.count || hasFailed != rows.isEmpty {
                return "\(rows.count) rows for \(expected.count), failed: \(hasFailed): \(shown)"
            }
            for (row, members) in zip(rows, expected) {
                guard ReferenceJSON.agree(members, batch.record(row: row)) else {
                    return "\(batch.record(row: row)) for \(shown)"
                }
                var buffer = ByteBuffer()
                encoder.append(row: row, to: &buffer)
                let written = Array(buffer.bytes)
                guard String(validating: written, as: UTF8.self) != nil, !written.contains(0x0a),
                    case .object(let again)? = ReferenceReader.value(of: written, .written),
                    ReferenceJSON.unique(again) == ReferenceJSON.unique(members)
                else { return "\(String(decoding: written, as: UTF8.self)) written for \(shown)" }
            }
        }
        return nil
    }
}

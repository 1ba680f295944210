import Testing
import WeirCore
import WeirTesting

@testable import WeirPlugins

@Suite("Whatever Elasticsearch answers", .timeLimit(.minutes(5))) struct BulkAnswerFuzzTests {
    /// An item of an answer, and what becomes of its event.
    private struct Item {
        var action: String
        var status: Int

        var isDuplicate: Bool { status == 409 && action == "create" }
        var isDelivered: Bool { status >= 200 && status < 300 || isDuplicate }
        var isRefused: Bool { status >= 400 && status < 500 && !isDelivered && !isRetried }
        var isRetried: Bool { status == 429 || status >= 500 && status < 600 }
    }

    private static let inner =
        Array("{}[]\",:0123459\\ \nstatuerofl".utf8) + [0, 0x1f, 0xff]
    private static let traps = [
        "\"status\":201", "{\"create\":{\"status\":201}},", "\"errors\":false", "]}",
        "\"items\":[]",
        "\"x\":{\"status\":200}", ",\"status\":500", "\\u0073tatus", "0", "}",
    ]

    @Test func `every item is dealt with by its own status, and none is delivered on a guess`() {
        var chance = SeededGenerator(announcing: "BulkAnswerFuzzTests")
        let time = FuzzTime()
        repeat {
            let items = makeItems(&chance)
            let text = answer(items, &chance)
            var problem = self.problem(Array(text.utf8), items)
            var broken = Array(text.utf8)
            if chance.once(in: 2) {
                let trap = chance.pick(Self.traps).utf8
                broken.insert(contentsOf: trap, at: chance.number(0...broken.count))
            }
            if chance.once(in: 2) { broken = chance.mutated(broken, with: Self.inner) }
            if chance.once(in: 4) { broken.removeLast(chance.number(0...broken.count)) }
            let asked = chance.once(in: 4) ? chance.number(0...6) : items.count
            problem = problem ?? guess(broken, itemCount: asked)
            guard let problem else { continue }
            Issue.record("\(problem), seed \(chance.seed)")
            return
        } while time.isLeft
    }

    private func makeItems(_ chance: inout SeededGenerator) -> [Item] {
        let statuses =
            chance.once(in: 2)
            ? [200, 201] : [200, 201, 201, 400, 404, 409, 413, 429, 500, 503, 599, 600, 100, 302]
        return (0..<chance.number(0...5)).map { _ in
            Item(
                action: chance.pick(["create", "create", "index", "update"]),
                status: chance.pick(statuses))
        }
    }

    /// An answer as Elasticsearch writes it, or as a proxy might write it anew.
    private func answer(_ items: [Item], _ chance: inout SeededGenerator) -> String {
        let gap = chance.pick(["", "", " ", "\n  "])
        let texts = items.map { item in
            let isBad = item.status >= 300 || item.status < 200
            let fields = [
                "\"_index\":\"\(chance.pick(["logs", "a-\\u00e9", "status\\\":200"]))\"",
                "\"_id\":\(chance.pick(["null", "\"Yx_-\"", "\"\\\"status\\\":201\""]))",
                "\"_shards\":{\"total\":2,\"successful\":1,\"failed\":0}", "\"_seq_no\":12",
                isBad ? "\"error\":\(chance.pick(Self.errors))" : "\"result\":\"created\"",
                "\"status\":\(gap)\(item.status)",
            ]
            let kept = chance.once(in: 3) ? fields.shuffled(using: &chance) : fields
            return "{\"\(item.action)\":{\(gap)\(kept.joined(separator: ",\(gap)"))}}"
        }
        let errors = items.contains { $0.status >= 300 }
        let parts = [
            "\"took\":30", "\"errors\":\(errors)", "\"items\":[\(texts.joined(separator: ","))]",
            "\"ingest_took\":1",
        ]
        let kept = chance.once(in: 3) ? parts.shuffled(using: &chance) : Array(parts.prefix(3))
        return "{\(gap)\(kept.joined(separator: "," + gap))}"
    }

    private static let errors = [
        "\"text\"", "{}", "{\"type\":\"mapper_parsing_exception\",\"reason\":\"no\"}", "null",
        "{\"reason\":{\"status\":200},\"caused_by\":{\"reason\":\"why\"}}", "[]", "{\"type\":7}",
    ]

    /// What was read otherwise than it was written.
    private func problem(_ bytes: [UInt8], _ items: [Item]) -> String? {
        let read = bytes.withUnsafeBytes { BulkAnswer.read($0, itemCount: items.count) }
        let retried = items.indices.filter { items[$0].isRetried }
        let rejected = items.indices.filter { items[$0].isRefused }
        let isStrange = items.contains { !$0.isDelivered && !$0.isRetried && !$0.isRefused }
        let isSame =
            switch read.answer {
            case .allDone: retried.isEmpty && rejected.isEmpty && !isStrange
            case .some(let retry, let refused, let reason):
                retry == retried && refused.map(\.index) == rejected
                    && (retried.isEmpty || !reason.isEmpty)
                    && refused.allSatisfy { $0.reason.hasPrefix("\(items[$0.index].status)") }
            case .unreadable: isStrange
            }
        let duplicates = isStrange ? 0 : items.count { $0.isDuplicate }
        if isSame, read.duplicateCount == duplicates { return nil }
        return "\(read) of \(String(decoding: bytes, as: UTF8.self))"
    }

    /// What was said to be delivered that a strict reading does not find delivered.
    private func guess(_ bytes: [UInt8], itemCount: Int) -> String? {
        let read = bytes.withUnsafeBytes { BulkAnswer.read($0, itemCount: itemCount) }
        var claimed: Set<Int> = []
        switch read.answer {
        case .unreadable: return nil
        case .allDone: claimed = Set(0..<itemCount)
        case .some(let retry, let rejected, _):
            claimed = Set(0..<itemCount).subtracting(retry).subtracting(rejected.map(\.index))
        }
        let value = bytes.withUnsafeBytes { JSONValueReader.value(of: $0) }
        let items = value?.object?["items"]?.array ?? []
        let delivered = items.indices.filter { index in
            guard let fields = items[index].object?.fields, fields.count == 1,
                let status = fields[0].value.object?["status"]?.integer
            else { return false }
            return Item(action: fields[0].key, status: Int(status)).isDelivered
        }
        if items.count == itemCount, claimed.isSubset(of: delivered) { return nil }
        return "\(read) for \(itemCount) items of \(String(decoding: bytes, as: UTF8.self))"
    }
}

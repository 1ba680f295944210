import Testing
import WeirCore
import WeirHost
import WeirParse

@testable import WeirPlugins

/// Joins a line that begins with `+` to the one before.
private final class JoiningParser: LineParser {
    private let shape = Shape(["message"])

    func parse(into batch: EventBatch, now: Timestamp) {
        var events: [(line: Int, text: String)] = []
        for index in batch.lines.indices {
            let text = batch.withBytes(of: batch.lines[index]) {
                String(decoding: $0, as: UTF8.self)
            }
            if text.hasPrefix("+"), !events.isEmpty {
                events[events.count - 1].text += text
            } else {
                events.append((index, text))
            }
        }
        if !batch.endsInput, let last = events.popLast() {
            batch.unfinishedPosition = batch.lines[last.line].position
        }
        for (line, text) in events {
            guard let slot = batch.makeStringSlot(text) else { continue }
            batch.appendRow(shape: shape, slots: [slot], line: line, time: now)
        }
    }
}

@Suite("A tail whose events have several lines") struct TailJoiningTests {
    private func begin(_ extra: String = "", with text: String) throws -> TailRig {
        let rig = try TailRig(extra)
        rig.setOptions {
            $0.turnByteLimit = 64
            $0.lineByteLimit = 128
        }
        rig.folder.write("a.log", text)
        try rig.start(parser: JoiningParser())
        rig.settle()
        return rig
    }

    @Test func `waits for the lines of an event, and its position with it`() throws {
        let rig = try begin(with: "a\n+b\n")
        rig.pass(seconds: 60)
        #expect(rig.sink.messages.isEmpty)
        #expect(rig.positions == ["a.log 0"])
        rig.folder.append("a.log", "+c\nd\n")
        rig.settle()
        #expect(rig.sink.messages == ["a+b+c"])
        #expect(rig.positions == ["a.log 8"])
    }

    @Test func `gives an event whose next line does not come in time`() throws {
        let rig = try begin("multiline_flush_interval 2s", with: "a\n+b\n")
        #expect(rig.sink.messages.isEmpty)
        rig.pass(seconds: 3)
        #expect(rig.sink.messages == ["a+b"])
        #expect(rig.positions == ["a.log 5"])
    }

    @Test func `gives the last event of a file that was rotated away`() throws {
        let rig = try begin(with: "a\n+b\n+c")
        rig.folder.rename("a.log", "a.log.1")
        rig.folder.write("a.log", "d\ne\n")
        rig.pass(seconds: 4)
        #expect(rig.sink.messages == ["a+b+c", "d"])
    }

    @Test func `gives an event that is longer than a turn whole`() throws {
        let long = "a\n" + String(repeating: "+0123456789\n", count: 15)
        let rig = try begin(with: "x\n" + long + "b\n")
        #expect(rig.sink.messages == ["x", long.replacing("\n", with: "")])
    }

    @Test func `cuts an event that no block can hold, and goes on`() throws {
        let long = "a\n" + String(repeating: "+0123456789\n", count: 100)
        let rig = try begin(with: long + "b\nc\n")
        #expect(rig.sink.messages.count > 3)
        #expect(rig.sink.messages.joined() == long.replacing("\n", with: "") + "b")
    }

    @Test func `sends a joined event again under its identity`() throws {
        let rig = try TailRig()
        rig.sink.setHolding(true)
        rig.folder.write("a.log", "a\n+b\nc\n")
        try rig.start(parser: JoiningParser())
        rig.settle()
        let before = rig.sink.takeEvents()
        rig.kill()
        try rig.start(parser: JoiningParser())
        rig.settle()
        #expect(before.map(\.message) == ["a+b"])
        #expect(rig.sink.events.map(\.identity) == before.map(\.identity))
    }
}

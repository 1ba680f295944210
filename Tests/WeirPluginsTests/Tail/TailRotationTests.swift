import Testing
import WeirCore
import WeirHost
import WeirMetrics

@testable import WeirPlugins

@Suite("A tailed file that is rotated") struct TailRotationTests {
    let rig: TailRig
    let folder: TemporaryFolder

    init() throws {
        rig = try TailRig()
        folder = rig.folder
    }

    private func begin(with text: String) throws {
        folder.write("a.log", text)
        try rig.start()
        rig.settle()
    }

    @Test func `is read to its end after rename and create, then the new one`() throws {
        try begin(with: "l1\n")
        folder.append("a.log", "l2\n")
        folder.rename("a.log", "a.log.1")
        folder.write("a.log", "n1\n")
        rig.settle()
        #expect(rig.sink.messages == ["l1", "l2", "n1"])
        #expect(rig.positions == ["a.log 3"])
    }

    @Test func `still gives what is written to it late`() throws {
        try begin(with: "l1\n")
        folder.rename("a.log", "a.log.1")
        folder.write("a.log", "n1\n")
        rig.step()
        folder.append("a.log.1", "late\n")
        rig.step()
        #expect(rig.sink.messages == ["l1", "n1", "late"])
    }

    @Test func `is forgotten once it is delivered to its end, and that is written down`() throws {
        rig.sink.setHolding(true)
        try begin(with: "l1\n")
        folder.rename("a.log", "a.log.1")
        folder.write("a.log", "n1\n")
        rig.pass(seconds: 3)
        #expect(rig.forgotten.isEmpty, "its line is not delivered")
        #expect(rig.sink.messages == ["l1", "n1"])
        rig.sink.deliverAll()
        rig.pass(seconds: 3)
        #expect(rig.forgotten.count == 1, "only the one that was rotated")
        folder.append("a.log", "n2\n")
        rig.settle()
        rig.pass(seconds: 3)
        #expect(rig.forgotten.count == 1)
    }

    @Test func `is followed when the new one comes late`() throws {
        try begin(with: "l1\n")
        folder.append("a.log", "l2\n")
        folder.rename("a.log", "a.log.1")
        rig.pass(seconds: 3)
        folder.write("a.log", "n1\n")
        rig.settle()
        #expect(rig.sink.messages == ["l1", "l2", "n1"])
    }

    @Test func `begins again when it was copied and truncated`() throws {
        try begin(with: "l1\nl2\n")
        folder.copyTruncate("a.log", "a.log.1")
        folder.append("a.log", "m1\n")
        rig.settle()
        #expect(rig.sink.messages == ["l1", "l2", "m1"])
        #expect(rig.reports == [.truncated(path: folder.place("a.log"), lostByteCount: 0)])
    }

    @Test func `begins again when it was truncated and rotated since the last look`() throws {
        try begin(with: "l1\nl2\n")
        folder.write("a.log", "m1\nm2\nm3\n")
        folder.rename("a.log", "a.log.1")
        folder.write("a.log", "n1\n")
        rig.settle()
        #expect(rig.sink.messages == ["l1", "l2", "m1", "m2", "m3", "n1"])
    }

    @Test func `counts the bytes that a truncation took away unread`() throws {
        try begin(with: "l1\n")
        rig.sink.setFull(true)
        folder.append("a.log", "lost\n")
        rig.step()
        folder.truncate("a.log", 0)
        rig.sink.setFull(false)
        rig.settle()
        #expect(rig.count("weir_tail_lost_bytes_total", [Label("reason", "truncated")]) == 5)
        #expect(rig.reports == [.truncated(path: folder.place("a.log"), lostByteCount: 5)])
    }

    @Test(arguments: ["m1\nm2\nm3\nm4\n", "m1\nm2\n"])
    func `begins again when it was truncated and grew to the old size or past it`(
        text: String
    ) throws {
        try begin(with: "l1\nl2\n")
        folder.write("a.log", text)
        rig.settle()
        let lines = text.split(separator: "\n").map(String.init)
        #expect(rig.sink.messages == ["l1", "l2"] + lines)
    }

    @Test func `gives equal lines of both times different identities`() throws {
        try begin(with: "same\nl2\n")
        folder.copyTruncate("a.log", "a.log.1")
        rig.step()
        folder.append("a.log", "same\n")
        rig.settle()
        let events = rig.sink.events.filter { $0.message == "same" }
        #expect(events.count == 2)
        #expect(Set(events.map(\.identity)).count == 2)
    }

    @Test func `is another file after delete and create`() throws {
        try begin(with: "l1\n")
        folder.append("a.log", "l2\n")
        folder.delete("a.log")
        folder.write("a.log", "n1\n")
        rig.settle()
        #expect(rig.sink.messages == ["l1", "l2", "n1"])
    }

    @Test func `gives other identities when its inode is used again`() throws {
        try begin(with: "same\n")
        folder.delete("a.log")
        rig.pass(seconds: 3)
        for _ in 0..<3 {
            folder.write("a.log", "same\n")
            rig.settle()
            folder.delete("a.log")
            rig.pass(seconds: 3)
        }
        let events = rig.sink.events
        #expect(events.map(\.message) == ["same", "same", "same", "same"])
        #expect(Set(events.map(\.identity)).count == 4)
    }

    @Test func `is left for the other when a link is switched`() throws {
        let rig = try TailRig(source: TailRotationTests.linkSource)
        let folder = rig.folder
        folder.write("a.log", "a1\n")
        folder.write("b.log", "b1\n")
        folder.link("a.log", "link.log")
        try rig.start()
        rig.settle()
        folder.append("a.log", "a2\n")
        folder.delete("link.log")
        folder.link("b.log", "link.log")
        rig.settle()
        #expect(rig.sink.messages == ["a1", "a2", "b1"])
        // And back: it is the same file, read on where it was left.
        rig.pass(seconds: 3)
        folder.append("a.log", "a3\n")
        folder.delete("link.log")
        folder.link("a.log", "link.log")
        rig.settle()
        #expect(rig.sink.messages == ["a1", "a2", "b1", "a3"])
    }

    private static let linkSource = """
        <source>
          @type tail
          path DIR/link.log
          pos_file DIR/pos
          tag t
          read_from_head true
          rotate_wait 1s
          <parse>
            @type none
          </parse>
        </source>
        """

    @Test func `is read with all that came and went since the last look`() throws {
        try begin(with: "l1\n")
        folder.append("a.log", "l2\n")
        for name in ["m", "n", "o"] {
            folder.rename("a.log.2", "a.log.3")
            folder.rename("a.log.1", "a.log.2")
            folder.rename("a.log", "a.log.1")
            folder.write("a.log", "\(name)1\n\(name)2\n")
        }
        rig.settle()
        #expect(rig.sink.messages == ["l1", "l2", "m1", "m2", "n1", "n2", "o1", "o2"])
    }

    @Test func `is not waited for once more by each of several without a last line's end`() throws {
        try begin(with: "l1")
        for name in ["m", "n", "o"] {
            folder.rename("a.log.2", "a.log.3")
            folder.rename("a.log.1", "a.log.2")
            folder.rename("a.log", "a.log.1")
            folder.write("a.log", name)
        }
        folder.append("a.log", "\n")
        rig.pass(seconds: 2)
        #expect(rig.sink.messages == ["l1", "m", "n", "o"])
    }

    @Test func `is not read from its copy`() throws {
        let lines = (1...100).map { "line \($0)" }
        try begin(with: lines.map { $0 + "\n" }.joined())
        folder.copy("a.log", "a.log.bak")
        folder.rename("a.log", "a.log.1")
        folder.write("a.log", "n1\n")
        rig.settle()
        #expect(rig.sink.messages == lines + ["n1"])
    }

    @Test func `is not taken for the copy of another short one that begins alike`() throws {
        try begin(with: "same\n")
        for _ in 0..<2 {
            folder.rename("a.log.1", "a.log.2")
            folder.rename("a.log", "a.log.1")
            folder.write("a.log", "same\n")
        }
        rig.settle()
        #expect(rig.sink.messages == ["same", "same", "same"])
        #expect(Set(rig.sink.events.map(\.identity)).count == 3)
    }

    @Test func `is not confused with a longer name`() throws {
        try begin(with: "l1\n")
        folder.rename("a.log", "a.log.1")
        folder.write("a.logbook", "no\n")
        folder.write("a.log", "n1\n")
        rig.settle()
        #expect(rig.sink.messages == ["l1", "n1"])
    }

    @Test func `is read once when the pattern names its new name as well`() throws {
        let rig = try TailRig(source: Self.globSource)
        let folder = rig.folder
        folder.write("a.log", "l1\n")
        try rig.start()
        rig.settle()
        for turn in 1...4 {
            for number in stride(from: 4, through: 1, by: -1) {
                folder.rename("a.log.\(number)", "a.log.\(number + 1)")
            }
            folder.rename("a.log", "a.log.1")
            folder.write("a.log", "n\(turn)\n")
            rig.pass(seconds: 4)
        }
        #expect(rig.sink.messages.sorted() == ["l1", "n1", "n2", "n3", "n4"])
        folder.append("a.log.4", "late\n")
        rig.pass(seconds: 4)
        #expect(rig.sink.messages.last == "late")
        #expect(rig.sink.messages.count == 6)
    }

    static let globSource = """
        <source>
          @type tail
          path DIR/a.log*
          pos_file DIR/pos
          tag t
          read_from_head true
          rotate_wait 1s
          <parse>
            @type none
          </parse>
        </source>
        """

    @Test func `keeps the order of lines while its output has no room`() throws {
        try begin(with: "l1\n")
        rig.sink.setFull(true)
        folder.append("a.log", "l2\n")
        folder.rename("a.log", "a.log.1")
        folder.write("a.log", "n1\n")
        rig.pass(seconds: 10)
        #expect(rig.sink.messages == ["l1"])
        rig.sink.setFull(false)
        rig.settle()
        #expect(rig.sink.messages == ["l1", "l2", "n1"])
    }
}

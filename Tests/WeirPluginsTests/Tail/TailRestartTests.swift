import Testing
import WeirCore
import WeirHost

@testable import WeirPlugins

@Suite("A tail that is started again") struct TailRestartTests {
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

    @Test func `reads on where it stopped`() throws {
        try begin(with: "l1\nl2\n")
        rig.stop()
        folder.append("a.log", "l3\n")
        try rig.start()
        rig.settle()
        #expect(rig.sink.messages == ["l1", "l2", "l3"])
    }

    @Test func `sends what was not delivered again, under the same identities`() throws {
        rig.sink.setHolding(true)
        try begin(with: "l1\nl2\n")
        rig.sink.deliver(at: 0)
        folder.append("a.log", "l3\nl4\n")
        rig.settle()
        folder.append("a.log", "l5\n")
        rig.settle()
        // The youngest block alone is delivered: the position must not pass the others.
        rig.sink.deliver(at: 1)
        rig.settle()
        #expect(rig.positions == ["a.log 6"])
        let before = rig.sink.takeEvents().suffix(3)
        rig.kill()
        try rig.start()
        rig.settle()
        let after = rig.sink.events
        #expect(after.map(\.message) == ["l3", "l4", "l5"])
        #expect(after.map(\.identity) == before.map(\.identity))
        #expect(!after.contains { $0.identity == nil })
    }

    @Test func `finds what was rotated away meanwhile`() throws {
        try begin(with: "l1\n")
        rig.stop()
        folder.append("a.log", "l2\n")
        folder.rename("a.log", "a.log.1")
        folder.write("a.log", "n1\n")
        try rig.start()
        rig.settle()
        #expect(rig.sink.messages == ["l1", "l2", "n1"])
    }

    @Test func `finds what was truncated and rotated away meanwhile`() throws {
        try begin(with: "l1\n")
        rig.stop()
        folder.write("a.log", "m1\nm2\n")
        folder.rename("a.log", "a.log.1")
        try rig.start()
        rig.settle()
        #expect(rig.sink.messages == ["l1", "m1", "m2"])
    }

    @Test func `finds what came and went meanwhile`() throws {
        try begin(with: "l1\n")
        rig.stop()
        folder.append("a.log", "l2\n")
        for name in ["m", "n"] {
            folder.rename("a.log.1", "a.log.2")
            folder.rename("a.log", "a.log.1")
            folder.write("a.log", "\(name)1\n")
        }
        try rig.start()
        rig.settle()
        #expect(rig.sink.messages == ["l1", "l2", "m1", "n1"])
    }

    @Test func `finds the rotated file while no new one is there`() throws {
        try begin(with: "l1\n")
        rig.stop()
        folder.append("a.log", "l2\n")
        folder.rename("a.log", "a.log.1")
        try rig.start()
        rig.settle()
        #expect(rig.sink.messages == ["l1", "l2"])
        folder.write("a.log", "n1\n")
        rig.settle()
        #expect(rig.sink.messages == ["l1", "l2", "n1"])
    }

    @Test func `finds what came and went while the path had no file`() throws {
        try begin(with: "l1\n")
        rig.stop()
        folder.rename("a.log", "a.log.2")
        try rig.start()
        rig.settle()
        folder.write("a.log", "m1\n")
        folder.rename("a.log", "a.log.1")
        rig.settle()
        #expect(rig.sink.messages == ["l1", "m1"])
    }

    @Test func `finds what a pattern's file left under the name of its rotation`() throws {
        let rig = try TailRig(
            source: TailRotationTests.globSource.replacing("a.log*", with: "*.log"))
        rig.folder.write("a.log", "l1\n")
        try rig.start()
        rig.settle()
        rig.stop()
        rig.folder.append("a.log", "l2\n")
        rig.folder.rename("a.log", "a.log.1")
        try rig.start()
        rig.settle()
        #expect(rig.sink.messages == ["l1", "l2"])
    }

    @Test func `begins a file at its head that took another's place meanwhile`() throws {
        let rig = try TailRig("read_from_head false")
        let folder = rig.folder
        try rig.start()
        rig.settle()
        folder.write("a.log", "l1\n")
        rig.settle()
        folder.delete("a.log")
        rig.pass(seconds: 3)
        rig.stop()
        folder.write("a.log", "n1\n")
        try rig.start()
        rig.settle()
        #expect(rig.sink.messages == ["l1", "n1"])
    }

    @Test(arguments: ["s\n", "s1\ns2\n", "a longer line\nthan before\n"])
    func `begins a file at its head that was truncated meanwhile`(text: String) throws {
        try begin(with: "l1\nl2\n")
        rig.stop()
        folder.write("a.log", text)
        try rig.start()
        rig.settle()
        let lines = text.split(separator: "\n").map(String.init)
        #expect(rig.sink.messages == ["l1", "l2"] + lines)
    }

    @Test func `tells a file with the same first line from the former one`() throws {
        try begin(with: "Starting\nl1\n")
        rig.stop()
        folder.write("a.log", "Starting\nm1\nm2\n")
        try rig.start()
        rig.settle()
        #expect(rig.sink.messages == ["Starting", "l1", "Starting", "m1", "m2"])
    }

    @Test func `reads a rotated file that was not delivered yet again`() throws {
        rig.sink.setHolding(true)
        try begin(with: "l1\n")
        folder.append("a.log", "l2\n")
        rig.settle()
        folder.rename("a.log", "a.log.1")
        folder.write("a.log", "n1\n")
        rig.pass(seconds: 5)
        let before = rig.sink.takeEvents()
        #expect(before.map(\.message) == ["l1", "l2", "n1"])
        rig.kill()
        try rig.start()
        rig.settle()
        let after = rig.sink.events
        #expect(after.map(\.message) == ["l1", "l2", "n1"])
        #expect(after.map(\.identity) == before.map(\.identity))
    }

    @Test func `keeps identities when it ends right after a truncation`() throws {
        try begin(with: "same\n")
        rig.sink.setHolding(true)
        for _ in 0..<3 {
            folder.truncate("a.log", 0)
            rig.step()
            folder.append("a.log", "same\n")
            rig.step()
        }
        let before = rig.sink.takeEvents()
        #expect(Set(before.map(\.identity)).count == 4)
        rig.kill()
        try rig.start()
        rig.settle()
        #expect(rig.sink.events.map(\.identity) == before.suffix(1).map(\.identity))
    }

    @Test func `does not read a finished rotated file again`() throws {
        try begin(with: "l1\n")
        folder.rename("a.log", "a.log.1")
        folder.write("a.log", "n1\n")
        rig.pass(seconds: 5)
        rig.stop()
        folder.append("a.log", "n2\n")
        try rig.start()
        rig.pass(seconds: 5)
        #expect(rig.sink.messages == ["l1", "n1", "n2"])
    }

    @Test func `takes nothing for a missed file when the path has its file still`() throws {
        try begin(with: "l1\n")
        folder.rename("a.log", "a.log.1")
        folder.write("a.log", "n1\n")
        rig.pass(seconds: 5)
        rig.stop()
        folder.write("a.log.bak", "other\n")
        try rig.start()
        rig.settle()
        #expect(rig.sink.messages == ["l1", "n1"])
    }

    @Test func `trusts the older position file no more when it ended between the two files`() throws
    {
        try begin(with: "l1\nl2\n")
        let former = folder.bytes("pos") ?? []
        folder.write("a.log", "m1\nm2\nm3\nm4\n")
        rig.sink.setFull(true)
        rig.step()
        rig.kill()
        rig.sink.setFull(false)
        #expect(folder.bytes("pos") != former)
        folder.write("pos", former)
        try rig.start()
        rig.settle()
        #expect(rig.sink.messages == ["l1", "l2", "m1", "m2", "m3", "m4"])
    }
}

@Suite("The position file") struct PositionFileTests {
    @Test func `is written in Fluentd's form`() {
        let entries = [
            PositionEntry(path: "/var/log/a.log", position: 10, inode: 0x2a0f),
            PositionEntry(path: "/b", position: .max, inode: 1),
        ]
        let text =
            "/var/log/a.log\t000000000000000a\t0000000000002a0f\n/b\tffffffffffffffff\t0000000000000001\n"
        #expect(String(decoding: PositionFile.text(entries), as: UTF8.self) == text)
        #expect(PositionFile.parse(Array(text.utf8)).entries == entries)
    }

    @Test(arguments: [
        "/a", "/a\t1", "\t1\t2", "/a\tx\t1", "/a\t+1\t1", "/a\t00000000000000001\t1", "/a\t1\t2\t3",
    ])
    func `counts lines of another form`(line: String) {
        let text = "\(line)\n/b\t0000000000000001\t0000000000000002\n"
        let (entries, bad) = PositionFile.parse(Array(text.utf8))
        #expect(entries == [PositionEntry(path: "/b", position: 1, inode: 2)])
        #expect(bad == 1)
    }

    @Test func `keeps the last of several lines of one file`() {
        let text = "/a\t1\t1\n/a\t2\t2\n/a\t3\t1\n"
        let entries = PositionFile.parse(Array(text.utf8)).entries
        #expect(entries.map(\.position) == [3, 2])
    }

    private func hex(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    @Test func `of Fluentd is read on`() throws {
        let rig = try TailRig("read_from_head false")
        rig.folder.write("a.log", "l1\nl2\n")
        let path = rig.folder.place("a.log")
        rig.folder.write("pos", "\(path)\t\(hex(3))\t\(hex(rig.folder.inode("a.log")))\n")
        try rig.start()
        rig.settle()
        #expect(rig.sink.messages == ["l2"])
    }

    @Test func `of Fluentd leads to the rotated file`() throws {
        let rig = try TailRig()
        rig.folder.write("a.log.1", "l1\nl2\n")
        let path = rig.folder.place("a.log")
        rig.folder.write("pos", "\(path)\t\(hex(3))\t\(hex(rig.folder.inode("a.log.1")))\n")
        rig.folder.write("a.log", "n1\n")
        try rig.start()
        rig.settle()
        #expect(rig.sink.messages == ["l2", "n1"])
    }

    @Test func `that Fluentd moved on is believed when Weir comes back`() throws {
        let rig = try TailRig()
        rig.folder.write("a.log", "l1\n")
        try rig.start()
        rig.settle()
        rig.stop()
        rig.folder.append("a.log", "by Fluentd\nl3\n")
        let path = rig.folder.place("a.log")
        rig.folder.write("pos", "\(path)\t\(hex(14))\t\(hex(rig.folder.inode("a.log")))\n")
        try rig.start()
        rig.settle()
        #expect(rig.sink.messages == ["l1", "l3"])
    }

    @Test func `of Fluentd keyed by inodes is read whatever the names are now`() throws {
        let rig = try TailRig(
            source: TailRotationTests.globSource.replacing(
                "tag t", with: "tag t\nfollow_inodes true"))
        rig.folder.write("a.log", "n1\nn2\n")
        rig.folder.write("a.log.1", "l1\nl2\n")
        let path = rig.folder.place("a.log")
        rig.folder.write(
            "pos",
            "\(path)\t\(hex(6))\t\(hex(rig.folder.inode("a.log.1")))\n"
                + "\(path)\t\(hex(3))\t\(hex(rig.folder.inode("a.log")))\n")
        try rig.start()
        rig.pass(seconds: 4)
        #expect(rig.sink.messages == ["n2"])
        rig.folder.append("a.log.1", "late\n")
        rig.settle()
        #expect(rig.sink.messages == ["n2", "late"])
    }

    @Test func `that cannot be written is reported once`() throws {
        let rig = try TailRig()
        rig.folder.write("pos.weir.part/x", "a folder is in the way")
        rig.folder.write("a.log", "l1\n")
        try rig.start()
        rig.pass(seconds: 3)
        #expect(rig.sink.messages == ["l1"])
        #expect(rig.reports.count == 1)
    }

    @Test func `with broken lines is reported and read nevertheless`() throws {
        let rig = try TailRig()
        rig.folder.write("a.log", "l1\n")
        rig.folder.write("pos", "nonsense\n")
        try rig.start()
        rig.settle()
        #expect(rig.reports == [.badPositionLines(path: rig.folder.place("pos"), count: 1)])
        #expect(rig.sink.messages == ["l1"])
    }
}

import Testing
import WeirCore
import WeirHost
import WeirTesting

@testable import WeirPlugins

@Suite("Broken position files") struct PositionFileFuzzTests {
    private func entry(_ chance: inout SeededGenerator) -> PositionEntry {
        let letters = Array("/ab.é %\\\"")
        let length = Int.random(in: 1...12, using: &chance)
        let path = (0..<length).map { _ in letters.randomElement(using: &chance) ?? "/" }
        return PositionEntry(
            path: String(path), position: number(&chance), inode: number(&chance))
    }

    private func number(_ chance: inout SeededGenerator) -> UInt64 {
        switch Int.random(in: 0..<4, using: &chance) {
        case 0: 0
        case 1: .max
        case 2: UInt64.random(in: 0...20, using: &chance)
        default: UInt64.random(in: 0...UInt64.max, using: &chance)
        }
    }

    private func generation(_ chance: inout SeededGenerator) -> GenerationEntry {
        GenerationEntry(
            path: entry(&chance).path, device: number(&chance), inode: number(&chance),
            fingerprint: number(&chance), generation: number(&chance), position: number(&chance),
            tail: number(&chance), isRotated: Bool.random(using: &chance))
    }

    private func broken(_ bytes: [UInt8], _ chance: inout SeededGenerator) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...4, using: &chance) {
            let place = Int.random(in: 0...bytes.count, using: &chance)
            switch Int.random(in: 0..<4, using: &chance) {
            case 0: bytes.removeSubrange(place...)
            case 1: bytes.insert(UInt8.random(in: 0...255, using: &chance), at: place)
            case 2: bytes.insert(contentsOf: bytes[..<place], at: place)
            default:
                if place < bytes.count { bytes[place] = UInt8.random(in: 0...255, using: &chance) }
            }
        }
        return bytes
    }

    @Test func `are read without harm, and whole ones as they were written`() {
        var chance = SeededGenerator(announcing: "PositionFileFuzzTests")
        let time = FuzzTime()
        repeat {
            var seen: Set<String> = []
            let entries = (0..<5).map { _ in entry(&chance) }.filter {
                seen.insert("\($0.path) \($0.inode)").inserted
            }
            let text = PositionFile.text(entries)
            #expect(PositionFile.parse(text).entries == entries)
            let (read, bad) = PositionFile.parse(broken(text, &chance))
            #expect(read.count + bad <= 4096)

            let generations = (0..<5).map { _ in generation(&chance) }
            let lines = GenerationEntry.text(generations)
            #expect(GenerationEntry.parse(lines) == generations)
            let header = GenerationHeader(now: text, before: nil).text
            let mutilated = broken(header + lines, &chance)
            _ = GenerationEntry.parse(mutilated)
            _ = GenerationHeader.parse(mutilated)?.isAheadOf(text)
        } while time.isLeft
    }

    @Test func `leave the tail working, whatever they say of its files`() throws {
        var chance = SeededGenerator(announcing: "PositionFileFuzzTests, tail")
        let time = FuzzTime()
        repeat {
            let rig = try TailRig(in: .memory)
            rig.folder.write("a.log", "l1\nl2\n")
            rig.folder.write("a.log.1", "m1\nm2\n")
            let names = ["a.log", "a.log.1"]
            var generations: [GenerationEntry] = []
            var entries: [PositionEntry] = []
            for name in names {
                guard case .success(let status) = FileStatus.of(rig.folder.place(name)) else {
                    continue
                }
                var generation = generation(&chance)
                generation.path = rig.folder.place("a.log")
                generation.device = status.identity.device
                generation.inode = status.identity.inode
                if Bool.random(using: &chance) { generation.fingerprint = 0 }
                if Bool.random(using: &chance) { generation.tail = 0 }
                generations.append(generation)
                entries.append(
                    PositionEntry(
                        path: rig.folder.place(names.randomElement(using: &chance) ?? ""),
                        position: number(&chance), inode: status.identity.inode))
            }
            let text = PositionFile.text(entries)
            let header = GenerationHeader(
                now: text, before: Bool.random(using: &chance) ? text : nil)
            rig.folder.write("pos", Bool.random(using: &chance) ? text : broken(text, &chance))
            let lines = header.text + GenerationEntry.text(generations)
            rig.folder.write(
                "pos.weir", Bool.random(using: &chance) ? lines : broken(lines, &chance))
            try rig.start()
            rig.settle()
            rig.folder.append("a.log", "l3\n")
            rig.settle()
            #expect(rig.sink.messages.contains("l3"), "seed \(chance.seed)")
        } while time.isLeft
    }
}

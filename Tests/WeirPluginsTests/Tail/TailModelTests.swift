import Testing
import WeirCore
import WeirTesting

@testable import WeirPlugins

/// What must arrive: every line that was written, but for those that a truncation took away.
private struct LineModel {
    private(set) var written: [String] = []
    /// Lines that nobody can know any more.
    private(set) var takenAway: Set<String> = []
    /// How many lines of the same text were written, and may have been taken away.
    private(set) var sameCount = (written: 0, takenAway: 0)
    private var current: [String] = []

    /// The text of lines that cannot be told apart but by their identities.
    static let same = "same"

    mutating func append(_ line: String) {
        if line == Self.same { sameCount.written += 1 }
        written.append(line)
        current.append(line)
    }
    mutating func rotate() { current = [] }
    mutating func truncate(delivered: Set<String>) {
        sameCount.takenAway += current.count { $0 == Self.same }
        takenAway.formUnion(current.filter { !delivered.contains($0) })
        current = []
    }
}

/// A log's writer, its rotation, the tail and its output, doing what chance says.
private struct TailPlay {
    let rig: TailRig
    var chance: SeededGenerator
    private var model = LineModel()
    private var lineNumber = 0
    private var fileNumber = 0
    private var begunLine: String?
    private var hasFile = true
    /// What was done, for whoever reads of a mistake.
    private(set) var story = ""

    init(seed: UInt64) throws {
        rig = try TailRig("partial_line_timeout 1d", in: .memory)
        rig.setOptions { $0.turnByteLimit = 64 }
        chance = SeededGenerator(seed: seed)
        rig.sink.setHolding(true)
        rig.folder.write("a.log", "")
        try rig.start()
        rig.step()
    }

    mutating func play(_ count: Int) throws {
        for _ in 0..<count { try move() }
        rig.sink.setFull(false)
        if !rig.isRunning { try rig.start() }
        for _ in 0..<10 {
            rig.settle()
            rig.sink.deliverAll()
        }
    }

    private mutating func move() throws {
        let move = Int.random(in: 0..<20, using: &chance)
        story += " \(move)"
        switch move {
        case 0..<6: append()
        case 6: beginLine()
        case 7, 8: rotate()
        case 9: truncate()
        case 10: rig.kill()
        case 11: rig.stop()
        case 12, 13:
            story += rig.isRunning ? "" : "!"
            if !rig.isRunning { try rig.start() }
        case 14: rig.sink.setFull(Bool.random(using: &chance))
        case 15, 16:
            if rig.sink.heldCount > 0 {
                rig.sink.deliver(at: Int.random(in: 0..<rig.sink.heldCount, using: &chance))
            }
        case 17: rig.pass(seconds: 2)
        default: rig.step()
        }
    }

    private mutating func nextLine() -> String {
        lineNumber += 1
        story += ":\(lineNumber)"
        let length = Int.random(in: 0..<40, using: &chance)
        return "\(lineNumber)-" + String(repeating: "x", count: length)
    }

    private mutating func append() {
        hasFile = true
        if let begun = begunLine {
            rig.folder.append("a.log", "end\n")
            model.append(begun + "end")
            begunLine = nil
        }
        for _ in 0..<Int.random(in: 1...5, using: &chance) {
            let isSame = Int.random(in: 0..<4, using: &chance) == 0
            let line = isSame ? LineModel.same : nextLine()
            rig.folder.append("a.log", line + "\n")
            model.append(line)
        }
    }

    private mutating func beginLine() {
        guard hasFile, begunLine == nil else { return }
        let line = nextLine()
        rig.folder.append("a.log", line)
        begunLine = line
    }

    private mutating func rotate() {
        guard hasFile else { return }
        if let begun = begunLine { model.append(begun) }
        begunLine = nil
        fileNumber += 1
        story += "(file \(fileNumber))"
        let number = String(String(fileNumber + 1_000_000).dropFirst())
        rig.folder.rename("a.log", "a.log.2026\(number)")
        model.rotate()
        hasFile = Bool.random(using: &chance)
        story += hasFile ? "+" : "-"
        if hasFile { rig.folder.write("a.log", "") }
    }

    private mutating func truncate() {
        guard hasFile else { return }
        begunLine = nil
        rig.folder.truncate("a.log", 0)
        model.truncate(delivered: Set(rig.sink.delivered.map(\.message)))
        let line = nextLine()
        rig.folder.append("a.log", line + "\n")
        model.append(line)
    }

    /// What is wrong at the end, or nothing.
    var mistakes: [String] {
        var identities: [String: Set<EventIdentity>] = [:]
        for event in rig.sink.events {
            if let identity = event.identity {
                identities[event.message, default: []].insert(identity)
            }
        }
        var mistakes: [String] = []
        let delivered = Set(rig.sink.delivered.map(\.message))
        for line in model.written where !model.takenAway.contains(line) {
            if !delivered.contains(line) { mistakes.append("lost: \(line)") }
        }
        let sameIdentities = Set(
            rig.sink.delivered.filter { $0.message == LineModel.same }.map(\.identity))
        let (sameWritten, sameTaken) = model.sameCount
        if !(sameWritten - sameTaken...sameWritten).contains(sameIdentities.count) {
            mistakes.append("\(sameIdentities.count) of \(sameWritten) same lines, -\(sameTaken)")
        }
        for (line, found) in identities where found.count > 1 && line != LineModel.same {
            mistakes.append("\(found.count) identities: \(line)")
        }
        let strangers = Set(identities.keys).subtracting(model.written)
        return mistakes + strangers.map { "never written: \($0)" }
    }
}

@Suite("A tail among writers, rotations, crashes and slow outputs") struct TailModelTests {
    @Test func `gives every line once`() throws {
        var seeds = SeededGenerator(announcing: "TailModelTests")
        for _ in 0..<60 {
            let seed = seeds.next()
            var play = try TailPlay(seed: seed)
            try play.play(120)
            #expect(play.mistakes.isEmpty, "seed \(seed): \(play.mistakes)\n\(play.story)")
        }
    }
}

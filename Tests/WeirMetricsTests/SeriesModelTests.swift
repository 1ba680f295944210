import Testing
import WeirCore
import WeirMetrics
import WeirTesting

@Suite("A series table") struct SeriesModelTests {
    private static let families = [
        FamilyDeclaration(name: "a_total", help: "A.", kind: .counter),
        FamilyDeclaration(name: "b_total", help: "B.", kind: .floatCounter),
        FamilyDeclaration(name: "c", help: "C.", kind: .gauge),
        FamilyDeclaration(name: "d", help: "D.", kind: .summary),
        FamilyDeclaration(name: "e", help: "E.", kind: .histogram(bounds: [0.5, 1, 10])),
    ]

    /// What a plain program would keep.
    private struct Model {
        var readings: [[[String]: SeriesReading]] = Array(repeating: [:], count: 5)

        mutating func add(_ reading: SeriesReading, _ family: Int, _ labels: [String]) {
            guard let before = readings[family][labels] else {
                readings[family][labels] = reading
                return
            }
            readings[family][labels] =
                switch (before, reading) {
                case (.count(let a), .count(let b)): .count(a + b)
                case (.number(let a), .number(let b)): .number(a + b)
                case (.summary(let n, let a), .summary(let m, let b)):
                    .summary(count: n + m, sum: a + b)
                case (.histogram(let n, let a), .histogram(let m, let b)):
                    .histogram(counts: zip(n, m).map { $0 + $1 }, sum: a + b)
                default: before
                }
        }
    }

    @Test func `counts as a dictionary does, whatever is counted`() throws {
        var random = SeededGenerator(announcing: "SeriesModelTests")
        for _ in 0..<20 {
            let labelCount = random.number(0...5)
            let rig = try SeriesRig(
                labels: (0..<labelCount).map { "l\($0)" }, families: Self.families)
            let values = (0..<random.number(1...40)).map { _ in
                random.soup(of: ["a", "b", "\"", "\\", "\n", "é", "0123456789abcdef"], upTo: 12)
            }
            var model = Model()
            for _ in 0..<2_000 {
                let labels = (0..<labelCount).map { _ in random.pick(values) }
                let family = random.number(0...4)
                // Multiples of a quarter add up exactly in any order.
                let amount = Double(random.number(0...60)) / 4
                rig.update(labels.map { Array($0.utf8) }) { table, index in
                    switch family {
                    case 0: table.add(UInt64(amount), to: index, family: 0)
                    case 1: table.add(number: amount, to: index, family: 1)
                    case 2: table.set(amount, at: index, family: 2)
                    case 3: table.observe(amount, at: index, family: 3)
                    default: table.observe(amount, at: index, family: 4)
                    }
                }
                switch family {
                case 0: model.add(.count(UInt64(amount)), 0, labels)
                case 1: model.add(.number(amount), 1, labels)
                case 2: model.readings[2][labels] = .number(amount)
                case 3: model.add(.summary(count: 1, sum: amount), 3, labels)
                default:
                    var counts: [UInt64] = [0, 0, 0, 0]
                    counts[amount <= 0.5 ? 0 : amount <= 1 ? 1 : amount <= 10 ? 2 : 3] = 1
                    model.add(.histogram(counts: counts, sum: amount), 4, labels)
                }
            }
            for family in 0..<5 {
                #expect(rig.group.readings(ofFamily: family) == model.readings[family])
            }
        }
    }

    @Test func `keeps label sets apart whose bytes joined are the same`() throws {
        let rig = try SeriesRig.counter()
        rig.add(1, ["ab", "c"])
        rig.add(2, ["a", "bc"])
        rig.add(4, ["", "abc"])
        rig.add(8, ["abc", ""])
        #expect(
            rig.counts() == [["ab", "c"]: 1, ["a", "bc"]: 2, ["", "abc"]: 4, ["abc", ""]: 8])
    }

    @Test func `shows a metric of a label set only once it has a value`() throws {
        let rig = try SeriesRig(labels: ["l"], families: Self.families)
        rig.update([[0x61]]) { table, index in table.add(0, to: index, family: 0) }
        #expect(rig.group.readings(ofFamily: 0) == [["a"]: .count(0)])
        #expect(rig.group.readings(ofFamily: 4).isEmpty)
    }
}

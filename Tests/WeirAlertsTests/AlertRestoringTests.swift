import Testing
import WeirCore
import WeirPromQL
import WeirTesting

@testable import WeirAlerts

@Suite("Alerts that survive the process") struct AlertRestoringTests {
    /// A process with one rule, over a history that may be lost with it.
    private struct Process {
        let store: SampleStore
        let evaluator: GroupEvaluator

        init(
            _ rule: String, restoring bytes: [UInt8]? = nil, store: SampleStore = SampleStore()
        ) throws {
            let text = "groups: [{name: g, rules: [{alert: A, \(rule)}]}]"
            let file = RuleFile(Array(text.utf8), file: "r")
            #expect(file.diagnostics.isEmpty)
            self.store = store
            evaluator = GroupEvaluator(
                try #require(file.groups.first), store, GroupEvaluator.Surroundings())
            if let bytes { #expect(bytes.withUnsafeBytes { evaluator.restore($0) }) }
        }

        /// Evaluates with a sample, and says how the alert is.
        func evaluate(_ value: Double, at seconds: Int64) throws -> String {
            let series = try store.reference(for: [("__name__", "m"), ("i", "1")])
            let time = seconds * 1_000
            store.advance(to: time)
            _ = store.append(series, at: time, value)
            #expect(evaluator.evaluate(at: time).isEmpty)
            let told = evaluator.notices(at: time, resendDelay: 60_000, interval: 1_000).map {
                " told \($0.isResolved ? "resolved" : "firing") of \($0.startsAt / 1_000)"
            }
            let states = evaluator.alerts(ofRule: 0).map {
                "\($0.state.rawValue) since \($0.activeAt / 1_000)"
            }
            return (states + told).joined()
        }

        func saved(at seconds: Int64) -> [UInt8] { evaluator.savedAlerts(at: seconds * 1_000) }
    }

    @Test("wait on, without the time in which nobody looked")
    func pending() throws {
        let rule = "expr: m > 0, for: 10s"
        let first = try Process(rule)
        #expect(try first.evaluate(1, at: 100) == "pending since 100")
        #expect(try first.evaluate(1, at: 106) == "pending since 100")
        let second = try Process(rule, restoring: first.saved(at: 106), store: first.store)
        #expect(try second.evaluate(1, at: 126) == "pending since 120")
        #expect(try second.evaluate(1, at: 129) == "pending since 120")
        #expect(try second.evaluate(1, at: 130) == "firing since 120 told firing of 130")
    }

    @Test("fire on since they fired, and are told again at once")
    func firing() throws {
        let rule = "expr: m > 0, for: 10s"
        let first = try Process(rule)
        for time in stride(from: Int64(100), through: 110, by: 5) {
            _ = try first.evaluate(1, at: time)
        }
        let second = try Process(rule, restoring: first.saved(at: 110), store: first.store)
        #expect(try second.evaluate(1, at: 300) == "firing since 100 told firing of 110")
        let third = try Process(rule, restoring: second.saved(at: 300), store: second.store)
        #expect(try third.evaluate(0, at: 310) == "inactive since 100 told resolved of 110")
        let fourth = try Process(rule, restoring: third.saved(at: 310), store: third.store)
        #expect(try fourth.evaluate(0, at: 320) == "inactive since 100 told resolved of 110")
        #expect(try fourth.evaluate(0, at: 330) == "inactive since 100")
    }

    @Test("are not over, when samples were lost, before their range has been seen anew")
    func lostSamples() throws {
        let rule = "expr: 'rate(m[20s]) > 0'"
        let first = try Process(rule)
        _ = try first.evaluate(1, at: 100)
        #expect(try first.evaluate(2, at: 101) == "firing since 101 told firing of 101")
        let bytes = first.saved(at: 101)
        let second = try Process(rule, restoring: bytes)
        #expect(try second.evaluate(3, at: 110) == "firing since 101 told firing of 101")
        #expect(try second.evaluate(3, at: 129) == "firing since 101")
        #expect(try second.evaluate(3, at: 130) == "inactive since 101 told resolved of 101")
        let third = try Process(rule, restoring: bytes)
        #expect(try third.evaluate(3, at: 110) == "firing since 101 told firing of 101")
        #expect(try third.evaluate(4, at: 120) == "firing since 101")
        #expect(
            try third.evaluate(4, at: 125) == "firing since 101",
            "the expression holds still")
        #expect(try third.evaluate(4, at: 141) == "inactive since 101 told resolved of 101")
    }

    @Test("of a rule that is otherwise now begin anew")
    func otherRule() throws {
        let first = try Process("expr: m > 0")
        _ = try first.evaluate(1, at: 100)
        let second = try Process("expr: m > 1", restoring: first.saved(at: 100))
        #expect(try second.evaluate(2, at: 200) == "firing since 200 told firing of 200")
    }

    @Test("are written down when something changes, and not else")
    func changes() throws {
        let process = try Process("expr: m > 0, for: 5s")
        _ = try process.evaluate(0, at: 100)
        #expect(!process.evaluator.hasChanged && !process.evaluator.hasAlerts)
        _ = try process.evaluate(1, at: 101)
        #expect(process.evaluator.hasChanged && process.evaluator.hasPendingAlerts)
        _ = process.saved(at: 101)
        _ = try process.evaluate(2, at: 102)
        #expect(!process.evaluator.hasChanged)
        _ = try process.evaluate(2, at: 106)
        #expect(process.evaluator.hasChanged && !process.evaluator.hasPendingAlerts)
        _ = process.saved(at: 106)
        _ = try process.evaluate(0, at: 107)
        #expect(process.evaluator.hasChanged)
    }

    @Test("written down by anybody are read or refused, and never trap")
    func damage() throws {
        var generator = SeededGenerator(announcing: "alerts that were written down")
        let first = try Process("expr: m > 0")
        _ = try first.evaluate(1, at: 100)
        let bytes = first.saved(at: 100)
        for place in bytes.indices {
            var broken = bytes
            broken[place] ^= 0x10
            let process = try Process("expr: m > 0")
            #expect(!broken.withUnsafeBytes { process.evaluator.restore($0) })
        }
        let payload = Array(bytes.dropFirst(ChecksummedFrame.headByteCount))
        for _ in 0..<2_000 {
            let changed = generator.mutated(payload, with: payload)
            var frame = ByteBuffer()
            _ = changed.withUnsafeBytes {
                ChecksummedFrame(magic: "WAS1", payloadByteLimit: 1 << 20).append($0, to: &frame)
            }
            let process = try Process("expr: m > 0")
            _ = Array(frame.bytes).withUnsafeBytes { process.evaluator.restore($0) }
            _ = process.evaluator.evaluate(at: 200_000)
        }
    }
}

import Testing
import WeirCore
import WeirMetrics
import WeirPromQL
import WeirTesting

@testable import WeirAlerts

@Suite("What somebody is told of alerts") struct AlertNoticeTests {
    @Test(
        "is to the byte what Prometheus sends", .enabled(if: SharedCases.arePresent),
        arguments: ["am-api-001", "am-api-002", "am-api-003", "am-api-005"])
    func bodies(_ name: String) throws {
        let raw = try CapturedDelivery.body(name)
        let notices = try (JSONValueReader.value(of: raw)?.array ?? []).map { value in
            let alert = try #require(value.object)
            return AlertNotice(
                labels: CapturedDelivery.pairs(alert["labels"]),
                annotations: CapturedDelivery.pairs(alert["annotations"]),
                startsAt: try CapturedDelivery.time(alert["startsAt"]),
                endsAt: try CapturedDelivery.time(alert["endsAt"]),
                isResolved: false, generatorURL: alert["generatorURL"]?.string ?? "")
        }
        #expect(!notices.isEmpty)
        var buffer = ByteBuffer()
        AlertmanagerBody.append(notices, to: &buffer)
        #expect(String(decoding: buffer.bytes, as: UTF8.self) == raw)
    }

    /// A group with one alert, evaluated as its series says.
    private func told(
        _ values: [Double], rule: String, resendDelay: Int64 = 60_000
    ) throws -> [[(state: String, start: Int64, end: Int64)]] {
        let file = RuleFile(
            Array("groups: [{name: g, rules: [{alert: A, expr: m > 0, \(rule)}]}]".utf8), file: "r")
        #expect(file.diagnostics.isEmpty)
        let store = SampleStore()
        let series = try store.reference(for: [("__name__", "m"), ("i", "1")])
        var surroundings = GroupEvaluator.Surroundings()
        surroundings.externalLabels = ["cluster": "c", "i": "external"]
        surroundings.externalURL = "http://x"
        let evaluator = GroupEvaluator(try #require(file.groups.first), store, surroundings)
        return values.enumerated().map { place, value in
            let time = Int64(place) * 10_000
            _ = store.append(series, at: time, value)
            #expect(evaluator.evaluate(at: time).isEmpty)
            let notices = evaluator.notices(at: time, resendDelay: resendDelay, interval: 10_000)
            for notice in notices {
                #expect(
                    notice.labels.map { "\($0.name)=\($0.value)" } == [
                        "alertname=A", "cluster=c", "i=1",
                    ])
                #expect(notice.generatorURL == "http://x/graph?g0.expr=m+%3E+0&g0.tab=1")
            }
            return notices.map {
                ($0.isResolved ? "resolved" : "firing", $0.startsAt, $0.endsAt)
            }
        }
    }

    @Test func `is each change at once, and again after the delay`() throws {
        let told = try told(
            [0, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1], rule: "for: 10s", resendDelay: 20_000)
        let states = told.map { $0.map(\.state) }
        #expect(
            states
                == [
                    [], [], ["firing"], [], [], ["firing"], ["resolved"], [], [], ["resolved"],
                    ["resolved"],
                ].enumerated().map { place, states in
                    // What fires anew begins as pending, and takes the place of what was resolved.
                    place == 10 ? [] : states
                })
        // It fires since 20 s, for as long as four times the delay; it ended at 60 s.
        #expect(told[2].first?.start == 20_000 && told[2].first?.end == 100_000)
        #expect(told[5].first?.start == 20_000 && told[5].first?.end == 130_000)
        #expect(told[6].first?.start == 20_000 && told[6].first?.end == 60_000)
        #expect(told[9].first?.end == 60_000)
    }

    @Test func `is nothing of what is pending, and of what ended while it was`() throws {
        #expect(try told([1, 1, 0, 0], rule: "for: 1m").joined().isEmpty)
    }

    @Test func `ends after a quarter of an hour`() throws {
        let values = [1.0] + Array(repeating: 0, count: 120)
        let told = try told(values, rule: "for: 0s")
        let last = told.lastIndex { !$0.isEmpty }
        #expect(last.map { $0 <= 92 } == true && last.map { $0 > 80 } == true)
    }
}

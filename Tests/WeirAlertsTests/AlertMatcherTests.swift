import Testing
import WeirCore
import WeirTesting

@testable import WeirAlerts

@Suite("Matchers of alerts") struct AlertMatcherTests {
    @Test(
        "are read as Alertmanager reads them",
        arguments: [
            (#"severity="critical""#, [#"severity="critical""#]),
            (#"severity=critical"#, [#"severity="critical""#]),
            (
                #"{ a="1" , b!="2",c=~"x|y", d!~"z" }"#,
                [#"a="1""#, #"b!="2""#, #"c=~"x|y""#, #"d!~"z""#]
            ),
            (#"a = "with, comma \" and \n line""#, [#"a="with, comma \" and \n line""#]),
            (#""ü.b"="1""#, [#""ü.b"="1""#]), ("", []), ("{}", []), ("a=", [#"a="""#]),
            ("a=two words ,b=1", [#"a="two words""#, #"b="1""#]),
        ])
    func reading(_ text: String, _ wanted: [String]) throws {
        #expect(try AlertMatcher.parse(text).map(\.description) == wanted)
    }

    @Test(
        "that are wrong are refused, with the place",
        arguments: [
            ("a", 2), ("a=\"1", 5), ("{a=1", 5), ("a=1}", 4), ("=1", 1), ("a=1 b=2\"", 8),
            ("{a=1} x", 7), ("a=~\"(\"", 1), ("a!1", 2),
        ])
    func refusals(_ text: String, _ column: Int) {
        #expect {
            try AlertMatcher.parse(text)
        } throws: { ($0 as? AlertMatcherError)?.column == column }
    }

    @Test("compare whole values; a label that is not there is empty")
    func matching() throws {
        func matches(_ text: String, _ labels: [String: String]) throws -> Bool {
            try AlertMatcher.parse(text).allSatisfy { $0.matches(notice(labels)) }
        }
        #expect(try matches("a=~\"x.*\", b!=\"1\"", ["a": "xyz"]))
        #expect(try !matches("a=~\"x\"", ["a": "xyz"]))
        #expect(try matches("b=\"\"", ["a": "xyz"]))
        #expect(try !matches("b!~\".*\"", ["a": "xyz"]))
    }
}

@Suite("Alerts that keep others silent") struct InhibitionTests {
    private func rule(_ sources: String, _ targets: String, _ equal: [String]) throws -> Inhibition
    {
        Inhibition(
            sources: try AlertMatcher.parse(sources), targets: try AlertMatcher.parse(targets),
            equal: equal)
    }

    @Test("do so while they fire, for those of the same labels")
    func course() throws {
        var rule = try rule("alertname=NodeDown", "severity=warning", ["node"])
        let target = notice(["alertname": "Slow", "severity": "warning", "node": "a"])
        #expect(rule.reason(for: target, at: 0) == nil)
        rule.take([notice(["alertname": "NodeDown", "node": "a"], until: 100)], at: 0)
        #expect(rule.reason(for: target, at: 1)?["alertname"] == "NodeDown")
        let other = notice(["alertname": "Slow", "severity": "warning", "node": "b"])
        #expect(rule.reason(for: other, at: 1) == nil)
        let page = notice(["alertname": "Slow", "severity": "page", "node": "a"])
        #expect(rule.reason(for: page, at: 1) == nil)
        #expect(rule.reason(for: target, at: 100) == nil, "nobody says any more that it fires")
        rule.take([notice(["alertname": "NodeDown", "node": "a"], until: 200)], at: 50)
        #expect(rule.reason(for: target, at: 150) != nil)
        rule.take(
            [notice(["alertname": "NodeDown", "node": "a"], until: 160, resolved: true)], at: 160)
        #expect(rule.reason(for: target, at: 170) == nil)
    }

    @Test("never keep themselves silent, nor each other")
    func itself() throws {
        var rule = try rule("severity=~\"critical|warning\"", "severity=\"warning\"", ["node"])
        let warning = notice(["alertname": "B", "severity": "warning", "node": "a"])
        rule.take([warning], at: 0)
        #expect(rule.reason(for: warning, at: 1) == nil)
        rule.take([notice(["alertname": "A", "severity": "critical", "node": "a"])], at: 0)
        #expect(rule.reason(for: warning, at: 1)?["alertname"] == "A")
    }
}

@Suite("Silences") struct SilenceTests {
    private func silence(
        _ matchers: String, _ start: Int64, _ end: Int64, id: String = ""
    ) throws -> Silence {
        Silence(
            id: id, matchers: try AlertMatcher.parse(matchers), startsAt: start, endsAt: end,
            updatedAt: 0, createdBy: "me", comment: "why")
    }

    @Test("begin, hold and end")
    func course() throws {
        var silences = Silences()
        let alert = notice(["alertname": "A"])
        let id = try silences.set(silence("alertname=A", 10, 20), newID: "1", at: 0)
        #expect(id == "1")
        #expect(silences["1"]?.state(at: 0) == .pending)
        #expect(!silences.mutes(alert, at: 9) && silences.mutes(alert, at: 10))
        #expect(!silences.mutes(notice(["alertname": "B"]), at: 10))
        #expect(silences.reasons(for: alert, at: 19).map(\.id) == ["1"])
        #expect(!silences.mutes(alert, at: 20))
        #expect(silences["1"]?.state(at: 20) == .expired)
        silences.forgetOld(at: 20 + Silences.retention - 1)
        #expect(silences["1"] != nil)
        silences.forgetOld(at: 20 + Silences.retention)
        #expect(silences["1"] == nil)
    }

    @Test("can be made longer, and ended; other matchers make another one")
    func changes() throws {
        var silences = Silences()
        _ = try silences.set(silence("a=1", 0, 100), newID: "1", at: 0)
        #expect(try silences.set(silence("a=1", 0, 200, id: "1"), newID: "2", at: 50) == "1")
        #expect(silences["1"]?.endsAt == 200)
        #expect(try silences.set(silence("a=2", 0, 200, id: "1"), newID: "2", at: 60) == "2")
        #expect(silences["1"]?.endsAt == 60 && silences["2"]?.startsAt == 60)
        try silences.expire("2", at: 70)
        #expect(silences["2"]?.state(at: 70) == .expired)
    }

    @Test("that make no sense are refused")
    func refusals() throws {
        var silences = Silences()
        for (text, start, end, now) in [
            ("a=1", 10, 10, 0), ("a=1", 0, 10, 10), ("a=~\".*\"", 0, 10, 0), ("", 0, 10, 0),
        ] as [(String, Int64, Int64, Int64)] {
            let wanted = try silence(text, start, end)
            #expect(throws: Silences.Refusal.self) {
                try silences.set(wanted, newID: "x", at: now)
            }
        }
        let unknown = try silence("a=1", 0, 10, id: "nobody")
        #expect(
            throws: Silences.Refusal(message: "silence not found", isAbsence: true)
        ) { try silences.set(unknown, newID: "x", at: 0) }
        #expect(throws: Silences.Refusal.self) { try silences.expire("nobody", at: 0) }
        #expect(silences.all.isEmpty)
    }
}

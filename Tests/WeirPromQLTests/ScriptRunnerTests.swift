import Testing
import WeirTesting

@testable import WeirPromQL

@Suite("A test script") struct ScriptRunnerTests {
    private func problems(_ text: String) throws -> [String] {
        try ScriptRunner.run(text).compactMap(\.problem)
    }

    /// What a wrong expectation is told, beside the right one, which passes.
    @Test(
        "says what is otherwise than expected",
        arguments: [
            ("eval instant at 1m m\n  m 2", "eval instant at 1m m\n  m 3", "2.0 for 3.0"),
            ("eval instant at 1m m\n  m 2", "eval instant at 1m m", "unexpected"),
            ("eval instant at 1m m\n  m 2", "eval instant at 1m m\n  m 2\n  n 1", "is missing"),
            ("eval instant at 1m m\n  m 2", "eval instant at 1m m\n  m{a=\"b\"} 2", "unexpected"),
            ("eval instant at 1m 1\n  1", "eval instant at 1m 1\n  2", "1.0 for 2.0"),
            ("eval instant at 1m m\n  m 2", "eval instant at 1m m\n  2", "a vector for a scalar"),
            (
                "eval range from 0 to 1m step 1m m\n  m 1 2",
                "eval range from 0 to 1m step 1m m\n  m 1 _", "points at"
            ),
            (
                "eval instant at 1m h\n  h {{count:1 sum:1 buckets:[1]}}",
                "eval instant at 1m h\n  h {{count:2 sum:1 buckets:[1]}}", "FloatHistogram"
            ),
            (
                "eval instant at 1m h\n  h {{count:1 sum:1 buckets:[1]}}",
                "eval instant at 1m h\n  h 1",
                "a histogram"
            ),
            ("eval instant at 1m foo(\n  expect fail", "eval instant at 1m foo(", "it fails"),
            (
                "eval instant at 1m m\n  m 2", "eval instant at 1m m\n  expect fail",
                "it should fail"
            ),
            (
                "eval instant at 1m m + on(x) p\n  expect fail regex: duplicate series",
                "eval instant at 1m m + on(x) p\n  expect fail msg: other", "it fails otherwise"
            ),
            (
                "eval instant at 2m rate(m[2m])\n  expect info\n  {} 0.016666666666666666",
                "eval instant at 2m rate(m[2m])\n  expect no_info\n  {} 0.016666666666666666",
                "unexpected: PromQL info"
            ),
            (
                "eval instant at 1m sort(p)\n  expect ordered\n  p{a=\"2\"} 1\n  p{a=\"1\"} 2",
                "eval instant at 1m sort(p)\n  expect ordered\n  p{a=\"1\"} 2\n  p{a=\"2\"} 1",
                "for {"
            ),
        ])
    func differences(_ right: String, _ wrong: String, _ reason: String) throws {
        let load = """
            load 1m
              m 1 2 3
              h {{count:1 sum:1 buckets:[1]}}x3
              p{a="1"} 2x3
              p{a="2"} 1x3


            """
        #expect(try problems(load + right) == [])
        let found = try problems(load + wrong)
        #expect(found.count == 1 && found[0].contains(reason), "\(found)")
    }

    @Test(
        "is refused with its line and the reason",
        arguments: [
            ("laod 1m", 1, "no command"), ("load", 1, "not a duration"),
            ("load 5", 1, "not a duration"),
            ("load_it 5m", 1, "no command"), ("load 5m\n  m y", 2, "not a sample"),
            ("load 5m\n  m 1x", 2, "repeated how often"), ("load 5m\n  m 1+x3", 2, "not a sample"),
            ("load 5m\n  m 1x99999999", 2, "repeated how often"),
            ("load 5m\n  {a=b} 1", 2, "value in quotes"),
            ("load 5m\n  {a=\"b\" 1", 2, "`,` or `}`"),
            ("load 5m\n  m {{count:1", 2, "has no end"), ("load 5m\n  m {{cuont:1}}", 2, "no key"),
            ("load 5m\n  m {{count:x}}", 2, "not a number"),
            ("load 5m\n  m {{schema:20}}", 2, "schema 20 is neither in -4...8 nor -53"),
            ("load 5m\n  m {{buckets:[1 2}}", 2, "has no end"),
            ("load 5m\n  m@st 1m\n  n 1", 3, "another series"),
            ("load 5m\n  m@st 1\n  m 1", 2, "not a duration"),
            ("eval instant m", 1, "`eval instant at TIME QUERY`"), ("eval often m", 1, "neither"),
            ("eval range from 0 to 5m m", 1, "`eval range from"),
            ("eval range from 5m to 0 step 1m m", 1, "no steps"),
            ("eval instant at 1m m\n  expect luck", 2, "cannot be expected"),
            ("eval instant at 1m m\n  expect warn text", 2, "`msg:` or `regex:`"),
            ("eval instant at 1m m\n  expect string x", 2, "in quotes"),
            ("\n\n# a remark\n\neval_maybe instant at 1m m", 5, "no command"),
        ])
    func refusals(_ text: String, _ line: Int, _ reason: String) {
        do throws(ScriptError) {
            _ = try ScriptRunner.run(text)
            Issue.record("accepted")
        } catch {
            #expect(error.line == line)
            #expect(error.message.contains(reason), "\(error.message)")
        }
    }

    @Test func `of any text is run or refused`() {
        var random = SeededGenerator(announcing: "PromQL scripts")
        let words = [
            "load", "5m", "eval", "instant", "at", "range", "from", "to", "step", "m", "{", "}",
            "1",
            "_x3", "1+2x4", "{{", "}}", "schema:0", "buckets:[1 2]", "expect", "fail", "warn", "\n",
            "\n\n", "stale", "@st", "-1m", "rate(m[5m])", "sum(m)", "1e400", "NaN", "\"", "\u{e9}",
        ]
        let time = FuzzTime()
        while time.isLeft {
            let count = Int.random(in: 0..<30, using: &random)
            let text = (0..<count).map { _ in words.randomElement(using: &random) ?? "" }
                .joined(separator: " ")
            do throws(ScriptError) {
                _ = try ScriptRunner.run(text)
            } catch {
                #expect(error.line >= 1 && !error.message.isEmpty)
            }
        }
    }
}

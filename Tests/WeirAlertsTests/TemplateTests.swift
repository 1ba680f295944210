import Testing
import WeirPromQL
import WeirTesting

@testable import WeirAlerts

@Suite("A template of an alert") struct TemplateTests {
    private func expand(_ text: String, value: Double = 0.5) throws -> String {
        let data = TemplateData(
            labels: ["job": "web", "instance": "10.0.0.1:9100"], value: value,
            externalLabels: ["cluster": "c"], externalURL: "http://weir:9470/x")
        let surroundings = TemplateSurroundings(
            now: 1_700_000_000_000, externalURL: "http://weir:9470/x"
        ) { query throws(TemplateFailure) in
            guard query == "up" else { throw TemplateFailure("no such query") }
            return ["b", "a"].enumerated().map { place, name in
                ResultSeries(
                    labels: [("__name__", "up"), ("job", name)],
                    points: [ResultPoint(time: 0, value: Double(place + 1))])
            }
        }
        return try Template(text).text(for: data, surroundings)
    }

    @Test(
        "is refused with its place where it cannot be read",
        arguments: [
            ("a {{", 1, 5, "an action has no `}}`"), ("{{ nosuch 1 }}", 1, 4, "not defined"),
            ("x\n {{ if 1 }}", 2, 12, "has no {{end}}"), ("{{ end }}", 1, 4, "unexpected {{end}}"),
            ("{{ 1 2 }}", 1, 4, "only a function takes arguments"), ("{{ \"a }}", 1, 4, "no end"),
            ("{{ ( 1 }}", 1, 8, "expected `)`"), ("{{ }}", 1, 4, "a value is missing"),
            ("{{ 1 | }}", 1, 8, "a value is missing"), ("{{/* a }}", 1, 1, "no `*/}}`"),
            ("{{ template }}", 1, 13, "no name in quotes"), ("{{ 1x }}", 1, 4, "no number"),
            (#"{{ "\q" }}"#, 1, 4, "escape"), ("{{ ! }}", 1, 4, "unexpected `!`"),
        ])
    func refusals(_ text: String, _ line: Int, _ column: Int, _ reason: String) {
        let error = #expect(throws: TemplateError.self) { try Template(text) }
        #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
        #expect(error.map { [$0.line, $0.column] } == [line, column])
    }

    @Test(
        "says in its text what it could not compute",
        arguments: [
            ("{{ gt $value 5 }}", "1:4: error calling gt: incompatible types for comparison"),
            ("{{ .Nosuch }}", "1:4: can't evaluate field Nosuch"),
            ("{{ $nosuch }}", "1:4: undefined variable \"$nosuch\""),
            ("{{ query \"down\" | first }}", "error calling query: no such query"),
            ("{{ index $labels }}{{ index \"a\" 5 }}", "index out of range: 5"),
            ("{{ template \"x\" }}", "template \"x\" not defined"),
            ("{{ reReplaceAll \"(\" \"\" \"a\" }}", "error parsing regexp"),
            ("{{ humanize \"x\" }}", "invalid syntax"),
            ("{{define \"a\"}}{{template \"a\"}}{{end}}{{template \"a\"}}", "for ever"),
            ("{{ range $i, $x := 1000001 }}{{ end }}", "too many steps"),
        ])
    func failures(_ text: String, _ told: String) throws {
        let expanded = try expand(text)
        #expect(expanded.hasPrefix("<error expanding template: "))
        #expect(expanded.contains(told), "\(expanded)")
    }

    /// What only the server knows, and promtool does not.
    @Test(
        "tells of the agent and of queries",
        arguments: [
            (
                "{{ externalURL }} {{ pathPrefix }} {{ $externalURL }}",
                "http://weir:9470/x /x http://weir:9470/x"
            ),
            ("{{ $externalLabels.cluster }} {{ .ExternalLabels.nosuch }}|", "c |"),
            ("{{ range query \"up\" }}{{ .Labels.job }}={{ .Value }} {{ end }}", "b=1 a=2 "),
            ("{{ range query \"up\" | sortByLabel \"job\" }}{{ label \"job\" . }}{{ end }}", "ab"),
            ("{{ with query \"up\" | first }}{{ . | value | printf \"%.1f\" }}{{ end }}", "1.0"),
            ("{{ now | humanizeTimestamp }}", "2023-11-14 22:13:20 +0000 UTC"),
        ])
    func server(_ text: String, _ wanted: String) throws {
        #expect(try expand(text) == wanted)
    }

    @Test func `does no harm, whatever it is`() {
        var random = SeededGenerator(announcing: "TemplateTests")
        let pieces = [
            "{{", "}}", "{{- ", " -}}", "if ", "else ", "end", "range ", "with ", "define \"a\"",
            "$x := ",
            "$labels", ".job", ".", "|", "(", ")", "\"a\"", "1", "2.5", "printf \"%5.2f\" ",
            "humanize ",
            "query \"up\" ", "index ", "len ", "eq ", "template \"a\"", "break", "é", "\n", "and ",
            "or ",
            "slice \"abc\" 1 ", "'c'", "`r`", "/*", "*/", "$", ",",
            "reReplaceAll \"a*\" \"$0\" \"baa\" ",
        ]
        let time = FuzzTime()
        var count = 0
        while time.isLeft {
            let text = random.soup(of: pieces, upTo: 24)
            if (try? expand(text)) != nil { count += 1 }
        }
        #expect(count > 0)
    }
}

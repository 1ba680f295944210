import Testing
import WeirCore
import WeirTesting

@testable import WeirPromQL

@Suite("A PromQL query") struct QueryParserTests {
    private func parse(_ text: String) throws(ParseError) -> Expression {
        try QueryParser.parse(text, options: .everything)
    }

    @Test(
        "is printed so that it reads the same",
        arguments: [
            ("foo", "foo"), ("foo{}", "foo"), (#"foo{a="b",c!~'d'}"#, #"foo{a="b",c!~"d"}"#),
            (#"{"my metric", "a b"="c"}"#, #"{"my metric","a b"="c"}"#),
            (#"{__name__=~"a.*"}"#, #"{__name__=~"a.*"}"#), ("job:foo:sum", "job:foo:sum"),
            ("foo offset 5m", "foo offset 5m"), ("foo offset -90s", "foo offset -1m30s"),
            ("foo @ 12.5 offset 1w", "foo @ 12.500 offset 1w"), ("foo @ start()", "foo @ start()"),
            ("rate(foo[5m] offset 1d)", "rate(foo[5m] offset 1d)"),
            ("foo[1h:5m] @ end()", "foo[1h:5m] @ end()"), ("foo[1h:]", "foo[1h:]"),
            ("rate(foo[300])", "rate(foo[5m])"), ("rate(foo[2*1m])", "rate(foo[2s * 1m])"),
            ("1+2*3", "1 + 2 * 3"), ("-1^2", "-1 ^ 2"), ("(1+2)*3", "(1 + 2) * 3"),
            ("0x1f", "31"), ("1e3", "1000"), ("1_000", "1000"), ("Inf", "+Inf"), ("NaN", "NaN"),
            ("5m", "5m"), ("a > bool b", "a > bool b"), ("a and on() b", "a and on () b"),
            ("a/on(x)group_left(y)b", "a / on (x) group_left (y) b"),
            ("a+ignoring(x)b", "a + ignoring (x) b"), ("a + fill(1) b", "a + fill (1) b"),
            ("a +fill_left(1)fill_right(2) b", "a + fill_left (1) fill_right (2) b"),
            ("sum(a)by(b)", "sum by (b) (a)"), ("sum without(b)(a)", "sum without (b) (a)"),
            ("topk(3,a)", "topk(3, a)"), ("SUM(a)", "sum(a)"), ("sum", "sum"), ("by", "by"),
            ("count_values('x', a)", #"count_values("x", a)"#),
            ("rate(foo[1m] anchored)", "rate(foo[1m] anchored)"), ("foo smoothed", "foo smoothed"),
            ("a </ 5", "a </ 5"), ("foo # a remark\n+ 1", "foo + 1"), ("+foo", "+foo"),
            ("a ^ b ^ c", "a ^ b ^ c"), ("foo offset (step()*2)", "foo offset (step() * 2s)"),
            (#""a\x41\n""#, #""aA\n""#),
        ])
    func printing(_ text: String, _ wanted: String) throws {
        let printed = try parse(text).description
        #expect(printed == wanted)
        #expect(try parse(printed).description == printed)
    }

    @Test func `binds as Prometheus binds it`() throws {
        func shape(_ expression: Expression) -> String {
            switch expression.kind {
            case .binary(let binary):
                "(\(shape(binary.left))\(binary.operation.rawValue)\(shape(binary.right)))"
            case .unary(_, let inner): "(-\(shape(inner)))"
            default: expression.description
            }
        }
        for (text, wanted) in [
            ("a+b*c", "(a+(b*c))"), ("a*b+c", "((a*b)+c)"), ("a-b-c", "((a-b)-c)"),
            ("a^b^c", "(a^(b^c))"), ("-a^b", "(-(a^b))"), ("-a*b", "((-a)*b)"),
            ("a or b and c", "(aor(bandc))"), ("a unless b and c", "((aunlessb)andc)"),
            ("a == b + c", "(a==(b+c))"), ("a atan2 b * c", "((aatan2b)*c)"),
            ("a % b / c", "((a%b)/c)"), ("a > b > c", "((a>b)>c)"),
        ] {
            #expect(shape(try parse(text)) == wanted)
        }
    }

    @Test(
        "is refused with its place and the reason",
        arguments: [
            ("", "1:1", "no expression found in input"), ("   ", "1:4", "no expression found"),
            ("1 +", "1:4", "unexpected end of input"), ("foo bar", "1:5", "unexpected identifier"),
            ("(1", "1:3", "unexpected end of input in paren expression"),
            ("1)", "1:2", "unexpected \")\""), ("sum(", "1:5", "unexpected end of input"),
            ("foo{", "1:5", "unexpected end of input in label matching"),
            ("foo{a}", "1:6", "expected label matching operator"),
            ("foo{a=1}", "1:7", "unexpected number \"1\" in label matching, expected string"),
            ("foo{a=\"b\" c=\"d\"}", "1:11", "unexpected identifier \"c\""),
            ("foo{1=\"b\"}", "1:5", "expected label or string"),
            ("{}", "1:1", "at least one non-empty matcher"),
            (#"{a=""}"#, "1:1", "at least one non-empty matcher"),
            (#"{a=~".*"}"#, "1:1", "at least one non-empty matcher"),
            (#"foo{__name__="bar"}"#, "1:5", "metric name must not be set twice"),
            (#"foo{"bar"}"#, "1:5", "metric name must not be set twice"),
            (#"foo{a=~"("}"#, "1:8", "is broken"), (#"foo{a=~"(?=b)"}"#, "1:8", "Perl syntax"),
            (#"foo{a=~"\\1"}"#, "1:8", "invalid escape sequence"),
            (#"foo{a=~"b{2000}"}"#, "1:8", "invalid repeat count"),
            (#"foo{a=~"b**"}"#, "1:8", "nested repetition"),
            ("foo[5m", "1:7", "unexpected end of input in subquery or range"),
            ("foo[]", "1:5", "in duration"), ("foo[0s]", "1:5", "must be greater than 0"),
            ("foo[5]", "", ""), ("foo[1s2m]", "1:5", "bad number or duration syntax: \"1s2m\""),
            ("foo[5mm]", "1:5", "bad number or duration syntax"),
            ("sum(foo)[5m]", "1:1", "ranges only allowed for vector selectors"),
            ("foo offset 1m[5m]", "1:1", "no offset modifiers allowed before range"),
            ("foo @ 1 [5m]", "1:1", "no @ modifiers allowed before range"),
            ("1[5m:1m]", "1:1", "subquery is only allowed on instant vector, got scalar"),
            ("foo[5m][5m:1m]", "1:1", "subquery is only allowed on instant vector"),
            ("sum(foo) offset 5m", "1:1", "offset modifier must be preceded by"),
            ("1 @ 5", "1:1", "@ modifier must be preceded by"),
            ("foo offset 1m offset 2m", "1:15", "offset may not be set multiple times"),
            ("foo @ 1 @ 2", "1:9", "@ <timestamp> may not be set multiple times"),
            ("foo @ NaN", "1:7", "timestamp out of bounds"),
            ("foo @ bar", "1:7", "expected timestamp"),
            ("foo @ 1e40", "1:7", "timestamp out of bounds"),
            ("foo offset bar", "1:12", "unexpected identifier \"bar\" in duration"),
            ("nosuch(foo)", "1:1", "unknown function with name \"nosuch\""),
            (
                "rate(foo)", "1:6",
                "expected type range vector in call to function \"rate\", got instant vector"
            ),
            ("abs(foo[5m])", "1:5", "expected type instant vector in call to function \"abs\""),
            ("abs()", "1:1", "expected 1 argument(s) in call to \"abs\", got 0"),
            ("abs(a, b)", "1:1", "expected 1 argument(s) in call to \"abs\", got 2"),
            ("round()", "1:1", "expected at least 1 argument(s) in call to \"round\", got 0"),
            ("round(a, 1, 2)", "1:1", "expected at most 2 argument(s) in call to \"round\", got 3"),
            ("label_join(a, \"b\")", "1:1", "expected at least 3 argument(s)"),
            ("abs(a,)", "1:7", "trailing commas not allowed"),
            ("vector(foo)", "1:8", "expected type scalar in call to function \"vector\""),
            ("label_replace(a, b, \"c\", \"d\", \"e\")", "1:18", "expected type string"),
            ("sum()", "1:1", "no arguments for aggregate expression provided"),
            ("sum(a, b)", "1:1", "wrong number of arguments for aggregate expression"),
            ("topk(a)", "1:1", "wrong number of arguments"),
            ("topk(a, b)", "1:6", "expected type scalar in aggregation parameter"),
            ("sum(1)", "1:5", "expected type instant vector in aggregation expression, got scalar"),
            ("sum(foo[5m])", "1:5", "expected type instant vector in aggregation expression"),
            ("sum by (1) (a)", "1:9", "expected label"),
            ("sum by a (a)", "1:8", "in grouping opts"),
            ("sum by (a) by (b) (c)", "1:12", "unexpected identifier \"by\" in aggregation"),
            ("a + bool b", "1:5", "bool modifier can only be used on comparison operators"),
            ("1 == 1", "1:3", "comparisons between scalars must use BOOL modifier"),
            ("1 and 2", "1:1", "set operator \"and\" not allowed in binary scalar expression"),
            ("a and 2", "1:1", "set operator \"and\" not allowed"),
            ("a and on(b) group_left() c", "1:13", "no grouping allowed for \"and\" operation"),
            ("a and fill(1) b", "1:7", "filling in missing series not allowed for set operators"),
            ("a + on(b) 1", "1:5", "vector matching only allowed between instant vectors"),
            ("a + fill(1) 1", "1:5", "vector matching only allowed between instant vectors"),
            ("a + fill(b) c", "1:10", "expected number"),
            ("a * on(b) group_left(b) c", "1:11", "must not occur in ON and GROUP clause at once"),
            ("\"a\" + 1", "1:1", "must contain only scalar and instant vector types"),
            ("foo[5m] + 1", "1:1", "must contain only scalar and instant vector types"),
            (
                "-\"a\"", "1:1",
                "unary expression only allowed on expressions of type scalar or instant vector"
            ),
            ("-foo[5m]", "1:1", "unary expression only allowed"),
            ("deriv(foo[5m] smoothed)", "1:7", "smoothed modifier can only be used with"),
            ("sum(a) anchored", "1:8", "anchored modifier must be preceded by a range selector"),
            ("foo anchored", "1:5", "anchored modifier must be preceded by a range selector"),
            ("info(a, b)", "1:9", "expected label selectors only"),
            ("info(a, sum(b))", "1:9", "expected label selectors only"),
            ("\"abc", "1:1", "unterminated quoted string"),
            ("`abc", "1:1", "unterminated raw string"),
            ("\"a\nb\"", "1:1", "unterminated quoted string"),
            (#""\q""#, "1:1", "unknown escape sequence"), (#""\xg0""#, "1:1", "unknown escape"),
            ("a $ b", "1:3", "unexpected character: '$'"),
            ("a é b", "1:3", "unexpected character: 'é'"),
            ("1x", "1:1", "bad number or duration syntax: \"1x\""),
            ("0xgg", "1:1", "bad number or duration syntax"), ("1.2.3", "1:4", "unexpected number"),
            ("foo\n  + *", "2:5", "unexpected \"*\""), ("a === b", "1:5", "unexpected \"=\""),
            ("foo[step(]", "1:10", "in duration expression"),
            ("foo[min_of(1)]", "1:13", "in duration expression"),
            ("offset 5m", "1:1", "unexpected identifier \"offset\""),
        ])
    func refusals(_ text: String, _ place: String, _ reason: String) {
        do throws(ParseError) {
            _ = try parse(text)
            #expect(place.isEmpty, "\(text) is accepted")
        } catch {
            let (line, column) = TextRange.position(of: error.range.start, in: text)
            #expect("\(line):\(column)" == place, "\(error.message)")
            #expect(error.message.contains(reason), "\(error.message)")
        }
    }

    @Test func `says which flag allows what is experimental`() {
        for (text, flag) in [
            ("mad_over_time(a[5m])", "promql-experimental-functions"),
            ("a[2*5m]", "promql-duration-expr"), ("a[step()]", "promql-duration-expr"),
            ("rate(a[5m] anchored)", "promql-extended-range-selectors"),
            ("a + fill(1) b", "promql-binop-fill-modifiers"),
            ("limitk(2, a)", "promql-experimental-functions"),
        ] {
            #expect {
                try QueryParser.parse(text)
            } throws: { error in
                guard let error = error as? ParseError else { return false }
                return (error.message + error.help).contains(flag)
            }
        }
    }

    @Test func `of any depth ends with an error, not with the stack`() {
        for (open, close) in [("(", ")"), ("-", ""), ("abs(", ")"), ("a+(", ")"), ("a^", "a")] {
            let text =
                String(repeating: open, count: 100_000) + "a"
                + String(repeating: close, count: close == ")" ? 100_000 : 0)
            #expect(throws: ParseError.self) { try parse(text) }
        }
        let span = "a[" + String(repeating: "(", count: 100_000) + "5m"
        #expect(throws: ParseError.self) { try parse(span) }
    }

    @Test(.enabled(if: SharedCases.arePresent))
    func `of the world's rules is understood, and printed so that it reads the same`() throws {
        var count = 0
        var problems: [String] = []
        for rule in SharedCases.records("conformance/real-rules.jsonl") {
            guard let text = rule["expr"]?.string else { continue }
            count += 1
            do throws(ParseError) {
                let printed = try QueryParser.parse(text).description
                let again = try QueryParser.parse(printed).description
                if again != printed { problems.append("\(text)\n  \(printed)\n  \(again)") }
            } catch {
                problems.append("\(text): \(error.text(in: text))")
            }
        }
        #expect(count == 9_770)
        #expect(
            problems.isEmpty, "\(problems.count)\n\(problems.prefix(20).joined(separator: "\n"))")
    }

    @Test func `of any text is understood or refused`() {
        var random = SeededGenerator(announcing: "PromQL parser")
        let words = [
            "foo", "sum", "by", "(", ")", "{", "}", "[", "]", ",", "5m", "1", "\"a\"", "'", "`",
            "=",
            "=~", "!~", "offset", "@", "rate", "and", "or", "on", "group_left", "bool", "+", "-",
            "^", "</", ":", "step()", "anchored", "fill", "é", "\u{0}", "#", "\n", "\\", "0x", "1e",
            "info", "start()", "min_of", "a\"=\"b\"", "topk(3,",
        ]
        let time = FuzzTime()
        while time.isLeft {
            let count = Int.random(in: 0..<25, using: &random)
            let text = (0..<count).map { _ in words.randomElement(using: &random) ?? "" }
                .joined(separator: Bool.random(using: &random) ? " " : "")
            do throws(ParseError) {
                let printed = try parse(text).description
                let again = try? parse(printed).description
                #expect(again == printed, "\(text)")
            } catch {
                #expect(error.range.start <= text.utf8.count)
                #expect(!error.message.isEmpty)
            }
        }
    }
}

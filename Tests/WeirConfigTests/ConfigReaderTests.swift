import Testing
import WeirConfig

@Suite("The configuration's reader") struct ConfigReaderTests {
    @Test(.timeLimit(.minutes(1)))
    func `takes time in proportion to a value with many blanks`() {
        let value = "a" + String(repeating: " ", count: 1 << 18) + "b"
        let (root, diagnostics) = read("k \(value)\n")
        #expect(diagnostics.isEmpty)
        #expect(root["k"]?.value == .text(value))
    }

    @Test(arguments: [
        "k \"a\n\nb\"\n", "k \"\na\"\n", "k \"a\\n\nb\"\n", "k \"a\r\nb\"\n", "\"k\"x v\n",
        "<>\n</>\n",
        "k {\"a\": # c\n1}\n", "k [1,\n# c\n2]\n", "@include {a,b}.conf\n", "@include a.conf#c\n",
        "<match #x>\n</match>\n",
    ])
    func `refuses what Fluentd refuses`(text: String) {
        #expect(read(text).1.hasErrors)
    }

    @Test(arguments: [
        ("k \"a\nb\"\n", "a\nb"), ("k \"a\\\nb\"\n", "ab"), ("k [1, # c\n2] # d\n", "[1,2]"),
        ("k [// c\n1 /* d */]\n", "[1]"), ("k {\"a\":1e20}\n", "{\"a\":1.0e+20}"),
        ("k \"#{ENV['X'] ||\n 'y'}\"\n", "y"), ("k [\"a\\qb\"]\n", "[\"aqb\"]"),
    ])
    func `reads values over several lines as Fluentd does`(text: String, value: String) {
        let (root, diagnostics) = read(text)
        #expect(diagnostics.isEmpty)
        #expect(root["k"]?.value == .text(value))
    }

    @Test func `finds included files in folders of any depth, and goes on without them`() {
        let files = TestFiles(files: ["d/e/a.conf": "k 1\n", "d/b c.conf": "l 2\n"])
        let (root, diagnostics) = read(
            "@include **/a.conf\n@include d/b c.conf\n@include none.conf\n", files: files)
        #expect(root.attributes.map(\.name) == ["k", "l"])
        #expect(diagnostics.map(\.severity) == [.warning])
    }

    @Test func `takes a tag's argument without a blank, and its end further down`() {
        let (root, diagnostics) = read("<match**>\n</match\n>\n")
        #expect(diagnostics.isEmpty)
        #expect(root.elements.map(\.argument) == ["**"])
    }
}

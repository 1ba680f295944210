import Synchronization
import Testing
import WeirCore
import WeirTesting

@testable import WeirConfig

/// Files of a test that name each other, and how often they were read.
private final class CountedFiles: ConfigFiles {
    let files: [String: [UInt8]]
    private let reads = Atomic<Int>(0)

    var readCount: Int { reads.load(ordering: .relaxed) }
    var hostName: String { "kit-host.example" }

    init(_ files: [String: [UInt8]]) {
        self.files = files
    }

    func contents(of path: String) -> [UInt8]? {
        reads.wrappingAdd(1, ordering: .relaxed)
        return files[Self.normalized(path)]
    }

    /// Every file that ends as the pattern does.
    func paths(matching pattern: String) -> [String] {
        let ending = pattern.drop { $0 != "*" }.dropFirst()
        return files.keys.filter { $0.hasSuffix(ending) }.sorted()
    }

    func environment(_ name: String) -> String? { name == "SET" ? "value" : nil }

    static func normalized(_ path: String) -> String {
        var parts: [Substring] = []
        for part in path.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return parts.joined(separator: "/")
    }

    /// Whether a place is one of its file, the place behind the last byte of a line included.
    func has(_ location: WeirConfig.SourceLocation) -> Bool {
        guard let bytes = files[Self.normalized(location.file)], location.line >= 1,
            location.column >= 1
        else { return false }
        let lines = bytes.split(separator: 0x0a, omittingEmptySubsequences: false)
        return location.line <= lines.count && location.column <= lines[location.line - 1].count + 1
    }

    func read(_ name: String) -> (root: ConfigElement, diagnostics: [Diagnostic]) {
        ConfigReader.read(path: name, files: self)
    }
}

@Suite("Whatever a configuration's text", .timeLimit(.minutes(5)))
struct ConfigReaderFuzzTests {
    private static let inner = Array("<>/@#\"'\\{}[]:, \t\r\n_aZ09$%*|+.()".utf8) + [0, 0xc3, 0xff]

    private static let pieces = [
        "<source>\n", "</source>\n", "<match a.** b>\n", "</match>\n", "<a \"b c\">\n", "</a>\n",
        "  @type tail\n", "@include b.conf\n", "include c.conf\n", "@id x\n", "  k v # c\n",
        "k \"a\\n#{ENV['SET'] || 'x'}b\"\n", "k '\\''\n", "k [1, \"a\", # c\n {\"b\":null}]\n",
        "k {\"a\":\"\\u00e9\"}\n", "k \"a\nb\"\n", "\r\n", "# c\n", "k \"#{use_nil}\"\n", " ", "k ",
    ]

    static let samples: [[UInt8]] = {
        let pipelines = ["demo", "envoy-to-elasticsearch", "istio-guide", "kubernetes-daemonset"]
            .map { SourceTree.lines(of: "pipelines/\($0)/weir.conf").joined(separator: "\n") }
        let captured = SharedCases.records("conformance/fluentd/config/parse.jsonl")
            .compactMap { $0["text"]?.string }
        return (pipelines + captured).filter { !$0.isEmpty }.map { Array($0.utf8) }
    }()

    @Test func `it is read to its end, and every mistake told at a place inside it`() {
        var chance = SeededGenerator(announcing: "ConfigReaderFuzzTests, text")
        let time = FuzzTime(shared: 5)
        #expect(Self.samples.count >= 3)
        repeat {
            let grown = Array(chance.soup(of: Self.pieces, upTo: 40).utf8)
            let text = chance.once(in: 3) ? grown : chance.pick(Self.samples)
            let files = CountedFiles([
                "a.conf": chance.mutated(text, with: Self.inner),
                "b.conf": chance.mutated(chance.pick(Self.samples), with: Self.inner),
                "c.conf": grown,
            ])
            let (root, diagnostics) = files.read("a.conf")
            let lost = diagnostics.filter { !files.has($0.location) }
            #expect(lost.isEmpty, "seed \(chance.seed)")
            #expect(isInside(root, files), "seed \(chance.seed)")
        } while time.isLeft
    }

    private func isInside(_ element: ConfigElement, _ files: CountedFiles) -> Bool {
        files.has(element.location)
            && (element.attributes + element.repeated).allSatisfy {
                files.has($0.location) && files.has($0.valueLocation)
            } && element.elements.allSatisfy { isInside($0, files) }
    }

    @Test func `files that include each other come to an end`() {
        var chance = SeededGenerator(announcing: "ConfigReaderFuzzTests, includes")
        let names = ["a.conf", "b.conf", "d/c.conf", "d/e/f.conf"]
        let pieces =
            [
                "@include *.conf\n", "@include ../*.conf\n", "@include e/f.conf\n", "k v\n",
                "<a>\n@include ./a.conf\n</a>\n", "<b>\n", "</b>\n", "@include /a.conf\n",
            ] + names.flatMap { ["@include \($0)\n", "@include ./\($0)\n", "@include ../\($0)\n"] }
        let time = FuzzTime(shared: 5)
        repeat {
            let files = CountedFiles(
                [String: [UInt8]](
                    uniqueKeysWithValues: names.map {
                        ($0, Array(chance.soup(of: pieces, upTo: 5).utf8))
                    }))
            let (_, diagnostics) = files.read("a.conf")
            #expect(files.readCount <= ConfigReader.includeLimit + 1, "seed \(chance.seed)")
            #expect(diagnostics.allSatisfy { files.has($0.location) }, "seed \(chance.seed)")
        } while time.isLeft
    }

    @Test func `a tree that is printed is read again as it was`() {
        var chance = SeededGenerator(announcing: "ConfigReaderFuzzTests, trees")
        let time = FuzzTime(shared: 5)
        repeat {
            var printer = ConfigPrinter(chance: chance)
            let tree = printer.makeTree(name: "ROOT", depth: 0)
            printer.print(bodyOf: tree, indent: "")
            chance = printer.chance
            let files = TestFiles(variables: ConfigPrinter.variables)
            let (root, diagnostics) = read(printer.text, files: files)
            guard diagnostics.isEmpty, captured(root) == tree.captured else {
                Issue.record(
                    "\(diagnostics) \(JSONValueWriter.text(captured(root)))\n\(printer.text)")
                return
            }
        } while time.isLeft
    }

    @Test func `embedded Ruby is evaluated or refused`() {
        var chance = SeededGenerator(announcing: "ConfigReaderFuzzTests, Ruby")
        let pieces = [
            "ENV[", "'SET'", "\"NO\"", "]", "ENV.fetch(", ",", ")", "(", "||", "+", "'a'", "\"b#{",
            "}\"", "12", "9999999999999999999", "nil", "use_nil", "hostname", "File.join(", ".to_s",
            ".strip", ".upcase", " ", "\\", "'", "\"", "é", "\u{301}", "worker_id", "#{",
        ]
        let files = CountedFiles([:])
        let time = FuzzTime(shared: 5)
        repeat {
            _ = try? RubyExpression.evaluate(chance.soup(of: pieces, upTo: 20), files: files)
            let depth = chance.number(0...100)
            let nested =
                String(repeating: "(", count: depth) + "1" + String(repeating: ")", count: depth)
            let result = try? RubyExpression.evaluate(nested, files: files)
            #expect((result == .integer(1)) == (depth < 32), "depth \(depth)")
        } while time.isLeft
    }

    @Test func `typed values are read or refused`() throws {
        var chance = SeededGenerator(announcing: "ConfigReaderFuzzTests, values")
        let pieces = [
            "0", "1", "9", "9300000000", "9223372036854775807", "_", "-", "+", ".", "e", "e9",
            "e400",
            "k", "m", "g", "t", "b", "i", "s", "h", "d", "ms", "sec", "min", " ", "\t", "true", "#",
            "/", "[", "]", "{", "}", "\"a\"", ":", ",", "$", "$.", "['", "']", "é", "\u{301}",
        ]
        let time = FuzzTime(shared: 5)
        repeat {
            let text = chance.soup(of: pieces, upTo: 8)
            _ = try? ValueText.size(text)
            _ = try? ValueText.duration(text)
            _ = try? ValueText.bool(text)
            _ = try? ValueText.integer(text)
            _ = try? ValueText.float(text)
            _ = try? ValueText.word(text, of: ["true", "sec"])
            _ = try? ValueText.array(text)
            _ = try? ValueText.hash(text)
            _ = try? ValueText.regex(text)
            _ = try? ValueText.accessor(text).value(in: ["é": .array([.null])])
            let number = chance.number(0...1 << 20)
            #expect(try ValueText.size("\(number)k") == number << 10)
            #expect(try ValueText.duration("\(number)m") == .seconds(number * 60))
        } while time.isLeft
    }
}

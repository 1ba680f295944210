import Glibc
import Testing
import WeirTesting

@Suite("The house is tidy: the sources")
struct TidyTests {
    static let files = SourceTree.files(under: "Sources") + SourceTree.files(under: "Tests")

    @Test func `are found`() {
        #expect(Self.files.count > 100)
    }

    @Test("have at most 500 lines", arguments: files)
    func fileLength(_ path: String) {
        #expect(SourceTree.lines(of: path).count <= 500)
    }

    @Test("have functions of at most 70 lines", arguments: files)
    func functionLength(_ path: String) {
        let lines = SourceTree.lines(of: path)
        for (index, line) in lines.enumerated() {
            let text = line.drop { $0 == " " }
            let indent = line.count - text.count
            let isFunction =
                text.contains("func ") || text.hasPrefix("init(") || text.contains(" init(")
            let endsHere = text.contains("{") && text.hasSuffix("}")
            guard isFunction, !text.hasPrefix("//"), indent <= 8, !endsHere else { continue }
            let closing = String(repeating: " ", count: indent) + "}"
            guard let end = lines[index...].firstIndex(of: closing) else { continue }
            #expect(end - index < 70, "\(path):\(index + 1)")
        }
    }

    @Test("have no names that say nothing", arguments: files)
    func names(_ path: String) {
        let name = path.split(separator: "/").last ?? ""
        for word in ["Util", "Helper", "Common", "Manager", "Misc"] {
            #expect(!name.contains(word), "\(path)")
        }
    }

    @Test("leave nothing undone and trust no input with a trap", arguments: files)
    func words(_ path: String) {
        guard !path.hasSuffix("TidyTests.swift") else { return }
        for (index, line) in SourceTree.lines(of: path).enumerated() {
            for word in ["TO" + "DO", "FIX" + "ME", "try" + "!", "as" + "!"] {
                #expect(!line.contains(word), "\(path):\(index + 1)")
            }
        }
    }

    @Test("say what every public declaration is", arguments: SourceTree.files(under: "Sources"))
    func documentation(_ path: String) {
        let lines = SourceTree.lines(of: path)
        for (index, line) in lines.enumerated() where index > 0 {
            let text = line.drop { $0 == " " }
            guard text.hasPrefix("public "), !Self.isWitness(text) else { continue }
            var above = index - 1
            while above > 0, lines[above].drop(while: { $0 == " " }).hasPrefix("@") { above -= 1 }
            #expect(
                lines[above].drop { $0 == " " }.hasPrefix("///"), "\(path):\(index + 1): \(text)")
        }
    }

    /// Declarations whose meaning the protocol that asks for them tells.
    private static func isWitness(_ text: Substring) -> Bool {
        let names = [
            "var description", "func parse(into", "func apply(to", "func replacement(for",
            "func makeEncoder", "func makeSender", "func recordText", "var admits", "func write(",
            "func start()", "func flush()", "func stop", "func close()", "func refuse(",
            "static func ==", "static func <", "init(dictionaryLiteral", "func contents(of",
            "func paths(matching", "func environment(", "var hostName", "func log(event",
            "subscript(metadataKey", "var logLevel", "var metadata", "func hash(into",
        ]
        return names.contains { text.contains($0) }
    }

    @Test(
        "import only what the house plan lets them", arguments: SourceTree.files(under: "Sources"))
    func imports(_ path: String) {
        let module = String(path.split(separator: "/")[1])
        guard let allowed = ImportTable.allowed[module] else { return }
        for line in SourceTree.lines(of: path) {
            let words = line.split(separator: " ")
            guard words.count >= 2, words[words.count - 2] == "import" else { continue }
            let name = String(words[words.count - 1])
            if ImportTable.system.contains(name) { continue }
            #expect(allowed.contains(name), "\(path) imports \(name)")
        }
    }

    @Test func `have every module in the import table`() {
        let modules = Set(
            SourceTree.files(under: "Sources").map { String($0.split(separator: "/")[1]) })
        #expect(modules == Set(ImportTable.allowed.keys))
    }
}

/// Who may import whom: the table of Architecture.md.
enum ImportTable {
    static let system: Set<String> = ["Glibc", "Synchronization", "Dispatch"]

    private static let config: Set<String> = ["WeirCore", "WeirConfig"]
    private static let pipeline: Set<String> = config.union(["WeirMetrics", "CShims"])
    private static let plugins: Set<String> = pipeline.union([
        "WeirAlerts", "WeirParse", "WeirHost", "WeirPipeline", "WeirPromQL", "WeirStore",
        "WeirTraces",
    ])
    private static let agent: Set<String> = plugins.union(["WeirPlugins", "Logging"])

    static let allowed: [String: Set<String>] = [
        "WeirCore": ["CPCRE2", "CShims"],
        "WeirConfig": ["WeirCore", "CYAML"],
        "WeirAlerts": config.union(["WeirPromQL"]),
        "WeirMetrics": ["WeirCore"],
        "WeirTraces": ["WeirCore", "CShims"],
        "WeirHost": [
            "WeirCore", "CCurl", "CIgzip", "COpenSSL", "CShims", "CZlib", "CZstd", "NIOCore",
            "NIOHTTP1",
            "NIOPosix",
        ],
        "WeirParse": config.union(["CShims"]),
        "WeirStore": ["WeirCore", "CSQLite"],
        "WeirPromQL": ["WeirCore", "WeirMetrics"],
        "WeirPipeline": pipeline,
        "WeirPlugins": plugins,
        "WeirAgent": agent,
        "weir": agent.union(["WeirAgent", "WeirAlerts", "ArgumentParser"]),
        "weir-bench": agent.union(["WeirAgent", "WeirTesting"]),
        "WeirTesting": agent.union(["WeirAgent", "Testing"]),
    ]
}

import Testing
import WeirHost
import WeirTesting

@testable import WeirPromQL

@Suite("Test scripts of PromQL") struct PromQLScriptTests {
    @Test("of our own pass", arguments: ownScripts)
    func own(_ name: String) throws {
        let text = SourceTree.lines(of: "Tests/PromQLScripts/\(name)").joined(separator: "\n")
        let outcomes = try ScriptRunner.run(text)
        #expect(outcomes.count >= 8)
        for outcome in outcomes {
            #expect(
                outcome.problem == nil,
                "line \(outcome.line): \(outcome.query): \(outcome.problem ?? "")")
        }
    }

    private static let ownScripts = FileNames.inFolder("\(SourceTree.root)/Tests/PromQLScripts")
        .filter { $0.hasSuffix(".test") }.sorted()

    @Test(.enabled(if: SharedCases.arePresent))
    func `of Prometheus pass, each query of each`() throws {
        var table: [String] = []
        var failures: [String] = []
        for (name, text) in SharedCases.files(in: "conformance/promql", suffix: ".test") {
            let outcomes = try ScriptRunner.run(text)
            let failed = outcomes.filter { $0.problem != nil }
            table.append(
                "| \(name.dropLast(5)) | \(outcomes.count) | \(outcomes.count - failed.count) |")
            failures += failed.map { "\(name):\($0.line): \($0.query): \($0.problem ?? "")" }
        }
        print(table.joined(separator: "\n"))
        // PromQL.md says so of each.
        let path = "Sources/WeirAgent/Weir.docc/PromQL.md"
        let documented = SourceTree.lines(of: path)
        #expect(table.allSatisfy { documented.contains($0) }, "\(path) tells otherwise")
        #expect(failures.isEmpty, "\(failures.count)\n\(failures.joined(separator: "\n"))")
    }
}

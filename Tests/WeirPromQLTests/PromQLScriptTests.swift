import Testing
import WeirTesting

@testable import WeirPromQL

@Suite("Prometheus' test scripts") struct PromQLScriptTests {
    @Test(.enabled(if: SharedCases.arePresent))
    func `pass, each query of each`() throws {
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

import Testing
import WeirConfig
import WeirCore
import WeirTesting

/// Where Weir reads a configuration otherwise than Fluentd 1.16.9, and why.
private let deliberateDifferences: [String: String] = [
    "config-0062": "Ruby beyond the subset is refused, with what Weir offers",
    "config-0079": "Ruby beyond the subset is refused, with what Weir offers",
]

@Suite("The configuration language", .enabled(if: SharedCases.arePresent))
struct ConfigReaderConformanceTests {
    @Test func `reads every captured text as Fluentd does, or differs for a reason`() {
        var compared = 0
        for record in SharedCases.records("conformance/fluentd/config/parse.jsonl") {
            guard let id = record["id"]?.string, let text = record["text"]?.string else { continue }
            compared += 1
            let isSame = isSame(text, record)
            if deliberateDifferences[id] == nil {
                #expect(isSame.same, "\(id) \(text.debugDescription): \(isSame.got)")
            } else {
                #expect(!isSame.same, "\(id) is the same as Fluentd's: strike it from the table")
            }
        }
        #expect(compared >= 190)
    }

    private func isSame(_ text: String, _ record: Record) -> (same: Bool, got: String) {
        var files = TestFiles()
        for (name, value) in record["env"]?.object?.fields ?? [] {
            files.variables[name] = value.string ?? ""
        }
        for (name, value) in record["files"]?.object?.fields ?? [] {
            files.files[name] = (value.string ?? "").replacing("DIR/", with: "")
        }
        let (root, diagnostics) = read(text.replacing("DIR/", with: ""), files: files)
        let got = captured(root)
        if diagnostics.hasErrors {
            let all = diagnostics.map(\.description).joined(separator: "\n")
            return (record["error"] != nil, "refused: \(all)")
        }
        return (record["tree"] == got, JSONValueWriter.text(got))
    }
}

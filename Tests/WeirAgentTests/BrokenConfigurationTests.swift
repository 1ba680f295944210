import Testing
import WeirAgent
import WeirConfig
import WeirTesting

/// A configuration with a mistake, and all that `weir check` says of it.
///
/// The cases stand in `Tests/BrokenConfigurations`: `=== name`, the configuration, `---`, the remarks.
struct BrokenConfiguration: CustomTestStringConvertible, Sendable {
    var name: String
    var lines: [String] = []
    var remarks: [String] = []

    var testDescription: String { name }

    static let subjects = ["language", "sources", "outputs", "filters-and-labels", "remote-write"]

    static let all: [BrokenConfiguration] = subjects.flatMap { subject in
        var cases: [BrokenConfiguration] = []
        var isRemark = false
        for line in SourceTree.lines(of: "Tests/BrokenConfigurations/\(subject).txt") {
            if line.hasPrefix("=== ") {
                cases.append(BrokenConfiguration(name: String(line.dropFirst(4))))
                isRemark = false
            } else if line == "---" {
                isRemark = true
            } else if isRemark {
                cases[cases.count - 1].remarks.append(line)
            } else {
                cases[cases.count - 1].lines.append(line)
            }
        }
        return cases
    }
}

/// One configuration in memory, and nothing else.
private struct OneFile: ConfigFiles {
    var text: String

    var hostName: String { "node" }
    func contents(of path: String) -> [UInt8]? {
        path == "weir.conf" ? Array(text.utf8) : nil
    }
    func paths(matching pattern: String) -> [String] {
        ["weir.conf", "folder.d"].contains(pattern) ? [pattern] : []
    }
    func environment(_ name: String) -> String? { nil }
}

@Suite("A broken configuration")
struct BrokenConfigurationTests {
    @Test(
        "gets every mistake told, where it is and how to mend it",
        arguments: BrokenConfiguration.all)
    func remarks(_ broken: BrokenConfiguration) {
        let text = broken.lines.map { $0 + "\n" }.joined()
        let remarks = Agent.check("weir.conf", files: OneFile(text: text))
        #expect(remarks.hasErrors)
        #expect(
            remarks.flatMap { $0.description.split(separator: "\n") }
                == broken.remarks[...].map {
                    $0[...]
                })
    }

    @Test("has many kinds, each with a name of its own")
    func kinds() {
        #expect(BrokenConfiguration.all.count >= 90)
        #expect(Set(BrokenConfiguration.all.map(\.name)).count == BrokenConfiguration.all.count)
        #expect(BrokenConfiguration.all.allSatisfy { !$0.remarks.isEmpty })
    }

    @Test(
        "never shows a secret",
        arguments: [
            "password geheim\n  port x", "user u\n  password geheim", "hosts http://u:geheim@h:x",
            "password geheim\n  password geheim2", "path http://u:geheim@h",
        ])
    func secrets(_ parameters: String) {
        let text = """
            <source>
              @type tail
              path /a
              tag a
              <parse>
                @type json
              </parse>
            </source>
            <match **>
              @type elasticsearch
              \(parameters)
              no_such_parameter geheim
            </match>
            """
        let remarks = Agent.check("weir.conf", files: OneFile(text: text))
        #expect(remarks.hasErrors)
        #expect(!remarks.map(\.description).joined().contains("geheim"))
    }
}

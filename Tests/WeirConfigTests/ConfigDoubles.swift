import WeirConfig
import WeirCore
import WeirTesting

/// Files and environment of a test.
struct TestFiles: ConfigFiles {
    var files: [String: String] = [:]
    var variables: [String: String] = [:]
    var hostName = "kit-host.example"

    func contents(of path: String) -> [UInt8]? {
        files[normalized(path)].map { Array($0.utf8) }
    }

    func paths(matching pattern: String) -> [String] {
        let pattern = normalized(pattern)
        guard let star = pattern.firstIndex(of: "*") else {
            return files[pattern] == nil ? [] : [pattern]
        }
        let head = pattern[..<star]
        let tail = pattern[pattern.index(after: star)...]
        return files.keys.filter {
            $0.hasPrefix(head) && $0.hasSuffix(tail) && !$0.dropFirst(head.count).contains("/")
        }.sorted()
    }

    func environment(_ name: String) -> String? { variables[name] }

    private func normalized(_ path: String) -> String {
        path.split(separator: "/").filter { $0 != "." }.joined(separator: "/")
    }
}

/// Reads a text and gives the tree and the mistakes.
func read(_ text: String, files: TestFiles = TestFiles()) -> (ConfigElement, [Diagnostic]) {
    let result = ConfigReader.read(text: Array(text.utf8), name: "case.conf", files: files)
    return (result.root, result.diagnostics)
}

/// A tree in the form of the captured cases.
func captured(_ element: ConfigElement) -> Value {
    .object([
        "name": .string(element.name), "arg": .string(element.argument),
        "attrs": .array(
            element.attributes.map { attribute in
                let value: Value =
                    switch attribute.value {
                    case .text(let text): .string(text)
                    case .none: .null
                    case .useDefault: .object(["$symbol": .string("default")])
                    }
                return .array([.string(attribute.name), value])
            }), "elements": .array(element.elements.map(captured)),
    ])
}

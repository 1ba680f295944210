import Glibc
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

    /// Files and folders by patterns of `*`, and `**` for any folders.
    func paths(matching pattern: String) -> [String] {
        let names = files.keys.flatMap { name in
            let parts = name.split(separator: "/")
            return (1...max(1, parts.count)).map { parts.prefix($0).joined(separator: "/") }
        }
        let patterns = normalized(pattern).split(separator: "/")[...]
        return Set(names).filter { matches($0.split(separator: "/")[...], patterns) }.sorted()
    }

    private func matches(_ parts: ArraySlice<Substring>, _ patterns: ArraySlice<Substring>) -> Bool
    {
        guard let pattern = patterns.first else { return parts.isEmpty }
        let rest = patterns.dropFirst()
        if pattern == "**", !rest.isEmpty, matches(parts, rest) { return true }
        guard let part = parts.first else { return false }
        if pattern == "**", !rest.isEmpty { return matches(parts.dropFirst(), patterns) }
        return fnmatch(String(pattern), String(part), FNM_PERIOD) == 0
            && matches(parts.dropFirst(), rest)
    }

    func environment(_ name: String) -> String? { variables[name] }

    private func normalized(_ path: String) -> String {
        var parts: [Substring] = []
        for part in path.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return parts.joined(separator: "/")
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

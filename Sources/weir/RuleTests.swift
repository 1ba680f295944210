import WeirAlerts
import WeirConfig
import WeirHost

/// Unit tests of rules, as `weir test` runs them.
enum RuleTests {
    /// The files of tests that a path names: itself, or those of a folder.
    static func files(under path: String) -> [String] {
        func isYAML(_ name: String) -> Bool { name.hasSuffix(".yml") || name.hasSuffix(".yaml") }
        if isYAML(path) { return [path] }
        return FileNames.inFolder(path).filter(isYAML).sorted().map { "\(path)/\($0)" }.filter {
            RealConfigFiles().contents(of: $0).map { RuleTestFile.isTest($0) } ?? false
        }
    }

    /// Runs a file's tests and prints what is otherwise than expected.
    /// - Returns: Whether all is as expected.
    static func run(_ path: String, _ report: inout JUnitReport) -> Bool {
        let files = RealConfigFiles()
        guard let bytes = files.contents(of: path) else {
            print("failed  \(path)\n\(path): cannot be read")
            return false
        }
        let tests = RuleTestFile(bytes, file: path)
        var diagnostics = tests.diagnostics
        var groups: [RuleGroup] = []
        let folder = path.split(separator: "/", omittingEmptySubsequences: false).dropLast()
            .joined(separator: "/")
        for (pattern, location) in tests.ruleFiles {
            let whole = pattern.hasPrefix("/") || folder.isEmpty ? pattern : "\(folder)/\(pattern)"
            let paths = files.paths(matching: whole)
            if paths.isEmpty {
                diagnostics.append(
                    Diagnostic(
                        .warning, at: location, "no file matches `\(pattern)`",
                        help: "write a path as seen from the file of tests"))
            }
            for path in paths {
                let file = RuleFile(files.contents(of: path) ?? [], file: path)
                diagnostics += file.diagnostics
                groups += file.groups
            }
        }
        guard !diagnostics.hasErrors else {
            print("failed  \(path)")
            for diagnostic in diagnostics { print(diagnostic) }
            report.add(path, "file", problems: diagnostics.map(\.description))
            return false
        }
        for diagnostic in diagnostics { print(diagnostic) }
        let outcomes = RuleTestRun(tests, rules: groups).outcomes()
        let problems = outcomes.flatMap(\.problems)
        let count = outcomes.reduce(0) { $0 + $1.checkCount }
        print(
            "\(problems.isEmpty ? "passed" : "failed")  \(path) "
                + "(\(outcomes.count) tests, \(count) expectations)")
        for problem in problems { print(problem) }
        for outcome in outcomes {
            report.add(path, outcome.name, problems: outcome.problems.map(\.description))
        }
        return problems.isEmpty
    }
}

/// Outcomes of tests in JUnit's XML, which CI systems read.
struct JUnitReport {
    private var cases: [(file: String, name: String, problems: [String])] = []

    /// Adds the outcome of a test.
    mutating func add(_ file: String, _ name: String, problems: [String]) {
        cases.append((file, name, problems))
    }

    /// Writes all outcomes to a file.
    /// - Returns: Whether it could be written.
    func write(to path: String) -> Bool {
        let failed = cases.count { !$0.problems.isEmpty }
        var text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        text += "<testsuites tests=\"\(cases.count)\" failures=\"\(failed)\">\n"
        text += "<testsuite name=\"rules\" tests=\"\(cases.count)\" failures=\"\(failed)\">\n"
        for one in cases {
            text +=
                "<testcase classname=\"\(Self.escaped(one.file))\" name=\"\(Self.escaped(one.name))\""
            if one.problems.isEmpty {
                text += "/>\n"
                continue
            }
            text += "><failure message=\"\(one.problems.count) not as expected\">"
            text += Self.escaped(one.problems.joined(separator: "\n"))
            text += "</failure></testcase>\n"
        }
        text += "</testsuite>\n</testsuites>\n"
        return (try? AtomicFile.write(Array(text.utf8), to: path)) != nil
    }

    private static func escaped(_ text: String) -> String {
        text.unicodeScalars.map { scalar in
            switch scalar {
            case "&": "&amp;"
            case "<": "&lt;"
            case ">": "&gt;"
            case "\"": "&quot;"
            case _ where scalar.value < 0x20 && scalar != "\n" && scalar != "\t": "\u{fffd}"
            default: String(scalar)
            }
        }.joined()
    }
}

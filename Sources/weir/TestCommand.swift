import ArgumentParser
import WeirAgent
import WeirConfig
import WeirHost
import WeirPromQL

/// `weir test`
struct TestCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test",
        abstract: "Run tests: pipeline folders on their input, rules, and PromQL scripts.",
        discussion: """
            A folder holds weir.conf, input/ and expected/. A file under input/ stands for the file \
            of that path; expected/<output>.jsonl holds the events that reach the output of that \
            @id or type. A file whose name ends in .test is a script of Prometheus' own test \
            language (load, eval, expect), run by Weir's PromQL engine. A YAML file with `tests:` \
            holds unit tests of rules, as promtool has them. \
            Exit codes: 0 all pass, 1 some fail, 2 no test was found.
            """)

    @Argument(help: "Pipeline folders, scripts (*.test), or folders of either.")
    var paths: [String]

    @Flag(help: "Write what comes out as what is expected.")
    var update = false

    @Option(help: "Write the outcomes of rule tests as JUnit's XML to this file.")
    var junit: String?

    func run() throws {
        let folders = paths.flatMap { pipelines(under: $0) }
        let scripts = paths.flatMap { self.scripts(under: $0) }
        let rules = paths.flatMap { RuleTests.files(under: $0) }
        guard !folders.isEmpty || !scripts.isEmpty || !rules.isEmpty else {
            print(
                "no test was found\n  help: give a folder with weir.conf, input/ and expected/, a "
                    + "script *.test, or a file of rule tests")
            throw ExitCode(2)
        }
        var failed = scripts.reduce(0) { $0 + (runScript($1) ? 0 : 1) }
        var report = JUnitReport()
        failed += rules.reduce(0) { $0 + (RuleTests.run($1, &report) ? 0 : 1) }
        if let junit, !report.write(to: junit) {
            print("\(junit): cannot be written")
            failed += 1
        }
        for folder in folders {
            switch PipelineTest(folder: folder).run(updates: update) {
            case .passed(let count): print("passed  \(folder) (\(count) events)")
            case .updated(let files): print("written \(files.joined(separator: ", "))")
            case .failed(let problems):
                failed += 1
                print("failed  \(folder)")
                for problem in problems { print(problem) }
            }
        }
        if failed > 0 { throw ExitCode(1) }
    }

    /// Runs a script and prints what failed.
    private func runScript(_ path: String) -> Bool {
        guard let bytes = RealConfigFiles().contents(of: path) else {
            print("failed  \(path)\n\(path): cannot be read")
            return false
        }
        do throws(ScriptError) {
            let outcomes = try ScriptRunner.run(String(decoding: bytes, as: UTF8.self))
            let failed = outcomes.filter { $0.problem != nil }
            print(
                "\(failed.isEmpty ? "passed" : "failed")  \(path) "
                    + "(\(outcomes.count - failed.count) of \(outcomes.count) queries)")
            for outcome in failed {
                print("\(path):\(outcome.line): \(outcome.query)\n  \(outcome.problem ?? "")")
            }
            return failed.isEmpty
        } catch {
            print("failed  \(path)\n\(path):\(error.line): \(error.message)")
            return false
        }
    }

    private func scripts(under path: String) -> [String] {
        if path.hasSuffix(".test") { return [path] }
        return FileNames.inFolder(path).filter { $0.hasSuffix(".test") }.sorted()
            .map { "\(path)/\($0)" }
    }

    private func pipelines(under path: String) -> [String] {
        let names = FileNames.inFolder(path)
        if names.contains("weir.conf") { return [path] }
        return names.sorted().map { "\(path)/\($0)" }.filter { folder in
            FileNames.inFolder(folder).contains("weir.conf")
                && FileNames.inFolder(folder).contains("input")
        }
    }
}

import ArgumentParser
import WeirAgent
import WeirConfig
import WeirHost

/// `weir test`
struct TestCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test",
        abstract: "Run pipeline folders on their input and compare what comes out.",
        discussion: """
            A folder holds weir.conf, input/ and expected/. A file under input/ stands for the file \
            of that path; expected/<output>.jsonl holds the events that reach the output of that \
            @id or type. Exit codes: 0 all pass, 1 some fail, 2 no test was found.
            """)

    @Argument(help: "Pipeline folders, or folders of such folders.")
    var paths: [String]

    @Flag(help: "Write what comes out as what is expected.")
    var update = false

    func run() throws {
        let folders = paths.flatMap { pipelines(under: $0) }
        guard !folders.isEmpty else {
            print(
                "no pipeline was found\n  help: give a folder with weir.conf, input/ and expected/")
            throw ExitCode(2)
        }
        var failed = 0
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

    private func pipelines(under path: String) -> [String] {
        let names = FileNames.inFolder(path)
        if names.contains("weir.conf") { return [path] }
        return names.sorted().map { "\(path)/\($0)" }.filter { folder in
            FileNames.inFolder(folder).contains("weir.conf")
                && FileNames.inFolder(folder).contains("input")
        }
    }
}

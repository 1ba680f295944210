import ArgumentParser
import Glibc
import WeirAgent

/// `weir demo`
struct DemoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Run the guide's pipeline on real Envoy lines, with nothing else installed.")

    @Option(help: "The pipeline folder.")
    var pipeline = "pipelines/demo"

    @Option(help: "Where the demo writes; a new folder under /tmp when not given.")
    var folder: String?

    @Option(help: "How many lines are appended.")
    var lines = 100_000

    @Option(help: "How many of them a second; 0 for as many as it can.")
    var rate = 0

    func run() throws {
        AgentProcess.prepare()
        guard lines > 0, rate >= 0 else {
            throw ValidationError("--lines is above 0, and --rate is not negative")
        }
        var place = folder ?? ""
        if folder == nil {
            var template = Array("/tmp/weir-demo-XXXXXX".utf8CString)
            guard mkdtemp(&template) != nil else {
                throw ValidationError("no folder can be made under /tmp; name one by --folder")
            }
            place = String(
                decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        let options = Demo.Options(
            pipeline: pipeline, folder: place, lineCount: lines,
            linesPerSecond: rate > 0 ? rate : nil)
        if !Demo(options).run() { throw ExitCode(1) }
    }
}

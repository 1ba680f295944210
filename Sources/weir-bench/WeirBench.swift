import Glibc
import WeirCore
import WeirHost
import WeirTesting

/// `make bench`: what a line costs, by stage and as a whole, with a peer in the same run.
@main
enum WeirBench {
    static func main() throws {
        let arguments = CommandLine.arguments.dropFirst()
        switch arguments.first {
        case "generate":
            guard let count = arguments.dropFirst().first.flatMap({ Int($0) }) else {
                return usage()
            }
            let form = LineGenerator.Form(rawValue: arguments.last ?? "") ?? .json
            let text = LineGenerator.lines(count, form)
            _ = write(STDOUT_FILENO, text.pointer, text.count)
        case "stages": Stages().run()
        case "series": try series()
        case "queries": try QueryRows.run()
        case "rules": try RuleRows.run { print($0, $1, separator: ": ") }
        case "replay": try ReplayRows.run { print($0, $1, separator: ": ") }
        case "spans": try SpanRows.run { print($0, $1, separator: ": ") }
        case "road", nil:
            if arguments.isEmpty {
                Stages().run()
                try series()
            }
            if arguments.isEmpty { try QueryRows.run() }
            let lineCount = arguments.dropFirst().first.flatMap { Int($0) } ?? 1_000_000
            try Road(lineCount: lineCount).run(weir: TestPrograms.weir)
        default: usage()
        }
    }

    private static func series() throws {
        print("| series | cost | formerly |\n| --- | --- | --- |")
        try SeriesRows().run { FormerFigures.printRow($0, $1) }
        try SeriesRows().runRemoteWrite { FormerFigures.printRow($0, $1) }
        try RuleRows.run { FormerFigures.printRow($0, $1) }
        try SpanRows.run { FormerFigures.printRow($0, $1) }
        try ReplayRows.run { FormerFigures.printRow($0, $1) }
    }

    private static func usage() {
        print(
            "weir-bench [stages | series | rules | replay | spans | queries | road [LINES] | generate LINES json|text]"
        )
    }
}

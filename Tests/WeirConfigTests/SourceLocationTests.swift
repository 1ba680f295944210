import Testing
import WeirConfig

@Suite("A source location") struct SourceLocationTests {
    @Test func `prints as file, line and column`() {
        #expect("\(SourceLocation(file: "weir.conf", line: 3, column: 7))" == "weir.conf:3:7")
    }
}

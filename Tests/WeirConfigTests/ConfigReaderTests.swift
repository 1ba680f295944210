import Testing
import WeirConfig

@Suite("The configuration's reader") struct ConfigReaderTests {
    @Test(.timeLimit(.minutes(1)))
    func `takes time in proportion to a value with many blanks`() {
        let value = "a" + String(repeating: " ", count: 1 << 18) + "b"
        let (root, diagnostics) = read("k \(value)\n")
        #expect(diagnostics.isEmpty)
        #expect(root["k"]?.value == .text(value))
    }
}

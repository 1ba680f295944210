import Testing
import WeirCore

@Suite("A batch of lines") struct EventBatchTests {
    private func batch(_ text: String, position: UInt64) -> EventBatch {
        let batch = EventBatch(blockCapacity: 256)
        Array(text.utf8).withUnsafeBytes { batch.fillBlock(copying: $0) }
        _ = batch.cutLines(position: position)
        return batch
    }

    @Test func `is settled up to its last line`() {
        // Lines at 100 and 102: a line that begins before 103 is counted.
        #expect(batch("a\nbb\n", position: 100).settledPosition == 103)
        #expect(batch("", position: 100).settledPosition == nil)
    }

    @Test func `is settled only up to where reading must go on`() {
        let lines = batch("a\nbb\nc\n", position: 100)
        lines.unfinishedPosition = 102
        #expect(lines.settledPosition == 102)
        lines.unfinishedPosition = 1_000
        #expect(lines.settledPosition == 106)
    }
}

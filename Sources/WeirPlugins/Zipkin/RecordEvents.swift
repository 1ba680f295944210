import WeirCore

extension EventBatch {
    /// A batch of a few records that the agent itself tells.
    static func telling(
        _ records: [(record: Record, time: Timestamp)], tag: String
    ) -> EventBatch {
        var text = ByteBuffer()
        for (record, _) in records {
            JSONValueWriter.append(.object(record), to: &text)
            text.append(byte: 0x0a)
        }
        let batch = EventBatch(blockCapacity: text.count)
        batch.fill(jsonLines: text.bytes, times: records.map(\.time), tag: tag)
        return batch
    }
}

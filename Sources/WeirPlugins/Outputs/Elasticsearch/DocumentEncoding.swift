import WeirConfig
import WeirCore

/// The encoding of an elasticsearch output by itself, for measuring it.
public struct DocumentEncoding {
    private let encoder: DocumentEncoder

    /// The encoding that a `<match>` describes.
    public init(_ section: Section) throws(SectionError) {
        encoder = DocumentEncoder(try ElasticsearchSection(section).documents)
    }

    /// Appends all events of a batch.
    public func append(_ batch: EventBatch, to body: inout ByteBuffer) {
        encoder.begin(batch)
        for row in batch.rows.indices { _ = encoder.append(row: row, of: batch, to: &body) }
    }
}

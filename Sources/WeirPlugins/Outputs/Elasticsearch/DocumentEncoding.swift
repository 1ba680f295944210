import WeirConfig
import WeirCore
import WeirPipeline

/// The encoding of an elasticsearch output by itself, for measuring it.
public struct DocumentEncoding {
    private let encoder: any ChunkEncoder

    /// The encoding that a `<match>` describes.
    public init(_ section: Section) throws(SectionError) {
        encoder =
            section.type == "elasticsearch_zipkin"
            ? SpanDocumentEncoder(try ElasticsearchZipkinSection(section, node: "").documents)
            : DocumentEncoder(try ElasticsearchSection(section).documents)
    }

    /// Appends all events of a batch.
    public func append(_ batch: EventBatch, to body: inout ByteBuffer) {
        encoder.begin(batch)
        for row in batch.rows.indices { _ = encoder.append(row: row, of: batch, to: &body) }
    }
}

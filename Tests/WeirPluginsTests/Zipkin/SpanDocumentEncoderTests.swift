import Testing
import WeirConfig
import WeirCore
import WeirHost
import WeirMetrics
import WeirPipeline
import WeirTesting

@testable import WeirPlugins

/// The shape is that of `zipkin2.elasticsearch.internal.BulkIndexWriter`.
@Suite("Spans as documents of Zipkin's storage") struct SpanDocumentEncoderTests {
    private static let span =
        #"{"traceId":"5341a3f65e389606","id":"5341a3f65e389606","kind":"SERVER","name":"get /","#
        + #""timestamp":1692354579079400,"duration":4622,"#
        + #""localEndpoint":{"serviceName":"productpage","ipv4":"172.16.0.226","port":9080},"#
        + #""annotations":[{"timestamp":1692354579084446,"value":"ss"}],"#
        + #""tags":{"component":"proxy","http.status_code":"200"}}"#

    private func written(
        _ lines: [String], _ options: SpanDocumentEncoder.Options = .init(),
        change: (EventBatch) -> Void = { _ in }
    ) -> [String] {
        let batch = ElasticsearchRig.batch(lines)
        change(batch)
        let encoder = SpanDocumentEncoder(options)
        encoder.begin(batch)
        return batch.rows.indices.map { row in
            var buffer = ByteBuffer()
            if let reason = encoder.append(row: row, of: batch, to: &buffer) { return reason }
            return String(decoding: buffer.bytes, as: UTF8.self)
        }
    }

    private static let document =
        #"{"timestamp_millis":1692354579079,"_q":["ss","component","component=proxy","#
        + #""http.status_code","http.status_code=200"],"# + span.dropFirst() + "\n"

    @Test func `have search fields first, and an id of their content`() {
        // The id's digest was taken of the document by `md5sum`.
        #expect(
            written([Self.span]) == [
                #"{"index":{"_index":"zipkin-span-2023-08-18","#
                    + #""_id":"5341a3f65e389606-4786a0a4d7baae68bb4f9715baeb71af"}}"# + "\n"
                    + Self.document
            ])
    }

    @Test func `the same span has the same id, another span has another`() {
        let ids = written([
            Self.span, Self.span, Self.span.replacing("4622", with: "4623"),
        ]).map { $0.prefix(110) }
        #expect(ids[0] == ids[1])
        #expect(ids[0] != ids[2])
    }

    @Test func `are dated by their own time, else by the event's`() {
        let lines = written([
            #"{"traceId":"1","id":"1","timestamp":1}"#, #"{"traceId":"1","id":"1"}"#,
        ])
        #expect(lines[0].contains(#""_index":"zipkin-span-1970-01-01""#))
        #expect(lines[0].contains("\n{\"timestamp_millis\":0,\"traceId\""))
        #expect(lines[1].contains(#""_index":"zipkin-span-2026-11-24""#))
        #expect(lines[1].contains("\n{\"traceId\":\"1\",\"id\":\"1\"}\n"))
    }

    @Test func `long texts are not searched for`() {
        let long = String(repeating: "é", count: 256)
        let longer = long + "x"
        let span =
            #"{"traceId":"1","id":"1","annotations":[{"timestamp":1,"value":"\#(long)"},"#
            + #"{"timestamp":2,"value":"\#(longer)"}],"tags":{"a":"\#(long.dropLast(2))","b":"\#(long)"}}"#
        let line = written([span])[0]
        #expect(
            line.contains(
                #""_q":["\#(long)","a","a=\#(long.dropLast(2))"],"traceId""#), "\(line)")
    }

    @Test func `escapes stay what they are`() {
        let span = #"{"traceId":"1","id":"1","tags":{"a\"b":"c\\d\n"}}"#
        #expect(written([span])[0].contains(#""_q":["a\"b","a\"b=c\\d\n"],"#))
    }

    @Test func `what filters changed is what is written`() {
        let line = written([Self.span]) { batch in
            let column = batch.editColumn("env")
            batch.edit(column: column, row: 0, to: batch.makeStringSlot("prod") ?? .absent)
        }[0]
        #expect(
            line.hasSuffix(
                #""tags":{"component":"proxy","http.status_code":"200"},"env":"prod"}"# + "\n"))
        let none = written([Self.span]) { batch in
            batch.edit(column: batch.editColumn("tags"), row: 0, to: .removed)
        }[0]
        #expect(none.contains(#""_q":["ss"],"#))
    }

    @Test func `without search they have no fields for it`() {
        var options = SpanDocumentEncoder.Options()
        options.isSearchable = false
        options.prefix = "spans"
        options.dateSeparator = "."
        options.pipeline = "geo"
        let line = written([Self.span], options)[0]
        #expect(
            line.hasPrefix(#"{"index":{"_index":"spans-span-2023.08.18","pipeline":"geo","_id":""#))
        #expect(line.hasSuffix("\n" + Self.span + "\n"))
    }

    @Test func `links and values have indices of their own`() {
        var options = SpanDocumentEncoder.Options()
        options.node = "node-1"
        let link = #"{"parent":"a","child":"b","callCount":12,"errorCount":3}"#
        let pair = #"{"tagKey":"env","tagValue":"prod"}"#
        #expect(
            written([link, pair], options) == [
                #"{"index":{"_index":"zipkin-dependency-2026-11-24","_id":"a|b|node-1"}}"# + "\n"
                    + link + "\n",
                #"{"index":{"_index":"zipkin-autocomplete-2026-11-24","_id":"env=prod"}}"# + "\n"
                    + pair + "\n",
            ])
    }

    @Test(arguments: [#"{"message":"x"}"#, #"{"traceId":7,"id":"1"}"#, #"{"parent":"a"}"#])
    func `what is no span is refused`(line: String) {
        #expect(!written([line])[0].hasPrefix("{"))
    }

    @Test func `templates are put before the first span, as Zipkin puts them`() throws {
        let rig = try ElasticsearchRig()
        let read = ComponentSection.read(
            "<match **>\n@type elasticsearch_zipkin\nport \(rig.standIn.port)\nhost 127.0.0.1\n</match>",
            as: .output)
        let section = try #require(read.section, "\(read.diagnostics)")
        let settings = try ElasticsearchZipkinSection(section, node: "n")
        let destination = ElasticsearchDestination(
            settings.connection, registry: Registry(), name: "es", clock: rig.clock
        ) { SpanDocumentEncoder(settings.documents) }
        let chunk = ElasticsearchRig.chunk([Self.span], for: destination)
        #expect(Delivery(of: chunk, by: destination.makeSender()).end == .delivered)
        let puts = rig.standIn.requests.filter { $0.method == "PUT" }
        #expect(
            puts.map(\.path) == [
                "/_template/zipkin-span_template", "/_template/zipkin-autocomplete_template",
                "/_template/zipkin-dependency_template",
            ])
        for put in puts { #expect(JSONValueReader.value(of: put.body) != nil, "\(put.body)") }
        #expect(rig.standIn.documents.map(\.source) == [String(Self.document.dropLast())])
        #expect(rig.standIn.violations.isEmpty)
    }
}

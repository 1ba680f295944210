import Testing
import WeirCore
import WeirTesting

@testable import WeirPlugins

@Suite("Values of tags to be completed") struct AutocompleteTests {
    private func span(_ tags: String) -> String { #"[{"traceId":"1","id":"1","tags":{\#(tags)}}]"# }

    private func pairs(_ rig: ZipkinRig) -> [String] {
        zip(rig.events.tags, rig.events.records).filter { $0.0 == "zipkin.autocomplete" }.map {
            "\($0.1["tagKey"]?.string ?? "?")=\($0.1["tagValue"]?.string ?? "?")"
        }
    }

    @Test(arguments: ["", "<sampling>\n<policy all>\nwhen always\n</policy>\n</sampling>\n"])
    func `are told once each, of the tags that are named`(sampling: String) throws {
        let rig = try ZipkinRig("autocomplete_keys env,site\n\(sampling)")
        for tags in [
            #""env":"prod","other":"x""#, #""env":"prod","site":"a""#, #""env":"test""#,
        ] {
            #expect(try rig.post(span(tags).utf8).status == 202)
        }
        rig.source.stop()
        #expect(pairs(rig).sorted() == ["env=prod", "env=test", "site=a"])
    }

    @Test func `but not what is too long for Zipkin's search`() throws {
        let rig = try ZipkinRig("autocomplete_keys env")
        let long = String(repeating: "x", count: 300)
        #expect(try rig.post(span(#""env":"\#(long)""#).utf8).status == 202)
        #expect(pairs(rig).isEmpty)
        #expect(rig.count("weir_zipkin_autocomplete_skipped_total") == 1)
    }

    @Test func `nor more than are remembered`() throws {
        let rig = try ZipkinRig("autocomplete_keys k\nspan_limit 30000")
        let spans = (0..<20_010).map { #"{"traceId":"1","id":"1","tags":{"k":"\#($0)"}}"# }
        #expect(try rig.post("[\(spans.joined(separator: ","))]".utf8).status == 202)
        #expect(pairs(rig).count == 20_000)
        #expect(rig.count("weir_zipkin_autocomplete_skipped_total") == 10)
    }
}

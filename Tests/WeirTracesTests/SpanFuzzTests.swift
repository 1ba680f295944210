import Testing
import WeirTesting

@testable import WeirTraces

/// No body may trap, hang, or make more of a span than its limits allow; what is taken survives
/// being written and read again.
@Suite("Bodies of spans that were spoilt") struct SpanFuzzTests {
    private static let v2 = #"""
        [{"traceId":"7f3d8b78ae69f335043836885550f7e7","parentId":"1","id":"2","kind":"CLIENT",
        "name":"Get \u00e4","timestamp":1795467479928826,"duration":6209,"localEndpoint":
        {"serviceName":"r","ipv4":"192.0.2.2","port":80},"annotations":[{"timestamp":5,"value":"cr"}],
        "tags":{"a":"\u003c\n","b":"é"},"debug":true,"shared":true},{"traceId":"1","id":"3"}]
        """#
    private static let v1 = #"""
        [{"traceId":"1","id":"2","name":"x","timestamp":10,"duration":10,"annotations":[
        {"timestamp":10,"value":"cs","endpoint":{"serviceName":"a","ipv4":"1.2.3.4"}},
        {"timestamp":12,"value":"sr","endpoint":{"serviceName":"b"}}],"binaryAnnotations":[
        {"key":"sa","value":true,"endpoint":{"serviceName":"c"}},{"key":"k","value":"v"}]}]
        """#
    private static let otlp = #"""
        {"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":
        "s"}}]},"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":
        "eee19b7ec3c1b174","name":"I","kind":2,"startTimeUnixNano":"1","endTimeUnixNano":"2000",
        "attributes":[{"key":"a","value":{"arrayValue":{"values":[{"intValue":"1"}]}}}],"events":
        [{"timeUnixNano":"5000","name":"e"}],"status":{"code":2}}]}]}]}
        """#

    private func seeds() throws -> [(SpanFormat, [UInt8])] {
        let records = try SpanRig.decode(Self.v2)
        var thrift = SpanMessages.Thrift()
        thrift.add(1, long: 1)
        thrift.add(4, long: 2)
        var annotation = SpanMessages.Thrift()
        annotation.add(1, long: 9)
        annotation.add(2, "sr".utf8)
        thrift.add(6, list: [annotation])
        var list = SpanMessages.Message()
        list.add(1, [0x0a, 0x02, 0x0a, 0x00, 0x12, 0x04, 0x12, 0x02, 0x0a, 0x00])
        return [
            (.jsonV2, Array(Self.v2.utf8)), (.jsonV1, Array(Self.v1.utf8)),
            (.otlpJSON, Array(Self.otlp.utf8)), (.protobuf, SpanMessages.protobuf(records)),
            (.thrift, SpanMessages.list([thrift])), (.otlpProtobuf, list.bytes),
        ]
    }

    @Test func `are taken or refused, and that is all`() throws {
        var generator = SeededGenerator(announcing: "spoilt spans")
        let letters =
            Array(#"{}[]",:\u0123456789abcdefntrue-"#.utf8) + [0, 1, 8, 10, 11, 12, 15, 0xff]
        let seeds = try seeds()
        var takenCount = 0
        let time = FuzzTime()
        while time.isLeft {
            for (format, seed) in seeds {
                let body = generator.mutated(seed, with: letters)
                guard let batch = try? SpanRig.batch(body, as: format) else { continue }
                takenCount += 1
                let written = SpanRig.json(batch)
                let again = try SpanRig.decode(written, as: .jsonV2)
                #expect(again == batch.records, "\(format) \(body)")
            }
        }
        #expect(takenCount > 0)
    }
}

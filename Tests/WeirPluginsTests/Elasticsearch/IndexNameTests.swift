import Testing
import WeirCore
import WeirTesting

@testable import WeirPlugins

@Suite("The name of an index") struct IndexNameTests {
    private let noon = Timestamp(seconds: 1_795_521_600)  // 2026-11-24T12:00:00Z

    private func batch(_ line: String, tag: String = "istio.Access.log") -> EventBatch {
        let batch = EventBatch()
        var text = line + "\n"
        text.withUTF8 { batch.fillBlock(copying: UnsafeRawBufferPointer($0)) }
        batch.tag = tag
        _ = batch.cutLines(position: 0)
        JSONLineScanner().scan(into: batch, time: noon)
        return batch
    }

    private func name(
        _ name: inout IndexName, of line: String = "{}", tag: String = "istio.Access.log",
        at time: Timestamp? = nil
    ) -> String {
        var buffer = ByteBuffer()
        name.append(row: 0, of: batch(line, tag: tag), time: time ?? noon, to: &buffer)
        return String(decoding: buffer.bytes, as: UTF8.self)
    }

    private func name(_ template: String, of line: String = "{}", keepsCase: Bool = false) -> String
    {
        var index = IndexName(.name(template), zone: .utc, keepsCase: keepsCase)
        return name(&index, of: line)
    }

    @Test(arguments: [
        ("Logs", "logs"), ("a-%Y.%m.%d", "a-2026.11.24"), ("${tag}", "istio.access.log"),
        ("${tag[0]}-${tag[-1]}", "istio-log"), ("a${tag[9]}b${tag[-9]}c", "abc"),
        ("x-${service}-%y", "x-reviews-26"), ("${a.b}.${$.a.b}", "deep.deep"), ("${none}-", "-"),
        ("${n}${t}${f}", "7true1.5"), ("${a}x", "x"), ("${unclosed", "${unclosed"), ("$x", "$x"),
        ("", ""),
    ])
    func `is filled in, in lower case`(template: String, expected: String) {
        let line = #"{"service":"Reviews","a":{"b":"Deep"},"n":7,"t":true,"f":1.5}"#
        #expect(name(template, of: line) == expected)
    }

    @Test func `keeps its case where it is not an index`() {
        #expect(name("Pipe-${service}", of: #"{"service":"A"}"#, keepsCase: true) == "Pipe-A")
    }

    @Test func `does not end the string that it stands in`() {
        #expect(name("${a}", of: #"{"a":"x\"},\n\\"}"#) == #"x\"},\n\\"#)
    }

    @Test func `has prefix, separator and day with logstash_format`() {
        var index = IndexName(
            .logstash(prefix: "a-${tag[0]}", separator: "_", dateFormat: "%Y.%m"), zone: .utc)
        #expect(name(&index) == "a-istio_2026.11")
    }

    @Test func `has the day of its zone`() {
        var index = IndexName(.name("%d-%H"), zone: .fixed(13 * 3600))
        #expect(name(&index) == "25-01")
    }

    @Test(arguments: [
        ("%H.%M", 60), ("%S", 1), ("%s", 1), ("%T", 1), ("%Y-%3N", 0), ("%d", 86_400),
    ])
    func `follows the time as far as it tells it`(template: String, step: Int64) {
        var index = IndexName(.name(template), zone: .utc)
        let first = name(&index)
        let later = Timestamp(
            seconds: noon.seconds + step, nanoseconds: step == 0 ? 500_000_000 : 0)
        #expect(name(&index, at: later) != first)
        #expect(name(&index, at: noon) == first)
    }

    @Test func `follows the tag`() {
        var index = IndexName(.name("${tag}"), zone: .utc)
        #expect(name(&index, tag: "a") == "a")
        #expect(name(&index, tag: "b") == "b")
    }

    @Test func `has the day of times before 1970, too`() {
        var index = IndexName(.name("%Y"), zone: .utc)
        #expect(name(&index, at: Timestamp(seconds: 30)) == "1970")
        #expect(name(&index, at: Timestamp(seconds: -30)) == "1969")
    }
}

import Testing
import WeirTesting

@testable import WeirTraces

@Suite("Zipkin's protocol buffers") struct ProtobufSpanTests {
    typealias Message = SpanMessages.Message

    private func list(_ fill: (inout Message) -> Void) -> [UInt8] {
        var span = Message()
        span.add(1, [UInt8](repeating: 7, count: 16))
        span.add(3, [UInt8](repeating: 9, count: 8))
        fill(&span)
        var list = Message()
        list.add(1, span.bytes)
        return list.bytes
    }

    @Test func `texts need not be UTF-8, and unknown fields are left aside`() throws {
        let span = try SpanRig.decode(
            list { span in
                span.add(5, [0x47, 0xff])
                span.add(99, whole: 1)
                span.add(4, whole: 9)
            }, as: .protobuf)[0]
        #expect(span.name == "g\u{FFFD}")
        #expect(span.kind == .none)
    }

    @Test func `what is wrong is said`() {
        func refusal(_ fill: (inout Message) -> Void) -> String {
            do throws(SpanDecodingError) {
                _ = try SpanRig.decode(list(fill), as: .protobuf)
                return "taken"
            } catch {
                return error.description
            }
        }
        #expect(refusal { $0.add(1, [1, 2, 3]) }.contains("8 or 16 bytes"))
        #expect(refusal { $0.add(3, [1, 2, 3]) }.contains("`id` must have 8 bytes"))
        #expect(refusal { $0.add(2, [1, 2, 3]) }.contains("`parent_id` must have 8 bytes"))
        #expect(refusal { $0.add(3, [UInt8](repeating: 0, count: 8)) }.contains("without `id`"))
        #expect(
            refusal {
                var endpoint = Message()
                endpoint.add(4, whole: 70_000)
                $0.add(8, endpoint.bytes)
            }.contains("above 65535"))
        #expect(
            refusal {
                var endpoint = Message()
                endpoint.add(2, [1, 2])
                $0.add(8, endpoint.bytes)
            }.contains("4 bytes"))
        #expect(refusal { $0.bytes.append(0x0f) }.contains("cut off"))
    }

    @Test func `every prefix is refused, or ends between spans`() {
        let whole = list { $0.add(5, "get".utf8) }
        for count in 2..<whole.count {
            #expect(throws: SpanDecodingError.self) {
                try SpanRig.decode(Array(whole.prefix(count)), as: .protobuf)
            }
        }
    }
}

import Testing
import WeirCore
import WeirTesting

@testable import WeirTraces

@Suite(
    "What a real Envoy posted",
    .enabled(if: SharedCases.arePresent, "the corpus is not there"))
struct EnvoySpanTests {
    private func format(_ name: String) -> SpanFormat {
        name.hasSuffix(".json") ? .jsonV2 : .protobuf
    }

    @Test func `every body is read, and every span counted`() throws {
        var spans: [SpanFormat: Int] = [:]
        var posts: [SpanFormat: Int] = [:]
        for (name, bytes) in SpanRig.envoyBodies {
            let records = try SpanRig.decode(bytes, as: format(name))
            spans[format(name), default: 0] += records.count
            posts[format(name), default: 0] += 1
            #expect(records.allSatisfy { !$0.name.isEmpty && $0.kind != .none }, "\(name)")
        }
        // The totals of the corpus' README.
        #expect(posts == [.jsonV2: 293, .protobuf: 26])
        #expect(spans == [.jsonV2: 1355, .protobuf: 59])
    }

    /// `tracing.zipkin.spans_sent` of the three proxies, in the corpus' ground truth.
    @Test func `the spans of each proxy are as many as it counted itself`() throws {
        var counts: [String: Int] = [:]
        for (name, bytes) in SpanRig.envoyBodies {
            for span in try SpanRig.decode(bytes, as: format(name)) {
                let version = format(name) == .protobuf ? "-v2" : ""
                counts[span.local.service + version, default: 0] += 1
            }
        }
        #expect(
            counts == [
                "productpage.default": 577, "reviews.default": 778, "reviews.default-v2": 59,
            ])
    }

    @Test func `nothing is lost from JSON to spans and back`() throws {
        for (name, bytes) in SpanRig.envoyBodies where format(name) == .jsonV2 {
            let batch = try SpanRig.batch(bytes, as: .jsonV2)
            let written = SpanRig.json(batch)
            #expect(try SpanRig.decode(written, as: .jsonV2) == batch.records, "\(name)")
            // By a reader that knows nothing of spans.
            let before = try #require(Self.list(of: bytes))
            let after = try #require(Self.list(of: written))
            #expect(before == after, "\(name)")
        }
    }

    @Test func `nor from spans to protocol buffers and back`() throws {
        for (name, bytes) in SpanRig.envoyBodies {
            let records = try SpanRig.decode(bytes, as: format(name))
            let message = SpanMessages.protobuf(records)
            #expect(try SpanRig.decode(message, as: .protobuf) == records, "\(name)")
        }
    }

    /// The spans of a list as plain values, their members in order, ports of 0 left out.
    private static func list(of bytes: [UInt8]) -> [Value]? {
        // Malformed text is replaced on both sides, here as a whole.
        let text = String(decoding: bytes, as: UTF8.self)
        guard case .array(let values)? = JSONValueReader.value(of: text) else { return nil }
        return values.map(ordered)
    }

    private static func ordered(_ value: Value) -> Value {
        switch value {
        case .object(let record):
            let fields = record.fields.filter { $0.key != "port" || $0.value != .integer(0) }
            return .object(
                Record(fields.sorted { $0.key < $1.key }.map { ($0.key, ordered($0.value)) }))
        case .array(let values): return .array(values.map(ordered))
        default: return value
        }
    }
}

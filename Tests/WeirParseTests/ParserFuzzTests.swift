import Testing
import WeirCore
import WeirParse
import WeirTesting

/// Calls `body` with new bytes until the time is over: mutations of the samples, and noise.
private func fuzz(_ samples: [String], _ body: ([UInt8]) -> Void) {
    var numbers = SeededGenerator(announcing: "parsers")
    let time = FuzzTime()
    let inner = Array("\" -[]|/{}:0%PFx\n\r\t".utf8) + [0, 0xff, 0xc3]
    repeat {
        for _ in 0..<50 {
            var bytes = samples.randomElement(using: &numbers).map { Array($0.utf8) } ?? []
            for _ in 0..<Int.random(in: 0...12, using: &numbers) {
                let place = Int.random(in: 0...bytes.count, using: &numbers)
                switch Int.random(in: 0..<4, using: &numbers) {
                case 0 where place < bytes.count:
                    bytes[place] = inner.randomElement(using: &numbers) ?? 0
                case 1: bytes.insert(UInt8.random(in: 0...255, using: &numbers), at: place)
                case 2:
                    let other = Int.random(in: 0...bytes.count, using: &numbers)
                    bytes.removeSubrange(min(place, other)..<max(place, other))
                default:
                    let count = Int.random(in: 0...40, using: &numbers)
                    let piece = bytes.dropFirst(place).prefix(count)
                    for _ in 0..<Int.random(in: 1...30, using: &numbers) {
                        bytes.insert(contentsOf: piece, at: min(place, bytes.count))
                    }
                }
                if bytes.count > 1 << 16 { bytes.removeLast(bytes.count - 1 << 16) }
            }
            body(bytes)
        }
    } while time.isLeft
}

/// Encodes every event, as an output would.
private func encodeAll(_ batch: EventBatch) {
    var encoder = BatchEncoder(batch)
    var buffer = ByteBuffer()
    for row in batch.rows.indices {
        buffer.truncate(to: 0)
        encoder.append(row: row, to: &buffer)
        if JSONValueReader.value(of: buffer.bytes) == nil {
            Issue.record("an event is not JSON: \(String(decoding: buffer.bytes, as: UTF8.self))")
        }
    }
}

@Suite("Whatever the bytes") struct ParserFuzzTests {
    private static let istio =
        "[2026-11-23T20:58:05.532Z] \"GET /a?b=\"c\" HTTP/1.1\" 404 - via_upstream - \"-\" 0 93 9 9 "
        + "\"-\" \"quote \" inside\" \"61b53d7c-a194-4680-af0c-f0062d73783b\" \"reviews:9080\" "
        + "\"127.0.0.1:21180\" outbound|9080|v1|reviews 127.0.0.1:50884 127.0.0.1:21080 "
        + "127.0.0.1:35806 - -\n"

    @Test(arguments: [
        "@type envoy", "@type envoy\nformat \"%REQ(A)% %REQ(B)% %REQ(C)%%DURATION%%REQ(D)%\\n\"",
        "@type envoy\nformat \"<%RESPONSE_CODE%/%FILTER_STATE(a)%/%QUERY_PARAM(q)%>\"",
        "@type envoy\nomit_empty_values true\nformat \"%DURATION%%BYTES_SENT%%START_TIME(%s)%\\n\"",
    ])
    func `the Envoy parser reads every line or says that it cannot`(content: String) throws {
        let reader = try parser(content)
        let samples = [
            Self.istio, Self.istio + Self.istio, "{\"start_time\":\"x\",\"a\":[1]}\n", "a b c1d\n",
            "<200/\"x\"/a\nb><503/{}/>", "12100\n",
        ]
        fuzz(samples) { bytes in
            let batch = batch(bytes, by: reader)
            let read = Set(batch.rows.map(\.line)).count
            #expect(read + batch.failures.count <= batch.lines.count)
            encodeAll(batch)
        }
    }

    @Test func `a format string is compiled or refused`() {
        let samples = [
            EnvoyFormat.istioText, "%START_TIME(%s.%3f)%%REQ(A?B):10%%%",
            "%CEL(a['b'])%%COALESCE({})%",
        ]
        fuzz(samples) { bytes in
            let format = try? EnvoyFormat(String(decoding: bytes, as: UTF8.self))
            #expect(format.map { Set($0.fields.map(\.name)).count == $0.fields.count } ?? true)
            _ = format?.advice
        }
    }

    @Test func `the CRI parser reads every line, leaves it, or says that it cannot`() throws {
        let reader = try parser("@type cri\nmax_event_size 64\n<parse>\n@type envoy\n</parse>")
        let stamp = "2023-10-06T00:17:09.669794202Z"
        let samples = [
            "\(stamp) stdout F \(Self.istio)", "\(stamp) stdout P {\"a\":\n\(stamp) stdout F 1}\n",
            "\(stamp) stderr P x\n\(stamp) stdout P y\n\(stamp) stderr F z\n",
        ]
        fuzz(samples) { bytes in
            let batch = batch(bytes, by: reader)
            let end = batch.unfinishedPosition ?? UInt64.max
            #expect(batch.lines.allSatisfy { $0.position < end })
            encodeAll(batch)
        }
    }
}

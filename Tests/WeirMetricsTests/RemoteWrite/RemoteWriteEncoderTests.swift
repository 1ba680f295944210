import Testing
import WeirCore
import WeirTesting

@testable import WeirMetrics

@Suite("A request of remote write, byte by byte") struct RemoteWriteEncoderTests {
    private static func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    /// A field of bytes.
    private static func field(_ number: UInt8, _ bytes: [UInt8]) -> [UInt8] {
        precondition(bytes.count < 128 * 128, "short enough for two bytes")
        let count =
            bytes.count < 128
            ? [UInt8(bytes.count)] : [UInt8(bytes.count & 0x7f | 0x80), UInt8(bytes.count >> 7)]
        return [number << 3 | 2] + count + bytes
    }

    private static func label(_ name: String, _ value: String) -> [UInt8] {
        field(1, field(1, bytes(name)) + field(2, bytes(value)))
    }

    private static func double(_ number: UInt8, _ value: Double) -> [UInt8] {
        [number << 3 | 1] + withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) }
    }

    /// The one request of a sampling, decompressed.
    private static func request(
        _ rig: SeriesRig, _ options: RemoteWriteSampler.Options, at milliseconds: Int64
    ) throws -> [UInt8] {
        var bodies: [[UInt8]] = []
        let sampler = RemoteWriteSampler(rig.registry, options)
        let now = Timestamp(
            seconds: milliseconds / 1000, nanoseconds: UInt32(milliseconds % 1000) * 1_000_000)
        #expect(
            sampler.sample(now: now) {
                // Metadata comes in a request of its own.
                if $0.counts.metadata == 0 { bodies.append($0.body) }
            })
        #expect(bodies.count == 1)
        return try #require(bodies.first.flatMap { SnappyDecoder.bytes(of: $0) })
    }

    private static func options(_ version: RemoteWriteVersion) -> RemoteWriteSampler.Options {
        var options = RemoteWriteSampler.Options()
        options.version = version
        options.externalLabels = [Label("Cluster", "c"), Label("z", "last")]
        return options
    }

    private static func counter() throws -> SeriesRig {
        let rig = try SeriesRig.counter(["code", "path"])
        let id = bytes("ab12")
        rig.update([bytes("200"), bytes("")], at: 1) { table, index in
            id.withUnsafeBytes {
                table.add(
                    3, to: index, family: 0,
                    exemplar: Exemplar(.traceID, $0, milliseconds: 900))
            }
        }
        return rig
    }

    // 300 as a varint is 0xac 0x02; 2000 is 0xd0 0x0f; 1000 is 0xe8 0x07; 900 is 0x84 0x07.

    @Test func `of version 1 has labels in order, no empty ones, the sample and its exemplar`()
        throws
    {
        let found = try Self.request(Self.counter(), Self.options(.one), at: 2000)
        var series = Self.label("Cluster", "c") + Self.label("__name__", "x_total")
        series += Self.label("code", "200") + Self.label("z", "last")
        series += Self.field(2, Self.double(1, 3) + [0x10, 0xd0, 0x0f])
        var exemplar = Self.label("trace_id", "ab12")
        exemplar += Self.double(2, 3) + [0x18, 0x84, 0x07]
        series += Self.field(3, exemplar)
        let message = Self.field(1, series)
        #expect(found.suffix(message.count) == message[...])
    }

    @Test func `of version 2 names texts by number, and has metadata and the time of creation`()
        throws
    {
        let rig = try Self.counter()
        let found = try Self.request(rig, Self.options(.two), at: 2000)
        let message = try #require(ProtobufMessage(found))
        let symbols = message.all(4).map { String(decoding: $0, as: UTF8.self) }
        func number(_ text: String) throws -> UInt8 {
            UInt8(try #require(symbols.firstIndex(of: text)))
        }
        #expect(symbols.first == "")
        let words = ["Cluster", "c", "__name__", "x_total", "code", "200", "z", "last"]
        let references = try words.map(number)
        var series = Self.field(1, references)
        series += Self.field(2, Self.double(1, 3) + [0x10, 0xd0, 0x0f, 0x18, 0xe8, 0x07])
        var exemplar = Self.field(1, [try number("trace_id"), try number("ab12")])
        exemplar += Self.double(2, 3) + [0x18, 0x84, 0x07]
        series += Self.field(4, exemplar)
        series += Self.field(5, [0x08, 1, 0x18, try number("X.")])
        series += [0x30, 0xe8, 0x07]
        let last = Self.field(5, series)
        #expect(found.suffix(last.count) == last[...])
    }

    @Test(arguments: RemoteWriteVersion.allCases)
    func `has a native histogram as spans and differences`(version: RemoteWriteVersion) throws {
        let rig = try SeriesRig(
            labels: [],
            families: [
                FamilyDeclaration(name: "n", help: "N.", kind: .nativeHistogram(schema: 0))
            ])
        rig.update([], at: 1) { table, index in
            for value in [0, 1, 3, 3.5, 16, -2] {
                table.observe(value, at: index, family: 0)
            }
        }
        let found = try Self.request(rig, Self.options(version), at: 2000)
        // Buckets of powers of two: 1 is in 0, 3 and 3.5 are in 2, 16 is in 4; -2 is in 1.
        var histogram: [UInt8] = [0x08, 6]
        histogram += Self.double(3, 21.5) + Self.double(5, 0x1p-128) + [0x30, 1]
        histogram += Self.field(8, [0x08, 2, 0x10, 1]) + Self.field(9, [2])
        histogram += Self.field(11, [0x10, 5]) + Self.field(12, [2, 1, 4, 3, 2])
        histogram += [0x78, 0xd0, 0x0f]
        // When counting began, in field 17: 136 is the key of it.
        if version == .two { histogram += [0x88, 0x01, 0xe8, 0x07] }
        let field = Self.field(version == .one ? 4 : 3, histogram)
        #expect(found.firstRange(of: field) != nil)
    }

    @Test func `of version 1 explains metrics in a request of its own`() throws {
        let rig = try SeriesRig(
            labels: [],
            families: [
                FamilyDeclaration(
                    name: "a_seconds", help: "A.", unit: "seconds",
                    kind: .histogram(bounds: [1]))
            ])
        var requests: [ReceivedRequest] = []
        let sampler = RemoteWriteSampler(rig.registry, Self.options(.one))
        for second in [1, 30, 61, 90] {
            _ = sampler.sample(now: Timestamp(seconds: Int64(second))) { request in
                if let read = ReceivedRequest(request.body, .one), !read.metadata.isEmpty {
                    #expect(read.series.isEmpty)
                    requests.append(read)
                }
            }
        }
        #expect(requests.count == 2, "once a minute")
        #expect(
            requests.first?.metadata.last
                == ReceivedRequest.Metadata(
                    type: 3, name: "a_seconds", help: "A.", unit: "seconds"))
    }
}

import Glibc
import Testing
import WeirCore
import WeirHost
import WeirMetrics
import WeirPipeline
import WeirPromQL
import WeirTesting

@testable import WeirAgent

/// The same samples and the same queries to Weir and to a real Prometheus: the same answers.
@Suite(
    "Queries, held against a real Prometheus", .serialized,
    .enabled(if: TestPrograms.prometheus != nil, "needs `make deps-test`"))
struct PromQLDifferentialTests {
    private static let queryCount = 2_000
    /// The samples lie in the hour before.
    private static let start = SystemClock().now.seconds / 60 * 60 - 3_600

    @Test func `have the same answers, and are refused alike`() throws {
        let seed = SeededGenerator(announcing: "PromQL against Prometheus")
        let folder = try ScratchFolder()
        let program = try #require(TestPrograms.prometheus)
        let prometheus = try #require(
            try RunningPrometheus(
                program, config: "global: {}\n", folder,
                options: ["--web.enable-remote-write-receiver"]))
        let history = MetricsHistory(Registry(), MetricsHistory.Options(), clock: SystemClock())
        try load(into: prometheus, SampleFeed(history.store), seed)
        let api = QueryAPI(history: history, clock: SystemClock())
        var generator = QueryGenerator(seed)
        var problems: [String] = []
        var refusedCount = 0
        for number in 0..<Self.queryCount {
            let query = generator.query()
            let time = Self.start + Int64(600 + number * 37 % 2_700)
            let path =
                number % 3 == 0
                ? "query_range?start=\(time)&end=\(time + 300)&step=60"
                : "query?time=\(time)"
            let wanted = prometheus.answer(path + "&query=\(RunningPrometheus.escaped(query))")
            let found = Self.answer(path, query, api)
            if wanted?["status"] == .string("error") { refusedCount += 1 }
            if let problem = Self.difference(wanted, found) {
                problems.append("\(path)\n  \(query)\n  \(problem)")
            }
        }
        #expect(
            problems.isEmpty, "\(problems.count)\n\(problems.prefix(15).joined(separator: "\n"))")
        print("\(Self.queryCount) queries, \(refusedCount) refused by both")
    }

    private static func answer(_ path: String, _ query: String, _ api: QueryAPI) -> Record? {
        let parts = path.split(separator: "?")
        let request = HTTPServer.Request(
            method: "GET", path: "/api/v1/\(parts[0])",
            query: "\(parts[1])&query=\(RunningPrometheus.escaped(query))", headers: [], body: [])
        guard let response = api.answer(request), case .text(let text) = response.body else {
            return nil
        }
        return JSONValueReader.value(of: text)?.object
    }

    // MARK: Comparing

    private static func difference(_ wanted: Record?, _ found: Record?) -> String? {
        guard let wanted, let found else { return "no answer" }
        if wanted["status"] != found["status"] {
            // Since 3.6 Prometheus refuses these also where a filter leaves one of them.
            let message = found["error"]?.string ?? ""
            if message.hasPrefix("multiple matches for labels: many-to-one") { return nil }
            return
                "\(JSONValueWriter.text(.object(found)).prefix(300))\n  for \(JSONValueWriter.text(.object(wanted)).prefix(300))"
        }
        if wanted["status"] == .string("error") { return nil }
        let (mine, theirs) = (found["data"]?.object, wanted["data"]?.object)
        guard mine?["resultType"] == theirs?["resultType"] else { return "another type" }
        let left = series(mine?["result"])
        let right = series(theirs?["result"])
        guard Set(left.keys) == Set(right.keys) else {
            return "series \(left.keys.sorted())\n  for \(right.keys.sorted())"
        }
        for (name, points) in right {
            let others = left[name] ?? []
            guard points.count == others.count else {
                return "\(name): \(others.count) points for \(points.count)"
            }
            for (one, other) in zip(others, points)
            where one.time != other.time || !isClose(one.value, other.value) {
                return "\(name): \(one) for \(other)"
            }
        }
        return nil
    }

    private static func isClose(_ left: Double, _ right: Double) -> Bool {
        if left == right || left.isNaN && right.isNaN { return true }
        let difference = abs(left - right)
        // Sums of opposite signs leave rounding errors of the summands' size.
        return difference / max(abs(left), abs(right)) < 1e-9 || difference < 1e-9
    }

    /// Points by the labels of their series; a scalar is one without labels.
    private static func series(_ result: Value?) -> [String: [(time: Double, value: Double)]] {
        guard case .array(let all)? = result else { return [:] }
        if case .object? = all.first {
        } else if all.count == 2 {
            return ["": [point(.array(all))].compactMap(\.self)]
        }
        var series: [String: [(time: Double, value: Double)]] = [:]
        for case .object(let one) in all {
            let labels = (one["metric"]?.object?.fields ?? []).map {
                "\($0.key)=\($0.value.string ?? "")"
            }
            let name = labels.sorted().joined(separator: ",")
            let points = one["values"]?.array ?? [one["value"] ?? .null]
            series[name] = points.compactMap(point)
        }
        return series
    }

    private static func point(_ value: Value) -> (time: Double, value: Double)? {
        guard case .array(let parts) = value, parts.count == 2, let text = parts[1].string,
            let number = Double(text.replacing("Inf", with: "infinity"))
        else { return nil }
        switch parts[0] {
        case .integer(let time): return (Double(time), number)
        case .float(let time): return (time, number)
        default: return nil
        }
    }

    // MARK: Samples

    private func load(
        into prometheus: RunningPrometheus, _ feed: SampleFeed, _ seed: SeededGenerator
    ) throws {
        var random = seed
        var request = ByteBuffer()
        for job in ["a", "b", "bc"] {
            for instance in ["1", "2", "3"] {
                let labels = [("instance", instance), ("job", job)]
                for code in ["200", "404", "503"] {
                    append(
                        "requests_total", labels + [("code", code)],
                        counter(&random, resets: code == "503"), to: &request)
                }
                append("temperature", labels, gauge(&random), to: &request)
                append("sparse", labels, gauge(&random, gaps: 70), to: &request)
                append(
                    "odd", labels,
                    gauge(&random).enumerated().map { place, sample in
                        let values = [Double.nan, .infinity, -.infinity, 0, -0.0]
                        return place % 5 == 0
                            ? (sample.time, values[place / 5 % values.count]) : sample
                    }, to: &request)
                let counts = counter(&random, resets: false)
                for (bound, part) in [("0.1", 0.3), ("0.5", 0.7), ("1", 0.9), ("+Inf", 1)] {
                    append(
                        "latency_bucket", labels + [("le", bound)],
                        counts.map { ($0.time, ($0.value * part).rounded()) }, to: &request)
                }
            }
        }
        let body = Self.literal(request.bytes)
        #expect(prometheus.write(body) == 204)
        let report = try #require(body.withUnsafeBytes { feed.take($0) })
        #expect(report.isWhole && report.refused.isEmpty && report.refusedSeries == 0)
        #expect(report.taken > 10_000)
    }

    private func counter(
        _ random: inout SeededGenerator, resets: Bool
    ) -> [(time: Int64, value: Double)] {
        var value = Double(Int.random(in: 0..<1_000, using: &random))
        return (0..<240).map { step in
            value += Double(Int.random(in: 0..<50, using: &random))
            if resets, Int.random(in: 0..<40, using: &random) == 0 { value = 0 }
            return (Self.start + Int64(step) * 15, value)
        }
    }

    private func gauge(
        _ random: inout SeededGenerator, gaps: Int = 3
    ) -> [(time: Int64, value: Double)] {
        var samples: [(time: Int64, value: Double)] = []
        for step in 0..<240 {
            let chance = Int.random(in: 0..<100, using: &random)
            if chance < gaps { continue }
            let value = Double.random(in: -20...40, using: &random)
            samples.append(
                (
                    Self.start + Int64(step) * 15,
                    chance == 99 ? Double(bitPattern: 0x7ff0_0000_0000_0002) : value
                ))
        }
        return samples
    }

    // MARK: The wire format

    private func append(
        _ name: String, _ labels: [(String, String)], _ samples: [(time: Int64, value: Double)],
        to request: inout ByteBuffer
    ) {
        var series = ByteBuffer()
        for (label, value) in ([("__name__", name)] + labels).sorted(by: { $0.0 < $1.0 }) {
            var pair = ByteBuffer()
            Self.append(1, Array(label.utf8), to: &pair)
            Self.append(2, Array(value.utf8), to: &pair)
            Self.append(1, Array(pair.bytes), to: &series)
        }
        for (time, value) in samples {
            var sample = ByteBuffer()
            sample.append(byte: 1 << 3 | 1)
            withUnsafeBytes(of: value.bitPattern.littleEndian) { sample.append($0) }
            sample.append(byte: 2 << 3)
            Self.append(varint: UInt64(time * 1_000), to: &sample)
            Self.append(2, Array(sample.bytes), to: &series)
        }
        Self.append(1, Array(series.bytes), to: &request)
    }

    private static func append(varint number: UInt64, to buffer: inout ByteBuffer) {
        var rest = number
        while rest > 0x7f {
            buffer.append(byte: UInt8(rest & 0x7f) | 0x80)
            rest >>= 7
        }
        buffer.append(byte: UInt8(rest))
    }

    private static func append(_ field: UInt8, _ bytes: [UInt8], to buffer: inout ByteBuffer) {
        buffer.append(byte: field << 3 | 2)
        append(varint: UInt64(bytes.count), to: &buffer)
        buffer.append(bytes)
    }

    /// Snappy's block format without a copy in it.
    private static func literal(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        var out = ByteBuffer()
        append(varint: UInt64(bytes.count), to: &out)
        var place = 0
        while place < bytes.count {
            let count = min(bytes.count - place, 65_536)
            out.append(byte: 61 << 2)
            out.append(byte: UInt8((count - 1) & 0xff))
            out.append(byte: UInt8((count - 1) >> 8))
            out.append(UnsafeRawBufferPointer(rebasing: bytes[place..<(place + count)]))
            place += count
        }
        return Array(out.bytes)
    }
}

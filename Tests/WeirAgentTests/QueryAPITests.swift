import Synchronization
import Testing
import WeirCore
import WeirHost
import WeirMetrics
import WeirPipeline
import WeirPromQL
import WeirTesting

@testable import WeirAgent

@Suite("The query API") struct QueryAPITests {
    private let api: QueryAPI

    init() throws {
        let history = MetricsHistory(Registry(), MetricsHistory.Options(), clock: ManualClock())
        for (job, step) in [("a", 1.0), ("b", 2)] {
            let series = try history.store.reference(
                for: [("__name__", "up"), ("job", job)])
            for second in 0...10 {
                _ = history.store.append(series, at: Int64(second) * 1_000, Double(second) * step)
            }
        }
        let series = try history.store.reference(for: [("__name__", "up"), ("job", "a")])
        for second in [3, 5] {
            let exemplar = Exemplar(
                labels: [("trace_id", "t\(second)")], value: 0.5, time: Int64(second) * 1_000 + 1)
            #expect(history.store.append(exemplar, to: series))
        }
        history.store.setMetadata(MetricMetadata(kind: .gauge, help: "Up."), of: "up")
        api = QueryAPI(history: history, clock: ManualClock())
    }

    private func ask(_ path: String, _ query: String = "") -> (status: Int, body: String) {
        let response = api.answer(
            HTTPServer.Request(method: "GET", path: "/api/v1/\(path)", query: query))
        guard let response, let body = response.text else { return (0, "") }
        return (response.status, body)
    }

    @Test(
        "answers in Prometheus' own shape",
        arguments: [
            (
                "query", "query=up%7Bjob%3D%22a%22%7D&time=5",
                #"{"resultType":"vector","result":[{"metric":{"__name__":"up","job":"a"},"value":[5,"5"]}]}"#
            ),
            ("query", "query=1%2B1&time=5.5", #"{"resultType":"scalar","result":[5.500,"2"]}"#),
            ("query", "query=%22x%22&time=0", #"{"resultType":"string","result":[0,"x"]}"#),
            (
                "query", "query=up%7Bjob%3D%22b%22%7D%5B3s%5D&time=1970-01-01T00:00:05Z",
                #"{"resultType":"matrix","result":[{"metric":{"__name__":"up","job":"b"},"values":[[3,"6"],[4,"8"],[5,"10"]]}]}"#
            ),
            (
                "query_range", "query=sum(up)&start=1&end=3&step=1s",
                #"{"resultType":"matrix","result":[{"metric":{},"values":[[1,"3"],[2,"6"],[3,"9"]]}]}"#
            ),
            ("query", "query=nosuch&time=5", #"{"resultType":"vector","result":[]}"#),
            ("labels", "", #"["__name__","job"]"#), ("label/job/values", "", #"["a","b"]"#),
            ("label/job/values", "match[]=up%7Bjob%3D%22b%22%7D", #"["b"]"#),
            ("label/nosuch/values", "", "[]"),
            ("series", "match[]=up%7Bjob!%3D%22a%22%7D", #"[{"__name__":"up","job":"b"}]"#),
            ("metadata", "", #"{"up":[{"type":"gauge","unit":"","help":"Up."}]}"#),
            ("format_query", "query=sum(up)by(job)", #""sum by (job) (up)""#),
            (
                "query_exemplars", "query=rate(up[1m])&start=4&end=6",
                #"[{"seriesLabels":{"__name__":"up","job":"a"},"exemplars":[{"labels":{"trace_id":"t5"},"value":"0.5","timestamp":5.001}]}]"#
            ),
            ("query_exemplars", #"query=up{job="b"}&start=0&end=9"#, "[]"),
            (
                "parse_query", "query=-up",
                #"{"expr":{"matchers":[{"name":"__name__","type":"=","value":"up"}],"name":"up","offset":0,"startOrEnd":null,"timestamp":null,"type":"vectorSelector"},"op":"-","type":"unaryExpr"}"#
            ),
        ])
    func answers(_ path: String, _ query: String, _ data: String) {
        let (status, body) = ask(path, query)
        #expect(status == 200)
        #expect(body == #"{"status":"success","data":\#(data)}"#)
    }

    @Test(
        "refuses with the status, the kind and the reason",
        arguments: [
            ("query", "", 400, "bad_data", "no expression found"),
            ("query", "query=sum(", 400, "bad_data", "1:5: parse error: unexpected end of input"),
            (
                "query", "query=up&time=soon", 400, "bad_data",
                "cannot parse \\\"soon\\\" to a valid timestamp"
            ),
            ("query", "query=up&timeout=x", 400, "bad_data", "valid duration"),
            ("query", "query=up&limit=-1", 400, "bad_data", "valid limit"),
            ("query", "query=up&timeout=0", 503, "timeout", "query timed out"),
            ("query", "query=up%2Bon()up&time=5", 422, "execution", "found duplicate series"),
            ("query_range", "query=up", 400, "bad_data", "\\\"start\\\""),
            ("query_range", "query=up&start=2&end=1&step=1", 400, "bad_data", "must not be before"),
            ("query_range", "query=up&start=1&end=2&step=0", 400, "bad_data", "zero or negative"),
            ("query_range", "query=up&start=1&end=99999&step=1", 400, "bad_data", "11,000 points"),
            (
                "query_range", "query=up[5m]&start=1&end=2&step=1", 400, "bad_data",
                "invalid expression type"
            ),
            (
                "query", "query=a%20%2B%20fill(0)%20b", 400, "bad_data",
                "fill modifiers are experimental"
            ),
            ("series", "", 400, "bad_data", "no match[]"),
            ("series", "match[]=sum(up)", 400, "bad_data", "expected a series selector"),
            ("nosuch", "", 404, "not_found", "there is no /api/v1/nosuch"),
        ])
    func refusals(_ path: String, _ query: String, _ status: Int, _ kind: String, _ reason: String)
    {
        let answer = ask(path, query)
        #expect(answer.status == status)
        #expect(answer.body.hasPrefix(#"{"status":"error","errorType":"\#(kind)","error":""#))
        #expect(answer.body.contains(reason), "\(answer.body)")
    }

    @Test func `says beside the result what there is to say, and what a limit left out`() {
        let info = ask("query", "query=rate(up%5B5s%5D)&time=6").body
        #expect(info.contains(#""infos":["PromQL info: metric might not be a counter"#))
        #expect(info.contains("(1:6)"))
        let cut = ask("query", "query=up&time=6&limit=1").body
        #expect(cut.contains(#""warnings":["results truncated due to limit"]"#))
        #expect(!cut.contains(#""job":"b""#))
    }

    @Test func `takes a form, and refuses other methods`() {
        let form = api.answer(
            HTTPServer.Request(
                method: "POST", path: "/api/v1/query",
                headers: [("content-type", "application/x-www-form-urlencoded")],
                body: Array("query=sum%28up%29&time=4".utf8)))
        #expect(form?.text?.contains(#""value":[4,"12"]"#) == true)
        let refused = api.answer(HTTPServer.Request(method: "DELETE", path: "/api/v1/query"))
        #expect(refused?.status == 405)
        #expect(api.answer(HTTPServer.Request(method: "GET", path: "/metrics"))?.status == nil)
    }

    @Test func `compresses what is long, for clients that take it`() throws {
        let long = String(repeating: "x", count: 2_000)
        for (encoding, query, isCompressed) in [
            ("gzip", long, true), ("deflate", long, false), ("gzip", "x", false),
        ] {
            let response = try #require(
                api.answer(
                    HTTPServer.Request(
                        method: "GET", path: "/api/v1/query", query: "query=%22\(query)%22&time=0",
                        headers: [("accept-encoding", encoding)])))
            let header = response.headers.first { $0.name == "Content-Encoding" }
            #expect((header?.value == "gzip") == isCompressed)
            guard isCompressed, case .bytes(let bytes) = response.body else { continue }
            var plain = ByteBuffer()
            #expect(bytes.withUnsafeBytes { Gzip.restore($0, limit: 1 << 20, into: &plain) })
            let text = String(decoding: plain.bytes, as: UTF8.self)
            #expect(text == ask("query", "query=%22\(query)%22&time=0").body)
        }
    }
}

/// A clock on which ten milliseconds pass whenever it is looked at.
private final class HurriedClock: PipelineClock {
    private let nanoseconds = Atomic<UInt64>(0)

    var monotonicNanoseconds: UInt64 {
        nanoseconds.wrappingAdd(10_000_000, ordering: .relaxed).newValue
    }
    var now: Timestamp { .epoch }
}

@Suite("What a query may cost") struct QueryLimitTests {
    private let registry = Registry()
    private let clock = ManualClock()

    private func api(_ change: (inout QueryLimits) -> Void = { _ in }) throws -> QueryAPI {
        var options = MetricsHistory.Options()
        change(&options.queries)
        let history = MetricsHistory(registry, options, clock: clock)
        for number in 0..<200 {
            let series = try history.store.reference(
                for: [("__name__", "m"), ("path", String(repeating: "a", count: 40) + "\(number)")])
            for second in 0..<40 { _ = history.store.append(series, at: Int64(second) * 1_000, 1) }
        }
        return QueryAPI(history: history, clock: clock)
    }

    private func ask(_ api: QueryAPI, _ query: String) -> (status: Int, body: String) {
        let path = query.contains("step=") ? "query_range" : "query"
        let answer = api.answer(
            HTTPServer.Request(method: "GET", path: "/api/v1/\(path)", query: query))
        return (answer?.status ?? 0, answer?.text ?? "")
    }

    private func refusals(_ reason: String) -> Int {
        var buffer = ByteBuffer()
        let scrape = Scrape(registry, format: .text, now: clock.now)
        while scrape.next(into: &buffer) {}
        let text = String(decoding: buffer.bytes, as: UTF8.self)
        let mark = "weir_query_refusals_total{reason=\"\(reason)\"} "
        guard let range = text.firstRange(of: mark) else { return 0 }
        return Int(text[range.upperBound...].prefix { $0.isNumber }) ?? 0
    }

    @Test func `has an end where it would hold too much`() throws {
        let api = try api { $0.byteLimit = 64 << 10 }
        let refused = ask(api, "query=m&time=10")
        #expect(refused.status == 422)
        #expect(refused.body.contains("raise query_memory_limit"))
        #expect(refusals("limit") == 1)
        // What is aggregated is not held.
        #expect(ask(api, "query=sum(m)&time=10").body.contains(#""value":[10,"200"]"#))
        #expect(
            ask(api, "query=sum(label_replace(m,%22a%22,%22b%22,%22%22,%22%22))&time=10").status
                == 422)
        #expect(ask(api, "query=m[30s]&time=30").status == 422)
        #expect(ask(api, "query=m&start=0&end=30&step=1").status == 422)
    }

    @Test func `has an end in time`() throws {
        let patient = try api { $0.time = .milliseconds(20) }
        #expect(ask(patient, "query=sum(m)&time=10").status == 200)
        #expect(ask(patient, "query=sum(m)&time=10&timeout=0").status == 503)
        let hurried = QueryAPI(history: patient.history, clock: HurriedClock())
        let refused = ask(hurried, "query=sum(m)&time=10")
        #expect(refused.status == 503)
        #expect(refused.body.contains(#""errorType":"timeout""#))
        #expect(refusals("timeout") == 2)
    }

    @Test func `may not match a pattern for ever`() throws {
        let api = try api()
        let refused = ask(api, "query=m{path=~%22(a%2B)%2B[^0-9]%22}&time=10")
        #expect(refused.status == 422)
        #expect(refused.body.contains("takes too many steps to match the values of path"))
    }

    @Test func `looks back as far as it is told`() throws {
        let api = try api { $0.lookback = .seconds(5) }
        #expect(ask(api, "query=count(m)&time=43").body.contains(#""200""#))
        #expect(ask(api, "query=count(m)&time=45").body.contains(#""result":[]"#))
    }
}

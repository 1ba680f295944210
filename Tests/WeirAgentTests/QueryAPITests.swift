import Testing
import WeirCore
import WeirHost
import WeirMetrics
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
}

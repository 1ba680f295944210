import WeirCore
import WeirHost
import WeirMetrics
import WeirPromQL

/// Answers in the shape of Prometheus' HTTP API.
enum QueryAnswer {
    /// Bytes below which compressing is not worth its while.
    private static let compressedByteCount = 1_024

    /// The same answer in gzip's format, where the client takes that.
    static func compressed(
        _ answer: HTTPServer.Response, for request: HTTPServer.Request
    ) -> HTTPServer.Response {
        guard case .bytes(let bytes) = answer.body, bytes.count >= compressedByteCount,
            ExpositionFormat.acceptsGzip(acceptEncoding: request.header("accept-encoding"))
        else { return answer }
        var buffer = ByteBuffer(capacity: bytes.count / 4)
        guard bytes.withUnsafeBytes({ Gzip.compress($0, level: .fast, into: &buffer) }) else {
            return answer
        }
        return HTTPServer.Response(
            status: answer.status, contentType: answer.contentType,
            headers: answer.headers + [("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding")],
            bytes: Array(buffer.bytes))
    }

    /// A list of values, cut to a limit.
    static func list<T>(
        _ all: [T], _ limit: Int?, _ append: (T, inout ByteBuffer) -> Void
    ) -> HTTPServer.Response {
        let shown = limit.map { all.prefix($0) } ?? all[...]
        let warnings = shown.count < all.count ? ["results truncated due to limit"] : []
        return success(warnings: warnings) { buffer in
            buffer.append("[")
            for (place, one) in shown.enumerated() {
                if place > 0 { buffer.append(",") }
                append(one, &buffer)
            }
            buffer.append("]")
        }
    }

    /// A value, with what there is to say beside it.
    static func success(
        warnings: [String] = [], infos: [String] = [], _ data: (inout ByteBuffer) -> Void
    ) -> HTTPServer.Response {
        var buffer = ByteBuffer(capacity: 1024)
        buffer.append(#"{"status":"success","data":"#)
        data(&buffer)
        for (name, texts) in [("warnings", warnings), ("infos", infos)] where !texts.isEmpty {
            buffer.append(",\"\(name)\":[")
            for (place, text) in texts.enumerated() {
                if place > 0 { buffer.append(",") }
                ResultWriter.append(text, to: &buffer)
            }
            buffer.append("]")
        }
        buffer.append("}")
        return HTTPServer.Response(
            status: 200, contentType: "application/json",
            bytes: Array(buffer.bytes))
    }

    /// Why there is no value.
    static func refusal(_ refusal: QueryRefusal) -> HTTPServer.Response {
        var buffer = ByteBuffer(capacity: 256)
        buffer.append(#"{"status":"error","errorType":"\#(refusal.kind)","error":"#)
        ResultWriter.append(refusal.message, to: &buffer)
        buffer.append("}")
        return HTTPServer.Response(
            status: refusal.status, contentType: "application/json",
            bytes: Array(buffer.bytes))
    }
}

import WeirCore
import WeirHost

/// Something that Elasticsearch must have before documents come: made when it is not there.
public struct IndexPreparation: Sendable {
    /// The path that tells whether it is there, and where it is put; `${index}` stands for the index.
    public var path: String
    /// What is put; `nil` for an empty body.
    public var body: String?
    /// Whether it is put even if it is there.
    public var overwrites: Bool

    /// A preparation by its parts.
    public init(path: String, body: String?, overwrites: Bool = false) {
        self.path = path
        self.body = body
        self.overwrites = overwrites
    }

    /// Whether it must be made anew for each index.
    var isOfIndex: Bool { path.contains("${index}") }

    /// The same for one index.
    func filled(_ index: String) -> IndexPreparation {
        IndexPreparation(
            path: path.replacing("${index}", with: index),
            body: body?.replacing("${index}", with: index), overwrites: overwrites)
    }

    /// Looks whether it is there, and makes it.
    /// - Returns: Why it could not be made, or `nil`.
    func make(
        at host: ElasticsearchConnection.Host, by client: HTTPClient, headers: [String]
    ) -> String? {
        let url = host.url + path
        do throws(HTTPError) {
            if !overwrites {
                let answer = try client.send(
                    "GET", url, headers: headers, body: UnsafeRawBufferPointer(start: nil, count: 0)
                )
                if answer.status == 200 { return nil }
                guard answer.status == 404 else { return "GET \(path) answered \(answer.status)" }
            }
            var text = ByteBuffer()
            text.append(body ?? "")
            let answer = try client.send("PUT", url, headers: headers, body: text.bytes)
            guard answer.status < 300 else {
                let reason = String(decoding: client.body.bytes.prefix(300), as: UTF8.self)
                return "PUT \(path) answered \(answer.status) \(reason)"
            }
            return nil
        } catch {
            return "\(path): \(error)"
        }
    }
}

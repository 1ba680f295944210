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
    /// Whether the name of an index has been put in, so that a refusal is that of the index.
    private var isFilled = false

    /// A preparation by its parts.
    public init(path: String, body: String?, overwrites: Bool = false) {
        self.path = path
        self.body = body
        self.overwrites = overwrites
    }

    /// Whether it must be made anew for each index.
    var isOfIndex: Bool { path.contains("${index}") }

    /// Why something could not be made.
    enum Problem: Equatable {
        /// It may go better another time.
        case later(String)
        /// This index cannot be.
        case never(String)
    }

    /// The same for one index.
    func filled(_ index: String) -> IndexPreparation {
        var filled = self
        filled.path = path.replacing("${index}", with: escapedForPath(index))
        filled.body = body?.replacing("${index}", with: index)
        filled.isFilled = isOfIndex
        return filled
    }

    /// Looks whether it is there, and makes it.
    /// - Returns: Why it could not be made, or `nil`.
    func make(
        at host: ElasticsearchConnection.Host, by client: HTTPClient, headers: [String]
    ) -> Problem? {
        let url = host.url + path
        do throws(HTTPError) {
            if !overwrites {
                let answer = try client.send(
                    "GET", url, headers: headers, body: UnsafeRawBufferPointer(start: nil, count: 0)
                )
                if answer.status == 200 { return nil }
                guard answer.status == 404 else {
                    return problem(answer.status, "GET \(path) answered \(answer.status)")
                }
            }
            var text = ByteBuffer()
            text.append(body ?? "")
            let answer = try client.send("PUT", url, headers: headers, body: text.bytes)
            guard answer.status < 300 else {
                let reason = String(decoding: client.body.bytes.prefix(300), as: UTF8.self)
                return problem(answer.status, "PUT \(path) answered \(answer.status) \(reason)")
            }
            return nil
        } catch {
            return .later("\(path): \(error)")
        }
    }

    private func problem(_ status: Int, _ text: String) -> Problem {
        status == 400 && isFilled ? .never(text) : .later(text)
    }
}

/// A name as one part of a URL's path (RFC 3986: all but the unreserved characters are escaped).
func escapedForPath(_ name: String) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var escaped: [UInt8] = []
    for byte in name.utf8 {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "_"), UInt8(ascii: "~"):
            escaped.append(byte)
        default: escaped += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
    }
    return String(decoding: escaped, as: UTF8.self)
}

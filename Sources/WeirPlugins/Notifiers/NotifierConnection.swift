import WeirConfig
import WeirCore
import WeirHost

/// How requests of a notifier are made: timeout, TLS, who it says it is.
struct NotifierConnection: Sendable {
    private enum P {
        static let timeout = Parameter.duration(
            "timeout", default: .seconds(10), "How long a request may take.")
        static let tokenFile = Parameter.text(
            "bearer_token_file", default: "",
            "A file of a token to log in with, which is read before every request.")
        static let user = ElasticsearchParameters.user
        static let password = ElasticsearchParameters.password
    }

    /// The parameters that it reads.
    static let parameters: [AnyParameter] =
        [
            AnyParameter(P.timeout), AnyParameter(P.tokenFile), AnyParameter(P.user),
            AnyParameter(P.password),
        ] + ElasticsearchParameters.tls

    /// Why a request did not do.
    enum Problem: Equatable {
        /// It may do later.
        case failed(String)
        /// It never will.
        case refused(String)
    }

    /// Most redirections that are followed.
    private static let hopLimit = 5

    private let options: HTTPClientOptions
    private let login: String?
    private let tokenFile: String?

    /// The connection that a section describes.
    init(_ section: Section) throws(SectionError) {
        var options = try ElasticsearchSection.tls(section)
        options.requestTimeout = max(section[P.timeout], .milliseconds(1))
        options.answerByteLimit = 1 << 20
        options.keptHeaders = ["location"]
        self.options = options
        login = try ElasticsearchSection.credentials(section)
        tokenFile = section[P.tokenFile].isEmpty ? nil : section[P.tokenFile]
    }

    /// An address as it is written, without slashes at its end.
    static func address(
        _ url: String, at location: SourceLocation
    ) throws(SectionError) -> String {
        guard url.hasPrefix("http://") || url.hasPrefix("https://"), Origin(url) != nil else {
            throw SectionError(
                location, "`\(url)` is no address", help: "write it as http://host:9093")
        }
        var base = url
        while base.hasSuffix("/") { base.removeLast() }
        return base
    }

    /// A client for one thread.
    func client() -> HTTPClient { HTTPClient(options) }

    /// Posts a body. Redirections are followed where they ask for the same request elsewhere (307, 308); who
    /// Weir is, is told to the first host only.
    /// - Returns: What went wrong; `nil` when it was taken.
    func post(
        _ body: UnsafeRawBufferPointer, to url: String, headers: [String], _ client: HTTPClient
    ) -> Problem? {
        var target = url
        for _ in 0...Self.hopLimit {
            let isHome = Origin(target) == Origin(url)
            let all = headers + (isHome ? loginHeaders : [])
            let answer: HTTPAnswer
            do throws(HTTPError) {
                answer = try client.send("POST", target, headers: all, body: body)
            } catch {
                return .failed("\(error)")
            }
            guard answer.status == 307 || answer.status == 308 else {
                return Self.problem(answer.status, client)
            }
            guard let next = Self.resolved(answer.headers["location"] ?? "", from: target) else {
                return .failed("status \(answer.status) to nowhere")
            }
            target = next
        }
        return .failed("more than \(Self.hopLimit) redirections")
    }

    private var loginHeaders: [String] {
        var headers: [String] = []
        if let login { headers.append("Authorization: \(login)") }
        if let tokenFile, let token = ScrapeTarget.token(tokenFile) {
            headers.append("Authorization: Bearer \(token)")
        }
        return headers
    }

    private static func problem(_ status: Int, _ client: HTTPClient) -> Problem? {
        switch status {
        case 200..<300: return nil
        // Not taken, and not refused either: too early, too often, too slow, or elsewhere for now.
        case 300..<400, 408, 425, 429, 500...: return .failed("status \(status)")
        default:
            let text = String(decoding: client.body.bytes.prefix(300), as: UTF8.self)
            return .refused("status \(status): \(text)")
        }
    }

    private static func resolved(_ location: String, from url: String) -> String? {
        if location.hasPrefix("http://") || location.hasPrefix("https://") { return location }
        guard location.hasPrefix("/"), !location.hasPrefix("//"), let origin = Origin(url) else {
            return nil
        }
        return origin.text + location
    }

    /// Scheme, host and port of an address.
    private struct Origin: Equatable {
        let text: String

        init?(_ url: String) {
            let parts = url.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
            guard parts.count >= 3, parts[1].isEmpty, !parts[2].isEmpty else { return nil }
            text = "\(parts[0])//\(parts[2])".lowercased()
        }
    }
}

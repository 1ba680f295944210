import WeirCore
import WeirHost
import WeirMetrics

/// Carries requests to a receiver, one after the other. Belongs to one thread, but for ``abort()``.
final class RemoteWriteSender: Sendable {
    /// The largest file of a token.
    private static let tokenByteLimit = 64 * 1024

    private let url: String
    private let headers: [String]
    private let tokenFile: String?
    private let version: RemoteWriteVersion
    private let client: HTTPClient

    init(_ settings: RemoteWriteSection) {
        url = settings.url
        headers = settings.headers
        tokenFile = settings.tokenFile
        version = settings.sampling.version
        client = HTTPClient(settings.client)
    }

    /// Ends the request that is under way, and refuses later ones.
    func abort() { client.abort() }

    /// Sends a request and reads the answer.
    /// - Returns: What becomes of the request, and what the receiver said where it did not take it.
    func send(
        _ request: RemoteWriteRequest
    ) -> (verdict: RemoteWriteAnswer.Verdict, text: String) {
        var headers = headers
        if let tokenFile {
            guard let token = Self.token(tokenFile) else {
                return (.retry("no_token", after: nil), "\(tokenFile) holds no token")
            }
            headers.append("Authorization: Bearer \(token)")
        }
        switch post(request.body, headers) {
        case .success(let answer):
            let verdict = RemoteWriteAnswer(
                status: answer.status, retryAfter: answer.retryAfter, headers: answer.headers
            ).verdict(on: request.counts, version: version)
            let text = String(decoding: client.body.bytes.prefix(500), as: UTF8.self)
            return (verdict, "status \(answer.status) \(text)")
        case .failure(let error):
            return (.retry(Self.reason(error), after: nil), "\(error)")
        }
    }

    private func post(_ body: [UInt8], _ headers: [String]) -> Result<HTTPAnswer, HTTPError> {
        body.withUnsafeBytes { body in
            do throws(HTTPError) {
                return .success(try client.send("POST", url, headers: headers, body: body))
            } catch {
                return .failure(error)
            }
        }
    }

    private static func token(_ path: String) -> String? {
        guard let bytes = AtomicFile.read(path, limit: tokenByteLimit) else { return nil }
        let token = String(decoding: bytes, as: UTF8.self).filter { !$0.isWhitespace }
        return !token.isEmpty && token.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f } ? token : nil
    }

    private static func reason(_ error: HTTPError) -> String {
        switch error {
        case .unreachable: "unreachable"
        case .interrupted: "interrupted"
        case .untrusted: "untrusted"
        case .tooLarge: "answer_too_large"
        case .misconfigured: "misconfigured"
        case .aborted: "stopped"
        }
    }
}

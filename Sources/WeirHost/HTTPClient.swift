import CCurl
import Synchronization
import WeirCore

/// A version of TLS that is safe to speak.
public enum TLSVersion: Sendable {
    case tls12
    case tls13
}

/// How a client speaks TLS and names itself.
public struct HTTPClientOptions: Sendable {
    /// Whether the server's certificate is checked.
    public var verifiesCertificate = true
    /// A file of trusted authorities.
    public var authorityFile: String?
    /// The client's certificate.
    public var certificateFile: String?
    /// The client's key.
    public var keyFile: String?
    /// The key's passphrase.
    public var keyPassphrase: String?
    /// The oldest TLS version.
    public var minimumTLSVersion = TLSVersion.tls12
    /// The newest TLS version.
    public var maximumTLSVersion = TLSVersion.tls13
    /// How long connecting may take.
    public var connectTimeout: Duration = .seconds(5)
    /// How long a request may take, its answer included.
    public var requestTimeout: Duration = .seconds(30)
    /// The largest answer in bytes.
    public var answerByteLimit = 64 * 1024 * 1024
    /// The headers of answers that are kept, in lower case.
    public var keptHeaders: [String] = []

    /// Checks certificates, five seconds to connect.
    public init() {}
}

/// A failed request, by what the caller does next.
public enum HTTPError: Error, Equatable, Sendable {
    /// Nothing was sent: another host, or later.
    case unreachable(String)
    /// Something may have arrived: send again, what came twice must be harmless.
    case interrupted(String)
    /// The certificate or handshake is wrong: a person must look.
    case untrusted(String)
    /// The answer was larger than the limit.
    case tooLarge
    /// The request cannot be made.
    case misconfigured(String)
    /// Somebody called ``HTTPClient/abort()``.
    case aborted
}

/// A server's answer; its body is in the client until the next request.
public struct HTTPAnswer: Sendable {
    /// The status code.
    public var status: Int
    /// How long the server asks to be left alone.
    public var retryAfter: Duration?
    /// The headers that the client keeps; names in lower case.
    public var headers: [String: String] = [:]
}

/// Sends requests one after the other over kept connections. Belongs to one thread, but for
/// ``abort()``.
public final class HTTPClient: @unchecked Sendable {
    // Safe because only `abort` is called from other threads, and it touches an atomic only.
    private let handle: UnsafeMutableRawPointer
    private let options: HTTPClientOptions
    private let isAborted = Atomic<Bool>(false)
    /// The body of the last answer.
    public private(set) var body = ByteBuffer(capacity: 4096)
    private var retryAfterText = ""
    private var keptHeaders: [String: String] = [:]
    private var isTooLarge = false

    /// Bytes that libcurl gives to the socket at once: fewer, larger pieces wake both sides less
    /// often, as long as a piece stays in the processor's cache.
    private static let uploadPieceByteCount = 256 * 1024

    private static let isPrepared: Bool = weir_curl_global_init() == CURLE_OK

    /// A client with these options.
    public init(_ options: HTTPClientOptions = HTTPClientOptions()) {
        precondition(Self.isPrepared, "libcurl starts")
        guard let handle = curl_easy_init() else { fatalError("out of memory") }
        self.handle = handle
        self.options = options
    }

    deinit { curl_easy_cleanup(handle) }

    /// Ends the request that is under way, and refuses later ones.
    public func abort() { isAborted.store(true, ordering: .relaxed) }

    /// Sends a request and waits for the whole answer.
    public func send(
        _ method: String, _ url: String, headers: [String], body: UnsafeRawBufferPointer
    ) throws(HTTPError) -> HTTPAnswer {
        if isAborted.load(ordering: .relaxed) { throw .aborted }
        self.body.truncate(to: 0)
        retryAfterText = ""
        keptHeaders = [:]
        isTooLarge = false
        curl_easy_reset(handle)
        prepare(method, url, body)
        // Without this libcurl asks for leave before a large body and waits a second for it.
        var list: UnsafeMutablePointer<curl_slist>? = curl_slist_append(nil, "Expect:")
        for header in headers { list = curl_slist_append(list, header) ?? list }
        defer { curl_slist_free_all(list) }
        weir_curl_set_list(handle, CURLOPT_HTTPHEADER, list)
        let result = curl_easy_perform(handle)
        guard result == CURLE_OK else { throw failure(result) }
        var status = 0
        weir_curl_get_long(handle, CURLINFO_RESPONSE_CODE, &status)
        return HTTPAnswer(status: status, retryAfter: retryAfter(), headers: keptHeaders)
    }

    private func prepare(_ method: String, _ url: String, _ body: UnsafeRawBufferPointer) {
        let context = Unmanaged.passUnretained(self).toOpaque()
        weir_curl_set_text(handle, CURLOPT_URL, url)
        weir_curl_set_text(handle, CURLOPT_CUSTOMREQUEST, method)
        weir_curl_set_text(handle, CURLOPT_PROTOCOLS_STR, "http,https")
        weir_curl_set_text(handle, CURLOPT_USERAGENT, "weir")
        weir_curl_set_long(handle, CURLOPT_NOSIGNAL, 1)
        weir_curl_set_long(handle, CURLOPT_TCP_NODELAY, 1)
        weir_curl_set_long(handle, CURLOPT_UPLOAD_BUFFERSIZE, Self.uploadPieceByteCount)
        weir_curl_set_long(handle, CURLOPT_CONNECTTIMEOUT_MS, milliseconds(options.connectTimeout))
        weir_curl_set_long(handle, CURLOPT_TIMEOUT_MS, milliseconds(options.requestTimeout))
        if method == "HEAD" { weir_curl_set_long(handle, CURLOPT_NOBODY, 1) }
        if !body.isEmpty || method == "POST" || method == "PUT" {
            weir_curl_set_pointer(handle, CURLOPT_POSTFIELDS, body.baseAddress)
            weir_curl_set_size(handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(body.count))
        }
        weir_curl_set_pointer(handle, CURLOPT_WRITEDATA, context)
        weir_curl_set_data(handle, CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
            guard let context, let bytes else { return 0 }
            let client = Unmanaged<HTTPClient>.fromOpaque(context).takeUnretainedValue()
            return client.receive(UnsafeRawBufferPointer(start: bytes, count: size * count))
        }
        weir_curl_set_pointer(handle, CURLOPT_HEADERDATA, context)
        weir_curl_set_data(handle, CURLOPT_HEADERFUNCTION) { bytes, size, count, context in
            guard let context, let bytes else { return 0 }
            let client = Unmanaged<HTTPClient>.fromOpaque(context).takeUnretainedValue()
            client.receiveHeader(UnsafeRawBufferPointer(start: bytes, count: size * count))
            return size * count
        }
        weir_curl_set_pointer(handle, CURLOPT_XFERINFODATA, context)
        weir_curl_set_long(handle, CURLOPT_NOPROGRESS, 0)
        weir_curl_set_progress(handle) { context, _, _, _, _ in
            guard let context else { return 1 }
            let client = Unmanaged<HTTPClient>.fromOpaque(context).takeUnretainedValue()
            return client.isAborted.load(ordering: .relaxed) ? 1 : 0
        }
        prepareTLS()
    }

    private func prepareTLS() {
        if !options.verifiesCertificate {
            weir_curl_set_long(handle, CURLOPT_SSL_VERIFYPEER, 0)
            weir_curl_set_long(handle, CURLOPT_SSL_VERIFYHOST, 0)
        }
        let texts: [(CURLoption, String?)] = [
            (CURLOPT_CAINFO, options.authorityFile), (CURLOPT_SSLCERT, options.certificateFile),
            (CURLOPT_SSLKEY, options.keyFile), (CURLOPT_KEYPASSWD, options.keyPassphrase),
        ]
        for case (let option, let text?) in texts { weir_curl_set_text(handle, option, text) }
        let oldest =
            switch options.minimumTLSVersion {
            case .tls12: CURL_SSLVERSION_TLSv1_2
            case .tls13: CURL_SSLVERSION_TLSv1_3
            }
        let newest =
            switch options.maximumTLSVersion {
            case .tls12: CURL_SSLVERSION_MAX_TLSv1_2
            case .tls13: CURL_SSLVERSION_MAX_TLSv1_3
            }
        weir_curl_set_long(handle, CURLOPT_SSLVERSION, oldest | newest)
    }

    private func milliseconds(_ duration: Duration) -> Int {
        let parts = duration.components
        let whole = min(max(parts.seconds, 0), 1_000_000) * 1000
        return Int(whole) + Int(max(0, parts.attoseconds) / 1_000_000_000_000_000)
    }

    private func receive(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard body.count + bytes.count <= options.answerByteLimit else {
            isTooLarge = true
            return 0
        }
        body.append(bytes)
        return bytes.count
    }

    private func receiveHeader(_ bytes: UnsafeRawBufferPointer) {
        if let value = Self.value(of: "retry-after", in: bytes) { retryAfterText = value }
        for name in options.keptHeaders {
            if let value = Self.value(of: name, in: bytes) { keptHeaders[name] = value }
        }
    }

    /// The value of a header's line, if it is of this name, without blanks.
    private static func value(of name: String, in line: UnsafeRawBufferPointer) -> String? {
        let count = name.utf8.count
        guard line.count > count, line[count] == UInt8(ascii: ":"),
            zip(name.utf8, line).allSatisfy({ $0 == $1 | 0x20 || $0 == $1 })
        else { return nil }
        return String(decoding: line.dropFirst(count + 1), as: UTF8.self).filter {
            !$0.isWhitespace
        }
    }

    /// `Retry-After` in seconds; its other form, a date, is taken for a minute.
    private func retryAfter() -> Duration? {
        let text = retryAfterText
        guard !text.isEmpty else { return nil }
        guard let seconds = Int(text) else { return .seconds(60) }
        return .seconds(min(max(seconds, 0), 3600))
    }

    private func failure(_ code: CURLcode) -> HTTPError {
        if isAborted.load(ordering: .relaxed) { return .aborted }
        if isTooLarge { return .tooLarge }
        let text = String(cString: curl_easy_strerror(code))
        switch code {
        case CURLE_COULDNT_CONNECT, CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY:
            return .unreachable(text)
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM,
            CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_INVALIDCERTSTATUS:
            return .untrusted(text)
        case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL, CURLE_BAD_FUNCTION_ARGUMENT:
            return .misconfigured(text)
        default: return .interrupted(text)
        }
    }
}

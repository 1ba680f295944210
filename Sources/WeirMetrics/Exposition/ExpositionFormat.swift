/// The formats in which metrics are shown, and how a client's `Accept` chooses one.
public enum ExpositionFormat: Sendable, CaseIterable {
    /// Prometheus' text format, version 0.0.4.
    case text
    /// OpenMetrics' text format, version 1.0.0.
    case openMetrics
    /// Prometheus' protocol buffers: `io.prometheus.client.MetricFamily`, each behind its length.
    case protobuf

    /// The value of `Content-Type`.
    public var contentType: String {
        switch self {
        case .text: "text/plain; version=0.0.4; charset=utf-8"
        case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
        case .protobuf:
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; "
                + "encoding=delimited"
        }
    }

    /// Most parts of an `Accept` that are looked at.
    static let acceptPartLimit = 64

    /// The format that a client likes best; of two that it likes alike, the first that it names.
    ///
    /// Text for a client that accepts none of the formats: curious people with a browser.
    /// - Parameter accept: The value of `Accept` (RFC 9110, 12.5.1), if the client sent one.
    public static func negotiated(accept: String?) -> ExpositionFormat {
        guard let accept else { return .text }
        var best: (format: ExpositionFormat, quality: Double)?
        for part in accept.split(separator: ",").prefix(acceptPartLimit) {
            let words = part.split(separator: ";").map(trimmed)
            var parameters: [String: String] = [:]
            for word in words.dropFirst() {
                let sides = word.split(separator: "=", maxSplits: 1)
                guard sides.count == 2 else { continue }
                parameters[trimmed(sides[0]).lowercased()] = trimmed(sides[1])
            }
            let quality = quality(parameters["q"])
            guard quality > 0, let format = format(words.first ?? "", parameters) else { continue }
            if quality > best?.quality ?? 0 { best = (format, quality) }
        }
        return best?.format ?? .text
    }

    private static func format(
        _ type: String, _ parameters: [String: String]
    ) -> ExpositionFormat? {
        switch type.lowercased() {
        case "application/vnd.google.protobuf":
            let isOurs =
                parameters["proto"] == "io.prometheus.client.MetricFamily"
                && parameters["encoding"] == "delimited"
            return isOurs ? .protobuf : nil
        case "application/openmetrics-text":
            return ["1.0.0", "0.0.1", nil].contains(parameters["version"]) ? .openMetrics : nil
        case "text/plain": return ["0.0.4", nil].contains(parameters["version"]) ? .text : nil
        case "text/*", "*/*": return .text
        default: return nil
        }
    }

    private static func quality(_ text: String?) -> Double {
        guard let text else { return 1 }
        // What is no number says nothing about what the client likes.
        guard let number = Double(text), number.isFinite else { return 0 }
        return min(max(number, 0), 1)
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text.drop { $0 == " " || $0 == "\t" || $0 == "\"" }
        while let last = text.last, last == " " || last == "\t" || last == "\"" {
            text.removeLast()
        }
        return String(text)
    }

    /// Whether a client takes gzip (RFC 9110, 12.5.3).
    public static func acceptsGzip(acceptEncoding: String?) -> Bool {
        guard let acceptEncoding else { return false }
        for part in acceptEncoding.split(separator: ",").prefix(acceptPartLimit) {
            let words = part.split(separator: ";").map(trimmed)
            guard words.first?.lowercased() == "gzip" else { continue }
            let parameter = words.dropFirst().first { $0.hasPrefix("q=") }
            return quality(parameter.map { String($0.dropFirst(2)) }) > 0
        }
        return false
    }
}

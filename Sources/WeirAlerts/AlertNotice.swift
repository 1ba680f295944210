import WeirCore
import WeirPromQL

/// What somebody is told of an alert: that it fires, still, or that it has ended.
public struct AlertNotice: Sendable {
    /// Its labels with the external ones, ascending by name.
    public var labels: [(name: String, value: String)]
    /// Its texts.
    public var annotations: [(name: String, value: String)]
    /// Since when it fires, in milliseconds.
    public var startsAt: Int64
    /// Until when this holds: beyond now while it fires, when it ended after that.
    public var endsAt: Int64
    /// Whether it has ended.
    public var isResolved: Bool
    /// Where its expression can be looked at.
    public var generatorURL: String

    /// A notice by its parts; labels ascend by name.
    public init(
        labels: [(name: String, value: String)], annotations: [(name: String, value: String)],
        startsAt: Int64, endsAt: Int64, isResolved: Bool, generatorURL: String
    ) {
        self.labels = labels
        self.annotations = annotations
        self.startsAt = startsAt
        self.endsAt = endsAt
        self.isResolved = isResolved
        self.generatorURL = generatorURL
    }

    /// The labels as one text, which tells alerts apart.
    public var key: String { labels.map { "\($0.name)\u{ff}\($0.value)\u{ff}" }.joined() }
}

/// The body of `POST /api/v2/alerts` of an Alertmanager, to the byte as Prometheus writes it.
public enum AlertmanagerBody {
    /// Appends notices as an array.
    public static func append(_ notices: some Sequence<AlertNotice>, to buffer: inout ByteBuffer) {
        buffer.append("[")
        var isFirst = true
        for notice in notices {
            if !isFirst { buffer.append(",") }
            isFirst = false
            buffer.append("{")
            if !notice.annotations.isEmpty {
                buffer.append(#""annotations":"#)
                append(notice.annotations, to: &buffer)
                buffer.append(",")
            }
            buffer.append(
                "\"endsAt\":\"\(time(notice.endsAt))\",\"startsAt\":\"\(time(notice.startsAt))\"")
            buffer.append(#","generatorURL":"#)
            append(notice.generatorURL, to: &buffer)
            buffer.append(#","labels":"#)
            append(notice.labels, to: &buffer)
            buffer.append("}")
        }
        buffer.append("]")
    }

    private static func append(
        _ pairs: [(name: String, value: String)], to buffer: inout ByteBuffer
    ) {
        buffer.append("{")
        let sorted = pairs.sorted { QuerySymbols.isBefore($0.name, $1.name) }
        for (place, pair) in sorted.enumerated() {
            if place > 0 { buffer.append(",") }
            append(pair.name, to: &buffer)
            buffer.append(":")
            append(pair.value, to: &buffer)
        }
        buffer.append("}")
    }

    /// A text in quotes; what could be markup is escaped, as Go's encoder does.
    private static func append(_ text: String, to buffer: inout ByteBuffer) {
        buffer.append("\"")
        var rest = text[...]
        while let place = rest.firstIndex(where: { "<>&\u{2028}\u{2029}".contains($0) }) {
            appendEscaped(String(rest[..<place]), to: &buffer)
            for scalar in rest[place].unicodeScalars {
                let digits = String(scalar.value, radix: 16)
                buffer.append("\\u" + String(repeating: "0", count: 4 - digits.count) + digits)
            }
            rest = rest[rest.index(after: place)...]
        }
        appendEscaped(String(rest), to: &buffer)
        buffer.append("\"")
    }

    /// A time in RFC 3339 with three decimals.
    private static func time(_ milliseconds: Int64) -> String {
        let rest = ((milliseconds % 1_000) + 1_000) % 1_000
        let date = TimeFormat.text(
            of: Timestamp(seconds: (milliseconds - rest) / 1_000), format: "%Y-%m-%dT%H:%M:%S",
            zone: .utc)
        let digits = "\(rest)"
        return "\(date).\(String(repeating: "0", count: 3 - digits.count))\(digits)Z"
    }
}

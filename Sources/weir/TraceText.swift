import WeirCore
import WeirTraces

/// A trace as people read it in a terminal.
enum TraceText {
    /// How wide the bars are.
    private static let barWidth = 40
    /// Most characters of a line before its bar.
    private static let nameWidth = 56

    /// The waterfall of a trace: a line for each span, under the one that called it.
    static func waterfall(_ unmerged: [SpanRecord]) -> String {
        let tree = SpanTree(MergedTrace.merge(unmerged))
        let begins = tree.spans.map(\.timestamp).filter { $0 > 0 }
        let begin = begins.min() ?? 0
        let end = tree.spans.map { $0.timestamp &+ $0.duration }.max() ?? 0
        let total = end > begin ? end - begin : 0
        let services = Set(tree.spans.map(\.local.service)).count
        var text =
            "trace \(tree.spans.first?.traceID.hex ?? "")  \(tree.spans.count) spans, "
            + "\(services) services, \(time(total))"
        if begin > 0 {
            let start = Timestamp(
                seconds: Int64(clamping: begin / 1_000_000),
                nanoseconds: UInt32(begin % 1_000_000) * 1_000)
            text +=
                ", from \(TimeFormat.text(of: start, format: "%Y-%m-%dT%H:%M:%S.%LZ", zone: .utc))"
        }
        text += "\n"
        for index in tree.spans.indices {
            text += line(tree.spans[index], depth: tree.depth(of: index), begin, total) + "\n"
        }
        return text
    }

    private static func line(
        _ span: SpanRecord, depth: Int, _ begin: UInt64, _ total: UInt64
    ) -> String {
        let indent = String(repeating: "  ", count: min(depth, 12))
        let service = span.local.service.isEmpty ? "?" : span.local.service
        let kind = span.kind == .none ? "" : " \(span.kind.name)".lowercased()
        let name = "\(indent)\(service) \(span.name)\(kind)"
        var line = padded(plain(name), to: nameWidth) + " " + bar(span, begin, total)
        line += " " + (span.duration > 0 ? time(span.duration) : "-")
        if let error = span[tag: "error"] {
            line += " ✗" + (error.isEmpty || error == "true" ? "" : " \(plain(error))")
        }
        if let code = span[tag: "http.status_code"] { line += " \(plain(code))" }
        if let flags = span[tag: "response_flags"], flags != "-" { line += " \(plain(flags))" }
        return line
    }

    /// A text without what would move a terminal's cursor or change its colours: it came from outside.
    private static func plain(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { scalar in
                    let isControl = scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value)
                    return isControl ? " " : scalar
                }))
    }

    /// Where in the trace's time a span lies.
    private static func bar(_ span: SpanRecord, _ begin: UInt64, _ total: UInt64) -> String {
        guard total > 0, span.timestamp >= begin, span.timestamp > 0 else {
            return String(repeating: "·", count: barWidth)
        }
        func column(_ time: UInt64) -> Int {
            min(Int(Double(time) / Double(total) * Double(barWidth)), barWidth)
        }
        let start = min(column(span.timestamp - begin), barWidth - 1)
        let end = max(start + 1, column(span.timestamp - begin + span.duration))
        return String(repeating: "·", count: start) + String(repeating: "█", count: end - start)
            + String(repeating: "·", count: barWidth - end)
    }

    private static func padded(_ text: String, to width: Int) -> String {
        if text.count > width { return text.prefix(width - 1) + "…" }
        return text + String(repeating: " ", count: width - text.count)
    }

    /// Microseconds as people say them.
    static func time(_ microseconds: UInt64) -> String {
        switch microseconds {
        case ..<1_000: return "\(microseconds)µs"
        case ..<1_000_000:
            let tenths = microseconds / 100
            return tenths < 1_000 ? "\(tenths / 10).\(tenths % 10)ms" : "\(tenths / 10)ms"
        default:
            let hundredths = microseconds / 10_000
            return "\(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100)s"
        }
    }

    /// One line about a trace: its id, age, length, size, and what it began with.
    static func summary(_ unmerged: [SpanRecord]) -> String {
        let tree = SpanTree(MergedTrace.merge(unmerged))
        let begin = tree.spans.map(\.timestamp).filter { $0 > 0 }.min() ?? 0
        let end = tree.spans.map { $0.timestamp &+ $0.duration }.max() ?? 0
        let start = Timestamp(
            seconds: Int64(clamping: begin / 1_000_000),
            nanoseconds: UInt32(begin % 1_000_000) * 1_000)
        let errors = tree.spans.count { $0[tag: "error"] != nil }
        let root = tree.spans.first
        return [
            TimeFormat.text(of: start, format: "%Y-%m-%dT%H:%M:%S.%LZ", zone: .utc),
            root?.traceID.hex ?? "", time(end > begin ? end - begin : 0),
            "\(tree.spans.count) spans", errors > 0 ? "✗ \(errors)" : "-",
            plain("\(root?.local.service ?? "") \(root?.name ?? "")"),
        ].joined(separator: "  ")
    }
}

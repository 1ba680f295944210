import WeirCore
import WeirPromQL

/// Numbers for people (Prometheus: template/template.go).
public enum Humanize {
    private static func four(_ value: Double) -> String {
        GoFormat.number(value, "g", precision: 4)
    }

    /// Four digits and a decimal prefix.
    static func decimal(_ value: Double) -> String {
        guard value != 0, value.isFinite else { return four(value) }
        var rest = value
        var prefix = ""
        if abs(value) >= 1 {
            for next in ["k", "M", "G", "T", "P", "E", "Z", "Y"] {
                if abs(rest) < 1_000 { break }
                prefix = next
                rest /= 1_000
            }
        } else {
            for next in ["m", "u", "n", "p", "f", "a", "z", "y"] {
                if abs(rest) >= 1 { break }
                prefix = next
                rest *= 1_000
            }
        }
        return four(rest) + prefix
    }

    /// Four digits and a binary prefix.
    static func binary(_ value: Double) -> String {
        guard abs(value) > 1, value.isFinite else { return four(value) }
        var rest = value
        var prefix = ""
        for next in ["ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"] {
            if abs(rest) < 1_024 { break }
            prefix = next
            rest /= 1_024
        }
        return four(rest) + prefix
    }

    /// Seconds in days, hours, minutes and seconds.
    public static func duration(_ value: Double) -> String {
        guard value.isFinite else { return four(value) }
        if value == 0 { return four(value) + "s" }
        if abs(value) < 1 {
            var rest = value
            var prefix = ""
            for next in ["m", "u", "n", "p", "f", "a", "z", "y"] {
                if abs(rest) >= 1 { break }
                prefix = next
                rest *= 1_000
            }
            return "\(four(rest))\(prefix)s"
        }
        let sign = value < 0 ? "-" : ""
        let size = abs(value)
        let whole = size < 9e18 ? Int64(size) : .max
        let (seconds, minutes) = (whole % 60, whole / 60 % 60)
        let (hours, days) = (whole / 3_600 % 24, whole / 86_400)
        if days > 0 { return "\(sign)\(days)d \(hours)h \(minutes)m \(seconds)s" }
        if hours > 0 { return "\(sign)\(hours)h \(minutes)m \(seconds)s" }
        if minutes > 0 { return "\(sign)\(minutes)m \(seconds)s" }
        return "\(sign)\(four(size))s"
    }

    /// A ratio in hundredths.
    static func percentage(_ value: Double) -> String { four(value * 100) + "%" }

    /// Seconds since 1970 as a time of day.
    static func timestamp(_ value: Double) throws(TemplateFailure) -> String {
        guard value.isFinite else { return four(value) }
        return TemplateTime.text(nanoseconds: try nanoseconds(value))
    }

    /// Seconds as nanoseconds that a time can hold.
    static func nanoseconds(_ seconds: Double) throws(TemplateFailure) -> Double {
        let nanoseconds = seconds * 1e9
        guard nanoseconds.isFinite, abs(nanoseconds) < 9.2e18 else {
            throw TemplateFailure(
                "\(GoText.shortest(seconds)) cannot be represented as a nanoseconds timestamp since it overflows int64"
            )
        }
        return nanoseconds
    }
}

/// Times and spans as Go prints them.
enum TemplateTime {
    /// A time of day in UTC: `2006-01-02 15:04:05.5 +0000 UTC`.
    static func text(nanoseconds: Double) -> String {
        let whole = Int64(max(min(nanoseconds, 9.2e18), -9.2e18))
        var seconds = whole / 1_000_000_000
        var rest = whole % 1_000_000_000
        if rest < 0 {
            seconds -= 1
            rest += 1_000_000_000
        }
        let date = TimeFormat.text(
            of: Timestamp(seconds: seconds), format: "%Y-%m-%d %H:%M:%S", zone: .utc)
        var fraction = ""
        if rest > 0 {
            let digits = "\(rest)"
            fraction = "." + String(repeating: "0", count: 9 - digits.count) + digits
            while fraction.hasSuffix("0") { fraction.removeLast() }
        }
        return "\(date)\(fraction) +0000 UTC"
    }

    /// A span as Go prints a duration: `1h2m3.5s`.
    static func text(seconds: Double) -> String {
        if seconds == 0 { return "0s" }
        let sign = seconds < 0 ? "-" : ""
        let size = abs(seconds)
        for (unit, scale) in [("ns", 1e-6), ("µs", 1e-3), ("ms", 1.0)] where size < scale {
            return "\(sign)\(GoText.shortest((size / scale * 1_000 * 1e6).rounded() / 1e6))\(unit)"
        }
        let whole = Int64(min(size, 9e18))
        var text = sign
        if whole >= 3_600 { text += "\(whole / 3_600)h" }
        if whole >= 60 { text += "\(whole / 60 % 60)m" }
        let rest = size - Double(whole / 60 * 60)
        return text + GoText.shortest((rest * 1e9).rounded() / 1e9) + "s"
    }
}

/// Parts of hosts and addresses.
enum HostText {
    /// A host without its port, if it has one.
    static func withoutPort(_ text: String) -> String {
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]"), text[end...].hasPrefix("]:") else {
                return text
            }
            return String(text[text.index(after: text.startIndex)..<end])
        }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        return parts.count == 2 ? String(parts[0]) : text
    }

    /// A host's first name, its port kept; an address stays as it is.
    static func withoutDomain(_ text: String) -> String {
        let host = withoutPort(text)
        let port = text.hasPrefix("[") ? text.dropFirst(host.count + 2) : text.dropFirst(host.count)
        if host.contains(":") || host.split(separator: ".").allSatisfy({ UInt8($0) != nil }) {
            return text
        }
        return String(host.prefix { $0 != "." }) + port
    }

    /// The path of an address.
    static func path(of url: String) -> String {
        guard let scheme = url.firstRange(of: "://") else { return url }
        let rest = url[scheme.upperBound...]
        return String(rest.drop { $0 != "/" })
    }
}

import Glibc
import WeirCore

/// Paths as users write them: with dates and wildcards.
enum TailPattern {
    /// The pattern with its strftime sequences filled in, in local time.
    static func expanded(_ pattern: String, at time: Timestamp) -> String {
        guard pattern.contains("%") else { return pattern }
        var seconds = time_t(time.seconds)
        var parts = tm()
        localtime_r(&seconds, &parts)
        var room = [CChar](repeating: 0, count: 4096)
        let count = strftime(&room, room.count, pattern, &parts)
        guard count > 0 else { return pattern }
        return String(decoding: room.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Whether a pattern has wildcards.
    static func isGlob(_ pattern: String) -> Bool { pattern.contains { "*?[".contains($0) } }

    /// Whether a path comes from a pattern with wildcards or dates, and not from its plain name.
    static func isGlobbed(_ path: String, _ patterns: [String]) -> Bool { !patterns.contains(path) }
}

import WeirCore
import WeirHost

/// Paths as users write them: with dates and wildcards.
struct TailPattern {
    private let text: String
    private let policy: TailOptions.GlobPolicy
    private let zone: TimeZone

    /// A path or pattern of a tail.
    init(_ text: String, policy: TailOptions.GlobPolicy, zone: TimeZone) {
        self.text = text
        self.policy = policy
        self.zone = zone
    }

    /// The pattern with its dates filled in.
    func expanded(at time: Timestamp) -> String {
        text.contains("%") ? TimeFormat.text(of: time, format: text, zone: zone) : text
    }

    /// The paths that it names at a time: of a pattern those that exist, of a plain path itself.
    func paths(at time: Timestamp) -> [String] {
        let pattern = expanded(at: time)
        guard policy == .always else {
            return Self.isGlob(pattern, policy) ? FileNames.matching(pattern) : [pattern]
        }
        return Self.alternatives(of: pattern).flatMap { pattern in
            Self.isGlob(pattern, policy) ? FileNames.matching(pattern) : [pattern]
        }
    }

    /// Whether a pattern has wildcards.
    private static func isGlob(_ pattern: String, _ policy: TailOptions.GlobPolicy) -> Bool {
        switch policy {
        case .backwardCompatible: pattern.contains("*")
        case .extended, .always: pattern.contains { "*?[".contains($0) }
        }
    }

    /// The patterns that `{a,b}` stands for, at most 1,000.
    static func alternatives(of pattern: String) -> [String] {
        var done: [String] = []
        var open = [pattern]
        while let next = open.popLast(), done.count + open.count < 1000 {
            guard let end = next.firstIndex(of: "}"),
                let start = next[..<end].lastIndex(of: "{")
            else {
                done.append(next)
                continue
            }
            let inner = next[next.index(after: start)..<end]
            for part in inner.split(separator: ",", omittingEmptySubsequences: false) {
                open.append(String(next[..<start]) + part + String(next[next.index(after: end)...]))
            }
        }
        return done.sorted()
    }
}

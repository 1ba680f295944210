import WeirCore

/// `<group>`: files that share a limit of lines, by what their paths tell of them.
public struct TailGroup: Sendable {
    /// One `<rule>`.
    public struct Rule: Sendable {
        /// Patterns that the named parts of the path must match.
        public var patterns: [String: Regex]
        /// Most lines of all files of the rule in a period; `nil` for no limit.
        public var lineLimit: Int?

        /// A rule by its parts.
        public init(patterns: [String: Regex], lineLimit: Int?) {
            self.patterns = patterns
            self.lineLimit = lineLimit
        }
    }

    /// The pattern of paths, with a named group per part.
    public var pattern: Regex
    /// The time to which the limits apply.
    public var period: Duration
    /// The rules, those with the most parts first.
    public private(set) var rules: [Rule]

    /// A group by its parts.
    public init(pattern: Regex, period: Duration, rules: [Rule]) {
        self.pattern = pattern
        self.period = period
        self.rules = rules.enumerated().sorted { left, right in
            left.element.patterns.count == right.element.patterns.count
                ? left.offset < right.offset
                : left.element.patterns.count > right.element.patterns.count
        }.map(\.element)
    }

    /// The index of the first rule that a path's file falls under; `nil` for none.
    func rule(for path: String) -> Int? {
        var text = path
        let matcher = RegexMatcher(pattern)
        var parts: [String: String] = [:]
        let isMatched = text.withUTF8 { bytes in
            guard matcher.match(UnsafeRawBufferPointer(bytes)) == .matched else { return false }
            for (index, name) in pattern.groupNames.enumerated() {
                guard let range = matcher.group(index) else { continue }
                parts[name] = String(decoding: bytes[range], as: UTF8.self)
            }
            return true
        }
        guard isMatched else { return nil }
        return rules.firstIndex { rule in
            rule.patterns.allSatisfy { name, pattern in
                parts[name].map { pattern.matches($0) } ?? false
            }
        }
    }
}

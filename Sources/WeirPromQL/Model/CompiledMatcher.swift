/// A label matcher ready to be asked.
public struct CompiledMatcher: Sendable {
    /// What was written.
    public let matcher: LabelMatcher
    private let pattern: LabelPattern?

    /// Compiles a matcher.
    /// - Throws: Why its pattern is refused.
    public init(_ matcher: LabelMatcher) throws(LabelPatternError) {
        self.matcher = matcher
        switch matcher.operation {
        case .equal, .notEqual: pattern = nil
        case .matches, .notMatches: pattern = try LabelPattern(matcher.value)
        }
    }

    /// Whether some value was not decided, since its pattern takes too many steps.
    var isUnsure: Bool { pattern?.isUnsure ?? false }

    /// Whether a label's value passes; the empty text stands for a label that is not there.
    public func passes(_ value: String) -> Bool {
        switch matcher.operation {
        case .equal: value == matcher.value
        case .notEqual: value != matcher.value
        case .matches: pattern?.matches(value) ?? false
        case .notMatches: !(pattern?.matches(value) ?? false)
        }
    }
}

import WeirCore

extension RegexLiteral {
    /// The pattern ready for matching; a broken one is told at its place.
    public func compiled(at place: SourceLocation) throws(SectionError) -> Regex {
        do {
            return try Regex(
                source, ignoresCase: ignoresCase, dotMatchesLineEnds: dotMatchesLineEnds)
        } catch {
            throw SectionError(place, error.message, help: error.help)
        }
    }
}

/// A mistake that only the reading of several parameters together shows.
public struct SectionError: Error, Sendable {
    /// The remark for the user.
    public var diagnostic: Diagnostic

    /// A mistake at a place, and how to mend it.
    public init(_ location: SourceLocation, _ message: String, help: String) {
        diagnostic = Diagnostic(at: location, message, help: help)
    }
}

import WeirConfig

/// `<secondary>`: another output for chunks that the first one does not take.
public enum SecondarySection {
    /// The section as outputs declare it.
    public static let declaration = SectionDeclaration(
        "secondary", .optional, family: .output,
        parameters: [AnyParameter(Parameter.text("@type", "The kind of output."))],
        "Where chunks go that were tried in vain.")
}

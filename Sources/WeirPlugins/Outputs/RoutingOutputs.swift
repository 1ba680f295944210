import WeirConfig

/// Outputs that only say where events go on.
enum RoutingOutputs {
    /// `@type copy`
    static let copy = ComponentDeclaration(
        .output, type: "copy", "Gives every event to several outputs.",
        ignored: [
            IgnoredParameter("copy_mode", because: "no store sees what another one changes"),
            IgnoredParameter("deep_copy", because: "no store sees what another one changes"),
        ],
        sections: [
            SectionDeclaration(
                "store", .many, family: .output,
                parameters: [AnyParameter(Parameter.text("@type", "The kind of output."))],
                "One of the outputs.")
        ],
        examples: [
            "<match **>\n  @type copy\n  <store>\n    @type stdout\n  </store>\n"
                + "  <store>\n    @type null\n  </store>\n</match>"
        ])

    /// `@type relabel`
    static let relabel = ComponentDeclaration(
        .output, type: "relabel", "Sends events to the rules of a `<label>`: the one of `@label`.")
}

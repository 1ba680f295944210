import WeirConfig

/// Every parser that a `<parse>` can name: one line each.
public enum ParserCatalog {
    /// The declarations.
    public static let declarations: [ComponentDeclaration] = [
        CRIParser.declaration, EnvoyParser.declaration, JSONParser.declaration,
        NoneParser.declaration,
        RegexpParser.declaration,
    ]

    /// The parser that a section describes.
    public static func parser(_ section: Section) throws(SectionError) -> any LineParser {
        switch section.type {
        case "cri": return try CRIParser(section)
        case "envoy": return try EnvoyParser(section)
        case "json": return try JSONParser(section)
        case "none": return try NoneParser(section)
        case "regexp": return try RegexpParser(section)
        default:
            throw SectionError(
                section.element.location, "there is no parser `\(section.type)`",
                help: "see `weir docs`")
        }
    }
}

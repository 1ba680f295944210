import Testing
import WeirConfig
import WeirCore
import WeirHost
import WeirParse
import WeirTesting

/// The section of a `<parse>` with this content, and what is wrong with it.
func parseSection(_ content: String) -> (section: Section, diagnostics: [Diagnostic])? {
    let text = "<parse>\n\(content)\n</parse>\n"
    let read = ConfigReader.read(
        text: Array(text.utf8), name: "case.conf", files: RealConfigFiles())
    guard let element = read.root.elements.first,
        let type = element["@type"]?.value.string,
        let declaration = ParserCatalog.declarations.first(where: { $0.type == type })
    else { return nil }
    var diagnostics = read.diagnostics
    let section = Section(
        element, as: declaration, catalog: ComponentCatalog(ParserCatalog.declarations),
        into: &diagnostics)
    return (section, diagnostics)
}

/// A parser as the content of a `<parse>` describes it.
func parser(_ content: String) throws -> any LineParser {
    let (section, diagnostics) = try #require(parseSection(content))
    if diagnostics.hasErrors { throw ConfigurationError(diagnostics) }
    do {
        return try ParserCatalog.parser(section)
    } catch {
        throw ConfigurationError([error.diagnostic])
    }
}

/// A text between double quotes, as the configuration's language writes it.
func quoted(_ text: String) -> String {
    let escaped = text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
        .replacing("\r\n", with: "\\r\\n").replacing("\n", with: "\\n").replacing("\r", with: "\\r")
        .replacing("\t", with: "\\t")
        .replacing("#{", with: "\\#{")
    return "\"\(escaped)\""
}

/// A batch of the lines of some bytes, read by a parser.
func batch(
    _ bytes: [UInt8], by parser: any LineParser, now: Timestamp = .epoch
) -> EventBatch {
    let batch = EventBatch()
    bytes.withUnsafeBytes { batch.fillBlock(copying: $0) }
    let end = batch.cutLines(position: 0)
    if end < bytes.count {
        batch.lines.append(
            Line(
                offset: UInt32(end), length: UInt32(bytes.count - end), position: UInt64(end)))
    }
    parser.parse(into: batch, now: now)
    return batch
}

/// The records that a parser reads from a text.
func records(_ text: String, by content: String) throws -> [Record] {
    let batch = batch(Array(text.utf8), by: try parser(content))
    return batch.rows.indices.map { batch.record(row: $0) }
}

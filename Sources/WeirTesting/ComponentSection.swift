import WeirConfig
import WeirCore
import WeirPlugins

/// The section of a component that a test wrote as text.
public enum ComponentSection {
    /// Text without files.
    private struct OneFile: ConfigFiles {
        let text: String
        var hostName: String { "kit-host.example" }

        func contents(of path: String) -> [UInt8]? {
            path == "case.conf" ? Array(text.utf8) : nil
        }

        func paths(matching pattern: String) -> [String] { [] }

        func environment(_ name: String) -> String? { nil }
    }

    /// The first component of a configuration, and all that was remarked.
    public static func read(
        _ text: String, as family: ComponentFamily
    ) -> (section: Section?, diagnostics: [Diagnostic]) {
        let (root, found) = ConfigReader.read(path: "case.conf", files: OneFile(text: text))
        var diagnostics = found
        guard let element = root.elements.first else { return (nil, diagnostics) }
        let type = element["@type"]?.value.string ?? ""
        guard let declaration = PluginCatalog.catalog.declaration(family, type) else {
            diagnostics.append(
                Section.unknownType(
                    type, family, at: element["@type"], in: element, PluginCatalog.catalog))
            return (nil, diagnostics)
        }
        let section = Section(
            element, as: declaration, catalog: PluginCatalog.catalog, into: &diagnostics)
        return (diagnostics.hasErrors ? nil : section, diagnostics)
    }
}

import ArgumentParser
import WeirAgent
import WeirConfig
import WeirPlugins

/// `weir docs`
struct DocsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "docs", abstract: "The reference of every component, from its declaration.")

    @Argument(help: "A component's name, such as `tail`; without it all are listed.")
    var name: String?

    func run() throws {
        let catalog = PluginCatalog.catalog
        guard let name else {
            print(Manual.index(catalog), terminator: "")
            return
        }
        let found = catalog.all.filter { $0.type == name }
        guard !found.isEmpty else {
            let near = nearest(to: name, in: Set(catalog.all.map(\.type)))
            throw ValidationError(
                "there is no component `\(name)`"
                    + (near.map { "; did you mean `\($0)`?" } ?? "; `weir docs` lists all"))
        }
        print(found.map { Manual.page($0) }.joined(separator: "\n"))
    }
}

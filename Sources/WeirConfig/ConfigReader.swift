/// Reads Fluentd's classic language into a tree of elements, with every mistake it finds.
///
/// Rules and quirks follow Fluentd 1.16 (`lib/fluent/config/v1_parser.rb`, `literal_parser.rb`).
public struct ConfigReader {
    /// Deepest nesting of elements.
    public static let depthLimit = 64
    /// Deepest nesting of `@include`, and most files read.
    public static let includeLimit = 1000

    /// Most mistakes that are told.
    static let diagnosticLimit = 200

    let files: any ConfigFiles
    var diagnostics: [Diagnostic] = []
    var openFiles: [String] = []
    var fileCount = 0

    /// A reader that takes files from `files`.
    public init(files: any ConfigFiles) {
        self.files = files
    }

    /// Reads a file and all that it includes.
    /// - Returns: The root element, and what was wrong.
    public static func read(
        path: String, files: any ConfigFiles
    ) -> (root: ConfigElement, diagnostics: [Diagnostic]) {
        guard let bytes = files.contents(of: path) else {
            let place = SourceLocation(file: path, line: 1, column: 1)
            let problem = Diagnostic(
                at: place, "the file cannot be read",
                help: "check that it exists, is readable and is no larger than 16 MiB")
            return (ConfigElement(name: "ROOT", location: place), [problem])
        }
        return read(text: bytes, name: path, files: files)
    }

    /// Reads a text as if it were a file of this name.
    public static func read(
        text: [UInt8], name: String, files: any ConfigFiles
    ) -> (root: ConfigElement, diagnostics: [Diagnostic]) {
        var reader = ConfigReader(files: files)
        var root = ConfigElement(
            name: "ROOT", location: SourceLocation(file: name, line: 1, column: 1))
        reader.openFiles = [name]
        var scanner = ConfigScanner(bytes: text, file: name)
        reader.readBody(of: &root, &scanner, depth: 0, closing: nil)
        return (root, reader.diagnostics)
    }

    mutating func report(_ location: SourceLocation, _ message: String, help: String) {
        if diagnostics.count < Self.diagnosticLimit {
            diagnostics.append(Diagnostic(at: location, message, help: help))
        }
    }

    /// Reads parameters and elements up to the closing tag or the end of the text.
    mutating func readBody(
        of element: inout ConfigElement, _ scanner: inout ConfigScanner, depth: Int,
        closing: String?
    ) {
        while true {
            scanner.skipBlankAndComments()
            if scanner.isAtEnd {
                if let closing {
                    report(
                        element.location, "`<\(closing)>` is never closed",
                        help: "add `</\(closing)>` where it ends")
                }
                return
            }
            let place = scanner.location
            if scanner.take("</") {
                if readClosing(&scanner, place, closing, depth: depth) { return }
            } else if scanner.byte == UInt8(ascii: "<") {
                readElement(into: &element, &scanner, depth: depth)
            } else {
                readAttribute(into: &element, &scanner, depth: depth, isRoot: closing == nil)
            }
        }
    }

    /// - Returns: Whether the element that is being read ends here.
    private mutating func readClosing(
        _ scanner: inout ConfigScanner, _ place: SourceLocation, _ closing: String?, depth: Int
    ) -> Bool {
        let name = scanner.takeTagName()
        // As in Fluentd, the bracket may stand on a line further down.
        var further = scanner
        further.skipBlankAndComments()
        guard further.take(">") else {
            report(
                place, "`</\(name)` is not a closing tag",
                help: "write `</\(closing ?? name)>`: names have letters, digits and `_` only")
            scanner.skipLine()
            return name == closing
        }
        scanner = further
        if !scanner.takeLineEnd() {
            report(
                scanner.location, "text behind a closing tag",
                help: "put it on a line of its own, or behind a `#` as a comment")
            scanner.skipLine()
        }
        if name == closing { return true }
        if let closing {
            report(
                place, "`</\(name)>` closes nothing: `<\(closing)>` is open here",
                help: "write `</\(closing)>`")
            // Mostly a misspelt tag: going on as if it closed gives the fewest further mistakes.
            return true
        }
        report(
            place, "`</\(name)>` closes nothing",
            help: "remove it, or open `<\(name)>` before it")
        return false
    }

    private mutating func readElement(
        into parent: inout ConfigElement, _ scanner: inout ConfigScanner, depth: Int
    ) {
        let place = scanner.location
        _ = scanner.take("<")
        let name = scanner.takeTagName()
        var element = ConfigElement(name: name, location: place)
        if name.isEmpty {
            report(
                place, "a tag without a name",
                help: "write `<name argument>`: names have letters, digits and `_` only")
        }
        scanner.skipBlankAndComments()
        element.argument = readArgument(&scanner)
        if !scanner.take(">") {
            report(place, "`<\(name)` has no `>`", help: "end the tag's line with `>`")
            scanner.skipLine()
        } else if !scanner.takeLineEnd() {
            report(
                scanner.location, "text behind `<\(name)>`",
                help: "put it on a line of its own, and `</\(name)>` too")
            scanner.skipLine()
        }
        if depth >= Self.depthLimit {
            report(
                place, "more than \(Self.depthLimit) elements stand inside each other",
                help: "close the outer ones first")
            scanner.skipToEnd()
            return
        }
        readBody(of: &element, &scanner, depth: depth + 1, closing: name)
        parent.elements.append(element)
    }

    private mutating func readArgument(_ scanner: inout ConfigScanner) -> String {
        guard scanner.byte != UInt8(ascii: ">") else { return "" }
        if scanner.byte == UInt8(ascii: "\"") || scanner.byte == UInt8(ascii: "'") {
            let value = readValue(&scanner, isArgument: true)
            scanner.skipSpace()
            return value.string
        }
        return scanner.takeArgument()
    }

    private mutating func readAttribute(
        into element: inout ConfigElement, _ scanner: inout ConfigScanner, depth: Int, isRoot: Bool
    ) {
        let place = scanner.location
        let isQuoted = scanner.byte == UInt8(ascii: "\"") || scanner.byte == UInt8(ascii: "'")
        let name = readName(&scanner)
        if isQuoted, !scanner.isAtBlank {
            report(
                scanner.location, "text behind a quoted name",
                help: "put a blank between the name and its value")
            scanner.skipLine()
            return
        }
        scanner.skipSpace()
        let valuePlace = scanner.location
        let hasValue = !scanner.isAtBareLineEnd
        if name == "@include" && (isRoot || hasValue) || name == "include" && isRoot {
            readInclude(into: &element, &scanner, place, depth: depth, isRoot: isRoot)
            return
        }
        let value = readValue(&scanner, isArgument: false)
        if !scanner.takeLineEnd() {
            report(
                scanner.location, "text behind the value of `\(name)`",
                help: "quote the whole value, or make the rest a comment: ` # …`")
            scanner.skipLine()
        }
        let isReserved = isRoot || reservingSections.contains(element.name)
        if name.hasPrefix("@"), hasValue, isReserved, !reservedNames.contains(name) {
            report(
                place, "`\(name)` is not a parameter: names with `@` are reserved",
                help: "Fluentd has @type, @id, @label and @log_level")
            return
        }
        element.add(
            ConfigAttribute(name: name, value: value, location: place, valueLocation: valuePlace))
    }

    private var reservingSections: Set<String> { ["source", "match", "filter", "system"] }

    private var reservedNames: Set<String> { ["@type", "@id", "@label", "@log_level"] }

    private mutating func readName(_ scanner: inout ConfigScanner) -> String {
        if scanner.byte == UInt8(ascii: "\"") || scanner.byte == UInt8(ascii: "'") {
            return readValue(&scanner, isArgument: true).string
        }
        return scanner.takeName()
    }
}

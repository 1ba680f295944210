extension ConfigReader {
    /// Reads the path behind `@include`, and the files that it names, into the element.
    mutating func readInclude(
        into element: inout ConfigElement, _ scanner: inout ConfigScanner, _ place: SourceLocation,
        depth: Int, isRoot: Bool
    ) {
        // Outside sections Fluentd looks for the path beyond line ends and comments.
        if isRoot { scanner.skipBlankAndComments() }
        let value = readValue(&scanner, isArgument: true)
        if !scanner.takeLineEnd() { scanner.skipLine() }
        let text = value.string
        if text.isEmpty {
            report(place, "`@include` names no file", help: "write `@include path/to/file.conf`")
            return
        }
        guard let pattern = path(ofURI: text) else {
            report(
                place, "`@include` cannot take `\(text)`",
                help: "write a path, where `*` stands for any name: Fluentd reads it as a URI, "
                    + "so `[ ] { } ? #` and letters beyond ASCII are written as `%5B` and so on, "
                    + "and URLs are not fetched")
            return
        }
        let base = scanner.file.lastIndex(of: "/").map { String(scanner.file[...$0]) } ?? ""
        let full = normalized(pattern.hasPrefix("/") ? pattern : base + pattern)
        let paths = files.paths(matching: full)
        if paths.isEmpty, diagnostics.count < Self.diagnosticLimit {
            // Fluentd goes on in silence, and optional files rest on it.
            diagnostics.append(
                Diagnostic(
                    .warning, at: place, "no file is called `\(full)`",
                    help: "nothing is included; the path is relative to the including file"))
        }
        for path in paths { include(path, into: &element, place, depth: depth) }
    }

    /// The path that a URI names; `nil` when it is no URI, or not one of a file.
    ///
    /// Blanks stand for themselves, as does a `+` for a blank (Fluentd: `eval_include`).
    private func path(ofURI text: String) -> String? {
        var rest = Array(text.utf8)[...]
        if text.hasPrefix("file:") {
            rest = rest.dropFirst(5)
            if rest.starts(with: "//".utf8) { rest = rest.dropFirst(2) }
        } else if let colon = rest.firstIndex(of: UInt8(ascii: ":")),
            !rest[..<colon].contains(UInt8(ascii: "/"))
        {
            return nil
        }
        let refused = Array("[]{}|\\^<>\"`?#".utf8)
        var bytes: [UInt8] = []
        while let byte = rest.popFirst() {
            guard byte > 0x1f, byte < 0x7f, !refused.contains(byte) else { return nil }
            if byte == UInt8(ascii: "+") {
                bytes.append(UInt8(ascii: " "))
            } else if byte == UInt8(ascii: "%") {
                let digits = String(decoding: rest.prefix(2), as: UTF8.self)
                guard digits.utf8.count == 2, let decoded = UInt8(digits, radix: 16) else {
                    return nil
                }
                bytes.append(decoded)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// A path without `.` and `..`.
    private func normalized(_ path: String) -> String {
        var parts: [Substring] = []
        for part in path.split(separator: "/") where part != "." {
            if part == "..", let last = parts.last, last != ".." {
                parts.removeLast()
            } else if part != ".." || !path.hasPrefix("/") {
                parts.append(part)
            }
        }
        return (path.hasPrefix("/") ? "/" : "") + parts.joined(separator: "/")
    }

    private mutating func include(
        _ path: String, into element: inout ConfigElement, _ place: SourceLocation, depth: Int
    ) {
        fileCount += 1
        if openFiles.contains(path) || fileCount > Self.includeLimit || depth >= Self.depthLimit {
            report(
                place, "`\(path)` includes itself",
                help: "remove one of the `@include` lines of the circle")
            return
        }
        guard let bytes = files.contents(of: path) else {
            report(
                place, "`\(path)` cannot be read",
                help: "check that it is a file that this user may read")
            return
        }
        openFiles.append(path)
        var inner = ConfigScanner(bytes: bytes, file: path)
        readBody(of: &element, &inner, depth: depth + 1, closing: nil)
        openFiles.removeLast()
    }
}

/// A series by name and labels at a text's beginning: `name{label="value"}`, `{"a name", label="value"}`.
public struct SeriesDescription: Sendable {
    /// Its labels, the name among them as `__name__`.
    public private(set) var labels: [(name: String, value: String)] = []
    /// How many bytes of the text it takes.
    public private(set) var byteCount = 0

    /// Reads a series at a text's beginning.
    public init(_ text: String) throws(ParseError) {
        var lexer = Lexer(text)
        var token = lexer.next()
        var isComplete = false
        if token.kind == .identifier {
            labels.append(("__name__", token.text))
            byteCount = token.range.end
            isComplete = true
            token = lexer.next()
            // What stands apart is the first value, or belongs to somebody else.
            if token.range.start != byteCount { return }
        }
        guard token.text == "{", token.kind == .sign else {
            if isComplete { return }
            throw ParseError("a series is wanted, such as `name{label=\"value\"}`", at: token.range)
        }
        token = lexer.next()
        while token.text != "}" || token.kind != .sign {
            let name = token
            switch name.kind {
            case .identifier, .string: break
            default: throw ParseError("a label is wanted", at: name.range)
            }
            token = lexer.next()
            if token.kind == .sign, token.text == "=" {
                token = lexer.next()
                guard case .string = token.kind else {
                    throw ParseError("a label's value in quotes is wanted", at: token.range)
                }
                labels.append((name.text, token.text))
                token = lexer.next()
            } else if case .string = name.kind {
                labels.append(("__name__", name.text))
            } else {
                throw ParseError("`=` and a value are wanted", at: token.range)
            }
            guard token.kind == .sign, token.text == "," || token.text == "}" else {
                throw ParseError("`,` or `}` is wanted", at: token.range)
            }
            if token.text == "," { token = lexer.next() }
        }
        byteCount = token.range.end
        labels = labels.filter { !$0.value.isEmpty }.sorted { $0.name < $1.name }
    }
}

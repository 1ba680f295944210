/// Makes the tree of a template.
struct TemplateParser {
    /// Deepest nesting.
    private static let depthLimit = 100

    private typealias Token = TemplateLexer.Token

    private let text: String
    private let functions: Set<String>
    private var tokens: [(token: Token, place: Int)] = []
    private var next = 0
    private var depth = 0
    /// What `define` and `block` name.
    private(set) var definitions: [String: [Template.Node]] = [:]

    /// - Parameter functions: The names of those that there are.
    init(_ text: String, functions: Set<String>) {
        self.text = text
        self.functions = functions
    }

    /// The nodes of the whole text.
    mutating func parse() throws(TemplateError) -> [Template.Node] {
        tokens = try TemplateLexer.tokens(of: text)
        let (nodes, end) = try list()
        if let end { throw error("unexpected {{\(end)}}", before: end == "end" ? 2 : 1) }
        return nodes
    }

    // MARK: Tokens

    private var token: Token? { next < tokens.count ? tokens[next].token : nil }

    private func place(before count: Int = 0) -> Template.Place {
        let number = next - count
        let place = tokens.indices.contains(number) ? tokens[number].place : text.utf8.count
        return TemplateLexer.position(of: place, in: Array(text.utf8))
    }

    private func error(_ message: String, before count: Int = 0) -> TemplateError {
        let place = place(before: count)
        return TemplateError(line: place.line, column: place.column, message: message)
    }

    private mutating func take(_ wanted: Token) -> Bool {
        guard token == wanted else { return false }
        next += 1
        return true
    }

    private mutating func close() throws(TemplateError) {
        guard take(.close) else { throw error("expected `}}`") }
    }

    private mutating func string(_ what: String) throws(TemplateError) -> String {
        guard case .string(let name)? = token else { throw error("\(what) has no name in quotes") }
        next += 1
        return name
    }

    // MARK: Nodes

    /// Nodes up to an `end` or an `else`, which is taken and told; after `else` its action is still open.
    private mutating func list() throws(TemplateError) -> ([Template.Node], end: String?) {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthLimit else { throw error("it is nested too deeply") }
        var nodes: [Template.Node] = []
        while let token {
            next += 1
            if case .text(let text) = token {
                nodes.append(.text(text))
                continue
            }
            if case .word(let word)? = self.token {
                next += 1
                switch word {
                case "end":
                    try close()
                    return (nodes, "end")
                case "else": return (nodes, "else")
                case "define": try define()
                default:
                    if let node = try control(word) {
                        nodes.append(node)
                        continue
                    }
                    next -= 1
                    nodes.append(.action(try pipeline()))
                    try close()
                }
                continue
            }
            nodes.append(.action(try pipeline()))
            try close()
        }
        return (nodes, nil)
    }

    private mutating func define() throws(TemplateError) {
        let name = try string("define")
        try close()
        definitions[name] = try body("define")
    }

    private mutating func body(_ what: String) throws(TemplateError) -> [Template.Node] {
        let (nodes, end) = try list()
        guard end == "end" else { throw error("`\(what)` has no {{end}}") }
        return nodes
    }

    private mutating func control(_ word: String) throws(TemplateError) -> Template.Node? {
        switch word {
        case "if", "with", "range": return try branch(word)
        case "template":
            let place = place(before: 1)
            let name = try string("template")
            let value = token == .close ? nil : try pipeline()
            try close()
            return .template(name, value, place)
        case "block":
            let place = place(before: 1)
            let name = try string("block")
            let value = try pipeline()
            try close()
            definitions[name] = try body("block")
            return .template(name, value, place)
        case "break", "continue":
            try close()
            return .leave(isBreak: word == "break")
        default: return nil
        }
    }

    private mutating func branch(_ word: String) throws(TemplateError) -> Template.Node {
        let pipeline = try pipeline()
        try close()
        let (then, end) = try list()
        var otherwise: [Template.Node] = []
        if end == "else" {
            if case .word(let next)? = token, next == "if" || next == "with", word != "range" {
                // `else if` needs no `end` of its own.
                self.next += 1
                otherwise = [try branch(next)]
            } else {
                try close()
                otherwise = try body(word)
            }
        } else if end == nil {
            throw error("`\(word)` has no {{end}}")
        }
        switch word {
        case "if": return .condition(pipeline, then: then, otherwise: otherwise)
        case "with": return .with(pipeline, then: then, otherwise: otherwise)
        default: return .range(pipeline, body: then, otherwise: otherwise)
        }
    }

    // MARK: Pipelines

    private mutating func pipeline() throws(TemplateError) -> Template.Pipeline {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthLimit else { throw error("it is nested too deeply") }
        var pipeline = Template.Pipeline(commands: [], place: place())
        readVariables(into: &pipeline)
        repeat {
            pipeline.commands.append(try command())
        } while take(.sign("|"))
        return pipeline
    }

    /// `$x :=`, `$i, $x :=` or `$x =`.
    private mutating func readVariables(into pipeline: inout Template.Pipeline) {
        let start = next
        var names: [String] = []
        while case .variable(let name)? = token {
            next += 1
            names.append(name)
            if !take(.sign(",")) { break }
        }
        if !names.isEmpty, take(.sign(":=")) || token == .sign("=") {
            pipeline.assigns = take(.sign("="))
            pipeline.variables = names
        } else {
            next = start
        }
    }

    private mutating func command() throws(TemplateError) -> Template.Command {
        var command = Template.Command(operands: [], place: place())
        while let token, token != .close, token != .sign("|"), token != .sign(")") {
            command.operands.append(try operand())
        }
        guard let first = command.operands.first else { throw error("a value is missing") }
        if command.operands.count > 1 {
            switch first {
            case .function: break
            default: throw error("only a function takes arguments", before: command.operands.count)
            }
        }
        return command
    }

    private mutating func operand() throws(TemplateError) -> Template.Operand {
        guard let token else { throw error("a value is missing") }
        next += 1
        switch token {
        case .dot: return .dot
        case .string(let text): return .string(text)
        case .integer(let number), .character(let number): return .integer(number)
        case .number(let number): return .number(number)
        case .variable(let name): return .variable(name, fields())
        case .field(let name, _): return .fields([name] + fields())
        case .word("true"): return .bool(true)
        case .word("false"): return .bool(false)
        case .word("nil"): return .null
        case .word(let name):
            guard functions.contains(name) else {
                throw error("function \"\(name)\" not defined", before: 1)
            }
            return .function(name)
        case .sign("("):
            let inner = try pipeline()
            guard take(.sign(")")) else { throw error("expected `)`") }
            return .pipeline(inner, fields())
        default: throw error("a value is expected here", before: 1)
        }
    }

    /// The fields that follow without a blank.
    private mutating func fields() -> [String] {
        var names: [String] = []
        while case .field(let name, isDetached: false)? = token {
            next += 1
            names.append(name)
        }
        return names
    }
}

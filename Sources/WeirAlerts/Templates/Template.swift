/// Why a template is refused, or cannot be expanded.
public struct TemplateError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The line of the text, from 1.
    public var line: Int
    /// The column of the line, from 1.
    public var column: Int
    /// What is wrong.
    public var message: String

    public var description: String { "\(line):\(column): \(message)" }
}

/// A template in Go's language (pkg.go.dev/text/template), with the functions that Prometheus' alerts have.
public struct Template: Sendable {
    /// What stands in a template.
    indirect enum Node: Sendable {
        case text(String)
        case action(Pipeline)
        case condition(Pipeline, then: [Node], otherwise: [Node])
        case range(Pipeline, body: [Node], otherwise: [Node])
        case with(Pipeline, then: [Node], otherwise: [Node])
        case template(String, Pipeline?, Place)
        case leave(isBreak: Bool)
    }

    /// A place in the text.
    struct Place: Sendable {
        var line: Int
        var column: Int
    }

    /// Commands whose values go from one to the next.
    struct Pipeline: Sendable {
        /// Variables that it sets, without their `$`.
        var variables: [String] = []
        /// Whether they are set anew, and not made.
        var assigns = false
        var commands: [Command]
        var place: Place
    }

    /// A function or a value with arguments.
    struct Command: Sendable {
        var operands: [Operand]
        var place: Place
    }

    /// A value that is written, or where it is found.
    indirect enum Operand: Sendable {
        case dot
        case null
        case bool(Bool)
        case integer(Int)
        case number(Double)
        case string(String)
        case function(String)
        /// `.A.B`
        case fields([String])
        /// `$x.A`
        case variable(String, [String])
        /// `(pipeline).A`
        case pipeline(Pipeline, [String])
    }

    var nodes: [Node]
    var definitions: [String: [Node]] = [:]

    /// Parses a template.
    public init(_ text: String) throws(TemplateError) {
        try self.init(text, functions: TemplateFunctions.names)
    }

    /// Parses a template that may call other functions.
    init(_ text: String, functions: Set<String>) throws(TemplateError) {
        var parser = TemplateParser(text, functions: functions)
        nodes = try parser.parse()
        definitions = parser.definitions
    }

    /// A text that has nothing to be computed.
    public init(plain text: String) { nodes = [.text(text)] }

    /// The text, if nothing of it is computed.
    var plain: String? {
        guard nodes.count <= 1 else { return nil }
        if nodes.isEmpty { return "" }
        if case .text(let text) = nodes[0] { return text }
        return nil
    }
}

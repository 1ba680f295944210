/// Expands a template.
struct TemplateRun {
    /// Most bytes of an expanded text.
    static let byteLimit = 1 << 20
    /// Most steps of an expansion.
    static let stepLimit = 1_000_000
    /// How often templates may name each other.
    private static let depthLimit = 100

    private let template: Template
    private let functions: TemplateFunctions
    private var variables: [(name: String, value: TemplateValue)] = []
    private var output = ""
    private var stepCount = 0
    private var depth = 0

    /// How a list of nodes ended.
    private enum Ending {
        case whole
        case broken
        case continued
    }

    /// Expands a template to its text.
    static func text(
        of template: Template, _ data: TemplateData, _ surroundings: TemplateSurroundings
    ) throws(TemplateError) -> String {
        if let plain = template.plain { return plain }
        let root = TemplateValue.map([
            "Labels": .labels(data.labels), "Value": .number(data.value),
            "ExternalLabels": .labels(data.externalLabels),
            "ExternalURL": .string(data.externalURL),
        ])
        return try text(
            of: template, root,
            variables: [
                ("labels", .labels(data.labels)), ("value", .number(data.value)),
                ("externalLabels", .labels(data.externalLabels)),
                ("externalURL", .string(data.externalURL)),
            ], TemplateFunctions(surroundings))
    }

    /// Expands a template with any data.
    /// - Parameter variables: Those that there are from the beginning, besides `$`.
    static func text(
        of template: Template, _ root: TemplateValue,
        variables: [(name: String, value: TemplateValue)], _ functions: TemplateFunctions
    ) throws(TemplateError) -> String {
        var run = TemplateRun(template, functions)
        run.variables = [("", root)] + variables
        _ = try run.expand(template.nodes, root)
        return run.output
    }

    private init(_ template: Template, _ functions: TemplateFunctions) {
        self.template = template
        self.functions = functions
    }

    private func failure(_ message: String, _ place: Template.Place) -> TemplateError {
        TemplateError(line: place.line, column: place.column, message: message)
    }

    private mutating func step(_ place: Template.Place) throws(TemplateError) {
        stepCount += 1
        guard stepCount <= Self.stepLimit, output.utf8.count <= Self.byteLimit else {
            throw failure("the template makes too much text, or takes too many steps", place)
        }
    }

    // MARK: Nodes

    private mutating func expand(
        _ nodes: [Template.Node], _ dot: TemplateValue
    ) throws(TemplateError) -> Ending {
        for node in nodes {
            switch node {
            case .text(let text): output += text
            case .action(let pipeline):
                try step(pipeline.place)
                let value = try value(of: pipeline, dot)
                if pipeline.variables.isEmpty { output += value.text }
            case .condition(let pipeline, let then, let otherwise):
                let ending = try scoped(pipeline, dot) { run, value throws(TemplateError) in
                    try run.expand(value.isTrue ? then : otherwise, dot)
                }
                if ending != .whole { return ending }
            case .with(let pipeline, let then, let otherwise):
                let ending = try scoped(pipeline, dot) { run, value throws(TemplateError) in
                    value.isTrue ? try run.expand(then, value) : try run.expand(otherwise, dot)
                }
                if ending != .whole { return ending }
            case .range(let pipeline, let body, let otherwise):
                let ending = try range(pipeline, body, otherwise, dot)
                if ending != .whole { return ending }
            case .template(let name, let pipeline, let place):
                try expand(named: name, pipeline, place, dot)
            case .leave(let isBreak): return isBreak ? .broken : .continued
            }
        }
        return .whole
    }

    /// Calls a body with a pipeline's value; the variables that it makes end with it.
    private mutating func scoped(
        _ pipeline: Template.Pipeline, _ dot: TemplateValue,
        _ body: (inout TemplateRun, TemplateValue) throws(TemplateError) -> Ending
    ) throws(TemplateError) -> Ending {
        try step(pipeline.place)
        let count = variables.count
        let value = try value(of: pipeline, dot)
        let ending = try body(&self, value)
        variables.removeLast(variables.count - count)
        return ending
    }

    private mutating func expand(
        named name: String, _ pipeline: Template.Pipeline?, _ place: Template.Place,
        _ dot: TemplateValue
    ) throws(TemplateError) {
        try step(place)
        guard let nodes = template.definitions[name] else {
            throw failure("template \"\(name)\" not defined", place)
        }
        var value = TemplateValue.null
        if let pipeline { value = try self.value(of: pipeline, dot) }
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthLimit else {
            throw failure("templates name each other for ever", place)
        }
        let outer = variables
        variables = [("", value)]
        _ = try expand(nodes, value)
        variables = outer
    }

    private mutating func range(
        _ pipeline: Template.Pipeline, _ body: [Template.Node], _ otherwise: [Template.Node],
        _ dot: TemplateValue
    ) throws(TemplateError) -> Ending {
        try step(pipeline.place)
        let count = variables.count
        var plain = pipeline
        plain.variables = []
        let elements = try elements(of: try value(of: plain, dot), pipeline.place)
        if elements.isEmpty { return try expand(otherwise, dot) }
        for (key, element) in elements {
            try step(pipeline.place)
            switch pipeline.variables.count {
            case 0: break
            case 1: variables.append((pipeline.variables[0], element))
            default:
                variables.append((pipeline.variables[0], key))
                variables.append((pipeline.variables[1], element))
            }
            let ending = try expand(body, element)
            variables.removeLast(variables.count - count)
            if ending == .broken { break }
        }
        return .whole
    }

    private func elements(
        of value: TemplateValue, _ place: Template.Place
    ) throws(TemplateError) -> [(key: TemplateValue, element: TemplateValue)] {
        switch value {
        case .null: return []
        case .list(let values):
            return values.enumerated().map { (.integer($0.offset), $0.element) }
        case .labels(let labels), .pairs(let labels):
            return labels.sorted { $0.key < $1.key }.map { (.string($0.key), .string($0.value)) }
        case .map(let values):
            return values.sorted { $0.key < $1.key }.map { (.string($0.key), $0.value) }
        case .integer(let number):
            guard number <= Self.stepLimit else {
                throw failure("the template takes too many steps", place)
            }
            return (0..<max(number, 0)).map { (.integer($0), .integer($0)) }
        default: throw failure("range can't iterate over \(value.text)", place)
        }
    }

    // MARK: Values

    private mutating func value(
        of pipeline: Template.Pipeline, _ dot: TemplateValue
    ) throws(TemplateError) -> TemplateValue {
        var value: TemplateValue?
        for command in pipeline.commands { value = try self.value(of: command, dot, piped: value) }
        let result = value ?? .null
        for name in pipeline.variables {
            if pipeline.assigns {
                guard let place = variables.lastIndex(where: { $0.name == name }) else {
                    throw failure("undefined variable \"$\(name)\"", pipeline.place)
                }
                variables[place].value = result
            } else {
                variables.append((name, result))
            }
        }
        return result
    }

    private mutating func value(
        of command: Template.Command, _ dot: TemplateValue, piped: TemplateValue?
    ) throws(TemplateError) -> TemplateValue {
        guard case .function(let name)? = command.operands.first else {
            guard piped == nil, let operand = command.operands.first else {
                throw failure("only a function takes what comes before a `|`", command.place)
            }
            return try value(of: operand, dot, command.place)
        }
        var arguments: [TemplateValue] = []
        for operand in command.operands.dropFirst() {
            let argument = try value(of: operand, dot, command.place)
            // `and` and `or` look no further than they must.
            if name == "and" && !argument.isTrue || name == "or" && argument.isTrue {
                return argument
            }
            arguments.append(argument)
        }
        if let piped { arguments.append(piped) }
        return try call(name, arguments, command.place)
    }

    private func call(
        _ name: String, _ arguments: [TemplateValue], _ place: Template.Place
    ) throws(TemplateError) -> TemplateValue {
        do throws(TemplateFailure) {
            return try functions.call(name, arguments)
        } catch {
            throw failure("error calling \(name): \(error.message)", place)
        }
    }

    private mutating func value(
        of operand: Template.Operand, _ dot: TemplateValue, _ place: Template.Place
    ) throws(TemplateError) -> TemplateValue {
        switch operand {
        case .dot: return dot
        case .null: return .null
        case .bool(let flag): return .bool(flag)
        case .integer(let number): return .integer(number)
        case .number(let number): return .number(number)
        case .string(let text): return .string(text)
        case .function(let name): return try call(name, [], place)
        case .fields(let names): return try field(names, of: dot, place)
        case .variable(let name, let names):
            guard let variable = variables.last(where: { $0.name == name }) else {
                throw failure("undefined variable \"$\(name)\"", place)
            }
            return try field(names, of: variable.value, place)
        case .pipeline(let pipeline, let names):
            let count = variables.count
            let inner = try value(of: pipeline, dot)
            variables.removeLast(variables.count - count)
            return try field(names, of: inner, place)
        }
    }

    private func field(
        _ names: [String], of value: TemplateValue, _ place: Template.Place
    ) throws(TemplateError) -> TemplateValue {
        var value = value
        for name in names {
            guard let next = value.field(name) else {
                throw failure("can't evaluate field \(name) in type \(value.typeName)", place)
            }
            value = next
        }
        return value
    }
}

extension Template {
    /// The template's text for an alert.
    ///
    /// What cannot be computed is told in the text, as Prometheus does: an alert is never lost for it.
    public func text(for data: TemplateData, _ surroundings: TemplateSurroundings) -> String {
        do throws(TemplateError) {
            return try TemplateRun.text(of: self, data, surroundings)
        } catch {
            return "<error expanding template: \(error)>"
        }
    }
}

extension Template {
    /// All pipelines in the order of the text.
    var pipelines: [Pipeline] {
        Self.pipelines(of: nodes) + definitions.values.flatMap { Self.pipelines(of: $0) }
    }

    private static func pipelines(of nodes: [Node]) -> [Pipeline] {
        nodes.flatMap { node -> [Pipeline] in
            switch node {
            case .text, .leave: []
            case .action(let pipeline): [pipeline]
            case .condition(let pipeline, let then, let otherwise),
                .range(let pipeline, let then, let otherwise),
                .with(let pipeline, let then, let otherwise):
                [pipeline] + pipelines(of: then) + pipelines(of: otherwise)
            case .template(_, let pipeline, _): pipeline.map { [$0] } ?? []
            }
        }
    }

    /// The labels of the alert's series that it names with `$labels.`, with their places.
    var namedLabels: [(name: String, place: Place)] {
        pipelines.flatMap { pipeline in
            pipeline.operands.compactMap { operand, place in
                guard case .variable("labels", let fields) = operand, let label = fields.first
                else { return nil }
                return (label, place)
            }
        }
    }
}

extension Template.Pipeline {
    /// All operands, those of pipelines in parentheses included.
    var operands: [(operand: Template.Operand, place: Template.Place)] {
        commands.flatMap { command in
            command.operands.flatMap { operand -> [(Template.Operand, Template.Place)] in
                if case .pipeline(let inner, _) = operand { return inner.operands }
                return [(operand, command.place)]
            }
        }
    }

    /// Whether the alert's value goes into it.
    var usesValue: Bool {
        operands.contains { if case .variable("value", _) = $0.operand { true } else { false } }
    }

    /// Whether it calls one of these functions.
    func calls(_ names: Set<String>) -> Bool {
        operands.contains {
            if case .function(let name) = $0.operand { names.contains(name) } else { false }
        }
    }
}

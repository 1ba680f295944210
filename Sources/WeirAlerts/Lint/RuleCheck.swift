import WeirConfig
import WeirPromQL

/// Looks for one kind of mistake that is not refused, and shows how to mend it.
protocol RuleCheck: Sendable {
    /// By what the documentation names it.
    var id: String { get }
    /// What there is to remark about a rule.
    func findings(in rule: LintedRule) -> [Finding]
    /// What there is to remark about a resource.
    func findings(in resource: RuleFile.Resource) -> [Finding]
}

extension RuleCheck {
    func findings(in rule: LintedRule) -> [Finding] { [] }
    func findings(in resource: RuleFile.Resource) -> [Finding] { [] }
}

/// What a check has found.
struct Finding: Sendable {
    /// Where.
    var location: SourceLocation
    /// What is wrong.
    var message: String
    /// How to mend it.
    var help: String
}

/// A rule with what is known of its surroundings.
struct LintedRule: Sendable {
    var rule: Rule
    var group: RuleGroup
    var surroundings: RuleLint.Surroundings

    /// What an alert has besides; `nil` for a recording rule.
    var alert: Rule.AlertOptions? {
        if case .alert(let options) = rule.kind { options } else { nil }
    }

    /// How often it is evaluated, in milliseconds.
    var interval: Int64 { group.interval ?? surroundings.evaluationInterval }

    /// Texts of an alert that are templates.
    var templates: [TemplateText] {
        guard let alert else { return [] }
        return rule.labels.map(\.value) + alert.annotations.map(\.value)
    }

    /// The rule's expression with one part put in another's place, in one line; `nil` unless it can be read.
    func mended(_ change: (Expression) -> Expression?) -> String? {
        rule.expression.rewritten(change).printed
    }
}

extension Expression {
    /// The expression on one line, if that can be read again.
    var printed: String? {
        (try? QueryParser.parse(description, options: .everything))?.description
    }
}

import WeirPromQL

/// A window in which one lost scrape leaves too few samples.
struct ShortRangeCheck: RuleCheck {
    let id = "R205"

    func findings(in rule: LintedRule) -> [Finding] {
        let interval = rule.surroundings.scrapeInterval
        let shortest = interval.multipliedReportingOverflow(by: 4)
        guard interval > 0, !shortest.overflow else { return [] }
        let seconds = Double(shortest.partialValue) / 1_000
        return rule.rule.expression.all.compactMap { part in
            guard case .call(let call) = part.kind,
                ["rate", "increase", "irate", "delta", "idelta", "deriv"].contains(
                    call.function.name),
                let argument = call.arguments.first,
                case .matrixSelector(let matrix) = argument.core.kind,
                case .literal(let window) = matrix.window.expression, window.value < seconds
            else { return nil }
            let long = NumberLiteral(seconds, isDuration: true)
            let mended = rule.mended { found in
                guard found.range == argument.core.range,
                    case .matrixSelector(var matrix) = found.kind
                else { return nil }
                matrix.window.expression = .literal(long)
                return Expression(.matrixSelector(matrix), at: found.range)
            }
            return Finding(
                location: rule.rule.location(of: matrix.window.range),
                message: "the range is shorter than four scrapes of "
                    + "\(DurationText.written(interval)): a lost one leaves gaps",
                help: mended.map { "write `\($0)`" } ?? "make it longer")
        }
    }
}

extension DurationText {
    /// Milliseconds as PromQL writes them.
    static func written(_ milliseconds: Int64) -> String {
        Expression(
            .number(NumberLiteral(Double(milliseconds) / 1_000, isDuration: true)),
            at: TextRange(start: 0, end: 0)
        ).description
    }
}

// Hot path: once per condition of every event.
import WeirConfig
import WeirCore
import WeirPipeline

/// `@type grep`: keeps the events whose fields match patterns.
public final class GrepFilter: Filter {
    private enum Parameters {
        static let key = Parameter.accessor("key", "The field: `code`, `$.a.b` or `$['a']['b']`.")
        static let pattern = Parameter.regex("pattern", "The pattern, in Ruby's dialect.")
        /// `regexp1` to `regexp20` and `exclude1` to `exclude20`.
        static let numbered = ["regexp", "exclude"].map { name in
            (1...20).map { number in
                Parameter.text(
                    "\(name)\(number)", default: "",
                    "The old form of `<\(name)>`: a field, a blank and a pattern.")
            }
        }
    }

    private static func condition(_ name: String, _ summary: String) -> SectionDeclaration {
        SectionDeclaration(
            name, .many,
            parameters: [AnyParameter(Parameters.key), AnyParameter(Parameters.pattern)],
            summary)
    }

    private static let conditions = [
        condition("regexp", "A field and the pattern that it must match."),
        condition("exclude", "A field and a pattern that drops the event."),
    ]

    /// The component as users see it.
    public static let declaration = ComponentDeclaration(
        .filter, type: "grep", "Keeps the events whose fields match patterns.",
        parameters: Parameters.numbered.flatMap { $0.map { AnyParameter($0) } },
        sections: conditions + [
            SectionDeclaration(
                "and", .many, sections: conditions,
                "Conditions that must all hold; of `<regexp>` or of `<exclude>`."),
            SectionDeclaration(
                "or", .many, sections: conditions,
                "Conditions of which one must hold; of `<regexp>` or of `<exclude>`."),
        ],
        examples: [
            """
            <filter istio.**>
              @type grep
              <regexp>
                key response_code
                pattern /^5/
              </regexp>
              <exclude>
                key path
                pattern /^\\/healthz/
              </exclude>
            </filter>
            """
        ])

    /// What becomes of an event, by its conditions.
    private enum Verdict {
        case keep
        case drop
        case fail(String)
    }

    private let requiredAll: [Condition]
    private let requiredAny: [Condition]
    private let excludedAll: [Condition]
    private let excludedAny: [Condition]
    private var scratch = ByteBuffer(capacity: 1024)

    /// A filter as its section describes it.
    public init(_ section: Section, hostName: String = "") throws(SectionError) {
        var requiredAll = ConditionList()
        var requiredAny = ConditionList()
        var excludedAll = ConditionList()
        var excludedAny = ConditionList()
        for parameter in Parameters.numbered[0] { try requiredAll.add(section, parameter) }
        for parameter in Parameters.numbered[1] { try excludedAny.add(section, parameter) }
        try requiredAll.add(section.sections("regexp"), Parameters.key, Parameters.pattern)
        try excludedAny.add(section.sections("exclude"), Parameters.key, Parameters.pattern)
        for group in section.sections("and") + section.sections("or") {
            let required = group.sections("regexp")
            let excluded = group.sections("exclude")
            guard required.isEmpty || excluded.isEmpty else {
                throw SectionError(
                    group.element.location,
                    "`<\(group.element.name)>` holds both `<regexp>` and `<exclude>`",
                    help: "write one `<\(group.element.name)>` for each kind")
            }
            if group.element.name == "and" {
                try requiredAll.add(required, Parameters.key, Parameters.pattern)
                try excludedAll.add(excluded, Parameters.key, Parameters.pattern)
            } else {
                try requiredAny.add(required, Parameters.key, Parameters.pattern)
                try excludedAny.add(excluded, Parameters.key, Parameters.pattern)
            }
        }
        self.requiredAll = requiredAll.conditions
        self.requiredAny = requiredAny.conditions
        self.excludedAll = excludedAll.conditions
        self.excludedAny = excludedAny.conditions
    }

    /// Drops the rows that the conditions do not let through.
    public func apply(to batch: EventBatch, refused: (_ row: Int, _ reason: String) -> Void) {
        for condition in [requiredAll, requiredAny, excludedAll, excludedAny].joined() {
            condition.look(at: batch)
        }
        for row in batch.rows.indices where !batch.rows[row].isDropped {
            switch verdict(row, batch) {
            case .keep: break
            case .drop: batch.drop(row: row)
            case .fail(let reason):
                batch.drop(row: row)
                refused(row, reason)
            }
        }
    }

    @inline(__always)
    private func verdict(_ row: Int, _ batch: EventBatch) -> Verdict {
        for condition in requiredAll {
            let outcome = condition.outcome(row, batch, &scratch)
            if outcome != .matched { return verdict(of: outcome, condition, else: .drop) }
        }
        if !requiredAny.isEmpty {
            var found = false
            for condition in requiredAny where !found {
                let outcome = condition.outcome(row, batch, &scratch)
                if outcome == .unmatched { continue }
                if outcome != .matched { return verdict(of: outcome, condition, else: .drop) }
                found = true
            }
            if !found { return .drop }
        }
        if !excludedAll.isEmpty {
            var all = true
            for condition in excludedAll where all {
                let outcome = condition.outcome(row, batch, &scratch)
                if outcome == .matched { continue }
                if outcome != .unmatched { return verdict(of: outcome, condition, else: .keep) }
                all = false
            }
            if all { return .drop }
        }
        for condition in excludedAny {
            let outcome = condition.outcome(row, batch, &scratch)
            if outcome != .unmatched { return verdict(of: outcome, condition, else: .drop) }
        }
        return .keep
    }

    /// What an outcome comes to that ends the conditions.
    private func verdict(
        of outcome: Condition.Outcome, _ condition: Condition, else verdict: Verdict
    ) -> Verdict {
        switch outcome {
        case .matched, .unmatched: verdict
        // Like Fluentd: an event that cannot be asked is kept.
        case .mistyped: .keep
        case .overLimit:
            .fail(
                "the pattern of `\(condition.way.text)` took more than \(Regex.stepLimit) steps")
        }
    }
}

/// One field and the pattern that it is held against.
private final class Condition {
    /// What came of holding a field against the pattern.
    enum Outcome {
        case matched
        case unmatched
        case overLimit
        /// The way to the field leads through something that has no fields.
        case mistyped
    }

    let way: RecordAccessor
    private let key: String?
    private let matcher: RegexMatcher
    private var reader: ColumnReader?

    init(_ way: RecordAccessor, _ regex: Regex) {
        self.way = way
        if case .key(let key)? = way.steps.first { self.key = key } else { key = nil }
        matcher = RegexMatcher(regex)
    }

    /// Before the rows of a batch.
    func look(at batch: EventBatch) { reader = key.map { ColumnReader($0, in: batch) } }

    /// Matches a row's field; one that is not there is an empty text.
    @inline(__always)
    func outcome(_ row: Int, _ batch: EventBatch, _ scratch: inout ByteBuffer) -> Outcome {
        let slot = reader?.slot(row: row, in: batch) ?? .absent
        let result: RegexOutcome
        if way.steps.count == 1, slot.type == .plain || slot.type == .raw || slot.type == .integer {
            result = batch.withText(slot) { matcher.match($0) }
        } else {
            scratch.truncate(to: 0)
            if way.steps.count == 1 {
                batch.appendText(of: slot, to: &scratch)
            } else {
                switch FieldLookup.dig(batch.value(of: slot), way.steps.dropFirst()) {
                case .found(let value): RubyText.append(value, to: &scratch)
                case .absent: break
                case .mistyped: return .mistyped
                }
            }
            result = matcher.match(scratch.bytes)
        }
        switch result {
        case .matched: return .matched
        case .unmatched: return .unmatched
        case .overLimit: return .overLimit
        }
    }
}

/// Conditions of one kind, in which each field has one pattern.
private struct ConditionList {
    private(set) var conditions: [Condition] = []

    /// Adds an old-style `regexp1 key pattern`.
    mutating func add(
        _ section: Section, _ parameter: Parameter<String>
    ) throws(SectionError) {
        guard section.isSet(parameter) else { return }
        let location = section.location(of: parameter)
        let parts = section[parameter].split(
            separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else {
            throw SectionError(
                location, "`\(parameter.name)` needs a field and a pattern",
                help: "write `\(parameter.name) field pattern`")
        }
        let way: RecordAccessor
        do {
            way = try ValueText.accessor(String(parts[0]))
        } catch {
            throw SectionError(location, error.message, help: error.help)
        }
        try add(way, RegexLiteral(String(parts[1])), location)
    }

    /// Adds the conditions of sections.
    mutating func add(
        _ sections: [Section], _ key: Parameter<RecordAccessor>, _ pattern: Parameter<RegexLiteral>
    ) throws(SectionError) {
        for section in sections {
            try add(section[key], section[pattern], section.location(of: pattern))
        }
    }

    private mutating func add(
        _ way: RecordAccessor, _ literal: RegexLiteral, _ location: SourceLocation
    ) throws(SectionError) {
        guard !conditions.contains(where: { $0.way.text == way.text }) else {
            throw SectionError(
                location, "`\(way.text)` has a pattern already",
                help: "join the two into one pattern: `/a|b/`")
        }
        conditions.append(Condition(way, try literal.compiled(at: location)))
    }
}

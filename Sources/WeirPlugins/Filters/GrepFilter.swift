// Hot path: once per event and condition.
import WeirConfig
import WeirCore
import WeirPipeline

/// `@type grep`: keeps the events whose fields match patterns.
public final class GrepFilter: Filter {
    private enum P {
        static let key = Parameter.accessor("key", "The field.")
        static let pattern = Parameter.regex("pattern", "The pattern.")
    }

    private static let condition = [AnyParameter(P.key), AnyParameter(P.pattern)]

    private static func section(_ name: String, _ summary: String) -> SectionDeclaration {
        SectionDeclaration(name, .many, parameters: condition, summary)
    }

    private static func group(_ name: String, _ summary: String) -> SectionDeclaration {
        SectionDeclaration(
            name, .many,
            sections: [
                section("regexp", "A field that must match."),
                section("exclude", "A field that must not match."),
            ], summary)
    }

    private static let numbered = (1...20).flatMap { number in
        ["regexp\(number)", "exclude\(number)"].map { name in
            AnyParameter(
                Parameter.text(name, default: "", "A field and a pattern, between a blank."))
        }
    }

    /// The component as users see it.
    public static let declaration = ComponentDeclaration(
        .filter, type: "grep", "Keeps the events whose fields match patterns.",
        parameters: numbered,
        sections: [
            section("regexp", "A field that must match; of several, all."),
            section("exclude", "A field that must not match; of several, none."),
            group("and", "Conditions that count together."),
            group("or", "Conditions of which one suffices."),
        ],
        examples: [
            "<filter istio.**>\n  @type grep\n  <exclude>\n    key path\n"
                + "    pattern /^\\/healthz/\n  </exclude>\n</filter>"
        ])

    /// A field and the pattern that it is held against.
    private struct Condition {
        let accessor: RecordAccessor
        let matcher: RegexMatcher
    }

    private var mustMatchAll: [Condition] = []
    private var mustMatchOne: [[Condition]] = []
    private var mustNotMatchOne: [Condition] = []
    private var mustNotMatchAll: [[Condition]] = []

    /// A filter as a section describes it.
    public init(_ section: Section, hostName: String) throws(SectionError) {
        mustMatchAll = try Self.conditions(section.sections("regexp"))
        mustNotMatchOne = try Self.conditions(section.sections("exclude"))
        for name in ["and", "or"] {
            for group in section.sections(name) {
                let matches = try Self.conditions(group.sections("regexp"))
                let excludes = try Self.conditions(group.sections("exclude"))
                guard matches.isEmpty != excludes.isEmpty else {
                    throw SectionError(
                        group.element.location,
                        "`<\(name)>` holds conditions of one kind",
                        help: "write either `<regexp>` or `<exclude>` sections into it")
                }
                switch (name, matches.isEmpty) {
                case ("and", false): mustMatchAll += matches
                case ("and", true): mustNotMatchAll.append(excludes)
                case (_, false): mustMatchOne.append(matches)
                case (_, true): mustNotMatchOne += excludes
                }
            }
        }
        try readNumbered(section)
    }

    private static func conditions(_ sections: [Section]) throws(SectionError) -> [Condition] {
        var conditions: [Condition] = []
        var seen: Set<RecordAccessor> = []
        for section in sections {
            guard seen.insert(section[P.key]).inserted else {
                throw SectionError(
                    section.location(of: P.key), "`\(section[P.key].text)` has a pattern already",
                    help: "join the two patterns by `|`")
            }
            conditions.append(
                try condition(section[P.key], section[P.pattern], section.location(of: P.pattern)))
        }
        return conditions
    }

    private static func condition(
        _ accessor: RecordAccessor, _ literal: RegexLiteral, _ place: SourceLocation
    ) throws(SectionError) -> Condition {
        do {
            let regex = try Regex(
                literal.source, ignoresCase: literal.ignoresCase,
                dotMatchesLineEnds: literal.dotMatchesLineEnds)
            return Condition(accessor: accessor, matcher: RegexMatcher(regex))
        } catch {
            throw SectionError(place, error.message, help: error.help)
        }
    }

    private func readNumbered(_ section: Section) throws(SectionError) {
        for attribute in section.element.attributes
        where attribute.name.hasPrefix("regexp") || attribute.name.hasPrefix("exclude") {
            let text = attribute.value.string
            guard let blank = text.firstIndex(of: " ") else {
                throw SectionError(
                    attribute.valueLocation, "`\(text)` is not a field and a pattern",
                    help: "write both with a blank between: `\(attribute.name) field pattern`")
            }
            let accessor: RecordAccessor
            let literal: RegexLiteral
            do throws(ValueError) {
                accessor = try ValueText.accessor(String(text[..<blank]))
                literal = try ValueText.regex(
                    String(text[text.index(after: blank)...]).trimmingBlanks)
            } catch {
                throw SectionError(attribute.valueLocation, error.message, help: error.help)
            }
            let condition = try Self.condition(accessor, literal, attribute.valueLocation)
            if attribute.name.hasPrefix("regexp") {
                mustMatchAll.append(condition)
            } else {
                mustNotMatchOne.append(condition)
            }
        }
    }

    // MARK: Events

    public func apply(to batch: EventBatch, refused: (_ row: Int, _ reason: String) -> Void) {
        for condition in mustMatchAll { keep(batch) { matches([condition], $0, all: true) } }
        for group in mustMatchOne { keep(batch) { matches(group, $0, all: false) } }
        for condition in mustNotMatchOne { keep(batch) { !matches([condition], $0, all: true) } }
        for group in mustNotMatchAll { keep(batch) { !matches(group, $0, all: true) } }

        func matches(_ conditions: [Condition], _ row: Int, all: Bool) -> Bool {
            for condition in conditions {
                let isMatch = matchesOne(condition, row: row, of: batch)
                if isMatch != all { return isMatch }
            }
            return all
        }
    }

    private func keep(_ batch: EventBatch, _ test: (Int) -> Bool) {
        for row in batch.rows.indices where !batch.rows[row].isDropped && !test(row) {
            batch.drop(row: row)
        }
    }

    /// Whether a field's text matches; a field that is missing counts as empty.
    private func matchesOne(_ condition: Condition, row: Int, of batch: EventBatch) -> Bool {
        guard case .key(let key)? = condition.accessor.steps.first else { return false }
        var reader = ColumnReader(key, in: batch)
        let slot = reader.slot(row: row, in: batch)
        let isTop = condition.accessor.steps.count == 1
        if isTop, slot.type == .plain || slot.type == .raw || slot.type == .integer {
            return batch.withText(slot) { condition.matcher.match($0) } == .matched
        }
        var text = ByteBuffer()
        if let value = batch.value(of: slot),
            let inner = condition.accessor.value(in: [key: value])
        {
            RubyText.append(inner, to: &text)
        }
        return condition.matcher.match(text.bytes) == .matched
    }
}

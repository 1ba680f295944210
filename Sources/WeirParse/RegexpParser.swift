import WeirConfig
import WeirCore

/// `@type regexp`: the named groups of a pattern.
public final class RegexpParser: LineParser {
    private enum Parameters {
        static let expression = Parameter.regex(
            "expression", "The pattern, in Ruby's dialect, with a named group per field.")
        static let ignoreCase = Parameter.flag(
            "ignorecase", default: false, "Whether case is ignored; write `/…/i` instead.")
        static let multiline = Parameter.flag(
            "multiline", default: false, "Whether `.` matches line ends; write `/…/m` instead.")
    }

    /// The component as users see it.
    public static let declaration = ComponentDeclaration(
        .parser, type: "regexp", "Reads lines by a pattern with named groups.",
        parameters: [
            AnyParameter(Parameters.expression), AnyParameter(Parameters.ignoreCase),
            AnyParameter(Parameters.multiline),
        ] + ParseParameters.all, ignored: ParseParameters.ignored,
        examples: [
            "<parse>\n  @type regexp\n  expression /^(?<host>\\S+) (?<message>.*)$/\n</parse>"
        ])

    private let regex: Regex
    private let matcher: RegexMatcher
    private let finisher: RowFinisher
    private let whole: Shape
    private let shapes = ShapesByGroups()

    /// A parser as a `<parse>` describes it.
    public init(_ section: Section) throws(SectionError) {
        let literal = section[Parameters.expression]
        do {
            regex = try Regex(
                literal.source, ignoresCase: literal.ignoresCase || section[Parameters.ignoreCase],
                dotMatchesLineEnds: literal.dotMatchesLineEnds || section[Parameters.multiline])
        } catch {
            throw SectionError(
                section.location(of: Parameters.expression), error.message, help: error.help)
        }
        guard !regex.groupNames.isEmpty else {
            throw SectionError(
                section.location(of: Parameters.expression), "the pattern has no named group",
                help: "name what becomes a field: `(?<field>…)`")
        }
        matcher = RegexMatcher(regex)
        whole = Shape(regex.groupNames)
        finisher = try makeFinisher(
            try ParseOptions(section, defaultTimeKey: "time"), section)
    }

    /// Reads every line into rows, or notes why it gave none (``LineParser/parse(into:now:)``).
    public func parse(into batch: EventBatch, now: Timestamp) {
        let first = batch.rows.count
        var slots: [Slot] = []
        for index in batch.lines.indices {
            let line = batch.lines[index]
            let outcome = batch.withBytes(of: line) { matcher.match($0) }
            guard outcome == .matched else {
                batch.appendFailure(line: index, outcome == .overLimit ? .overLimit : .unmatched)
                continue
            }
            slots.removeAll(keepingCapacity: true)
            var present: UInt64 = 0
            for group in regex.groupNames.indices {
                guard let range = matcher.group(group),
                    let slot = batch.makeTextSlot(
                        offset: Int(line.offset) + range.lowerBound, length: range.count)
                else { continue }
                slots.append(slot)
                present |= 1 << UInt64(min(group, 63))
            }
            let shape =
                slots.count == regex.groupNames.count
                ? whole : shapes.shape(present, names: regex.groupNames)
            if slots.count != shape.keys.count
                || !batch.appendRow(shape: shape, slots: slots, line: index, time: now)
            {
                batch.appendFailure(line: index, .overLimit)
            }
        }
        finisher.finish(batch, from: first, now: now)
    }
}

/// Shapes of lines in which some groups took no part.
private final class ShapesByGroups {
    private var shapes: [UInt64: Shape] = [:]

    /// The shape of the groups whose bits are set.
    func shape(_ present: UInt64, names: [String]) -> Shape {
        if let shape = shapes[present] { return shape }
        let kept = names.enumerated().filter { present & 1 << UInt64(min($0.offset, 63)) != 0 }
        let shape = Shape(kept.map(\.element))
        if shapes.count < 4096 { shapes[present] = shape }
        return shape
    }
}

/// A `<match>` or `<filter>` pattern: `*`, `**`, `{a,b}`, several between blanks, `/regex/`.
///
/// The rules are Fluentd's (`lib/fluent/match.rb`). A pattern becomes a small program that is run
/// over the tag with all its states at once, so no pattern takes more than tag × pattern steps.
public struct TagPattern: Sendable {
    private enum Alternative: Sendable {
        case program([Instruction])
        case regex(Regex)
    }

    fileprivate enum Instruction: Sendable {
        case byte(UInt8)
        /// Any byte but a dot.
        case notDot
        case any
        /// The tag's end or a dot follows: `.**` must not end in the middle of a part.
        case partEnds
        /// The tag's start is here.
        case start
        case split(Int, Int)
        case jump(Int)
        case match
    }

    /// The pattern as it was written.
    public let text: String
    private let alternatives: [Alternative]

    /// Reads a pattern.
    /// - Throws: A ``RegexError`` for a broken `/regex/`.
    public init(_ text: String) throws(RegexError) {
        self.text = text
        var alternatives: [Alternative] = []
        for part in text.split(whereSeparator: { $0 == " " || $0 == "\t" }) {
            if part.hasPrefix("/") {
                guard part.count >= 2, part.hasSuffix("/") else {
                    throw RegexError(
                        message: "`\(part)` has no closing slash", offset: 0,
                        help: "write `/pattern/`, without blanks")
                }
                let source = part.dropFirst().dropLast()
                // Alone first: a mistake is then shown in what was written.
                _ = try Regex(String(source))
                // Without a group, as in Fluentd: `/a|b/` is all that begins with `a` or ends in `b`.
                alternatives.append(.regex(try Regex("\\A\(source)\\Z")))
            } else {
                var compiler = TagPatternCompiler(pattern: Array(part.utf8))
                alternatives.append(.program(compiler.compile()))
            }
        }
        self.alternatives = alternatives
    }

    /// Whether a tag matches.
    public func matches(_ tag: String) -> Bool {
        let bytes = Array(tag.utf8)
        return alternatives.contains { alternative in
            switch alternative {
            case .program(let program): run(program, bytes)
            case .regex(let regex): regex.matches(tag)
            }
        }
    }

    private func run(_ program: [Instruction], _ tag: [UInt8]) -> Bool {
        var current = Set<Int>()
        var next = Set<Int>()
        follow(0, program, tag, 0, &current)
        for (place, byte) in tag.enumerated() {
            next.removeAll(keepingCapacity: true)
            for state in current {
                let isTaken =
                    switch program[state] {
                    case .byte(let expected): byte == expected
                    case .notDot: byte != UInt8(ascii: ".")
                    case .any: true
                    case .partEnds, .start, .split, .jump, .match: false
                    }
                if isTaken { follow(state + 1, program, tag, place + 1, &next) }
            }
            swap(&current, &next)
        }
        return current.contains { if case .match = program[$0] { true } else { false } }
    }

    /// Adds a state and all that follow from it without a byte.
    private func follow(
        _ state: Int, _ program: [Instruction], _ tag: [UInt8], _ place: Int,
        _ states: inout Set<Int>
    ) {
        var waiting = [state]
        while let state = waiting.popLast() {
            guard states.insert(state).inserted else { continue }
            switch program[state] {
            case .split(let first, let second): waiting += [first, second]
            case .jump(let target): waiting.append(target)
            case .start: if place == 0 { waiting.append(state + 1) }
            case .partEnds:
                if place == tag.count || tag[place] == UInt8(ascii: ".") {
                    waiting.append(state + 1)
                }
            case .byte, .notDot, .any, .match: break
            }
        }
    }
}

/// Turns one pattern into a program.
private struct TagPatternCompiler {
    /// Deepest nesting of `{…}`; deeper braces are taken as they stand.
    private static let depthLimit = 16

    private enum Node {
        case byte(UInt8)
        case part
        case anything
        case partEnds
        /// `**.`: any parts with their dot, or the tag's start.
        case leadingParts
        case union([[Node]])
    }

    let pattern: [UInt8]
    private var place = 0
    private var program: [TagPattern.Instruction] = []

    init(pattern: [UInt8]) {
        self.pattern = pattern
    }

    mutating func compile() -> [TagPattern.Instruction] {
        let nodes = readSequence(depth: 0)
        emit(nodes)
        program.append(.match)
        return program
    }

    private func byte(_ index: Int) -> UInt8 { index < pattern.count ? pattern[index] : 0 }

    private mutating func readSequence(depth: Int) -> [Node] {
        var nodes: [Node] = []
        var dot = false
        while place < pattern.count {
            let c = pattern[place]
            if c == UInt8(ascii: "*"), byte(place + 1) == c {
                if dot { nodes.append(.partEnds) }
                dot = false
                if byte(place + 2) == UInt8(ascii: ".") {
                    nodes.append(.leadingParts)
                    place += 3
                } else {
                    nodes.append(.anything)
                    place += 2
                }
                continue
            }
            if depth > 0, c == UInt8(ascii: "}") || c == UInt8(ascii: ",") {
                if dot { nodes.append(.byte(UInt8(ascii: "."))) }
                return nodes
            }
            if dot { nodes.append(.byte(UInt8(ascii: "."))) }
            dot = c == UInt8(ascii: ".")
            place += 1
            switch c {
            case UInt8(ascii: "."): break
            case UInt8(ascii: "\\"):
                if place < pattern.count { nodes.append(.byte(pattern[place])) }
                place += 1
            case UInt8(ascii: "*"): nodes.append(.part)
            case UInt8(ascii: "{") where depth < Self.depthLimit:
                nodes.append(readUnion(depth: depth))
            default: nodes.append(.byte(c))
            }
        }
        // A dot at the very end is forgotten, as in Fluentd.
        return nodes
    }

    private mutating func readUnion(depth: Int) -> Node {
        var branches = [readSequence(depth: depth + 1)]
        while place < pattern.count {
            let c = pattern[place]
            place += 1
            if c == UInt8(ascii: "}") { break }
            branches.append(readSequence(depth: depth + 1))
        }
        return .union(branches)
    }

    private mutating func emit(_ nodes: [Node]) {
        for node in nodes {
            switch node {
            case .byte(let byte): program.append(.byte(byte))
            case .part: emitLoop(.notDot)
            case .anything: emitLoop(.any)
            case .partEnds: program.append(.partEnds)
            case .leadingParts: emitLeadingParts()
            case .union(let branches): emitUnion(branches)
            }
        }
    }

    private mutating func emitLoop(_ instruction: TagPattern.Instruction) {
        let start = program.count
        program.append(.split(start + 1, start + 3))
        program.append(instruction)
        program.append(.jump(start))
    }

    private mutating func emitLeadingParts() {
        let start = program.count
        program.append(.split(start + 1, start + 6))
        emitLoop(.any)
        program.append(.byte(UInt8(ascii: ".")))
        program.append(.jump(start + 7))
        program.append(.start)
    }

    private mutating func emitUnion(_ branches: [[Node]]) {
        var jumps: [Int] = []
        for (index, branch) in branches.enumerated() {
            let isLast = index == branches.count - 1
            let split = program.count
            if !isLast { program.append(.split(split + 1, 0)) }
            emit(branch)
            if !isLast {
                jumps.append(program.count)
                program.append(.jump(0))
                program[split] = .split(split + 1, program.count)
            }
        }
        for jump in jumps { program[jump] = .jump(program.count) }
    }
}
